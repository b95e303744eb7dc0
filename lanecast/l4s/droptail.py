"""Plain FIFOs: droptail and drophead, with limits in packets, bytes or time.

Limits combine; 0 means none. A time limit refuses an arrival while the packet that goes next has waited
`limit_time` or longer: the arrival would wait at least as long behind it. Drophead makes room for the arrival by
dropping from the front (fresh data over stale); only a packet larger than the whole limit is refused, and costs no
other.

No rate is assumed: a time limit follows a link whose capacity varies or stops. At a constant rate the queue holds
about `limit_time` of that rate; a packet let in may wait longer when the link slows down afterwards. Every
limit may be set while the queue runs; packets already held stay until an arrival meets the new limit.
"""

from __future__ import annotations

from lanecast.l4s.queue import HEAD, TAIL, Queue
from lanecast.transport.stage import Packet
from lanecast.transport.units import Ns

_TAIL = TAIL
_HEAD = HEAD


class DropTail(Queue):
    """The arrival is dropped when a limit is reached."""

    def __init__(self, *, limit_packets: int = 0, limit_bytes: int = 0, limit_time: int = 0) -> None:
        super().__init__(limit_packets=limit_packets, limit_bytes=limit_bytes)
        if limit_time < 0:
            raise ValueError(f"limit_time must be >= 0 ns, got {limit_time}")
        self.limit_time = limit_time

    def offer(self, now: Ns, packet: Packet) -> bool:
        """Take the packet in, or drop it."""
        self.offered += 1
        if self.is_full(packet.size) or self.is_late(now):
            self.discard(now, packet, _TAIL)
            return False
        self.keep(now, packet)
        return True

    def is_late(self, now: Ns) -> bool:
        """Tell whether the head has waited `limit_time` or longer."""
        return 0 < self.limit_time <= self.head_sojourn(now)


class DropHead(DropTail):
    """The oldest packets are dropped until the arrival fits."""

    def offer(self, now: Ns, packet: Packet) -> bool:
        """Take the packet in, dropping from the front; refuse it if it can never fit."""
        self.offered += 1
        if 0 < self.limit_bytes < packet.size:
            self.discard(now, packet, _TAIL)
            return False
        while self.count > 0 and (self.is_full(packet.size) or self.is_late(now)):
            oldest: Packet | None = self.release()
            if oldest is not None:
                self.discard(now, oldest, _HEAD)
        self.keep(now, packet)
        return True
