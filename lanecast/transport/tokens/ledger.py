"""What a token sender knows: tokens generated, packets sent, and what acknowledgements have told.

One `Ledger` per sender is shown to its scheme at every hook (a reused object: read it inside the call). Tokens
are counted from 0. At every instant `cumulative <= acked_count <= unsent <= generated`; every token below
`cumulative` is acknowledged, and tokens from `unsent` on have been in no packet yet. Packet numbers count
packets sent.

Losses are counted from what ACKs repeat (largest packet number, packets received so far as the sum of the ECN
counters): `largest + 1 - received` packets are missing. Because packets overtake, a shortage counts as loss only
when it lasts longer than a quarter of the minimum round trip (the reordering window of RFC 8985 6.2).

A queue is growing (`grown`) while three round trips in a row lie above their base, the minimum of the last 10 to
20 s, by 5 ms and three times their usual spread.

In flight are the packets above the largest acknowledged number that are younger than srtt + 4 rttvar; older ones
are deemed lost, as a retransmission timeout would (RFC 6298 5.4), so that silence never stops a stream.
"""

from __future__ import annotations

from typing import TypeAlias

import cython

from lanecast.transport.rtt import RttEstimator
from lanecast.transport.stage import Ack
from lanecast.transport.units import NEVER, Int, Ns

HEADER_BYTES = 40  # IPv4 20 + UDP 8 + own DATA header 12; also TCP's 20 + 20
QUEUE_GROWTH = 5_000_000  # tokens specification 7: srtt > min_rtt + 5 ms is a growing queue, ns
SPREADS = 3  # assumption: usual deviations that are no growth
FIRST_SPREAD = 5_000_000  # assumption: of round trips before any is known, ns
MOST_SPREAD = 8_000_000  # assumption: more than this is a queue that comes and goes, ns
GROWN_SAMPLES = 3  # assumption: samples in a row above the threshold, so that jitter alone does not count
BASE_WINDOW = 10_000_000_000  # BBR's min-RTT window, ns
SLOW = 16  # assumption: weight 1/16 of the newest deviation in the usual spread of round trips
_NEVER = NEVER
Runs: TypeAlias = tuple[int, ...]  # token runs (first, stop, first, stop, ...), rising and half-open


