"""What an adaptive sender learns about its path from acknowledgements alone.

`ChannelSense`: how often packets get lost, and in what runs. `CongestionGate`: how much of the extra traffic is
allowed, given CE marks and queue growth. (`silence.py`: what silences mean.)

All averages are exponential with the weights below, which are **assumptions** tuned on seeds 100 to 109 of the
token grid, never on its evaluation seeds.
"""

from __future__ import annotations

from lanecast.transport.tokens.ledger import Ledger
from lanecast.transport.units import SECOND, Ns

RUN_MEMORY = 0.95  # assumption: weight of older loss runs
PRIOR_RUNS = 2.0  # assumption: runs of length 1 seen beforehand
PRIOR_SQUARES = 3.0
BURSTY_RUN = 2.5  # assumption: size-biased mean run; independent loss of 19 % both ways gives 1.5
PRIOR_PACKETS = 10  # assumption: weight of "no loss" before anything is known
RECOVERY_STEP = 0.1  # tokens specification 7: +10 % a round trip without a signal
LEAST_SCALE = 1 / 64  # assumption


class ChannelSense:
    """Loss and burstiness."""

    def __init__(self) -> None:
        self.largest = -1
        self.runs = 0.0
        self.run_sum = 0.0
        self.run_squares = 0.0

    def on_ack(self, ledger: Ledger) -> None:
        """Take in an ACK."""
        skipped = ledger.largest - self.largest - 1
        if skipped > 0:
            self.runs = self.runs * RUN_MEMORY + 1
            self.run_sum = self.run_sum * RUN_MEMORY + skipped
            self.run_squares = self.run_squares * RUN_MEMORY + skipped * skipped
        self.largest = max(self.largest, ledger.largest)

    def is_bursty(self) -> bool:
        """Tell whether losses come in runs longer than independent losses would."""
        return (self.run_squares + PRIOR_SQUARES) / (self.run_sum + PRIOR_RUNS) >= BURSTY_RUN

    def loss(self, ledger: Ledger) -> float:
        """Return the share of packets lost, 0 to 1."""
        return ledger.lost / (ledger.largest + PRIOR_PACKETS)

    def next_loss(self, ledger: Ledger) -> float:
        """Return the probability that the packet after a lost one is lost too."""
        mean_run = (self.run_sum + PRIOR_RUNS) / (self.runs + PRIOR_RUNS)
        return max(self.loss(ledger), 1.0 - 1.0 / mean_run)


class CongestionGate:
    """`scale` (1/64 to 1) of the extra traffic; halved at once by a signal, at most once a round trip.

    Signals: CE marks, and round trips that say that a queue is growing (`Ledger.grown`). Without a signal the scale
    recovers by 10 % a round trip.
    """

    def __init__(self) -> None:
        self.scale = 1.0
        self.signals = 0
        self.changed = -SECOND

    def on_ack(self, ledger: Ledger, now: Ns) -> None:
        """Take in an ACK."""
        if ledger.ce_news > 0 or ledger.grown:
            if now - self.changed >= ledger.rtt.smoothed:
                self.scale = max(self.scale / 2, LEAST_SCALE)
                self.signals += 1
                self.changed = now
        elif self.scale < 1.0 and now - self.changed >= ledger.rtt.smoothed:
            self.scale = min(1.0, self.scale + RECOVERY_STEP)
            self.changed = now
