"""CoDel: drop from the front while packets have waited too long for too long (RFC 8289).

Theory of operation (RFC 8289 5). A packet leaves *well* if it waited less than `target`, or at most one MTU is left
behind it. When none left well for a whole `interval`, the law starts dropping: one packet at once, the next after
interval / sqrt(count), with `count` growing by one a drop, until a packet leaves well. When dropping begins again soon
(within 16 intervals), count resumes from the drops of the last episode.
With `ecn`, an ECN-capable packet is marked instead and leaves; `ce_threshold` > 0 marks every ECN-capable
packet that waited longer, with `ce_threshold_ect1` only those with ECT(1) (Linux `sch_fq_codel`, ce_threshold_selector
0x01/0x03; 1 ms is the L4S use).

`CodelLaw` is the state of one FIFO; FQ-CoDel keeps one for each flow queue.
"""

from __future__ import annotations

from math import sqrt

import cython

from lanecast.l4s.queue import EARLY, Queue
from lanecast.transport.stage import ECT1, Fifo, Packet
from lanecast.transport.units import MS, Int, Ns

TARGET = 5 * MS  # RFC 8289 4.4
INTERVAL = 100 * MS  # RFC 8289 4.3
MTU = 1500  # bytes; the largest packet (RFC 8289 5.3 maxpacket); sizes are IP lengths
RESUME_INTERVALS = 16  # RFC 8289 5.5

_EARLY, _ECT1 = EARLY, ECT1
_RESUME_INTERVALS = RESUME_INTERVALS


class CodelParameters:
    """What the laws of one queue share; times in ns."""

    def __init__(
        self,
        *,
        target: int = TARGET,
        interval: int = INTERVAL,
        ecn: bool = False,
        ce_threshold: int = 0,
        ce_threshold_ect1: bool = False,
        mtu: int = MTU,
    ) -> None:
        if not 0 < target < interval or ce_threshold < 0 or mtu <= 0:
            raise ValueError(
                f"CoDel needs 0 < target < interval, ce_threshold >= 0 and mtu > 0; "
                f"got {target}, {interval}, {ce_threshold}, {mtu}"
            )
        self.target = target
        self.interval = interval
        self.ecn = ecn
        self.ce_threshold = ce_threshold
        self.ce_threshold_ect1 = ce_threshold_ect1
        self.mtu = mtu


class CodelLaw:
    """CoDel over one FIFO; `owner` is the queue that counts."""

    def __init__(self, owner: Queue, line: Fifo, parameters: CodelParameters) -> None:
        self.owner = owner
        self.line = line
        self.parameters = parameters
        self.dropping = False
        self.count = 0
        self.last_count = 0
        self.drop_next = 0
        self._first_above = 0  # when dropping may begin; 0: the last packet left well
        self._ok_to_drop = False

    def take(self, now: Ns) -> Packet | None:
        """Return the next packet to send, dropping or marking on the way."""
        packet: Packet | None = self._pull(now)
        if self.dropping:
            if not self._ok_to_drop:
                self.dropping = False
            while self.dropping and now >= self.drop_next and packet is not None:
                self.count += 1
                if self._punish(now, packet):
                    self.drop_next = self._after(self.drop_next)
                    break
                packet = self._pull(now)
                if self._ok_to_drop:
                    self.drop_next = self._after(self.drop_next)
                else:
                    self.dropping = False
        elif self._ok_to_drop and packet is not None:
            if not self._punish(now, packet):
                packet = self._pull(now)
            self._begin(now)
        if packet is not None and self._is_late(now, packet):
            self.owner.mark(now, packet)
        return packet

    def _is_late(self, now: Ns, packet: Packet) -> cython.bint:
        if not 0 < self.parameters.ce_threshold < now - packet.enqueued:
            return False
        return packet.ecn == _ECT1 or not self.parameters.ce_threshold_ect1

    def _pull(self, now: Ns) -> Packet | None:
        """Remove the head and judge whether dropping it would be right (RFC 8289 5.6, dodequeue)."""
        packet: Packet | None = self.owner.release_from(self.line)
        self._ok_to_drop = False
        if (
            packet is None
            or now - packet.enqueued < self.parameters.target
            or self.line.size <= self.parameters.mtu
        ):
            self._first_above = 0
        elif self._first_above == 0:
            self._first_above = now + self.parameters.interval
        else:
            self._ok_to_drop = now >= self._first_above
        return packet

    def _punish(self, now: Ns, packet: Packet) -> cython.bint:
        """Mark the packet (True: it leaves) or drop it (False)."""
        if self.parameters.ecn and self.owner.mark(now, packet):
            return True
        self.owner.discard(now, packet, _EARLY)
        return False

    def _begin(self, now: Ns) -> None:
        """Enter the dropping state (RFC 8289 5.5)."""
        recent: cython.longlong = self.count - self.last_count
        self.dropping = True
        if recent > 1 and now - self.drop_next < _RESUME_INTERVALS * self.parameters.interval:
            self.count = recent
        else:
            self.count = 1
        self.drop_next = self._after(now)
        self.last_count = self.count

    def _after(self, time: Ns) -> Int:
        """Return the control law's next drop after `time`: interval / sqrt(count) later."""
        gap: cython.double = self.parameters.interval / sqrt(self.count)
        return time + int(gap)


class CoDel(Queue):
    """One FIFO under CoDel."""

    def __init__(
        self,
        *,
        limit_packets: int = 0,
        limit_bytes: int = 0,
        target: int = TARGET,
        interval: int = INTERVAL,
        ecn: bool = False,
        ce_threshold: int = 0,
        ce_threshold_ect1: bool = False,
        mtu: int = MTU,
    ) -> None:
        super().__init__(limit_packets=limit_packets, limit_bytes=limit_bytes)
        parameters = CodelParameters(
            target=target,
            interval=interval,
            ecn=ecn,
            ce_threshold=ce_threshold,
            ce_threshold_ect1=ce_threshold_ect1,
            mtu=mtu,
        )
        self.law = CodelLaw(self, self.line, parameters)

    def take(self, now: Ns) -> Packet | None:
        """Return the next packet to send, or None; the last packet held may be dropped."""
        packet: Packet | None = self.law.take(now)
        if packet is not None:
            self.hand_out(now, packet)
        return packet
