"""Tracks: what a link offers or does over time, on a clock that starts at zero.

Two forms of capacity: `Opportunities` (form A: instants at which a link may deliver a number of bytes) and
`Rate` (form B: a piecewise-constant bit rate). Beside them the piecewise-constant `Delay`, `Loss`, `Limit`
and `Labels`. All are immutable: arrays are private read-only copies, and every operation returns a new track.
Units and bounds are those of `steps.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lanecast.traces.steps import (
    BITS_PER_BYTE,
    MAX_OPPORTUNITIES,
    MAX_TIME_NS,
    MAX_TOTAL_BITS,
    NS_PER_S,
    PACKET_BYTES,
    UNLIMITED_BIT_S,
    Float64s,
    Int64s,
    Steps,
    check_window,
    frozen,
    ratio,
    stretched_end,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True, eq=False)
class Opportunities:
    """Form A: at each time the link may deliver `bytes_each` bytes.

    Invariants: times never decrease, the first is >= 0; `end` >= the last time and > 0. `end` is the period
    of a looped trace; 0 stands for the last time, as in mahimahi.
    """

    times: Int64s
    bytes_each: int = PACKET_BYTES
    end: int = 0

    def __post_init__(self) -> None:
        times = frozen(self.times, np.int64)
        object.__setattr__(self, "times", times)
        if times.size == 0:
            raise ValueError("no opportunities")
        if times[0] < 0 or np.any(np.diff(times) < 0):
            raise ValueError("opportunity times must be >= 0 and never decrease")
        object.__setattr__(self, "end", int(self.end) or int(times[-1]))
        if not times[-1] <= self.end <= MAX_TIME_NS or self.end == 0:
            raise ValueError(f"end is {self.end} ns, expected > 0 and >= the last opportunity {times[-1]}")
        if self.bytes_each < 1:
            raise ValueError(f"bytes_each is {self.bytes_each}, expected >= 1")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Opportunities):
            return NotImplemented
        same = (self.bytes_each, self.end) == (other.bytes_each, other.end)
        return same and np.array_equal(self.times, other.times)

    __hash__ = None  # type: ignore[assignment]  # arrays are compared, not hashed

    @property
    def total_bits(self) -> int:
        """Bits offered in one period."""
        return int(self.times.size) * self.bytes_each * BITS_PER_BYTE

    @property
    def mean_bit_s(self) -> float:
        """Mean offered rate over one period, bit/s."""
        return self.total_bits * NS_PER_S / self.end

    def bits_by(self, times: ArrayLike) -> Int64s:
        """Return the bits offered at or before each time (ns) of the first period."""
        count = np.searchsorted(self.times, np.asarray(times, dtype=np.int64), side="right")
        return np.asarray(count, dtype=np.int64) * (self.bytes_each * BITS_PER_BYTE)

    def cut(self, start: int, end: int) -> Opportunities:
        """Keep the opportunities in (start, end], and one at 0 when `start` is 0; time restarts at 0."""
        check_window(start, end, self.end)
        first = np.searchsorted(self.times, start, side="right") if start else 0
        last = np.searchsorted(self.times, end, side="right")
        if first == last:
            raise ValueError(f"no opportunities between {start} and {end} ns")
        return Opportunities(self.times[first:last] - start, self.bytes_each, end - start)

    def until(self, end: int) -> Opportunities:
        """Return the same opportunities with the period `end`: cut, or followed by an outage."""
        return self.cut(0, end) if end < self.end else Opportunities(self.times, self.bytes_each, end)

    def joined(self, other: Opportunities) -> Opportunities:
        """Return these opportunities followed by the other's."""
        if self.bytes_each != other.bytes_each:
            raise ValueError(f"cannot join opportunities of {self.bytes_each} and {other.bytes_each} bytes")
        return Opportunities(
            np.concatenate([self.times, other.times + self.end]), self.bytes_each, self.end + other.end
        )

    def rotated(self, start: int) -> Opportunities:
        """Return one period as seen by a flow that starts at `start`; what was at `start` comes last."""
        moved = np.where(self.times > start, self.times - start, self.times - start + self.end)
        return Opportunities(np.sort(moved), self.bytes_each, self.end)

    def stretched(self, numerator: int, denominator: int) -> Opportunities:
        """Multiply every time by a ratio (rounded half up to whole ns); the mean rate divides by it."""
        end = max(1, stretched_end(self.end, numerator, denominator))
        times = np.array([ratio(int(t), numerator, denominator) for t in self.times], dtype=np.int64)
        return Opportunities(times, self.bytes_each, end)

    def thinned(self, numerator: int, denominator: int) -> Opportunities:
        """Repeat or leave out opportunities so that the rate is multiplied by a ratio; times stay.

        The error is carried from the end, so that the last opportunity, which sets a loop's period, stays.
        """
        if self.times.size * numerator > MAX_OPPORTUNITIES * denominator:
            raise ValueError(
                f"rate x {numerator}/{denominator} gives more than {MAX_OPPORTUNITIES} opportunities"
            )
        marks = [-(-k * numerator // denominator) for k in range(self.times.size + 1)]
        copies = np.asarray(np.diff(marks), dtype=np.int64)[::-1]
        return Opportunities(np.repeat(self.times, copies), self.bytes_each, self.end)


@dataclass(frozen=True, slots=True, eq=False)
class Rate(Steps):
    """Form B: capacity in bit/s; 0 is an outage, `UNLIMITED_BIT_S` means no limit."""

    starts: Int64s
    rates: Int64s
    end: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates", frozen(self.rates, np.int64))
        self._check_steps()
        if self.rates.min() < 0 or self.rates.max() > UNLIMITED_BIT_S:
            raise ValueError(f"rates must lie in 0..{UNLIMITED_BIT_S} bit/s")
        if float(self.rates.astype(np.float64) @ self.lengths) / NS_PER_S > MAX_TOTAL_BITS:
            raise ValueError(f"the track offers more than {MAX_TOTAL_BITS} bits")

    @property
    def values(self) -> NDArray[Any]:
        """Rates, bit/s."""
        return self.rates

    def with_steps(self, starts: ArrayLike, values: ArrayLike, end: int) -> Rate:
        """Return a rate track with other steps."""
        return Rate(np.asarray(starts), np.asarray(values), end)

    @property
    def total_bit_ns(self) -> int:
        """Exact capacity of one period in bit-ns (1e-9 bit), a Python integer of any size."""
        return sum(
            rate * length for rate, length in zip(self.rates.tolist(), self.lengths.tolist(), strict=True)
        )

    @property
    def total_bits(self) -> int:
        """Whole bits offered in one period."""
        return self.total_bit_ns // NS_PER_S

    @property
    def mean_bit_s(self) -> float:
        """Mean offered rate over one period, bit/s."""
        return self.total_bit_ns / self.end


@dataclass(frozen=True, slots=True, eq=False)
class Delay(Steps):
    """Delay in ns, with an optional jitter (ns) a step; `measured` is "one-way" or "round-trip"."""

    starts: Int64s
    delays: Int64s
    end: int
    measured: str = "one-way"
    jitter: Int64s | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "delays", frozen(self.delays, np.int64))
        if self.jitter is not None:
            object.__setattr__(self, "jitter", frozen(self.jitter, np.int64))
            if self.jitter.size != self.delays.size or (self.jitter < 0).any():
                raise ValueError("jitter must be >= 0, one value a step")
        self._check_steps()
        if self.delays.min() < 0 or self.delays.max() > MAX_TIME_NS:
            raise ValueError(f"delays must lie in 0..{MAX_TIME_NS} ns")
        if self.measured not in ("one-way", "round-trip"):
            raise ValueError(f"measured is {self.measured!r}, expected one-way or round-trip")

    @property
    def values(self) -> NDArray[Any]:
        """Delays, ns; with jitter a record array of delay and jitter."""
        if self.jitter is None:
            return self.delays
        both = np.empty(self.delays.size, dtype=[("delay", np.int64), ("jitter", np.int64)])
        both["delay"], both["jitter"] = self.delays, self.jitter
        return both

    def with_steps(self, starts: ArrayLike, values: ArrayLike, end: int) -> Delay:
        """Return a delay track with other steps."""
        given = np.asarray(values)
        if given.dtype.names is None:
            return Delay(np.asarray(starts), given, end, self.measured)
        return Delay(np.asarray(starts), given["delay"], end, self.measured, given["jitter"])

    def one_way(self) -> Delay:
        """Return the one-way delay; of a round trip the half, rounded down (assumption: equal directions)."""
        if self.measured == "one-way":
            return self
        return Delay(self.starts, self.delays // 2, self.end, "one-way", self.jitter)


@dataclass(frozen=True, slots=True, eq=False)
class Loss(Steps):
    """Loss probability, 0..1."""

    starts: Int64s
    probabilities: Float64s
    end: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", frozen(self.probabilities, np.float64))
        self._check_steps()
        if not np.all((self.probabilities >= 0) & (self.probabilities <= 1)):
            raise ValueError("loss probabilities must lie in 0..1")

    @property
    def values(self) -> NDArray[Any]:
        """Probabilities, 0..1."""
        return self.probabilities

    def with_steps(self, starts: ArrayLike, values: ArrayLike, end: int) -> Loss:
        """Return a loss track with other steps."""
        return Loss(np.asarray(starts), np.asarray(values), end)


@dataclass(frozen=True, slots=True, eq=False)
class Limit(Steps):
    """Queue limit in `unit`: "packets" or "bytes"."""

    starts: Int64s
    limits: Int64s
    end: int
    unit: str = "packets"

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", frozen(self.limits, np.int64))
        self._check_steps()
        if self.limits.min() < 0:
            raise ValueError("queue limits must be >= 0")
        if self.unit not in ("packets", "bytes"):
            raise ValueError(f"unit is {self.unit!r}, expected packets or bytes")

    @property
    def values(self) -> NDArray[Any]:
        """Limits, packets or bytes."""
        return self.limits

    def with_steps(self, starts: ArrayLike, values: ArrayLike, end: int) -> Limit:
        """Return a limit track with other steps."""
        return Limit(np.asarray(starts), np.asarray(values), end, self.unit)


@dataclass(frozen=True, slots=True, eq=False)
class Labels(Steps):
    """Text in force from each start: a radio technology, a cell, a handover."""

    starts: Int64s
    texts: Sequence[str] | NDArray[Any]
    end: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", frozen(np.array(self.texts, dtype=object), object))
        self._check_steps()

    @property
    def values(self) -> NDArray[Any]:
        """Texts, an object array of str."""
        return np.asarray(self.texts, dtype=object)

    def with_steps(self, starts: ArrayLike, values: ArrayLike, end: int) -> Labels:
        """Return a label track with other steps."""
        return Labels(np.asarray(starts), np.asarray(values, dtype=object), end)
