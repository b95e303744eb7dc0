"""TCP as chat services use it today: one segment per token, repaired by retransmission.

`DupAckTcp`: a segment is lost when three later ones are acknowledged (RFC 5681 3.2, RFC 6675), else when the
retransmission timer fires (RFC 6298). `RackTlp`: lost when a packet sent later arrived and the reordering window
has passed, with a tail-loss probe (RFC 8985). `BbrPaced`: RACK-TLP, but losses do not shrink the window and
retransmissions leave at BBR's pacing rate.

Told by what is left out: header compression, timestamps and SACK options cost no bytes here (40-byte headers), a
retransmission carries one segment, and the congestion window counts bytes (RFC 3465), all in TCP's favour.
Spurious retransmissions are recognised because ACKs name packets, which stands for DSACK and timestamps.
After an expiry every segment sent longer than the current round trip ago is resent (RFC 8985 6.3), in both.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from lanecast.transport.stage import NOT_ECT
from lanecast.transport.tokens.ledger import Ledger
from lanecast.transport.tokens.scheme import TokenScheme
from lanecast.transport.units import MS, NEVER, SECOND, Int, Ns

DUP_THRESHOLD = 3  # RFC 5681 3.2
MAX_BACKOFF = 6  # doublings: up to 64 times
RTO_MIN = {"1s": SECOND, "200ms": 200 * MS}  # RFC 6298 2.4; Linux TCP_RTO_MIN
PROTOTYPE_RTO_MIN = 10 * MS  # assumption: the profile of the planning model, max(2 srtt, 10 ms)
WORST_DELAYED_ACK = 200 * MS  # RFC 8985 7.2 (WCDelAckT)
PTO_WITHOUT_SAMPLE = SECOND  # RFC 8985 7.2
REORDERING_PERSISTS = 16  # RFC 8985 6.2: recoveries before the window is reset
MIN_RTT_SHARE = 4  # RFC 8985 6.2: reo_wnd is min_rtt / 4
BBR_STARTUP_GAIN = (277, 100)  # google/bbr v3: pacing gain in startup, which app-limited flows do not leave
INITIAL_WINDOW = 10 * 1460  # RFC 6928: bytes over one round trip, BBR's first bandwidth


class Retransmitting(TokenScheme):
    """What both TCPs share: the queue of lost segments and the retransmission timer."""

    def __init__(self, *, rto: str = "200ms") -> None:
        super().__init__()
        if rto not in (*RTO_MIN, "prototype"):
            raise ValueError(f"rto must be 1s, 200ms or prototype, got {rto!r}")
        self.ecn = NOT_ECT
        self.gated = False
        self.rto = rto
        self.backoff = 0
        self.timer_base = 0  # when the retransmission timer was (re)started
        self.lost: deque[int] = deque()
        self.resent: dict[int, int] = {}  # token -> packet of its latest retransmission
        self.retransmissions = 0
        self.expiries = 0

    def on_ack(self, ledger: Ledger, now: Ns) -> None:
        """Restart the timer when the ACK is cumulative (RFC 6298 5.3), then look for losses."""
        if ledger.advanced:
            self.timer_base = now
            self.backoff = 0
        if self.resent:
            self._forget(ledger)
        self.detect(ledger, now)

    def _forget(self, ledger: Ledger) -> None:
        for token in ledger.news:
            pn = self.resent.pop(token, -1)
            if pn > ledger.largest:
                self.on_spurious(ledger)

    def on_spurious(self, ledger: Ledger) -> None:
        """Hear that a retransmission was not needed: the original arrived first."""

    def detect(self, ledger: Ledger, now: Ns) -> None:
        """Find lost segments and mark them."""
        raise NotImplementedError

    def mark(self, ledger: Ledger, token: int) -> None:
        """Queue a segment for retransmission."""
        self.lost.append(token)
        self.resent[token] = ledger.next_pn + len(self.lost) - 1
        ledger.declare_lost(1)

    def timeout(self, ledger: Ledger) -> Ns:
        """Return the retransmission timeout with its backoff."""
        if self.rto == "prototype":
            base = max(2 * ledger.rtt.smoothed, PROTOTYPE_RTO_MIN)
        else:
            base = max(RTO_MIN[self.rto], ledger.rtt.rto())
        return base << self.backoff

    def deadline(self, ledger: Ledger, now: Ns) -> Ns:
        """Return when the retransmission timer expires."""
        if ledger.unsent == ledger.acked_count:
            return NEVER
        return self.timer_base + self.timeout(ledger)

    def on_timer(self, ledger: Ledger, now: Ns) -> None:
        """Expire: the oldest segment and all sent over a round trip ago are lost, and the timer backs off."""
        self.expiries += 1
        self.timer_base = now
        self.backoff = min(self.backoff + 1, MAX_BACKOFF)
        waiting = set(self.lost)
        before = now - ledger.rtt.larger()
        for token in range(ledger.cumulative, ledger.unsent):
            if ledger.acked[token] or token in waiting:
                continue
            if token == ledger.cumulative or ledger.sent_at[ledger.last_pn[token]] <= before:
                self.mark(ledger, token)

    def carry(self, ledger: Ledger, now: Ns) -> Any:
        """Send a lost segment, else the next new one."""
        while self.lost:
            token = self.lost[0]
            if ledger.acked[token]:
                self.lost.popleft()
                continue
            if not self.may_resend(ledger, now):
                break
            self.lost.popleft()
            self.retransmissions += 1
            self.resent[token] = ledger.next_pn
            return (token, token + 1)
        token = ledger.unsent
        if token < ledger.generated:
            if token == ledger.acked_count:  # nothing outstanding: the timer starts (RFC 6298 5.1)
                self.timer_base = now
            return (token, token + 1)
        return None

    def may_resend(self, ledger: Ledger, now: Ns) -> bool:
        """Tell whether a retransmission may leave now."""
        return True


class DupAckTcp(Retransmitting):
    """Three duplicate ACKs or a timeout; a lost retransmission waits for the timeout."""

    def __init__(self, *, rto: str = "1s") -> None:
        super().__init__(rto=rto)

    def detect(self, ledger: Ledger, now: Ns) -> None:
        """Mark segments with three acknowledged ones above them."""
        above = ledger.acked_count - ledger.cumulative
        if above < DUP_THRESHOLD:
            return
        acked = ledger.acked
        for token in range(ledger.cumulative, ledger.top):
            if acked[token]:
                above -= 1
                if above < DUP_THRESHOLD:
                    return
            elif token not in self.resent:
                self.mark(ledger, token)


class RackTlp(Retransmitting):
    """Time-based loss detection and tail-loss probes."""

    def __init__(self, *, rto: str = "200ms") -> None:
        super().__init__(rto=rto)
        self.reordering_seen = False
        self.window_steps = 1
        self.persist = 0
        self.recovery_end = 0  # packets below were sent before the recovery under way began
        self.reorder_due = NEVER
        self.probe_base = 0
        self.probe_out = False  # a probe is out, or the probe timer has given way to the timeout
        self.probe_wanted = False
        self.probes = 0

    def on_token(self, ledger: Ledger, now: Ns, index: Int) -> None:
        """Restart the probe timer: new data is about to leave (RFC 8985 7.2)."""
        self.probe_base = now
        self.probe_out = False

    def on_ack(self, ledger: Ledger, now: Ns) -> None:
        """Restart the probe timer with every ACK that brings news."""
        if ledger.news:
            self.probe_base = now
            self.probe_out = False
            self._watch_order(ledger)
        super().on_ack(ledger, now)

    def _watch_order(self, ledger: Ledger) -> None:
        """See reordering: a segment below one acknowledged earlier arrives without having been resent."""
        top = ledger.top
        for token in ledger.news:
            if not self.reordering_seen and ledger.last_pn[token] < ledger.largest and token + 1 < top:
                self.reordering_seen = token not in self.resent

    def on_spurious(self, ledger: Ledger) -> None:
        """Widen the reordering window (RFC 8985 6.2, step 4)."""
        self.reordering_seen = True
        self.window_steps += 1
        self.persist = REORDERING_PERSISTS

    def reordering_window(self, ledger: Ledger) -> Ns:
        """Return reo_wnd (RFC 8985 6.2)."""
        if not self.reordering_seen:
            in_recovery = bool(self.lost) or ledger.largest < self.recovery_end - 1
            if in_recovery or ledger.acked_count - ledger.cumulative >= DUP_THRESHOLD:
                return 0
        return min(self.window_steps * ledger.rtt.min_rtt // MIN_RTT_SHARE, ledger.rtt.smoothed)

    def detect(self, ledger: Ledger, now: Ns) -> None:
        """Mark segments sent before the newest delivered packet and older than rtt + reo_wnd (RFC 8985 6.2)."""
        self.reorder_due = NEVER
        if ledger.unsent == ledger.acked_count:
            return
        allowance = ledger.rtt.latest + self.reordering_window(ledger)
        waiting = self.lost
        for token in range(ledger.cumulative, ledger.unsent):
            pn = ledger.last_pn[token]
            if pn >= ledger.largest or ledger.acked[token] or token in waiting:
                continue
            due = ledger.sent_at[pn] + allowance
            if due <= now:
                self._enter_recovery(ledger)
                self.mark(ledger, token)
            elif due < self.reorder_due:
                self.reorder_due = due

    def _enter_recovery(self, ledger: Ledger) -> None:
        if ledger.largest >= self.recovery_end - 1:
            self.recovery_end = ledger.next_pn
            if self.persist > 0:
                self.persist -= 1
                if self.persist == 0:
                    self.window_steps = 1

    def probe_due(self, ledger: Ledger) -> Ns:
        """Return when the tail-loss probe is due (RFC 8985 7.2), NEVER when none may be sent."""
        if self.probe_out or self.lost or ledger.largest < self.recovery_end - 1:
            return NEVER
        if ledger.rtt.samples == 0 and ledger.rtt.min_rtt == 0:
            return self.probe_base + PTO_WITHOUT_SAMPLE
        wait = 2 * ledger.rtt.smoothed
        if ledger.outstanding() == 1:
            wait += WORST_DELAYED_ACK
        return self.probe_base + wait

    def deadline(self, ledger: Ledger, now: Ns) -> Ns:
        """Return the earliest of the reordering, probe and retransmission timers."""
        expiry = super().deadline(ledger, now)
        if expiry == NEVER:
            return NEVER
        return min(expiry, self.probe_due(ledger), self.reorder_due)

    def on_timer(self, ledger: Ledger, now: Ns) -> None:
        """Let whichever timer is due act."""
        if self.reorder_due <= now:
            self.detect(ledger, now)
        elif self.probe_due(ledger) <= now:
            self.probe_out = True
            self.probe_wanted = True
            self.probes += 1
            self.timer_base = now  # RFC 8985 7.3: the retransmission timer is rearmed
        elif super().deadline(ledger, now) <= now:
            self.probe_out = True
            super().on_timer(ledger, now)

    def carry(self, ledger: Ledger, now: Ns) -> Any:
        """Send a lost segment, a new one, or as a probe the last one."""
        payload = super().carry(ledger, now)
        if payload is None and self.probe_wanted:
            last = ledger.unsent - 1
            while last >= ledger.cumulative and ledger.acked[last]:
                last -= 1
            if last >= ledger.cumulative:
                payload = (last, last + 1)
        self.probe_wanted = False
        return payload


class BbrPaced(RackTlp):
    """RACK-TLP whose losses do not shrink the window; retransmissions leave at BBR's rate.

    At token rates the flow is always application-limited: BBR never leaves startup, bandwidth samples may
    only raise its rate, which starts as the initial window over the first round trip.
    """

    def __init__(self, *, rto: str = "200ms") -> None:
        super().__init__(rto=rto)
        self.reduces = False
        self.next_resend = 0

    def rate(self, ledger: Ledger) -> int:
        """Return the pacing rate, bytes/s."""
        gain, unit = BBR_STARTUP_GAIN
        return gain * INITIAL_WINDOW * SECOND // (unit * max(ledger.rtt.smoothed, MS))

    def may_resend(self, ledger: Ledger, now: Ns) -> bool:
        """Space retransmissions by their size over the rate."""
        if now < self.next_resend:
            return False
        size = ledger.header + ledger.prefix[self.lost[0] + 1] - ledger.prefix[self.lost[0]]
        self.next_resend = now + size * SECOND // self.rate(ledger)
        return True

    def deadline(self, ledger: Ledger, now: Ns) -> Ns:
        """Wake for the next paced retransmission too."""
        due = super().deadline(ledger, now)
        if self.lost and now < self.next_resend < due:
            return self.next_resend
        return due
