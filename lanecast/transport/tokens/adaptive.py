"""Adaptive redundancy: Eloquent's packets, plus extra ones where they shorten a stall, less where nothing is gained.

Every token leaves with all unacknowledged ones, as in Eloquent, with two savings, because a header costs as much as
eight small tokens: on a path that has shown no bursts of losses for `PROOF` packets two tokens share a packet where
that holds the first back by at most `hold` (20 ms, a tenth of the stall threshold); and while losses do come in bursts
packets carry the last two unacknowledged tokens with the new ones, and all of them every 80 ms or when one is overdue.

Extra packets are sent in four cases:

1. the first token twice (an answer's first token is waited for most);
2. probes in a *silence* (`silence.py`): the ACK of the next packet is overdue (srtt + 4 rttvar + 5 ms) and losses
   come in bursts, or three in a row are overdue. They start when the reader is about to stall: `LEAD` before 200 ms
   have passed since the last packet known to have shown something. They come in volleys, one each 200 ms, for one
   success in 200 ms is all that prevents a stall: enough packets that one arrives with the probability that the token
   gap (bytes a token count) makes worth it, at the arrival rate learned from earlier silences. Between volleys, and
   ever wider, single probes meet the end of the bad time. While one packet alone is missing the volley is a third.
   Heartbeats that have proved true stop the probes;
3. copies of every second token where the gap is so long that two losses in a row stall the reader, ACKs come too
   late to help, and independent losses make such pairs likely;
4. the last packet up to three times, a gap apart, as if tokens went on.

Extra packets are bounded by a bucket (`bucket_rate` a token) and a byte credit (`budget` times what Eloquent would
have sent), leave the congestion window to new tokens, and are scaled down by the congestion gate
(`sense.CongestionGate`) at CE marks and queue growth.
The constants were tuned on seeds 100 to 109 of the token grid, not on its evaluation seeds.
"""

from __future__ import annotations

from math import log, sqrt
from typing import Any

from lanecast.transport.tokens.bucket import ExtraBucket
from lanecast.transport.tokens.eloquent import MAX_BACKOFF
from lanecast.transport.tokens.ledger import Ledger
from lanecast.transport.tokens.scheme import TokenScheme
from lanecast.transport.tokens.sense import ChannelSense, CongestionGate
from lanecast.transport.tokens.silence import Silence
from lanecast.transport.units import MS, NEVER, Int, Ns

