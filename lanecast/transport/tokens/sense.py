"""What an adaptive sender learns about its path from acknowledgements alone.

`ChannelSense`: how often packets get lost, in what runs, whether silences mean that data or only ACKs were lost,
and whether a bad time lets packets through now and then ("leaky": Gilbert-Elliott) or none at all ("dead": an
outage). `CongestionGate`: how much of the extra traffic is allowed, given CE marks and queue growth.

All averages are exponential with the weights below, which are **assumptions** tuned on seeds 100 to 109 of the
token grid (never on its evaluation seeds 0 to 29).
"""

from __future__ import annotations

from lanecast.transport.tokens.ledger import Ledger
from lanecast.transport.units import MS, SECOND, Ns

RUN_MEMORY = 0.95  # assumption: weight of older loss runs
PRIOR_RUNS = 2.0  # assumption: runs of length 1 seen beforehand
PRIOR_SQUARES = 3.0
BURSTY_RUN = 2.5  # assumption: size-biased mean run; independent loss of 19 % both ways gives 1.5
PRIOR_PACKETS = 10  # assumption: weight of "no loss" before anything is known
LEARN = 0.25  # assumption: weight of the newest silence
RELAPSE = 300 * MS  # assumption: a silence so soon after another is the same bad time
FIRST_DATA_SHARE = 0.7  # assumption
LONG_SILENCE = 100 * MS  # assumption: shorter ones are mostly single losses and tell nothing
LOST_SHARE = 0.2  # assumption: of the packets of a silence; when only ACKs were lost it is the usual loss
LEAKED = 3  # assumption: packets that had arrived when the first ACK after a silence came
HEARD = 60 * MS  # assumption: so long a heartbeat shows that the ACK path works

RECOVERY_STEP = 0.1  # tokens specification 7: +10 % a round trip without a signal
LEAST_SCALE = 1 / 64  # assumption


class ChannelSense:
    """Loss, burstiness and the meaning of silences; a silence lasts from `begin` to the next cumulative advance."""

    def __init__(self) -> None:
        self.largest = -1
        self.runs = 0.0
        self.run_sum = 0.0
        self.run_squares = 0.0
        self.data_share = (
            FIRST_DATA_SHARE  # of the silences without a heartbeat, those in which data was lost
        )
        self.leak = 0.5  # share of long silences that soon follow another, or in which packets had arrived
        self.silent_since = -1  # when the silence under way began, -1: none
        self.last_silence = -SECOND  # when the last one ended
        self.starved_at = -SECOND  # when a heartbeat last told that nothing arrives
        self.starved_for = 0
        self._heard = False
        self._first_pn = 0
        self._received = 0

    def on_ack(self, ledger: Ledger, now: Ns) -> None:
        """Take in an ACK."""
        if ledger.news:
            self.starved_at = -SECOND
        elif ledger.waited > 0:
            self.starved_at = now
            self.starved_for = ledger.waited
            self._heard = True
        skipped = ledger.largest - self.largest - 1
        if skipped > 0:
            self.runs = self.runs * RUN_MEMORY + 1
            self.run_sum = self.run_sum * RUN_MEMORY + skipped
            self.run_squares = self.run_squares * RUN_MEMORY + skipped * skipped
        self.largest = max(self.largest, ledger.largest)
        if ledger.advanced and self.silent_since >= 0:
            self._end(ledger, now)

    def begin(self, ledger: Ledger, now: Ns) -> None:
        """Note that a silence begins."""
        self.silent_since = now
        self._heard = self.hears(now)
        self._first_pn = ledger.largest + 1
        self._received = ledger.received

    def _end(self, ledger: Ledger, now: Ns) -> None:
        began, ended = self.silent_since, self.last_silence
        self.silent_since = -1
        self.last_silence = now
        sent = ledger.largest + 1 - self._first_pn
        got = ledger.received - self._received
        if now - began <= LONG_SILENCE or sent < 2:
            return
        is_data = sent - got >= LOST_SHARE * sent
        if not self._heard:
            self.data_share += LEARN * (is_data - self.data_share)
        if self._heard or is_data:
            is_soon = began - ended < RELAPSE + 2 * ledger.rtt.smoothed
            self.leak += LEARN * ((is_soon or got >= LEAKED) - self.leak)

    def hears(self, now: Ns) -> bool:
        """Tell whether the receiver lately said that nothing arrives: the data path fails, the ACK path works."""
        return now - self.starved_at < HEARD + self.starved_for // 4

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
