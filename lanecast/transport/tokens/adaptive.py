"""Adaptive redundancy: Eloquent's packets, plus extra ones where they shorten a stall.

Every token leaves at once with all unacknowledged ones, as in Eloquent. Extra packets are sent in four cases:

1. the first token twice (an answer's first token is waited for most);
2. probes in a *silence*: the oldest unacknowledged token is overdue (srtt + 4 rttvar + 5 ms) and either every packet
   that carried it is, or losses come in bursts and at least one packet is missing. They start when the reader is
   about to stall: `LEAD` before 200 ms have passed since the last packet known to have shown something. Probes
   carry the oldest tokens, 120 bytes of them while more are to come. Their spacing grows with the token gap (bytes a
   token count) and the round trip (that long a bad time is still probed after its end); it is wider in a dead bad
   time than in a leaky one, wider while only one packet is missing, and wider when no ACK at all arrives and past
   silences of that kind were those of the ACK path;
3. copies of every second token where the gap is so long that two losses in a row stall the reader, ACKs come too
   late to help, and independent losses make such pairs likely;
4. the last packet up to three times, a gap apart, as if tokens went on.

The receiver helps: it repeats its ACK while nothing arrives (a heartbeat with the age of its news), so that a
failing data path is told from a failing ACK path. ACK bytes are counted apart.

Extra packets are bounded by a bucket (`bucket_rate` a token) and a byte credit (`budget` times what Eloquent would
have sent), and scaled down by the congestion gate (`sense.CongestionGate`) at CE marks and queue growth.
The constants were tuned on seeds 100 to 109 of the token grid, not on its evaluation seeds.
"""

from __future__ import annotations

from typing import Any

from lanecast.transport.tokens.bucket import ExtraBucket
from lanecast.transport.tokens.eloquent import MAX_BACKOFF
from lanecast.transport.tokens.ledger import Ledger
from lanecast.transport.tokens.scheme import TokenScheme
from lanecast.transport.tokens.sense import ChannelSense, CongestionGate
from lanecast.transport.units import MS, NEVER, Int, Ns

PATIENCE = 200 * MS  # the stall threshold quoted for arXiv 2401.12961
LEAD = 40 * MS  # assumption, tuned
MARGIN = 5 * MS  # tokens specification 4.8
PACE = (
    0.2  # assumption, tuned: spacing of probes in ms = PACE * gap_ms ** PACE_EXPONENT * (1 + srtt / RTT_UNIT)
)
PACE_EXPONENT = 0.6  # assumption, tuned: 0.5 would balance bytes a token against stall over the gaps
RTT_UNIT = 200 * MS  # assumption, tuned: the last round trip of a bad time is probed in vain
DEAD_FACTOR = 3.0  # assumption, tuned: spacing in outages that let nothing through
SINGLE_FACTOR = 2.0  # assumption, tuned: spacing while only one packet is missing
LEAST_DATA_SHARE = 0.1  # assumption
MISSING_ANYHOW = 3  # assumption: packets in a row that are missing in a silence whatever the history
PROBE_BODY = 120  # assumption, tuned: bytes of tokens in a probe, 24 small ones
LEAST_SPACING = MS  # one slot of the channel
PAIR_LIKELY = 0.008  # assumption: probability of two losses in a row worth a copy
COPY_AFTER = 2 * MS  # assumption
TAIL_COPIES = 3  # assumption
TAIL_GAP = 10 * MS  # assumption: least spacing of tail copies
PACKET_COST = 60  # assumption: bytes that must be there before an extra packet is sent
BUDGET = 2.0  # assumption: hard cap of extra bytes, times Eloquent's; on average a quarter is used
BUCKET_RATE = (
    2.0  # assumption: hard cap of extra packets a token; one a token starves long bad times at 100 ms gaps
)
BUCKET_BURST = 600  # assumption: packets; an outage of some seconds at full pace
CREDIT_CAP = 40_000  # assumption: bytes; as many packets with a few tokens each


