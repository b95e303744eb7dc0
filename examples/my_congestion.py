"""A congestion controller of one's own: halve on loss, one packet a round trip otherwise, never over 80 packets.

Try it:  lanecast check my_congestion:Careful
         lanecast run dumbbell --cc my_congestion:Careful --out results/mine
"""

from __future__ import annotations

from lanecast.transport.congestion.base import AckObservation, CongestionControl, LossObservation

LARGEST = 80  # packets


class Careful(CongestionControl):
    """AIMD with a ceiling."""

    def __init__(self, *, mss: int = 1500) -> None:
        super().__init__(mss=mss)

    def on_ack(self, ack: AckObservation) -> None:
        """Grow by one packet a round trip."""
        self.cwnd = min(self.cwnd + self.mss * ack.acked / self.cwnd, LARGEST * self.mss)

    def on_loss(self, loss: LossObservation) -> None:
        """Halve, once a round trip."""
        if loss.fresh:
            self.cwnd = max(self.cwnd / 2, 2 * self.mss)
