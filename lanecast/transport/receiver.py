"""The receiving endpoint: takes data packets, keeps what arrived, and acknowledges.

ACK policy (RFC 5681 4.2, RFC 9000 13.2): one ACK for every `ack_every` packets, or `max_ack_delay` after the first
packet not yet acknowledged; at once when a packet is out of order, while data units are missing, when a
hole is filled, and (with `ack_on_ce`) when the CE mark changes between packets. With `coalesce` packets that come in at
one instant (an aggregate, as generic receive offload hands it up) are answered by one ACK, after the last of them. The
first `quick_acks` packets are acknowledged one by one (torvalds/linux TCP_MAX_QUICKACKS: 16).
Every ACK carries the four highest ranges of packet numbers, the first missing data unit and the ECN counters, so lost
ACKs do no harm. `bleached` and `ce_on_not_ect` report faults of the path: ECT was sent and Not-ECT came; CE came on a
packet that was sent as Not-ECT.

Conservation: `pushed` counts data packets, `created` the ACKs; both end in `passed` but for packets that came spoilt
(`corrupted`) or beyond the receive window, which are `dropped`.
"""

from __future__ import annotations

import cython

from lanecast.transport.calendar import Calendar
from lanecast.transport.rangeset import Ahead, RangeSet
from lanecast.transport.rtt import MAX_ACK_DELAY
from lanecast.transport.stage import CE, CORRUPT, ECT1, NOT_ECT, Ack, Packet, Stage, new_ack
from lanecast.transport.units import NEVER, Int, Ns

ACK_EVERY = 2  # RFC 5681 4.2, RFC 9000 13.2.2
ACK_SIZE = 52  # IPv4 20, TCP 20, time stamps 12 bytes (RFC 791, 9293, 7323); SACK blocks not counted
HEADER = 52  # the same of a data packet: 1500 - 52 = 1448 bytes of data
RANGE_LIMIT = 64  # ranges of packet numbers remembered; an ACK carries four: assumption

_NEVER = NEVER
_CE, _ECT1, _NOT_ECT, _CORRUPT = CE, ECT1, NOT_ECT, CORRUPT


class Application:
    """What takes the data at the receiver: told of data units in order, once each.

    It is called only when the first missing unit has come to `target` or beyond: 0 hears everything at once.
    """

    def __init__(self) -> None:
        self.target = 0

    def on_data(self, now: Ns, cumulative: Int) -> None:
        """Hear that all units below `cumulative` are here."""

    def on_unit(self, now: Ns, index: Int) -> None:
        """Hear of one new unit, in order of arrival (only with `unordered=True`)."""