class Ledger:
    """Books of one stream; times in ns, sizes in bytes. `limit` bounds the body of the next packet."""

    def __init__(self, rtt: RttEstimator) -> None:
        self.rtt = rtt
        self.header = HEADER_BYTES
        self.limit = 0  # bytes of tokens (and run lengths) that the next packet may carry
        self.finished = False  # the last token is known and generated
        self.generated = 0
        self.unsent = 0  # first token that has been in no packet
        self.cumulative = 0  # all tokens below are acknowledged
        self.acked_count = 0
        self.top = 0  # one above the highest acknowledged token
        self.born: list[Ns] = []  # generation times
        self.prefix: list[int] = [0]  # prefix sums of token sizes
        self.first_sent: list[Ns] = []
        self.last_pn: list[int] = []  # packet that carried the token last, -1 when none
        self.acked = bytearray()
        self.next_pn = 0
        self.sent_at: list[Ns] = []  # by packet number
        self.sent_prefix: list[int] = [0]  # prefix sums of packet sizes
        self.last_sent = -1
        self.largest = -1  # largest packet number acknowledged
        self.largest_sent = -1  # when that packet was sent
        self.last_ack = -1
        self.waited = 0  # the ack delay of the last ACK: how long ago the largest packet arrived
        self.news: list[int] = []  # tokens first acknowledged by the ACK being handled
        self.advanced = False  # it moved `cumulative`
        self.received = 0  # packets that the receiver has counted; needs ECN counters
        self.ce = 0  # of which CE-marked
        self.ce_news = 0
        self.lost = 0  # packets counted as lost
        self.lost_news = 0
        self.grown = False  # round trips say that a queue is growing
        self._above = 0
        self._spread = FIRST_SPREAD
        self._base = self._older = _NEVER
        self._base_ends = 0
        self._shortage = 0
        self._shortage_since = 0
        self._flight_pn = 0

    def generate(self, born: Ns, size: Int) -> None:
        """Note a new token of `size` bytes on the wire."""
        self.generated += 1
        self.born.append(born)
        self.prefix.append(self.prefix[self.generated - 1] + size)
        self.first_sent.append(_NEVER)
        self.last_pn.append(-1)
        self.acked.append(0)

    def note_sent(self, now: Ns, size: Int, runs: Runs) -> None:
        """Note packet `next_pn` of `size` bytes, which carries the tokens of `runs`."""
        pn: cython.longlong = self.next_pn
        first: cython.longlong
        stop: cython.longlong
        i: cython.longlong
        k: cython.Py_ssize_t
        self.next_pn = pn + 1
        self.sent_at.append(now)
        self.sent_prefix.append(self.sent_prefix[pn] + size)
        self.last_sent = now
        for k in range(0, len(runs), 2):
            first = runs[k]
            stop = runs[k + 1]
            for i in range(first, stop):
                self.last_pn[i] = pn
            while self.unsent < stop:
                self.first_sent[self.unsent] = now
                self.unsent += 1

    def acknowledge(self, now: Ns, ack: Ack) -> cython.bint:
        """Take an ACK in; return False (and change nothing) when it speaks of what was never sent."""
        largest: cython.longlong = ack.largest
        if largest >= self.next_pn or ack.cumulative > self.unsent or ack.last3 >= self.unsent:
            return False
        self.news.clear()
        self.waited = ack.delay
        self.last_ack = now
        if largest > self.largest:
            self.largest = largest
            self.largest_sent = self.sent_at[largest]
            if ack.delay <= self.rtt.max_ack_delay:  # later news come from a heartbeat: no sample of the path
                self.rtt.update(now, now - self.largest_sent, ack.delay)
                self._watch_queue(now, self.rtt.latest)
        before: cython.longlong = self.cumulative
        self._hold(before, ack.cumulative)
        self._hold(ack.first1, ack.last1 + 1)
        self._hold(ack.first2, ack.last2 + 1)
        self._hold(ack.first3, ack.last3 + 1)
        while self.cumulative < self.generated and self.acked[self.cumulative]:
            self.cumulative += 1
        self.advanced = self.cumulative > before
        self._count_losses(now, ack)
        return True

    def _hold(self, first: Int, stop: Int) -> None:
        i: cython.longlong
        for i in range(first, stop):
            if not self.acked[i]:
                self.acked[i] = 1
                self.acked_count += 1
                self.news.append(i)
        if stop > self.top and stop > first:
            self.top = stop

    def _watch_queue(self, now: Ns, sample: Ns) -> None:
        spread: cython.longlong = abs(sample - self.rtt.smoothed)
        if now >= self._base_ends:
            self._older = self._base
            self._base = sample
            self._base_ends = now + BASE_WINDOW
        self._base = min(self._base, sample)
        if sample > min(self._base, self._older) + QUEUE_GROWTH + SPREADS * self._spread:
            self._above += 1
        else:
            self._above = 0
            self._spread = min(self._spread + (spread - self._spread) // SLOW, MOST_SPREAD)
        self.grown = self._above >= GROWN_SAMPLES

    def _count_losses(self, now: Ns, ack: Ack) -> None:
        received: cython.longlong = ack.ect0 + ack.ect1 + ack.ce
        self.ce_news = 0
        self.lost_news = 0
        if ack.ce > self.ce:
            self.ce_news = ack.ce - self.ce
            self.ce = ack.ce
        if received == 0:
            return
        self.received = max(self.received, received)
        missing: cython.longlong = self.largest + 1 - self.received
        self._shortage = min(self._shortage, missing)
        if self._shortage_since + self.rtt.min_rtt // 4 <= now:  # RFC 8985 6.2: reordering window
            if self._shortage > self.lost:
                self.lost_news = self._shortage - self.lost
                self.lost = self._shortage
            self._shortage = missing
            self._shortage_since = now

    def declare_lost(self, packets: Int) -> None:
        """Count packets that the scheme itself found lost, for the congestion controller."""
        self.lost += packets
        self.lost_news += packets

    def in_flight(self, now: Ns) -> Int:
        """Return bytes sent that are neither acknowledged nor overdue."""
        oldest: cython.longlong = now - self.rtt.rto()
        while self._flight_pn < self.next_pn and (
            self._flight_pn <= self.largest or self.sent_at[self._flight_pn] <= oldest
        ):
            self._flight_pn += 1
        return self.sent_prefix[self.next_pn] - self.sent_prefix[self._flight_pn]

    def flight_ends(self) -> Ns:
        """Return when the oldest packet in flight is deemed lost, NEVER when none is."""
        if self._flight_pn >= self.next_pn:
            return _NEVER
        return self.sent_at[self._flight_pn] + self.rtt.rto()

    def outstanding(self) -> Int:
        """Return the number of tokens sent and not acknowledged."""
        return self.unsent - self.acked_count

    def unacked(self) -> Int:
        """Return the number of tokens generated and not acknowledged."""
        return self.generated - self.acked_count

    def overhead(self, runs: Runs) -> Int:
        """Return the bytes that several runs cost in a packet: varint skip and count of each; 0 for one run."""
        if len(runs) <= 2:
            return 0
        total: cython.longlong = 0
        at: cython.longlong = runs[0]
        k: cython.Py_ssize_t
        for k in range(0, len(runs), 2):
            total += varint_size(runs[k] - at) + varint_size(runs[k + 1] - runs[k])
            at = runs[k + 1]
        return total

    def body(self, runs: Runs) -> Int:
        """Return the bytes of the tokens of `runs` with their run lengths."""
        total: cython.longlong = self.overhead(runs)
        k: cython.Py_ssize_t
        for k in range(0, len(runs), 2):
            total += self.prefix[runs[k + 1]] - self.prefix[runs[k]]
        return total

    def size(self, runs: Runs) -> Int:
        """Return the wire size of a packet that carries `runs`."""
        return self.header + self.body(runs)

    def runs(self, start: Int) -> Runs:
        """Return all unacknowledged tokens from `start` on as (first, stop, first, stop, ...), within `limit`.

        When they do not fit, tokens never sent come first, then the oldest, because those block rendering.
        """
        first: cython.longlong = max(start, self.cumulative)
        if self.acked_count == self.cumulative or first >= self.top:
            if first >= self.generated:
                return ()
            if self.prefix[self.generated] - self.prefix[first] <= self.limit:
                return (first, self.generated)
        chosen = self._unacked_runs(first, self.generated, _NEVER)
        if self.body(chosen) <= self.limit:
            return chosen
        return self._trimmed(first)

    def _unacked_runs(self, first: Int, stop: Int, room: Int) -> Runs:
        """Return the unacknowledged tokens of [first, stop), oldest first, of at most `room` bytes."""
        found: list[int] = []
        used: cython.longlong = 0
        i: cython.longlong = first
        open_run: cython.bint = False
        while i < stop:
            if self.acked[i]:
                open_run = False
            else:
                used += self.prefix[i + 1] - self.prefix[i]
                if not open_run:
                    used += 4  # at most two two-byte varints for a run
                if used > room:
                    break
                if open_run:
                    found[-1] = i + 1
                else:
                    found.append(i)
                    found.append(i + 1)
                    open_run = True
            i += 1
        return tuple(found)

    def _trimmed(self, first: Int) -> Runs:
        fresh = self._unacked_runs(max(self.unsent, first), self.generated, self.limit)
        if not fresh:
            return self._unacked_runs(first, self.generated, self.limit)
        old = self._unacked_runs(first, fresh[0], self.limit - self.body(fresh) - 4)
        if old and old[-1] == fresh[0]:
            return old[:-1] + fresh[1:]
        return old + fresh


def varint_size(value: Int) -> Int:
    """Return the bytes of a varint below 2^30 (RFC 9000 16); packets never hold longer runs."""
    if value < 64:
        return 1
    return 2 if value < 16_384 else 4
