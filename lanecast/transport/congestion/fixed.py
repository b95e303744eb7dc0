"""A controller that does not react: a fixed window, a fixed rate, or both."""

from __future__ import annotations

from lanecast.transport.congestion.base import UNLIMITED, CongestionControl
from lanecast.transport.units import Int


class Fixed(CongestionControl):
    """Keep `packets` in flight (0: no limit) and pace at `rate_bps` (0: no pacing); one of the two must be given."""

    def __init__(self, *, mss: Int = 1500, packets: Int = 0, rate_bps: Int = 0) -> None:
        super().__init__(mss=mss)
        if packets < 0 or rate_bps < 0 or packets + rate_bps == 0:
            raise ValueError(f"packets or rate_bps must be > 0, got {packets} and {rate_bps}")
        self.cwnd = float(mss * packets) if packets > 0 else UNLIMITED
        self.pacing_rate_bps = rate_bps
