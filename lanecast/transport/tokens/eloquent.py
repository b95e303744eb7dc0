"""Eloquent (arXiv 2401.12961): every packet carries the new tokens and all that are still unacknowledged.

`Eloquent` is the published scheme; its rule for times without new tokens is unknown, so one timer of
max(2 srtt, 10 ms) that doubles stands in (**assumption**). `EloquentProbes` is ours: when the oldest unacknowledged
token is overdue, the whole set is resent every `spacing` until an ACK brings news, which also covers the end of
a stream. `EloquentTimes` sends the same packet k times per token gap: brute force, to compare with.
"""

from __future__ import annotations

from typing import Any

from lanecast.transport.tokens.bucket import ExtraBucket
from lanecast.transport.tokens.ledger import Ledger
from lanecast.transport.tokens.scheme import TokenScheme
from lanecast.transport.tokens.sense import CongestionGate
from lanecast.transport.units import MS, NEVER, Int, Ns

TIMER_MIN = 10 * MS  # assumption: the paper's timer is unknown
MAX_BACKOFF = 6  # doublings, as TCP's timer
PROBE_MARGIN = 5 * MS  # assumption: jitter beyond srtt + 4 rttvar
PROBE_SPACING = 20 * MS  # assumption, from a planning model: 20 ms closed 96.7 % of the reducible stall
PROBES_AT_FULL_PACE = 50  # assumption: probes of one silence before their spacing doubles
MAX_SPACING = 2_000 * MS  # assumption: the slowest probing


class Eloquent(TokenScheme):
    """New tokens and the unacknowledged set at once; one doubling timer when nothing new comes."""

    def __init__(self) -> None:
        super().__init__()
        self.due = False
        self.backoff = 0

    def on_token(self, ledger: Ledger, now: Ns, index: Int) -> None:
        """Let the new token leave at once."""
        self.due = True

    def on_ack(self, ledger: Ledger, now: Ns) -> None:
        """Reset the timer's backoff at news."""
        if ledger.news:
            self.backoff = 0

    def on_timer(self, ledger: Ledger, now: Ns) -> None:
        """Resend what is unacknowledged."""
        self.due = True
        self.backoff = min(self.backoff + 1, MAX_BACKOFF)

    def carry(self, ledger: Ledger, now: Ns) -> Any:
        """Carry the unacknowledged set."""
        if not self.due:
            return None
        self.due = False
        return ledger.runs(0) or None

    def deadline(self, ledger: Ledger, now: Ns) -> Ns:
        """Return the timer: since the last packet."""
        if ledger.generated == ledger.acked_count:
            return NEVER
        return ledger.last_sent + (max(2 * ledger.rtt.smoothed, TIMER_MIN) << self.backoff)


class EloquentProbes(Eloquent):
    """Eloquent that probes every `spacing` ns once its oldest token is older than srtt + 4 rttvar + 5 ms."""

    def __init__(
        self, *, spacing: int = PROBE_SPACING, bucket_rate: float = 1.0, bucket_burst: int = 5
    ) -> None:
        super().__init__()
        if spacing < MS:
            raise ValueError(f"spacing must be >= 1 ms, got {spacing} ns")
        self.spacing = spacing
        self.bucket = ExtraBucket(rate=bucket_rate, burst=bucket_burst)
        self.gate = CongestionGate()
        self.probes = 0  # of the silence under way

    def on_token(self, ledger: Ledger, now: Ns, index: Int) -> None:
        """Let the new token leave at once, and earn extra packets."""
        self.due = True
        self.bucket.earn(self.gate.scale)

    def on_ack(self, ledger: Ledger, now: Ns) -> None:
        """End the silence at news."""
        self.gate.on_ack(ledger, now)
        if ledger.news:
            self.probes = 0

    def pace(self) -> Ns:
        """Return the spacing of probes, which doubles after 50 in one silence."""
        doublings = max(0, self.probes - PROBES_AT_FULL_PACE)
        return min(self.spacing << min(doublings, MAX_BACKOFF), MAX_SPACING)

    def deadline(self, ledger: Ledger, now: Ns) -> Ns:
        """Return when the oldest token is overdue, or the next probe's time."""
        if ledger.unsent == ledger.acked_count:
            return NEVER
        overdue = ledger.first_sent[ledger.cumulative] + ledger.rtt.rto() + PROBE_MARGIN
        if self.probes == 0:
            return overdue
        wait = self.pace() if self.bucket.has() else max(2 * ledger.rtt.smoothed, self.pace())
        return max(overdue, ledger.last_sent + wait)

    def on_timer(self, ledger: Ledger, now: Ns) -> None:
        """Probe: an extra packet, unless a new token leaves anyway."""
        if not self.due:
            self.bucket.spend()
        self.due = True
        self.probes += 1


class EloquentTimes(Eloquent):
    """The same packet `times` times per token gap, evenly spaced over the gap last seen."""

    def __init__(self, *, times: int = 2) -> None:
        super().__init__()
        if times < 1:
            raise ValueError(f"times must be >= 1, got {times}")
        self.times = times
        self.step = 0
        self.left = 0
        self.next_copy = NEVER

    def on_token(self, ledger: Ledger, now: Ns, index: Int) -> None:
        """Start a new round of copies."""
        self.due = True
        if index > 0:
            self.step = (ledger.born[index] - ledger.born[index - 1]) // self.times
        self.left = self.times - 1 if self.step > 0 else 0
        self.next_copy = now + self.step if self.left > 0 else NEVER

    def deadline(self, ledger: Ledger, now: Ns) -> Ns:
        """Return the next copy's time, or Eloquent's timer."""
        timer = super().deadline(ledger, now)
        return timer if timer == NEVER else min(timer, self.next_copy)

    def on_timer(self, ledger: Ledger, now: Ns) -> None:
        """Send the next copy, or act on Eloquent's timer."""
        if self.next_copy > now:
            super().on_timer(ledger, now)
            return
        self.due = True
        self.left -= 1
        self.next_copy = now + self.step if self.left > 0 else NEVER
