"""The receiver of a token stream: it keeps arrivals, renders in order, and acknowledges.

Every ACK repeats its whole state (cumulative index, three ranges beyond it, largest packet number, ECN counters), so
that any one repairs the loss of all earlier ones. While nothing arrives the receiver may repeat its last ACK with the
age of its news (`heartbeat`), so that a sender can tell a failing data path from a failing ACK path.

Endpoints make and swallow packets: `pushed` counts data packets and `passed` ACKs; they do not add up.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cython

from lanecast.transport.calendar import Calendar
from lanecast.transport.stage import CE, DATA, ECT0, ECT1, Ack, Packet, Stage, make_ack
from lanecast.transport.tokens.ledger import Runs, varint_size
from lanecast.transport.tokens.scheme import TokenScheme
from lanecast.transport.units import NEVER, Int, Ns

ACK_BYTES = 40  # IPv4 20 + UDP 8 + own ACK header 12
ACK_DELAY_BYTES = 2
DELAY_UNIT = 8_000  # ns: the unit of the ack delay field (RFC 9000 18.2, exponent 3)
DELAY_LIMIT = 65_535 * DELAY_UNIT  # what its u16 holds
FIRST_GAP = 20_000_000  # assumption: spacing of arrivals before any is known, ns
BEATS_PER_QUIET = 16  # assumption: heartbeats slow down to a sixteenth of the quiet time
BEAT_SLACK = 5_000_000  # assumption: jitter of arrivals that is no silence, ns
LAST_BEAT = 3_000_000_000  # assumption: after 3 s without arrivals the receiver falls silent, ns
_NEVER = NEVER
_LAST_BEAT = LAST_BEAT
_DATA = DATA
_CE = CE
_ECT0 = ECT0
_ECT1 = ECT1
Ranges: TypeAlias = list[tuple[int, int]]  # (first, last) of tokens held, inclusive


class TokenReceiver(Stage):
    """Holds what arrived and says so: one ACK a data packet, or every `ack_every`-th, at most `ack_delay` late.

    `arrivals` and `rendered` are ns by token, NEVER until it arrived or was shown. An out-of-order packet is
    acknowledged at once (RFC 9000 13.2.1). `follow(scheme)` takes over the scheme's choices.
    """

    def __init__(
        self, calendar: Calendar, flow: int = 0, *, ack_every: int = 1, ack_delay: int = 0, name: str = ""
    ) -> None:
        super().__init__(name)
        if ack_every < 1 or ack_delay < 0:
            raise ValueError(f"{self.name}: ack_every >= 1 and ack_delay >= 0 expected")
        self.calendar = calendar
        self.flow = flow
        self.ack_every = ack_every
        self.ack_delay = ack_delay
        self.heartbeat = 0
        self.heartbeats = 0
        self.decoder: Any = None
        self.arrivals: list[Ns] = []
        self.rendered: list[Ns] = []
        self.cumulative = 0
        self.top = 0  # one above the highest token held
        self.largest = -1
        self.largest_at = 0
        self.received = 0
        self.received_bytes = 0
        self.duplicates = 0  # tokens that arrived again
        self.undecodable = 0
        self.ect0 = self.ect1 = self.ce = 0
        self.acks = 0
        self.ack_bytes = 0
        self._last_token = -1
        self._unacked = 0
        self._ack_due = _NEVER
        self._quiet_due = _NEVER
        self._quiet_posted = _NEVER
        self._arrival_gap = FIRST_GAP
        self._raised_at = -1
        self.last_arrival = 0

    def follow(self, scheme: TokenScheme) -> TokenReceiver:
        """Acknowledge and decode as the scheme wants; return self."""
        self.ack_every = scheme.ack_every
        self.ack_delay = scheme.ack_delay
        self.heartbeat = scheme.heartbeat
        self.decoder = scheme.make_decoder()
        return self

    def push(self, now: Ns, packet: Packet) -> None:
        """Take a data packet."""
        self.pushed += 1
        if packet.kind != _DATA:
            self.undecodable += 1
            return
        before: cython.longlong = self.top
        self._count(now, packet)
        payload: Any = packet.payload
        if isinstance(payload, tuple):
            self._take(now, payload)
        else:
            self._take(now, payload.runs)
            self._decode(now, payload)
        self._render(now)
        if self.heartbeat > 0:
            if self.top > before:
                self._learn(now)
            self._listen(now)
        in_order: cython.bint = packet.pn == self.largest and self.cumulative == self.top
        self._unacked += 1
        if self._unacked >= self.ack_every or not in_order:
            self._acknowledge(now, 0)
        elif self._ack_due == _NEVER:
            self._ack_due = now + self.ack_delay
            self.calendar.at(self._ack_due, self)

    def wake(self, now: Ns) -> None:
        """Send a delayed ACK."""
        if self._quiet_posted <= now:
            self._beat(now)
        if self._ack_due <= now:
            if self._unacked > 0:
                self._acknowledge(now, 0)
            self._ack_due = _NEVER

    def _learn(self, now: Ns) -> None:
        """Learn the spacing of packets that bring something new."""
        if self._raised_at >= 0:
            self._arrival_gap += (now - self._raised_at - self._arrival_gap) // 8
        self._raised_at = now

    def _listen(self, now: Ns) -> None:
        """Start waiting for the next packet."""
        self.last_arrival = now
        self._quiet_due = now + self._arrival_gap + self.heartbeat + BEAT_SLACK
        if self._quiet_posted == _NEVER:
            self._quiet_posted = self._quiet_due
            self.calendar.at(self._quiet_due, self)

    def _beat(self, now: Ns) -> None:
        """Repeat the last ACK while nothing arrives, so that the sender knows which direction fails."""
        quiet: cython.longlong = now - self.last_arrival
        self._quiet_posted = _NEVER
        if self._quiet_due <= now:
            if quiet > _LAST_BEAT:
                return
            self.heartbeats += 1
            self._acknowledge(now, 1)
            self._quiet_due = now + max(self.heartbeat, quiet // BEATS_PER_QUIET)
        self._quiet_posted = self._quiet_due
        self.calendar.at(self._quiet_due, self)

    def _count(self, now: Ns, packet: Packet) -> None:
        self.received += 1
        self.received_bytes += packet.size
        if packet.ecn == _ECT0:
            self.ect0 += 1
        elif packet.ecn == _ECT1:
            self.ect1 += 1
        elif packet.ecn == _CE:
            self.ce += 1
        if packet.pn > self.largest:
            self.largest = packet.pn
            self.largest_at = now

    def _take(self, now: Ns, runs: Runs) -> None:
        k: cython.Py_ssize_t
        i: cython.longlong
        first: cython.longlong
        stop: cython.longlong
        for k in range(0, len(runs), 2):
            first = runs[k]
            stop = runs[k + 1]
            for i in range(first, stop):
                self.hold(now, i)

    def hold(self, now: Ns, index: Int) -> None:
        """Note that token `index` has arrived (or was decoded)."""
        while len(self.arrivals) <= index:
            self.arrivals.append(_NEVER)
            self.rendered.append(_NEVER)
        if self.arrivals[index] != _NEVER:
            self.duplicates += 1
            return
        self.arrivals[index] = now
        self._last_token = index
        if index >= self.top:
            self.top = index + 1

    def _decode(self, now: Ns, payload: Any) -> None:
        for index in self.decoder.take(self.arrivals, payload.repairs):
            self.hold(now, index)

    def _render(self, now: Ns) -> None:
        while self.cumulative < self.top and self.arrivals[self.cumulative] != _NEVER:
            self.rendered[self.cumulative] = now
            self.cumulative += 1

    def _acknowledge(self, now: Ns, beat: Int) -> None:
        waited: cython.longlong = 0
        size: cython.longlong = ACK_BYTES
        if beat or self.ack_every > 1:
            waited = min((now - self.largest_at) // DELAY_UNIT * DELAY_UNIT, DELAY_LIMIT)
            size += ACK_DELAY_BYTES
        ack: Ack = make_ack(self.flow, size, self.acks, now)
        ack.largest = self.largest
        ack.cumulative = self.cumulative
        ack.delay = waited
        ack.received = self.received
        ack.received_bytes = self.received_bytes
        ack.ect0 = self.ect0
        ack.ect1 = self.ect1
        ack.ce = self.ce
        if self.top > self.cumulative:
            self._fill_ranges(ack)
        if self.ect0 + self.ect1 + self.ce > 0:
            ack.size += varint_size(self.ect0) + varint_size(self.ect1) + varint_size(self.ce)
        self.acks += 1
        self.ack_bytes += ack.size
        self._unacked = 0
        self._ack_due = _NEVER
        self.forward(now, ack)

    def _fill_ranges(self, ack: Ack) -> None:
        """Report three ranges beyond `cumulative`: the one that grew last and the highest others, rising."""
        ranges: list[tuple[int, int]] = []
        newest: cython.bint = self._last_token < self.cumulative
        at: cython.longlong = self.top - 1
        stop: cython.longlong
        inside: cython.bint
        while at > self.cumulative and (len(ranges) < 3 or not newest):
            if self.arrivals[at] == _NEVER:
                at -= 1
                continue
            stop = at
            while self.arrivals[at] != _NEVER:
                at -= 1
            inside = at < self._last_token <= stop
            if len(ranges) < 3 or inside:
                if len(ranges) == 3:
                    ranges.pop()
                ranges.append((at + 1, stop))
            newest = newest or inside
        ranges.reverse()
        self._write_ranges(ack, ranges)

    def _write_ranges(self, ack: Ack, ranges: Ranges) -> None:
        end: cython.longlong = self.cumulative
        for first, last in ranges:
            ack.size += varint_size(first - end) + varint_size(last + 1 - first)
            end = last + 1
        if ranges:
            ack.first1, ack.last1 = ranges[0]
        if len(ranges) > 1:
            ack.first2, ack.last2 = ranges[1]
        if len(ranges) > 2:
            ack.first3, ack.last3 = ranges[2]
