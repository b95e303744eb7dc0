"""Sets of whole numbers for receivers.

`RangeSet` keeps ascending, disjoint, non-adjacent ranges: the arrived packet numbers, of which the highest ranges are
reported. Adding at the top is O(1); elsewhere a binary search and a shift. With `limit` the lowest range is forgotten
when there would be more, so memory is bounded whatever arrives; `forgotten` counts those ranges.

`Ahead` keeps a flag for each number within reach of a moving base: the data units that arrived beyond the first missing
one. Every operation is O(1) over time, however many holes there are; memory is a byte for each number up to the
farthest.
"""

from __future__ import annotations

from array import array

import cython

from lanecast.transport.units import Int

FIRST_CAPACITY = 16  # ranges before the arrays grow; assumption
FIRST_FLAGS = 64  # flags before the ring grows, a power of two; assumption


class RangeSet:
    """Ascending ranges; the highest is `first..last`, the `count - 1` below it lie in arrays.

    Range 0 is the highest, range 1 the one below, and so on: `first_of(place)` and `last_of(place)`. `changes` counts
    what happened to the ranges below the highest.
    """

    __slots__ = (
        "_below", "_capacity", "_firsts", "_lasts", "_start", "changes", "count", "first", "forgotten", "last", "limit",
    )  # fmt: skip

    def __init__(self, limit: int = 0) -> None:
        if limit < 0:
            raise ValueError(f"limit must be >= 0 ranges (0: none), got {limit}")
        self.limit = limit
        self.count = 0
        self.forgotten = 0
        self.changes = 0
        self.first = 0
        self.last = -1
        self._start = 0  # the lowest range lies here in the arrays ...
        self._below = 0  # ... and the range below the highest just before start + below
        self._capacity = FIRST_CAPACITY
        self._firsts = array("q", bytes(8 * FIRST_CAPACITY))
        self._lasts = array("q", bytes(8 * FIRST_CAPACITY))

    def add(self, number: Int) -> cython.bint:
        """Put a number in; tell whether it was new."""
        if number == self.last + 1 and self.count > 0:
            self.last = number
        elif number > self.last:
            if self.count > 0:
                self.changes += 1
                self._insert(self._start + self._below, self.first, self.last)
            self.first = self.last = number
            self.count = self._below + 1
        elif number >= self.first:
            return False
        elif number == self.first - 1:
            self.first = number
            self._join_highest()
        else:
            return self._add_below(number)
        return True

    def contains(self, number: Int) -> cython.bint:
        """Tell whether a number is in."""
        if self.first <= number <= self.last:
            return True
        place: cython.Py_ssize_t = self._search(number)
        return place < self._start + self._below and self._firsts[place] <= number

    def first_of(self, place: Int) -> Int:
        """Return where range `place` (0 highest, below `count`) begins."""
        return self.first if place == 0 else self._firsts[self._start + self._below - place]

    def last_of(self, place: Int) -> Int:
        """Return where range `place` (0 highest, below `count`) ends."""
        return self.last if place == 0 else self._lasts[self._start + self._below - place]

    def ranges(self) -> list[tuple[int, int]]:
        """Return all ranges as (first, last), ascending."""
        return [(self.first_of(place), self.last_of(place)) for place in range(self.count - 1, -1, -1)]

    def _join_highest(self) -> None:
        """Join the highest range with the one below when nothing is missing between them."""
        end: cython.Py_ssize_t = self._start + self._below - 1
        if self._below > 0 and self._lasts[end] + 1 == self.first:
            self.first = self._firsts[end]
            self._below -= 1
            self.count -= 1
            self.changes += 1

    def _add_below(self, number: Int) -> cython.bint:
        """Put in a number below the highest range and not next to it."""
        end: cython.Py_ssize_t = self._start + self._below
        place: cython.Py_ssize_t = self._search(number)  # the first range that ends at or after `number`
        if place < end and self._firsts[place] <= number:
            return False
        self.changes += 1
        if place > self._start and self._lasts[place - 1] + 1 == number:
            self._lasts[place - 1] = number
            if place < end and self._firsts[place] == number + 1:
                self._lasts[place - 1] = self._lasts[place]
                self._remove(place)
        elif place < end and self._firsts[place] == number + 1:
            self._firsts[place] = number
        else:
            self._insert(place, number, number)
        self.count = self._below + 1
        return True

    def _search(self, number: Int) -> Int:
        low: cython.Py_ssize_t = self._start
        high: cython.Py_ssize_t = self._start + self._below
        middle: cython.Py_ssize_t
        while low < high:
            middle = (low + high) >> 1
            if self._lasts[middle] < number:
                low = middle + 1
            else:
                high = middle
        return low

    def _insert(self, place: Int, first: Int, last: Int) -> None:
        """Put a range before the one at `place`; in a full set the lowest goes."""
        i: cython.Py_ssize_t
        if 0 < self.limit <= self._below + 1:
            self.forgotten += 1
            if place == self._start:  # it would itself be the lowest
                return
            self._remove(self._start)
        if self._start + self._below == self._capacity:
            place -= self._make_room()
        i = self._start + self._below
        while i > place:
            self._firsts[i] = self._firsts[i - 1]
            self._lasts[i] = self._lasts[i - 1]
            i -= 1
        self._firsts[place] = first
        self._lasts[place] = last
        self._below += 1

    def _remove(self, place: Int) -> None:
        """Close the gap that the range at `place` leaves, from the nearer end."""
        i: cython.Py_ssize_t = place
        self._below -= 1
        if place - self._start <= self._start + self._below - place:
            while i > self._start:
                self._firsts[i] = self._firsts[i - 1]
                self._lasts[i] = self._lasts[i - 1]
                i -= 1
            self._start += 1
            return
        while i < self._start + self._below:
            self._firsts[i] = self._firsts[i + 1]
            self._lasts[i] = self._lasts[i + 1]
            i += 1

    def _make_room(self) -> Int:
        """Move all ranges to the front, into larger arrays if these are more than half full; return by how much."""
        moved: cython.Py_ssize_t = self._start
        while 2 * self._below > self._capacity:
            self._capacity *= 2
        room = bytes(8 * (self._capacity - self._below))
        self._firsts = array("q", bytes(self._firsts[moved : moved + self._below]) + room)
        self._lasts = array("q", bytes(self._lasts[moved : moved + self._below]) + room)
        self._start = 0
        return moved


