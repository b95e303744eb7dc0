"""DCTCP: the window falls by half of the marked share, once a round trip (RFC 8257).

`alpha` averages the share of marked packets of each window of data (3.3); losses halve, and slow start, recovery and
idle times are Reno's (3.5). Growth pauses for the round trip of a reduction, as in Linux. For data centres alone
(RFC 8257 1): the share depends on the RTT and nothing is paced, so packets carry ECT(0), not ECT(1).
"""

from __future__ import annotations

import cython

from lanecast.transport.congestion.base import INITIAL_PACKETS, AckObservation
from lanecast.transport.congestion.reno import LOSS_FACTOR, Reno
from lanecast.transport.stage import ECT0
from lanecast.transport.units import Int

GAIN = 1 / 16  # RFC 8257 4.2 (g)
INITIAL_ALPHA = 1.0  # RFC 8257 4.2: conservative on the first mark


class Dctcp(Reno):
    """RFC 8257; `gain` is g, `initial_alpha` the first value of the average."""

    ecn_codepoint = ECT0

    def __init__(
        self,
        *,
        mss: Int = 1500,
        initial_packets: Int = INITIAL_PACKETS,
        gain: float = GAIN,
        initial_alpha: float = INITIAL_ALPHA,
        prr: bool = False,
    ) -> None:
        super().__init__(mss=mss, initial_packets=initial_packets, loss_factor=LOSS_FACTOR, prr=prr)
        if not (0 < gain < 1 and 0 <= initial_alpha <= 1):
            raise ValueError(
                f"gain in (0, 1) and initial_alpha in [0, 1] expected, got {gain} and {initial_alpha}"
            )
        self.gain = gain
        self.alpha = initial_alpha
        self._ce = 0
        self._received = 0
        self._window_end = 0

    def on_ack(self, ack: AckObservation) -> None:
        """Average the marked share once a window (RFC 8257 3.3), then act as Reno with that factor."""
        self._ce += ack.ce
        self._received += ack.received
        if ack.pn >= self._window_end and self._received > 0:
            share: cython.double = min(self._ce / self._received, 1.0)
            self.alpha += (share - self.alpha) * self.gain
            self._ce = self._received = 0
            self._window_end = ack.next_pn
        self.mark_factor = 1 - self.alpha / 2
        Reno.on_ack(self, ack)

    def lowered(self, flight: Int, factor: float) -> float:
        """Reduce the window itself, not the flight (RFC 8257 3.3)."""
        return max(self.cwnd * factor, self.minimum_cwnd)