class Receiver(Stage):
    """Acknowledges one flow's data into `out`."""

    __slots__ = (
        "_armed", "_changes", "_due", "_first1", "_first2", "_first3", "_largest_at", "_last1", "_last2",
        "_last3", "_last_ecn", "_unacked", "ack_every", "ack_on_ce", "ack_size", "application", "bleached",
        "calendar", "ce", "ce_bytes", "ce_on_not_ect", "coalesce", "corrupted", "created", "cumulative",
        "duplicates", "ece", "ect0", "ect0_bytes", "ect1", "ect1_bytes", "flow", "goodput_bytes", "header",
        "largest", "max_ack_delay", "numbers", "quick_acks", "received", "received_bytes", "reordered",
        "units", "unordered", "window",
    )  # fmt: skip

    def __init__(
        self,
        calendar: Calendar,
        *,
        flow: int,
        ack_every: int = ACK_EVERY,
        max_ack_delay: int = MAX_ACK_DELAY,
        ack_on_ce: bool = False,
        coalesce: bool = False,
        quick_acks: int = 0,
        ack_size: int = ACK_SIZE,
        header: int = HEADER,
        window: int = 0,
        application: Application | None = None,
        unordered: bool = False,
        name: str = "",
    ) -> None:
        super().__init__(name or f"receiver{flow}")
        if ack_every < 1 or ack_size <= 0 or min(max_ack_delay, header, window, quick_acks) < 0:
            raise ValueError(
                f"{self.name}: ack_every >= 1, ack_size > 0, max_ack_delay >= 0 ns, header >= 0, window >= 0 units and "
                f"quick_acks >= 0 expected, got {ack_every}, {ack_size}, {max_ack_delay}, {header}, {window}, "
                f"{quick_acks}"
            )
        self.calendar = calendar
        self.flow = flow
        self.ack_every = ack_every
        self.max_ack_delay = max_ack_delay
        self.ack_on_ce = ack_on_ce
        self.coalesce = coalesce
        self.quick_acks = quick_acks
        self.ack_size = ack_size
        self.header = header
        self.window = window
        self.application = application
        self.unordered = unordered
        self.numbers = RangeSet(RANGE_LIMIT)  # packet numbers
        self.units = Ahead()  # data units beyond the first missing one
        self.largest = -1
        self.cumulative = 0
        self.received = self.received_bytes = 0
        self.goodput_bytes = 0  # data of distinct units
        self.duplicates = 0  # packets whose data were here already
        self.reordered = 0  # packets that came after one sent later
        self.ect0 = self.ect1 = self.ce = 0  # packets by arriving codepoint
        self.ect0_bytes = self.ect1_bytes = self.ce_bytes = 0
        self.ece = False  # a CE mark came and no CWR since (RFC 3168 6.1.3)
        self.corrupted = self.bleached = self.ce_on_not_ect = 0
        self.created = 0  # ACKs
        self._largest_at = 0
        self._last_ecn = 0
        self._changes = 0  # of the packet numbers' lower ranges, as of these:
        self._first1 = self._first2 = self._first3 = 0
        self._last1 = self._last2 = self._last3 = -1
        self._unacked = 0
        self._due = _NEVER  # when the pending ACK must go
        self._armed = _NEVER  # the wake-up asked for

    def push(self, now: Ns, packet: Packet) -> None:
        """Take a data packet in and acknowledge when it is time."""
        pn: cython.longlong = packet.pn
        index: cython.longlong = packet.index
        size: cython.longlong = packet.size
        unacked: cython.longlong = self._unacked + 1
        at_once: cython.bint = False
        self.pushed += 1
        if packet.kind == _CORRUPT or 0 < self.window <= index - self.cumulative:
            self._refuse(now, packet)
            return
        self.passed += 1
        self.received += 1
        self.received_bytes += size
        if packet.ecn | packet.label | packet.cwr | self._last_ecn:
            at_once = self._read_ecn(packet)
        self.numbers.add(pn)
        if pn == self.largest + 1:
            self.largest = pn
            self._largest_at = now
        else:
            at_once = True
            self._jump(now, pn)
        if index == self.cumulative and self.units.count == 0:
            self.cumulative = index + 1
            self.goodput_bytes += size - self.header
            if self.application is not None:
                self._tell(now, index)
        elif index >= 0:
            at_once = True
            self._hold(now, index, size)
        self._unacked = unacked
        if at_once or unacked >= self.ack_every or self.received <= self.quick_acks:
            if self.coalesce:
                self._plan(now)
            else:
                self._acknowledge(now)
        elif self._due == _NEVER:
            self._plan(now + self.max_ack_delay)

    def wake(self, now: Ns) -> None:
        """Send the delayed ACK that is due, or ask again if it moved later."""
        if now < self._armed:
            return
        self._armed = _NEVER
        if self._due <= now:
            self._acknowledge(now)
        elif self._due < _NEVER:
            self._armed = self._due
            self.calendar.at(self._due, self)

    def _jump(self, now: Ns, pn: Int) -> None:
        """Note a packet number that does not follow the largest."""
        if pn > self.largest:
            self.largest = pn
            self._largest_at = now
        else:
            self.reordered += 1

    def _plan(self, when: Ns) -> None:
        """Let the pending ACK go at `when`."""
        self._due = when
        if when < self._armed:
            self._armed = when
            self.calendar.at(when, self)

    def _refuse(self, now: Ns, packet: Packet) -> None:
        """Drop a packet that cannot be decoded or has no room."""
        if packet.kind == _CORRUPT:
            self.corrupted += 1
        self.drop(now, packet)

    def _read_ecn(self, packet: Packet) -> cython.bint:
        """Count a packet by its codepoint; tell whether CE changed and that is to be reported at once."""
        last: cython.int = self._last_ecn
        self._last_ecn = packet.ecn
        if packet.cwr and packet.ecn != _CE:
            self.ece = False
        if packet.ecn == _NOT_ECT:
            if packet.label != _NOT_ECT:
                self.bleached += 1
        elif packet.ecn == _CE:
            self.ce += 1
            self.ce_bytes += packet.size
            self.ece = True
            if packet.label == _NOT_ECT:
                self.ce_on_not_ect += 1
        elif packet.ecn == _ECT1:
            self.ect1 += 1
            self.ect1_bytes += packet.size
        else:
            self.ect0 += 1
            self.ect0_bytes += packet.size
        return self.ack_on_ce and last != packet.ecn and (_CE in (last, packet.ecn))

    def _hold(self, now: Ns, index: Int, size: Int) -> None:
        """Keep a data unit that is not the next one, or fills a hole, or came before."""
        if index == self.cumulative:
            self.cumulative = self.units.advance(index + 1)
        elif index < self.cumulative or not self.units.add(index, self.cumulative):
            self.duplicates += 1
            return
        self.goodput_bytes += size - self.header
        if self.application is not None:
            self._tell(now, index)

    def _tell(self, now: Ns, index: Int) -> None:
        application: Application | None = self.application
        assert application is not None, "asked for by the caller"
        if self.unordered:
            application.on_unit(now, index)
        elif index < self.cumulative and self.cumulative >= application.target:
            application.on_data(now, self.cumulative)

    def _acknowledge(self, now: Ns) -> None:
        """Send an ACK for everything so far."""
        ack: Ack = new_ack(self.flow, self.ack_size, self.created, now)
        numbers: RangeSet = self.numbers
        ack.largest = self.largest
        ack.cumulative = self.cumulative
        ack.delay = now - self._largest_at
        ack.first0 = numbers.first
        ack.last0 = numbers.last
        if numbers.changes != self._changes:
            self._read_below()
        ack.first1 = self._first1
        ack.last1 = self._last1
        ack.first2 = self._first2
        ack.last2 = self._last2
        ack.first3 = self._first3
        ack.last3 = self._last3
        ack.ect0 = self.ect0
        ack.ect1 = self.ect1
        ack.ce = self.ce
        ack.ect0_bytes = self.ect0_bytes
        ack.ect1_bytes = self.ect1_bytes
        ack.ce_bytes = self.ce_bytes
        ack.ece = self.ece
        ack.received = self.received
        ack.received_bytes = self.received_bytes
        self.created += 1
        self._unacked = 0
        self._due = _NEVER
        self.forward(now, ack)

    def _read_below(self) -> None:
        """Read the ranges below the highest, which change seldom; one that is not there is 0..-1."""
        numbers: RangeSet = self.numbers
        self._changes = numbers.changes
        self._first1 = numbers.first_of(1) if numbers.count > 1 else 0
        self._last1 = numbers.last_of(1) if numbers.count > 1 else -1
        self._first2 = numbers.first_of(2) if numbers.count > 2 else 0
        self._last2 = numbers.last_of(2) if numbers.count > 2 else -1
        self._first3 = numbers.first_of(3) if numbers.count > 3 else 0
        self._last3 = numbers.last_of(3) if numbers.count > 3 else -1
