"""Step marking on one FIFO: CE on everything beyond a threshold (DCTCP, Alizadeh and others, SIGCOMM 2010).

A packet that finds `step_packets` or more held is marked as it arrives (the instantaneous length, 3.1 there); one that
waited `step_thresh` or longer is marked as it leaves. Both may be on; 0 is off. A packet that is not ECN-capable passes
or, with `drop_not_ect`, is dropped where another would be marked, as a switch with a RED profile of zero width does.
"""

from __future__ import annotations

import cython

from lanecast.l4s.queue import EARLY, TAIL, Queue
from lanecast.transport.stage import NOT_ECT, Packet
from lanecast.transport.units import Ns

STEP_PACKETS = 65  # DCTCP 3.4: K at 10 Gbit/s; at 1 Gbit/s 20

_EARLY, _TAIL, _NOT_ECT = EARLY, TAIL, NOT_ECT


class Step(Queue):
    """One FIFO with a marking threshold in packets, in ns, or both."""

    def __init__(
        self,
        *,
        limit_packets: int = 0,
        limit_bytes: int = 0,
        step_packets: int | None = None,
        step_thresh: int = 0,
        drop_not_ect: bool = False,
    ) -> None:
        super().__init__(limit_packets=limit_packets, limit_bytes=limit_bytes)
        if step_packets is None:
            step_packets = 0 if step_thresh else STEP_PACKETS
        if step_packets < 0 or step_thresh < 0 or (step_packets == 0 and step_thresh == 0):
            raise ValueError(
                f"step needs step_packets or step_thresh above 0, none below; got {step_packets}, {step_thresh}"
            )
        self.step_packets = step_packets
        self.step_thresh = step_thresh
        self.drop_not_ect = drop_not_ect

    def offer(self, now: Ns, packet: Packet) -> bool:
        """Take the packet in, marked if it meets a long queue, or drop it."""
        is_over: cython.bint = 0 < self.step_packets <= self.count
        self.offered += 1
        if self.is_full(packet.size):
            self.discard(now, packet, _TAIL)
            return False
        if is_over and self.drop_not_ect and packet.ecn == _NOT_ECT:
            self.discard(now, packet, _EARLY)
            return False
        self.keep(now, packet)
        if is_over:
            self.mark(now, packet)
        return True

    def take(self, now: Ns) -> Packet | None:
        """Return the next packet to send, marked if it waited long; None if none is left."""
        packet: Packet | None = self.release()
        while packet is not None:
            if (
                not 0 < self.step_thresh <= now - packet.enqueued
                or self.mark(now, packet)
                or not self.drop_not_ect
            ):
                self.hand_out(now, packet)
                return packet
            self.discard(now, packet, _EARLY)
            packet = self.release()
        return None
