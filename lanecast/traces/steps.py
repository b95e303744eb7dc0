"""What all tracks of a trace share: units, bounds, and the piecewise-constant track.

Units: times are integer nanoseconds, rates integer bit/s, sizes integer bytes. A piecewise-constant value
holds from its start until the next start, the last one until `end`.

Bounds: a track ends before `MAX_TIME_NS` (31.7 years) and offers at most `UNLIMITED_BIT_S`, which also stands
for "no limit" (a 1500 B packet takes 12 ns); together they keep every product of two limbs below 2**63.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]

NS_PER_S = 1_000_000_000
BITS_PER_BYTE = 8
PACKET_BYTES = 1500
"""Bytes of one opportunity: mahimahi's packet without its 4-byte TUN header (mahimahi link_queue.cc)."""
MAX_TIME_NS = 10**18
UNLIMITED_BIT_S = 10**12
MAX_OPPORTUNITIES = 1 << 26
"""Opportunities of one track (assumption): twice what one file may hold."""
MAX_TOTAL_BITS = 2**62
"""Bits that a whole track may offer, so that sums fit signed 64-bit integers."""


def frozen(values: ArrayLike, dtype: Any) -> NDArray[Any]:
    """Return a read-only one-dimensional copy; a value that the dtype would change raises ValueError."""
    given = np.asarray(values)
    array = np.array(given, dtype=dtype, ndmin=1, copy=True)
    if array.ndim != 1:
        raise ValueError(f"expected one dimension, got {array.ndim}")
    if dtype is np.int64 and given.dtype.kind not in "iu" and array.size and not np.array_equal(array, given):
        raise ValueError("expected whole numbers")
    array.setflags(write=False)
    return array


def check_end(end: int, last: int) -> None:
    """Raise ValueError unless a track whose last step starts at `last` may end at `end` (ns)."""
    if not last < end <= MAX_TIME_NS:
        raise ValueError(
            f"end is {end} ns, expected more than the last start {last} and at most {MAX_TIME_NS}"
        )


def ratio(value: int, numerator: int, denominator: int) -> int:
    """Return value * numerator / denominator, rounded half up."""
    return (2 * value * numerator + denominator) // (2 * denominator)


def stretched_end(end: int, numerator: int, denominator: int) -> int:
    """Return the end times a ratio; ValueError past `MAX_TIME_NS`."""
    stretched = ratio(end, numerator, denominator)
    if stretched > MAX_TIME_NS:
        raise ValueError(f"time x {numerator}/{denominator} passes {MAX_TIME_NS} ns")
    return stretched


def check_window(start: int, end: int, limit: int) -> None:
    """Raise ValueError unless start..end (ns) is a stretch of 0..limit."""
    if not 0 <= start < end <= limit:
        raise ValueError(f"cannot cut {start}..{end} ns out of 0..{limit} ns")


class Steps:
    """A piecewise-constant track: a value from each start until the next one, the last until `end`.

    Invariants: the first start is 0, starts increase, `end` > the last start. Subclasses name their values.
    """

    __slots__ = ()
    starts: Int64s
    end: int

    @property
    def values(self) -> NDArray[Any]:
        """The values, one a start."""
        raise NotImplementedError

    def with_steps(self, starts: ArrayLike, values: ArrayLike, end: int) -> Self:
        """Return a track of the same kind with other steps."""
        raise NotImplementedError

    def _check_steps(self) -> None:
        starts = frozen(self.starts, np.int64)
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "end", int(self.end))
        if starts.size == 0 or starts.size != self.values.size:
            raise ValueError(
                f"{starts.size} starts and {self.values.size} values, expected as many, and one or more"
            )
        if starts[0] != 0 or np.any(np.diff(starts) <= 0):
            raise ValueError("starts must begin at 0 and increase")
        check_end(self.end, int(starts[-1]))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) or not isinstance(other, Steps):
            return NotImplemented
        same_times = self.end == other.end and np.array_equal(self.starts, other.starts)
        return same_times and np.array_equal(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]  # arrays are compared, not hashed

    @property
    def lengths(self) -> Int64s:
        """Length of each step, ns."""
        return np.diff(self.starts, append=np.int64(self.end))

    def at(self, time: int) -> Any:
        """Return the value in force at `time` (ns); past the end the last one holds."""
        return self.values[np.searchsorted(self.starts, time, side="right") - 1]

    def cut(self, start: int, end: int) -> Self:
        """Keep [start, end); time restarts at 0."""
        check_window(start, end, self.end)
        first = int(np.searchsorted(self.starts, start, side="right")) - 1
        last = int(np.searchsorted(self.starts, end, side="left"))
        return self.with_steps(
            np.maximum(self.starts[first:last] - start, 0), self.values[first:last], end - start
        )

    def until(self, end: int) -> Self:
        """Return the track with another end: cut, or with the last value held."""
        return self.cut(0, end) if end < self.end else self.with_steps(self.starts, self.values, end)

    def joined(self, other: Self) -> Self:
        """Return this track followed by the other."""
        starts = np.concatenate([self.starts, other.starts + self.end])
        return self.with_steps(starts, np.concatenate([self.values, other.values]), self.end + other.end)

    def rotated(self, start: int) -> Self:
        """Return one period as seen by a flow that starts at `start`."""
        return self if start == 0 else self.cut(start, self.end).joined(self.cut(0, start))

    def stretched(self, numerator: int, denominator: int) -> Self:
        """Multiply every time by a ratio; steps that would vanish raise ValueError."""
        end = stretched_end(self.end, numerator, denominator)
        return self.with_steps(
            [ratio(t, numerator, denominator) for t in self.starts.tolist()], self.values, end
        )
