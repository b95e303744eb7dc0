"""A queue of one's own: mark every ECN-capable packet that waited over 1 ms, drop arrivals at 50 packets.

Try it:  lanecast check my_queue:StepQueue
         lanecast run dumbbell --queue my_queue:StepQueue --out results/mine
"""

from __future__ import annotations

from lanecast.l4s.queue import Queue
from lanecast.transport.stage import Packet
from lanecast.transport.units import MS


class StepQueue(Queue):
    """DCTCP-like step marking on sojourn time."""

    def __init__(self, *, limit_packets: int = 50, threshold: int = MS) -> None:
        super().__init__(limit_packets=limit_packets)
        self.threshold = threshold

    def take(self, now: int) -> Packet | None:
        """Hand out the head, marked if it waited too long."""
        packet = super().take(now)
        if packet is not None and now - packet.enqueued > self.threshold:
            self.mark(now, packet)
        return packet