PATIENCE = 200 * MS  # the stall threshold quoted for arXiv 2401.12961; also the time from volley to volley
LEAD = 70 * MS  # assumption, tuned
MARGIN = 5 * MS  # tokens specification 4.8
GRACE = 12 * MS  # assumption: a heartbeat about a single loss comes so long after its ACK is overdue
HOLD = 20 * MS  # assumption: a tenth of the stall threshold
PROOF = 60  # assumption: packets acknowledged before tokens are held back
KEPT = 2  # assumption: unacknowledged tokens in a trimmed packet besides the new ones
WHOLE_EVERY = 80 * MS  # assumption: less than half of the stall threshold
WORTH = (
    80.0  # assumption, tuned: successes a volley is to have on average = VOLLEY * log(WORTH * arrival / cost)
)
VOLLEY = 0.75  # assumption, tuned
MOST_SUCCESSES = 4.0  # assumption: a volley fails once in e^4
LEAST_ARRIVAL, MOST_ARRIVAL = 0.04, 0.5  # assumption
VOLLEY_SPACING = 1_200_000  # assumption, tuned, ns: a little more than a slot of the channel
SINGLE_SHARE = 4.0  # assumption, tuned: a volley while only one packet is missing is this much smaller
PACE = 1.2  # assumption, tuned: single probes, ms = PACE * sqrt(cost * (300 + srtt in ms) / 10)
BAD_MS = 300.0  # assumption: a bad time that the spacing of single probes is fit for
MOST_USELESS = (
    0.9  # assumption: single probes are at most ten times as far apart where most packets arrive anyhow
)
WIDEN_AFTER = (
    1500 * MS
)  # assumption: then the spacing grows with the silence: a fixed share is lost at its end
USUAL_GAP_MS, USUAL_SIZE = 50.0, 60.0  # units of a probe's cost: 1 at this gap and size (bytes)
MISSING_ANYHOW = 3  # assumption: packets in a row that are missing in a silence whatever the history
PROBE_BODY = 120  # assumption, tuned: bytes of tokens in a probe, 24 small ones
RESERVE = 0.92  # assumption: share of a full packet that extra packets leave free in the congestion window
LEAST_SPACING = MS  # one slot of the channel
PAIR_LIKELY = 0.008  # assumption: probability of two losses in a row worth a copy
COPY_AFTER = 2 * MS  # assumption
TAIL_COPIES = 3  # assumption
TAIL_GAP = 10 * MS  # assumption: least spacing of tail copies
PACKET_COST = 60  # assumption: bytes that must be there before an extra packet is sent
BUDGET = 4.0  # assumption: hard cap of extra bytes, times Eloquent's; on average a tenth is used
BUCKET_RATE = 4.0  # assumption: hard cap of extra packets a token; fewer starve long bad times at 100 ms gaps
BUCKET_BURST = 600  # assumption: packets; an outage of some seconds at full pace
CREDIT = 40_000  # assumption: bytes at the start; as many packets with a few tokens each
CREDIT_CAP = 80_000  # assumption: bytes


