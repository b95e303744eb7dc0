"""A set of whole numbers kept as ascending, disjoint, non-adjacent ranges.

Receivers keep arrived packet numbers and arrived data units in it. Adding next to the top range is O(1); elsewhere a
binary search and a shift of the ranges above. With `limit` the lowest range is forgotten when there would be
more, so memory is bounded whatever arrives; `forgotten` counts those ranges.
"""

from __future__ import annotations

from array import array

import cython

from lanecast.transport.units import Int

FIRST_CAPACITY = 16  # ranges before the arrays grow; assumption


class RangeSet:
    """Ranges `firsts[i]..lasts[i]`, both ends included, for i in 0..count-1, ascending."""

    def __init__(self, limit: int = 0) -> None:
        if limit < 0:
            raise ValueError(f"limit must be >= 0 ranges (0: none), got {limit}")
        self.limit = limit
        self.count = 0
        self.forgotten = 0
        self._capacity = FIRST_CAPACITY
        self.firsts = array("q", bytes(8 * FIRST_CAPACITY))
        self.lasts = array("q", bytes(8 * FIRST_CAPACITY))

    def add(self, number: Int) -> cython.bint:
        """Put a number in; tell whether it was new."""
        place: cython.Py_ssize_t
        if self.count > 0 and number == self.lasts[self.count - 1] + 1:
            self.lasts[self.count - 1] = number
            return True
        place = self._search(number)  # the first range that ends at or after `number`
        if place < self.count and self.firsts[place] <= number:
            return False
        if place > 0 and self.lasts[place - 1] + 1 == number:
            self.lasts[place - 1] = number
            if place < self.count and self.firsts[place] == number + 1:
                self.lasts[place - 1] = self.lasts[place]
                self._remove(place)
        elif place < self.count and self.firsts[place] == number + 1:
            self.firsts[place] = number
        else:
            self._insert(place, number)
        return True

    def contains(self, number: Int) -> cython.bint:
        """Tell whether a number is in."""
        place: cython.Py_ssize_t = self._search(number)
        return place < self.count and self.firsts[place] <= number

    def pop_lowest(self) -> None:
        """Remove the lowest range (there must be one)."""
        assert self.count > 0, "pop_lowest of an empty RangeSet"
        self._remove(0)

    def ranges(self) -> list[tuple[int, int]]:
        """Return all ranges as (first, last), ascending."""
        return [(self.firsts[i], self.lasts[i]) for i in range(self.count)]

    def _search(self, number: Int) -> Int:
        low: cython.Py_ssize_t = 0
        high: cython.Py_ssize_t = self.count
        middle: cython.Py_ssize_t
        while low < high:
            middle = (low + high) >> 1
            if self.lasts[middle] < number:
                low = middle + 1
            else:
                high = middle
        return low

    def _insert(self, place: Int, number: Int) -> None:
        i: cython.Py_ssize_t
        if 0 < self.limit <= self.count:
            self.forgotten += 1
            if place == 0:  # it would itself be the lowest
                return
            self._remove(0)
            place -= 1
        if self.count == self._capacity:
            self._grow()
        i = self.count
        while i > place:
            self.firsts[i] = self.firsts[i - 1]
            self.lasts[i] = self.lasts[i - 1]
            i -= 1
        self.firsts[place] = number
        self.lasts[place] = number
        self.count += 1

    def _remove(self, place: Int) -> None:
        i: cython.Py_ssize_t = place
        self.count -= 1
        while i < self.count:
            self.firsts[i] = self.firsts[i + 1]
            self.lasts[i] = self.lasts[i + 1]
            i += 1

    def _grow(self) -> None:
        room = bytes(8 * self._capacity)
        self.firsts = array("q", bytes(self.firsts) + room)
        self.lasts = array("q", bytes(self.lasts) + room)
        self._capacity *= 2