class Ahead:
    """Numbers beyond a base that the caller holds and moves up; `count` of them are in.

    The flags form a ring of a power of two of bytes; those of numbers not in are 0.
    """

    __slots__ = ("_flags", "_mask", "count")

    def __init__(self) -> None:
        self.count = 0
        self._mask = FIRST_FLAGS - 1
        self._flags = bytearray(FIRST_FLAGS)

    def add(self, number: Int, base: Int) -> cython.bint:
        """Put in a number above `base`; tell whether it was new."""
        place: cython.Py_ssize_t
        while number - base > self._mask:
            self._grow(base)
        place = number & self._mask
        if self._flags[place]:
            return False
        self._flags[place] = 1
        self.count += 1
        return True

    def advance(self, number: Int) -> Int:
        """Take out the unbroken run of numbers from `number` up and return the first beyond it: the new base."""
        place: cython.Py_ssize_t = number & self._mask
        while self._flags[place]:
            self._flags[place] = 0
            self.count -= 1
            number += 1
            place = number & self._mask
        return number

    def _grow(self, base: Int) -> None:
        """Double the ring and put every flag where it now belongs."""
        old: bytearray = self._flags
        size: cython.Py_ssize_t = self._mask + 1
        offset: cython.Py_ssize_t
        self._mask = 2 * size - 1
        self._flags = bytearray(2 * size)
        for offset in range(size):
            if old[(base + offset) & (size - 1)]:
                self._flags[(base + offset) & self._mask] = 1
