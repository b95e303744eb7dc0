"""The receiving endpoint: takes data packets, keeps what arrived, and acknowledges.

ACK policy (RFC 5681 4.2, RFC 9000 13.2): one ACK for every `ack_every` packets, or `max_ack_delay` after the first
packet not yet acknowledged; at once when a packet is out of order, while data units are missing, when a
hole is filled, and (with `ack_on_ce`) when the CE mark changes between packets. Every ACK carries the four highest
ranges of packet numbers, the first missing data unit and the ECN counters, so lost ACKs do no harm.

Conservation: `pushed` counts data packets, `created` the ACKs; both end in `passed` but for the refused packets,
which are `dropped`.
"""

from __future__ import annotations

import cython

from lanecast.transport.calendar import Calendar
from lanecast.transport.rangeset import RangeSet
from lanecast.transport.rtt import MAX_ACK_DELAY
from lanecast.transport.stage import CE, ECT1, NOT_ECT, Ack, Packet, Stage, make_ack
from lanecast.transport.units import NEVER, Int, Ns

ACK_EVERY = 2  # RFC 5681 4.2, RFC 9000 13.2.2
ACK_SIZE = 52  # IPv4 20, TCP 20, time stamps 12 bytes (RFC 791, 9293, 7323); SACK blocks not counted
HEADER = 52  # the same of a data packet: 1500 - 52 = 1448 bytes of data
RANGE_LIMIT = 64  # ranges of packet numbers remembered; an ACK carries four: assumption

_NEVER = NEVER
_CE, _ECT1, _NOT_ECT = CE, ECT1, NOT_ECT


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
        "_armed", "_due", "_largest_at", "_last_ecn", "_unacked", "ack_every", "ack_on_ce", "ack_size",
        "application", "calendar", "ce", "created", "cumulative", "duplicates", "ect0", "ect1", "flow",
        "goodput_bytes", "header", "largest", "max_ack_delay", "numbers", "received", "received_bytes", "reordered",
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
        ack_size: int = ACK_SIZE,
        header: int = HEADER,
        window: int = 0,
        application: Application | None = None,
        unordered: bool = False,
        name: str = "",
    ) -> None:
        super().__init__(name or f"receiver{flow}")
        if ack_every < 1 or max_ack_delay < 0 or ack_size <= 0 or header < 0 or window < 0:
            raise ValueError(
                f"{self.name}: ack_every >= 1, max_ack_delay >= 0 ns, ack_size > 0, header >= 0 and window >= 0 units "
                f"expected, got {ack_every}, {max_ack_delay}, {ack_size}, {header}, {window}"
            )
        self.calendar = calendar
        self.flow = flow
        self.ack_every = ack_every
        self.max_ack_delay = max_ack_delay
        self.ack_on_ce = ack_on_ce
        self.ack_size = ack_size
        self.header = header
        self.window = window
        self.application = application
        self.unordered = unordered
        self.numbers = RangeSet(RANGE_LIMIT)  # packet numbers
        self.units = RangeSet()  # data units beyond the first missing one; as many ranges as there are holes
        self.largest = -1
        self.cumulative = 0
        self.received = 0
        self.received_bytes = 0
        self.goodput_bytes = 0  # data of distinct units
        self.duplicates = 0  # packets whose data were here already
        self.reordered = 0  # packets that came after one sent later
        self.ect0 = 0
        self.ect1 = 0
        self.ce = 0
        self.created = 0  # ACKs
        self._largest_at = 0
        self._last_ecn = 0
        self._unacked = 0
        self._due = _NEVER  # when the pending ACK must go
        self._armed = _NEVER  # the wake-up asked for

    def push(self, now: Ns, packet: Packet) -> None:
        """Take a data packet in and acknowledge when it is time."""
        pn: cython.longlong = packet.pn
        index: cython.longlong = packet.index
        at_once: cython.bint
        self.pushed += 1
        if 0 < self.window <= index - self.cumulative:
            self.drop(now, packet)
            return
        self.passed += 1
        self.received += 1
        self.received_bytes += packet.size
        at_once = packet.ecn != self._last_ecn and self.ack_on_ce and _CE in (packet.ecn, self._last_ecn)
        self._last_ecn = packet.ecn
        if packet.ecn != _NOT_ECT:
            self._count(packet.ecn)
        self.numbers.add(pn)
        if pn != self.largest + 1:
            at_once = True
        if pn > self.largest:
            self.largest = pn
            self._largest_at = now
        else:
            self.reordered += 1
        if index == self.cumulative and self.units.count == 0:
            self.cumulative = index + 1
            self.goodput_bytes += packet.size - self.header
            if self.application is not None:
                self._tell(now, index)
        elif index >= 0:
            at_once = True
            self._hold(now, index, packet.size)
        self._unacked += 1
        if at_once or self._unacked >= self.ack_every:
            self._acknowledge(now)
        elif self._due == _NEVER:
            self._due = now + self.max_ack_delay
            if self._due < self._armed:
                self._armed = self._due
                self.calendar.at(self._due, self)

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

    def _count(self, ecn: Int) -> None:
        if ecn == _CE:
            self.ce += 1
        elif ecn == _ECT1:
            self.ect1 += 1
        else:
            self.ect0 += 1

    def _hold(self, now: Ns, index: Int, size: Int) -> None:
        """Keep a data unit that is not the next one, or fills a hole, or came before."""
        if index == self.cumulative:
            self.cumulative += 1
            if self.units.firsts[0] == self.cumulative:
                self.cumulative = self.units.lasts[0] + 1
                self.units.pop_lowest()
        elif index < self.cumulative or not self.units.add(index):
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
        ack: Ack = make_ack(self.flow, self.ack_size, self.created, now)
        top: cython.Py_ssize_t = self.numbers.count - 1
        ack.largest = self.largest
        ack.cumulative = self.cumulative
        ack.delay = now - self._largest_at
        ack.first0 = self.numbers.firsts[top]
        ack.last0 = self.numbers.lasts[top]
        if top >= 1:
            ack.first1 = self.numbers.firsts[top - 1]
            ack.last1 = self.numbers.lasts[top - 1]
        if top >= 2:
            ack.first2 = self.numbers.firsts[top - 2]
            ack.last2 = self.numbers.lasts[top - 2]
        if top >= 3:
            ack.first3 = self.numbers.firsts[top - 3]
            ack.last3 = self.numbers.lasts[top - 3]
        ack.ect0 = self.ect0
        ack.ect1 = self.ect1
        ack.ce = self.ce
        ack.received = self.received
        ack.received_bytes = self.received_bytes
        self.created += 1
        self._unacked = 0
        self._due = _NEVER
        self.forward(now, ack)