class Adaptive(TokenScheme):
    """Eloquent with redundancy from measured loss, burstiness, round trip and congestion."""

    def __init__(
        self,
        *,
        pace: float = PACE,
        budget: float = BUDGET,
        bucket_rate: float = BUCKET_RATE,
        bucket_burst: int = BUCKET_BURST,
    ) -> None:
        super().__init__()
        if pace <= 0 or budget < 0:
            raise ValueError(f"pace must be > 0 and budget >= 0, got {pace} and {budget}")
        self.heartbeat = 10 * MS  # assumption, tuned
        self.pace = pace
        self.budget = budget
        self.bucket = ExtraBucket(rate=bucket_rate, burst=bucket_burst)
        self.sense = ChannelSense()
        self.gate = CongestionGate()
        self.credit = CREDIT_CAP / 4
        self.due = False
        self.extra = False
        self.copy_due = NEVER
        self.last_probe = -1
        self.shown_until = 0  # when the last packet left that is known to have shown something
        self.gap = 0
        self.tail_left = TAIL_COPIES
        self.backoff = 0
        self.copies = self.probes = self.tails = 0

    def on_token(self, ledger: Ledger, now: Ns, index: Int) -> None:
        """Let the token leave at once, earn extra traffic, and plan a copy."""
        self.due = True
        self.bucket.earn(self.gate.scale)
        eloquent = ledger.header + ledger.prefix[index + 1] - ledger.prefix[ledger.cumulative]
        self.credit = min(self.credit + self.budget * self.gate.scale * eloquent, CREDIT_CAP)
        self.tail_left = TAIL_COPIES
        if index == 0:
            self.copy_due = now
            return
        self.gap = ledger.born[index] - ledger.born[index - 1]
        if index % 2 == 0 and self._pair_stalls(ledger) and self.affordable():
            self.copy_due = now + COPY_AFTER

    def _pair_stalls(self, ledger: Ledger) -> bool:
        """Tell whether two independent losses in a row are likely and would stall the reader unseen."""
        if (
            2 * self.gap < PATIENCE - 2 * MARGIN
            or self.overdue_after(ledger) < self.gap
            or self.sense.is_bursty()
        ):
            return False
        return (
            self.sense.loss(ledger) * self.sense.next_loss(ledger) >= PAIR_LIKELY and self.gate.scale == 1.0
        )

    def on_ack(self, ledger: Ledger, now: Ns) -> None:
        """Learn."""
        if ledger.advanced:
            self.shown_until = ledger.largest_sent
            self.backoff = 0
        self.sense.on_ack(ledger, now)
        self.gate.on_ack(ledger, now)

    def overdue_after(self, ledger: Ledger) -> Ns:
        """Return how long after it was sent a packet's ACK is overdue."""
        return ledger.rtt.rto() + MARGIN

    def affordable(self) -> bool:
        """Tell whether an extra packet may be sent."""
        return self.bucket.has() and self.credit >= PACKET_COST

    def missing(self, ledger: Ledger, now: Ns) -> int:
        """Return how many packets above the largest acknowledged are overdue, at most three."""
        before = now - self.overdue_after(ledger)
        pn = ledger.largest + 1
        stop = min(ledger.next_pn, pn + MISSING_ANYHOW)
        while pn < stop and ledger.sent_at[pn] <= before:
            pn += 1
        return pn - ledger.largest - 1

    def deadline(self, ledger: Ledger, now: Ns) -> Ns:
        """Return the next copy's or probe's time."""
        if ledger.unsent == ledger.acked_count:
            return NEVER
        return min(self.copy_due, self.probe_due(ledger, now), self.tail_due(ledger))

    def tail_due(self, ledger: Ledger) -> Ns:
        """Return when the last packet is repeated after the end of the stream."""
        if (
            not ledger.finished
            or self.due
            or self.tail_left == 0
            or self.sense.silent_since >= 0
            or not self.affordable()
        ):
            return NEVER
        return ledger.last_sent + max(self.gap, TAIL_GAP)

    def probe_due(self, ledger: Ledger, now: Ns) -> Ns:
        """Return when the next probe is due; the first one of a silence is its beginning."""
        wait = self.overdue_after(ledger)
        oldest = ledger.cumulative
        last = ledger.sent_at[ledger.last_pn[oldest]] + wait
        stalls = max(ledger.first_sent[oldest] + wait, self.shown_until + PATIENCE - LEAD)
        if not self.is_suspect(ledger, now):
            return last
        if self.sense.silent_since < 0:
            return min(last, stalls)
        if not self.affordable():
            return max(last, ledger.last_sent + (2 * ledger.rtt.smoothed << self.backoff))
        return max(stalls, max(self.last_probe, ledger.last_sent) + self.spacing(ledger, now))

    def is_suspect(self, ledger: Ledger, now: Ns) -> bool:
        """Tell whether missing packets look like the beginning of a bad time."""
        missing = self.missing(ledger, now)
        return missing >= MISSING_ANYHOW or (missing > 0 and self.sense.is_bursty())

    def spacing(self, ledger: Ledger, now: Ns) -> Ns:
        """Return the time between probes, ns."""
        gap_ms = max((now - ledger.born[0]) / (ledger.generated * MS), 1.0)
        factor = 1.0 + (DEAD_FACTOR - 1.0) * (1.0 - self.sense.leak)
        if self.missing(ledger, now) < 2:
            factor *= SINGLE_FACTOR
        if not self.sense.hears(now):
            factor /= max(self.sense.data_share, LEAST_DATA_SHARE)
        factor *= (1.0 + ledger.rtt.smoothed / RTT_UNIT) / self.gate.scale
        return max(int(self.pace * gap_ms**PACE_EXPONENT * factor * MS), LEAST_SPACING)

    def on_timer(self, ledger: Ledger, now: Ns) -> None:
        """Send the copy, tail copy or probe that is due."""
        self.extra = True
        if self.copy_due <= now:
            self.copy_due = NEVER
            self.copies += 1
        elif self.probe_due(ledger, now) <= now:
            if self.sense.silent_since < 0:
                self.sense.begin(ledger, now)
            if not self.affordable():
                self.backoff = min(self.backoff + 1, MAX_BACKOFF)
            self.last_probe = now
            self.probes += 1
        else:
            self.tail_left -= 1
            self.tails += 1

    def carry(self, ledger: Ledger, now: Ns) -> Any:
        """Carry the unacknowledged set; a probe or copy carries its oldest part."""
        if not self.due and not self.extra:
            return None
        if not self.due:
            self.bucket.spend()
            if not ledger.finished:  # later packets carry the rest
                ledger.limit = min(ledger.limit, PROBE_BODY)
        runs = ledger.runs(0)
        if not self.due:
            self.credit -= ledger.size(runs)
        self.due = False
        self.extra = False
        return runs or None


class AdaptiveRich(Adaptive):
    """The same at about twice the bytes: fewer stalls in bad times that let one packet in twenty through."""

    def __init__(
        self, *, pace: float = 0.05, budget: float = 4.0, bucket_rate: float = 4.0, bucket_burst: int = 600
    ) -> None:
        super().__init__(pace=pace, budget=budget, bucket_rate=bucket_rate, bucket_burst=bucket_burst)
