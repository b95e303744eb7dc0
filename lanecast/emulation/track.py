"""A piecewise-constant value over the clock of a trace: delay (ns), loss (1/2^32), queue limits.

`Track.at(now)` keeps a cursor, so that reading forward costs next to nothing; reading back is allowed and searches.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import cython

from lanecast.l4s.queue import Queue
from lanecast.transport.calendar import Calendar
from lanecast.transport.stage import Stage
from lanecast.transport.units import NEVER, Ns

_NEVER = NEVER


class Track:
    """Integer values: `values[i]` from `starts[i]` (ns, first 0, increasing) until the next start or `end`.

    After `end` the track repeats (`loop`) or keeps its last value.
    """

    def __init__(self, starts: Sequence[int], values: Sequence[int], end: int, *, loop: bool = True) -> None:
        if len(starts) == 0 or len(starts) != len(values):
            raise ValueError(
                f"need as many starts as values, at least one; got {len(starts)} and {len(values)}"
            )
        if (
            starts[0] != 0
            or end <= starts[-1]
            or any(b <= a for a, b in zip(starts, starts[1:], strict=False))
        ):
            raise ValueError("track starts must begin at 0, increase, and lie before the end")
        self._starts = [int(start) for start in starts]
        self._values = [int(value) for value in values]
        self._end = end
        self._loop = loop
        self._from = 0  # the value read last holds from here ...
        self._until = 0  # ... until here
        self._value = 0

    def at(self, now: Ns) -> Ns:
        """Return the value that holds at `now` (>= 0)."""
        if not self._from <= now < self._until:
            self._seek(now)
        return self._value

    def next_change(self, now: Ns) -> Ns:
        """Return when the segment that holds at `now` ends; NEVER if it lasts for ever."""
        self.at(now)
        return self._until

    def _seek(self, now: Ns) -> None:
        base: cython.longlong = (now // self._end) * self._end if self._loop else 0
        place: cython.Py_ssize_t = bisect_right(self._starts, now - base) - 1
        self._value = self._values[place]
        self._from = base + self._starts[place]
        if place + 1 < len(self._starts):
            self._until = base + self._starts[place + 1]
        else:
            self._until = base + self._end if self._loop else _NEVER


class LimitFollower(Stage):
    """Sets a queue's limit, in packets or bytes, from a track. Packets already held are never removed."""

    def __init__(
        self, calendar: Calendar, queue: Queue, track: Track, *, unit: str = "packets", name: str = ""
    ) -> None:
        super().__init__(name)
        if unit not in ("packets", "bytes"):
            raise ValueError(f"unit of a queue limit must be packets or bytes, got {unit!r}")
        self.calendar = calendar
        self.queue = queue
        self.track = track
        self.in_packets = unit == "packets"
        calendar.at(calendar.now, self)

    def wake(self, now: Ns) -> None:
        """Apply the value that holds now and wait for the next change."""
        if self.in_packets:
            self.queue.limit_packets = self.track.at(now)
        else:
            self.queue.limit_bytes = self.track.at(now)
        change = self.track.next_change(now)
        if change < _NEVER:
            self.calendar.at(change, self)
