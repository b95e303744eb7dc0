"""PI2: one queue under a linearised PI controller, for classic and scalable senders alike.

K. De Schepper et al., "PI2: A Linearized AQM for both Classic and Scalable TCP" (CoNEXT 2016). The base probability p
moves as in DualPI2; packets of scalable senders (ECT(1), CE) are marked with k p, others dropped, or marked if
ECN-capable, with p^2. All wait in one FIFO, so that scalable senders get the rate they deserve but no low delay.
Settings are DualPI2's where they have a meaning for one queue (no step, scheduler or protection).
"""

from __future__ import annotations

from lanecast.l4s.dualpi2 import CLASSIC, LOW, DualPi2
from lanecast.l4s.queue import TAIL
from lanecast.transport.stage import Packet
from lanecast.transport.units import Ns

_TAIL = TAIL
_CLASSIC, _LOW = CLASSIC, LOW


class Pi2(DualPi2):
    """One FIFO with the coupled law."""

    def offer(self, now: Ns, packet: Packet) -> bool:
        """Take the packet in or drop it."""
        self.offered += 1
        if self._next_update <= now:
            self._catch_up(now)
        if self.is_full(packet.size):
            self.discard(now, packet, _TAIL)
            return False
        self.keep_in(now, packet, self.classic)
        return True

    def take(self, now: Ns) -> Packet | None:
        """Return the next packet to send, perhaps marked; others may be dropped on the way."""
        packet: Packet | None
        if self._next_update <= now:
            self._catch_up(now)
        while True:
            packet = self.release_from(self.classic)
            if packet is None:
                return None
            if self._coupled(now, packet, self._classify(packet) == _LOW):
                break
        self.hand_out(now, packet)
        return packet
