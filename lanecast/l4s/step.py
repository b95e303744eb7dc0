"""Step marking: what a data-centre switch does for DCTCP (RFC 8257 3.1).

An ECN-capable packet is marked when it arrives to `packets` or more in the queue, or with `sojourn` > 0 when it leaves
after waiting at least so long. Others pass unmarked: only the limits drop.
"""

from __future__ import annotations

from lanecast.l4s.queue import TAIL, Queue
from lanecast.transport.stage import Packet
from lanecast.transport.units import Ns

PACKETS = 65  # M. Alizadeh et al., "Data Center TCP" (SIGCOMM 2010), 3.4: K for 10 Gbit/s

_TAIL = TAIL


class Step(Queue):
    """One FIFO with a marking threshold in packets, or in ns of waiting."""

    def __init__(
        self, *, limit_packets: int = 0, limit_bytes: int = 0, packets: int = PACKETS, sojourn: int = 0
    ) -> None:
        super().__init__(limit_packets=limit_packets, limit_bytes=limit_bytes)
        if packets < 1 or sojourn < 0:
            raise ValueError(f"step needs packets >= 1 and sojourn >= 0 ns, got {packets} and {sojourn}")
        self.packets = packets
        self.sojourn = sojourn

    def offer(self, now: Ns, packet: Packet) -> bool:
        """Take the packet in, marked where the queue is long, or drop it at a limit."""
        self.offered += 1
        if self.is_full(packet.size):
            self.discard(now, packet, _TAIL)
            return False
        self.keep(now, packet)
        if self.sojourn == 0 and self.count > self.packets:
            self.mark(now, packet)
        return True

    def take(self, now: Ns) -> Packet | None:
        """Return the next packet to send."""
        packet: Packet | None = self.release()
        if packet is not None:
            if 0 < self.sojourn <= now - packet.enqueued:
                self.mark(now, packet)
            self.hand_out(now, packet)
        return packet
