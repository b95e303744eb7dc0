"""The flight: records in order of packet number, from which acknowledgements take what arrived.

An ACK names up to four ranges of arrived numbers. The list is walked to the largest of them; arrived records are taken
out, and what stays behind is a *hole*. Holes may be many and wait long, so they must cost nothing meanwhile:

- the walk begins behind the last hole (`_edge`) unless the ACK says something new about earlier packets, which the
  count of newly received packets betrays;
- how many later packets arrived is kept as a difference: `arrived`, all records ever taken, less the hole's `base`;
- holes at the head that only a timer will declare lost are passed over (`_settled`).

When an ACK's ranges no longer reach down to a record (too many holes, ACKs lost), `cumulative` tells that its data
arrived; `_lowest` is a bound below which no hole can be told of so.
"""

# ruff: noqa: PLR1730, FURB136 - uncompiled, a comparison costs less than a call of min() or max()
from __future__ import annotations

import cython

from lanecast.transport.records import Records, Sent
from lanecast.transport.stage import Ack
from lanecast.transport.units import NEVER, Int

_NEVER = NEVER


def _first_of(ack: Ack, place: Int) -> Int:
    """Return where range `place` (0 highest, 3 lowest) of an ACK begins."""
    if place == 0:
        return ack.first0
    if place == 1:
        return ack.first1
    return ack.first2 if place == 2 else ack.first3


def _last_of(ack: Ack, place: Int) -> Int:
    """Return where range `place` of an ACK ends."""
    if place == 0:
        return ack.last0
    if place == 1:
        return ack.last1
    return ack.last2 if place == 2 else ack.last3


class Flight(Records):
    """The records of one flow and what acknowledgements said of them."""

    __slots__ = (
        "_edge", "_lowest", "_settled", "arrived", "holes", "largest", "reordering", "taken", "taken_packets",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.largest = -1  # largest packet number acknowledged
        self.holes = False  # the last ACK left records below the largest number acknowledged
        self.reordering = False  # a packet was acknowledged after one sent later
        self.arrived = 0  # records taken as acknowledged
        self.taken = 0  # bytes taken by the last ACK
        self.taken_packets = 0
        self._edge: Sent | None = None  # the last hole
        self._settled: Sent | None = None  # the last of the leading holes that wait for the timer only
        self._lowest = _NEVER  # no hole has a lower index

    def above(self, record: Sent) -> Int:
        """Return how many packets sent after this hole have been acknowledged."""
        return self.arrived - record.base

    def take(self, ack: Ack, received: Int) -> Sent | None:
        """Remove the records that arrived and return the newest; `received` packets are newly reported."""
        edge: Sent | None = self._edge
        if edge is None:
            if self.head is not None and ack.first0 <= self.head.pn:
                return self._take_run(ack.last0)
        elif self._is_all_above(ack, received):
            return self._walk(ack, edge)
        self._lowest = _NEVER
        return self._walk(ack, None)

    def _take_run(self, last: Int) -> Sent | None:
        """Remove all records up to number `last`: nothing is missing."""
        newest: Sent | None = None
        record: Sent | None = self.head
        acked: cython.longlong = 0
        packets: cython.longlong = 0
        while record is not None and record.pn <= last:
            acked += record.size
            packets += 1
            newest = record
            record = record.next
        self.head = record
        if record is None:
            self.tail = None
        self._note_arrived(acked, packets)
        self.holes = False
        return newest

    def _is_all_above(self, ack: Ack, received: Int) -> cython.bint:
        """Tell whether an ACK says nothing new about the holes: all it newly reports was sent after them."""
        place: cython.int
        first: cython.longlong
        count: cython.longlong = 0
        edge: Sent | None = self._edge
        head: Sent | None = self.head
        assert edge is not None, "asked by the caller"
        assert head is not None, "the edge is in the list"
        if ack.largest <= self.largest or edge.pn > self.largest:
            return False
        for place in range(4):
            first = max(_first_of(ack, place), self.largest + 1)
            if _last_of(ack, place) >= first:
                count += _last_of(ack, place) - first + 1
        if count != received:
            return False
        return ack.first3 > ack.last3 or ack.first3 <= head.pn or self.cumulative <= self._lowest

    def _walk(self, ack: Ack, previous: Sent | None) -> Sent | None:
        """Take arrived records out of the list behind `previous`, count what holes saw; return the newest taken."""
        newest: Sent | None = None
        record: Sent | None = self.head if previous is None else previous.next
        acked: cython.longlong = 0
        packets: cython.longlong = 0
        top: cython.longlong = ack.largest if ack.largest > self.largest else self.largest
        place: cython.int = 0  # of the present range; 3 is the lowest
        if record is not None and record.pn < ack.first0:
            place = 3
        first: cython.longlong = _first_of(ack, place)
        last: cython.longlong = _last_of(ack, place)
        # Below the lowest of four ranges only `cumulative` tells.
        unknown: cython.longlong = ack.first3 if ack.last3 >= ack.first3 else 0
        while record is not None and record.pn <= top:
            while place > 0 and last < record.pn:
                place -= 1
                first = _first_of(ack, place)
                last = _last_of(ack, place)
            if first <= record.pn <= last or (record.pn < unknown and record.index < self.cumulative):
                acked += record.size
                packets += 1
                newest = record
                self._unlink_arrived(record, previous)
            else:
                self._pass_hole(record, packets)
                previous = record
            record = record.next
        if record is None:
            self.tail = previous
        self._edge = previous
        self.holes = previous is not None
        self._note_arrived(acked, packets)
        return newest

    def _note_arrived(self, acked: Int, packets: Int) -> None:
        self.arrived += packets
        self.in_flight -= acked
        self.count -= packets
        self.taken = acked
        self.taken_packets = packets

    def _unlink_arrived(self, record: Sent, previous: Sent | None) -> None:
        """Take a record out of the list in which it follows `previous`."""
        if record.pn < self.largest and not record.resend:
            self.reordering = True
        self.unlink(record, previous)

    def unlink(self, record: Sent, previous: Sent | None) -> None:
        """Take a record out of the list in which it follows `previous`; its `next` stays."""
        if record is self._settled:
            self._settled = previous
        if record is self._edge:
            self._edge = previous
        if previous is None:
            self.head = record.next
        else:
            previous.next = record.next

    def _pass_hole(self, record: Sent, before: Int) -> None:
        """Count for a hole what this ACK says of earlier packets; of later ones `above` tells by difference."""
        if record.pn > self.largest:
            record.base = self.arrived
        record.base += before
        if record.index < self._lowest:
            self._lowest = record.index