class Adaptive(TokenScheme):
    """Eloquent with redundancy from measured loss, burstiness, round trip and congestion."""

    def __init__(
        self,
        *,
        worth: float = WORTH,
        pace: float = PACE,
        hold: int = HOLD,
        budget: float = BUDGET,
        bucket_rate: float = BUCKET_RATE,
        bucket_burst: int = BUCKET_BURST,
    ) -> None:
        super().__init__()
        if worth <= 0 or pace <= 0 or hold < 0 or budget < 0:
            raise ValueError(
                f"worth and pace must be > 0, hold and budget >= 0, got {worth}, {pace}, {hold}, {budget}"
            )
        self.heartbeat = 10 * MS  # assumption, tuned
        self.worth = worth
        self.pace = pace
        self.hold = hold
        self.budget = budget
        self.bucket = ExtraBucket(rate=bucket_rate, burst=bucket_burst)
        self.sense = ChannelSense()
        self.gate = CongestionGate()
        self.silence = Silence()
        self.credit = float(CREDIT)
        self.due = False
        self.extra = False
        self.copy_due = NEVER
        self.hold_due = NEVER
        self.last_probe = -1
        self.last_whole = -PATIENCE
        self.shown_until = 0  # when the last packet left that is known to have shown something
        self.gap = 0
        self.most = 0  # the largest body that a packet could have
        self.tail_left = TAIL_COPIES
        self.backoff = 0
        self.copies = self.probes = self.tails = 0

    def on_token(self, ledger: Ledger, now: Ns, index: Int) -> None:
        """Let the token leave at once or with the next one, earn extra traffic, and plan a copy."""
        self.bucket.earn(self.gate.scale)
        eloquent = ledger.header + ledger.prefix[index + 1] - ledger.prefix[ledger.cumulative]
        self.credit = min(self.credit + self.budget * self.gate.scale * eloquent, CREDIT_CAP)
        self.tail_left = TAIL_COPIES
        if index == 0:
            self.due = True
            self.copy_due = now
            return
        self.gap = ledger.born[index] - ledger.born[index - 1]
        if self._may_wait(ledger):
            self.hold_due = now + self.hold + 1  # ns: a token that comes just then shares the packet
        else:
            self.due = True
        if index % 2 == 0 and self._pair_stalls(ledger) and self.affordable():
            self.copy_due = now + COPY_AFTER

    def _may_wait(self, ledger: Ledger) -> bool:
        """Tell whether the newest token waits for the next one to share its packet."""
        return (
            0 < self.gap <= self.hold
            and self.hold_due == NEVER
            and not ledger.finished
            and ledger.largest >= PROOF
            and self.silence.since < 0
            and self.gate.scale == 1.0
            and not self.sense.is_bursty()
        )

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
        self.sense.on_ack(ledger)
        self.gate.on_ack(ledger, now)
        self.silence.on_ack(ledger, now)

    def overdue_after(self, ledger: Ledger) -> Ns:
        """Return how long after it was sent a packet's ACK is overdue."""
        return ledger.rtt.rto() + MARGIN

    def affordable(self) -> bool:
        """Tell whether an extra packet may be sent."""
        return self.bucket.has() and self.credit >= PACKET_COST

    def is_single(self, ledger: Ledger, now: Ns) -> bool:
        """Tell whether at most one packet above the largest acknowledged is overdue."""
        second = ledger.largest + 2
        return second >= ledger.next_pn or ledger.sent_at[second] + self.overdue_after(ledger) > now

    def deadline(self, ledger: Ledger, now: Ns) -> Ns:
        """Return the next copy's or probe's time, or when a token has waited long enough."""
        if ledger.unsent == ledger.acked_count:
            return self.hold_due if ledger.generated > ledger.unsent else NEVER
        return min(self.copy_due, self.hold_due, self.probe_due(ledger, now), self.tail_due(ledger))

    def tail_due(self, ledger: Ledger) -> Ns:
        """Return when the last packet is repeated after the end of the stream."""
        if (
            not ledger.finished
            or self.due
            or self.tail_left == 0
            or self.silence.since >= 0
            or not self.affordable()
        ):
            return NEVER
        return ledger.last_sent + max(self.gap, TAIL_GAP)

    def suspect_at(self, ledger: Ledger) -> Ns:
        """Return when missing ACKs will look like a bad time that stalls the reader, NEVER when none are out."""
        is_bursty = self.sense.is_bursty()
        pn = ledger.largest + (1 if is_bursty else MISSING_ANYHOW)
        if pn >= ledger.next_pn:
            return NEVER
        overdue = ledger.sent_at[pn] + self.overdue_after(ledger)
        if is_bursty and self.silence.is_trusted():
            overdue += GRACE
        return max(overdue, self.shown_until + PATIENCE - LEAD)

    def probe_due(self, ledger: Ledger, now: Ns) -> Ns:
        """Return when the next probe is due; the first one of a silence is its beginning."""
        carrier = ledger.last_pn[ledger.cumulative]
        last = ledger.sent_at[carrier] + self.overdue_after(ledger) if carrier >= 0 else NEVER
        suspect = self.suspect_at(ledger)
        clear = self.silence.clear_until(single=self.is_single(ledger, now))
        if self.silence.since < 0:
            return max(min(last, suspect), clear) if clear > now else min(last, suspect)
        if not self.affordable():
            return max(last, ledger.last_sent + (2 * ledger.rtt.smoothed << self.backoff))
        if suspect > now and last > now:
            return min(suspect, last)
        if clear > now:
            return min(clear, last) if last > now else clear
        return self.next_probe(ledger, now)

    def next_probe(self, ledger: Ledger, now: Ns) -> Ns:
        """Return when the next probe of the silence under way is due: in a volley, or alone."""
        before = max(self.last_probe, ledger.last_sent)
        since = max(before - self.silence.since, 0) % PATIENCE
        if since + VOLLEY_SPACING < self.volley(ledger, now) * VOLLEY_SPACING:
            return before + VOLLEY_SPACING
        return before + min(self.spacing(ledger, now), PATIENCE - since)

    def cost(self, ledger: Ledger, now: Ns) -> float:
        """Return what a probe costs a token: 1 for 60 bytes at a gap of 50 ms."""
        gap_ms = max((now - ledger.born[0]) / (ledger.generated * MS), 1.0)
        body = min(PROBE_BODY, ledger.prefix[ledger.generated] - ledger.prefix[ledger.cumulative])
        return gap_ms / USUAL_GAP_MS * (ledger.header + body) / USUAL_SIZE

    def volley(self, ledger: Ledger, now: Ns) -> float:
        """Return how many probes the next volley has: where a success is unlikely more, where it costs much fewer."""
        arrival = min(max(self.silence.arrival, LEAST_ARRIVAL), MOST_ARRIVAL)
        successes = min(max(log(self.worth * arrival / self.cost(ledger, now)), 0.0), MOST_SUCCESSES)
        if self.is_single(ledger, now):
            successes /= SINGLE_SHARE
        return VOLLEY * successes / arrival * self.gate.scale

    def spacing(self, ledger: Ledger, now: Ns) -> Ns:
        """Return the time between single probes, ns: the square root balances bytes and the wait after the end."""
        rtt_ms = ledger.rtt.smoothed / MS
        spacing = self.pace * sqrt(self.cost(ledger, now) * (BAD_MS + rtt_ms) / 10.0)
        wider = max(1.0, (now - self.silence.since) / WIDEN_AFTER) if self.silence.since >= 0 else 1.0
        useless = min(self.silence.arrival, MOST_USELESS)
        return max(int(spacing * wider * MS / (self.gate.scale * (1.0 - useless))), LEAST_SPACING)

    def on_timer(self, ledger: Ledger, now: Ns) -> None:
        """Send what was held back, or the copy, tail copy or probe that is due."""
        if self.hold_due <= now:
            self.due = True
            return
        self.extra = True
        if self.copy_due <= now:
            self.copy_due = NEVER
            self.copies += 1
        elif self.probe_due(ledger, now) <= now:
            if self.silence.since < 0:
                self.silence.begin(ledger, now)
            if not self.affordable():
                self.backoff = min(self.backoff + 1, MAX_BACKOFF)
            self.last_probe = now
            self.probes += 1
        else:
            self.tail_left -= 1
            self.tails += 1

    def carry(self, ledger: Ledger, now: Ns) -> Any:
        """Carry the unacknowledged set or its newest part; a probe or copy carries its oldest part."""
        self.most = max(self.most, ledger.limit)
        if self.due:
            start = ledger.unsent - KEPT if self._may_trim(ledger, now) else 0
            runs = ledger.runs(start) or ledger.runs(0)
            if start == 0:
                self.last_whole = now
            self.hold_due = NEVER
        elif self.extra and ledger.limit >= RESERVE * self.most:
            self.bucket.spend()
            if not ledger.finished:  # later packets carry the rest
                ledger.limit = min(ledger.limit, PROBE_BODY)
            runs = ledger.runs(0)
            self.credit -= ledger.size(runs)
        else:
            self.extra = False
            return None
        self.due = False
        self.extra = False
        return runs or None

    def _may_trim(self, ledger: Ledger, now: Ns) -> bool:
        """Tell whether older tokens can wait for the next whole packet."""
        return (
            self.sense.is_bursty()
            and self.silence.since < 0
            and not ledger.finished
            and ledger.cumulative < ledger.unsent - KEPT
            and now + self.gap < self.last_whole + WHOLE_EVERY
            and ledger.first_sent[ledger.cumulative] + self.overdue_after(ledger) > now
        )


class AdaptiveRich(Adaptive):
    """The same with larger volleys: fewer stalls in bad times that let one packet in twenty through."""

    def __init__(
        self, *, worth: float = 4 * WORTH, pace: float = 0.6, hold: int = HOLD, budget: float = 6.0
    ) -> None:
        super().__init__(worth=worth, pace=pace, hold=hold, budget=budget, bucket_rate=6.0)
