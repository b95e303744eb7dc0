"""Trace: the capacity, delay, loss and queue limit of a link on one clock, with where it came from.

Every operation returns a new trace and notes itself in `provenance.chain`. Form A (opportunities) is never
turned into form B (rates) unless asked for (`to_rate`), since means hide the stalls that packets meet.

Units: integer nanoseconds, bit/s and bytes. The whole repeats with `period_ns`, the longest track's end; a
shorter track holds its last value until then. `end` says what follows: "loop" starts again, "hold" keeps the
last values (capacity of form A offers nothing more), "stop" offers nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.traces.curve import ServiceCurve, product_bits
from lanecast.traces.steps import (
    BITS_PER_BYTE,
    MAX_TIME_NS,
    NS_PER_S,
    UNLIMITED_BIT_S,
    Float64s,
    Int64s,
    Steps,
)
from lanecast.traces.tracks import Delay, Labels, Limit, Loss, Opportunities, Rate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike

__all__ = [
    "MAX_TIME_NS",
    "NS_PER_S",
    "UNLIMITED_BIT_S",
    "Delay",
    "Float64s",
    "Int64s",
    "Labels",
    "Limit",
    "Loss",
    "Opportunities",
    "Provenance",
    "Rate",
    "ServiceCurve",
    "Trace",
    "TracePair",
    "uniform_rate",
]  # fmt: skip

ENDS = ("loop", "hold", "stop")
MAX_BINS = 1 << 22
"""Bins of one trace that are computed at once (assumption): 48 days of seconds."""
KINDS = ("offered", "achieved", "delay", "schedule", "generated", "labels", "unknown")
"""What a recording measured: what the link offered, what some flow achieved on it, delays, a schedule."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a trace came from and what was done to it.

    `sha256` is of the file's unpacked bytes; `chain` lists the reader and each operation in order; `notes`
    holds counts a reader must report (stamps dropped, losses); `seed` is set for generated traces.
    """

    file: str = ""
    set: str = ""
    sha256: str = ""
    format: str = ""
    kind: str = "unknown"
    chain: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}, expected one of {', '.join(KINDS)}")

    def with_step(self, step: str) -> Provenance:
        """Return the provenance with one more operation."""
        return replace(self, chain=(*self.chain, step))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a result's header."""
        names = ("file", "set", "sha256", "format", "kind", "seed")
        return {name: getattr(self, name) for name in names} | {
            "chain": list(self.chain),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Trace:
    """Optional tracks on one clock that starts at 0; at least one is there, and capacity is not all zero."""

    capacity: Opportunities | Rate | None = None
    delay: Delay | None = None
    loss: Loss | None = None
    limit: Limit | None = None
    labels: Mapping[str, Labels] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    end: str = "loop"

    def __post_init__(self) -> None:
        if self.end not in ENDS:
            raise ValueError(f"end is {self.end!r}, expected one of {', '.join(ENDS)}")
        if not self._tracks():
            raise ValueError("a trace needs at least one track")
        if isinstance(self.capacity, Rate) and not self.capacity.rates.any():
            raise ValueError("capacity is zero throughout")

    def _tracks(self) -> list[Opportunities | Steps]:
        given = (self.capacity, self.delay, self.loss, self.limit, *self.labels.values())
        return [track for track in given if track is not None]

    @property
    def period_ns(self) -> int:
        """Length of one round: the longest track's end, ns."""
        return max(track.end for track in self._tracks())

    @property
    def name(self) -> str:
        """The file's name, or how the trace was made."""
        return self.provenance.file or (self.provenance.chain[0] if self.provenance.chain else "unnamed")

    @property
    def mean_bit_s(self) -> float:
        """Mean offered rate over the capacity's own period, bit/s."""
        return self.required_capacity().mean_bit_s

    def required_capacity(self) -> Opportunities | Rate:
        """Return the capacity; ValueError when the trace has none."""
        if self.capacity is None:
            raise ValueError(f"{self.name}: the trace has no capacity track")
        return self.capacity

    def required_rate(self) -> Rate:
        """Return a capacity of form B; ValueError when it is of form A or missing."""
        capacity = self.required_capacity()
        if not isinstance(capacity, Rate):
            raise ValueError(f"{self.name}: capacity is opportunities, not a rate: use to_rate(bin) first")  # noqa: TRY004
        return capacity

    def curve(self) -> ServiceCurve:
        """Return the exact integer service curve of a form B capacity."""
        return ServiceCurve(self.required_rate(), end=self.end)

    def same_tracks(self, other: Trace) -> bool:
        """Tell whether all tracks are equal, whatever the provenance."""
        return (self.capacity, self.delay, self.loss, self.limit, self.labels, self.end) == (
            other.capacity, other.delay, other.loss, other.limit, other.labels, other.end,
        )  # fmt: skip

    def noted(self, step: str) -> Trace:
        """Return the trace with one more step in its converter chain."""
        return replace(self, provenance=self.provenance.with_step(step))

    def with_end(self, end: str) -> Trace:
        """Return the trace with another ending: loop, hold or stop."""
        return replace(self, end=end).noted(f"end={end}")

    def _mapped(self, act: Callable[[Any], Any], step: str) -> Trace:
        """Apply one operation to every track."""
        return replace(
            self,
            capacity=None if self.capacity is None else act(self.capacity),
            delay=None if self.delay is None else act(self.delay),
            loss=None if self.loss is None else act(self.loss),
            limit=None if self.limit is None else act(self.limit),
            labels={key: act(track) for key, track in self.labels.items()},
            provenance=self.provenance.with_step(step),
        )

    def until(self, end_ns: int) -> Trace:
        """Give every track the end `end_ns`: cut, or held (form A: followed by an outage)."""
        return self._mapped(lambda track: track.until(end_ns), f"until {end_ns} ns")

    def cut(self, start_ns: int, end_ns: int) -> Trace:
        """Keep one stretch; its start becomes time 0. Shorter tracks are held first."""
        period = self.period_ns
        return self._mapped(
            lambda track: track.until(period).cut(start_ns, end_ns), f"cut {start_ns}..{end_ns} ns"
        )

    def offset(self, start_ns: int) -> Trace:
        """Start at another point of the loop, with wrap (0 <= start_ns < period)."""
        period = self.period_ns
        if self.end != "loop" or not 0 <= start_ns < period:
            raise ValueError(f"cannot start at {start_ns} ns of a {self.end} trace of {period} ns")
        return self._mapped(lambda track: track.until(period).rotated(start_ns), f"offset {start_ns} ns")

    def repeated(self, end_ns: int) -> Trace:
        """Return `end_ns` of the loop of a trace whose only track is a form B capacity; the last round may be cut."""
        rate = self.required_rate()
        if len(self._tracks()) > 1 or self.end != "loop" or end_ns < 1:
            raise ValueError(
                f"{self.name}: cannot repeat to {end_ns} ns, expected > 0 and a looped capacity alone"
            )
        rounds = -(-end_ns // rate.end)
        if rounds * rate.starts.size > MAX_BINS:
            raise ValueError(f"{self.name}: {rounds} rounds give more than {MAX_BINS} steps")
        starts = (rate.end * np.arange(rounds, dtype=np.int64)[:, None] + rate.starts).ravel()
        whole = Rate(starts, np.tile(rate.rates, rounds), rounds * rate.end)
        return replace(self, capacity=whole.until(end_ns)).noted(f"repeated to {end_ns} ns")

    def concatenate(self, other: Trace) -> Trace:
        """Return this trace followed by another with the same tracks."""
        ours, theirs = self.until(self.period_ns), other.until(other.period_ns)
        joined: dict[str, Any] = {}
        for name in ("capacity", "delay", "loss", "limit"):
            first, second = getattr(ours, name), getattr(theirs, name)
            if type(first) is not type(second):
                raise ValueError(
                    f"cannot join {self.name} and {other.name}: their {name} tracks differ in kind"
                )
            joined[name] = None if first is None else first.joined(second)
        if ours.labels.keys() != theirs.labels.keys():
            raise ValueError(f"cannot join {self.name} and {other.name}: their labels differ")
        labels = {key: track.joined(theirs.labels[key]) for key, track in ours.labels.items()}
        step = f"followed by {other.name} sha256={other.provenance.sha256 or 'none'}"
        return replace(self, labels=labels, provenance=self.provenance.with_step(step), **joined)

    def scale_rate(self, factor: float | Fraction) -> Trace:
        """Multiply the capacity; form A repeats or leaves out opportunities, form B rounds to whole bit/s."""
        ratio = _positive(factor)
        capacity = self.required_capacity()
        scaled: Opportunities | Rate
        if isinstance(capacity, Opportunities):
            scaled = capacity.thinned(ratio.numerator, ratio.denominator)
        else:
            rates = [
                rate if rate == UNLIMITED_BIT_S else round(rate * ratio) for rate in capacity.rates.tolist()
            ]
            if max(rates) > UNLIMITED_BIT_S:
                raise ValueError(f"rate x {factor} passes {UNLIMITED_BIT_S} bit/s")
            scaled = Rate(capacity.starts, np.array(rates, dtype=np.int64), capacity.end)
        return replace(self, capacity=scaled, provenance=self.provenance.with_step(f"scale rate x {factor}"))

    def scale_time(self, factor: float | Fraction) -> Trace:
        """Multiply every time; rates stay, opportunities move apart (their rate divides by the factor)."""
        ratio = _positive(factor)
        return self._mapped(
            lambda track: track.stretched(ratio.numerator, ratio.denominator), f"scale time x {factor}"
        )

    def clip(self, low_bit_s: int = 0, high_bit_s: int = UNLIMITED_BIT_S) -> Trace:
        """Bound a form B capacity; the chain says how many steps changed."""
        rate = self.required_rate()
        if not 0 <= low_bit_s <= high_bit_s:
            raise ValueError(f"cannot clip to {low_bit_s}..{high_bit_s} bit/s")
        rates = np.clip(rate.rates, low_bit_s, high_bit_s)
        changed = int(np.count_nonzero(rates != rate.rates))
        step = f"clip {low_bit_s}..{high_bit_s} bit/s ({changed} of {rates.size} steps)"
        return replace(
            self, capacity=Rate(rate.starts, rates, rate.end), provenance=self.provenance.with_step(step)
        )

    def binned_bits(self, bin_ns: int, *, from_ns: int = 0) -> Float64s:
        """Return the bits offered in each whole bin of one period, (n_bins,) float64.

        Form A counts the opportunities at [start, end) of a bin, form B takes the exact area.
        """
        bins = _bin_count(self.required_capacity().end - from_ns, bin_ns)
        if bins < 1:
            return np.zeros(0)
        return self.bits_between(from_ns + bin_ns * np.arange(bins + 1, dtype=np.int64))

    def bits_between(self, edges: Int64s) -> Float64s:
        """Return the bits offered between neighbouring edges (ns, in one period), (n_edges - 1,) float64."""
        capacity = self.required_capacity()
        if isinstance(capacity, Opportunities):
            counts = np.diff(np.searchsorted(capacity.times, edges, side="left"))
            return np.asarray(counts, dtype=np.float64) * (capacity.bytes_each * BITS_PER_BYTE)
        curve = ServiceCurve(capacity, end="stop")
        step = np.maximum(np.searchsorted(curve.starts, edges, side="left") - 1, 0)
        bits, carry = product_bits(curve.rates[step], edges - curve.starts[step], curve.carry[step])
        return np.diff(bits + curve.bits[step]) + np.diff(carry) / NS_PER_S

    def binned_rates(self, bin_ns: int, *, from_ns: int = 0) -> Float64s:
        """Return the mean rate (bit/s) of each whole bin of one period, (n_bins,) float64."""
        return self.binned_bits(bin_ns, from_ns=from_ns) * NS_PER_S / bin_ns

    def to_rate(self, bin_ns: int = NS_PER_S) -> Trace:
        """Turn the capacity into equal steps of `bin_ns`, keeping the area; a last, shorter step is kept.

        Rates are whole bit/s with the rounding error carried forward: total bits drift by less than half a
        bit/s for one bin. Lossy for form A: what happens inside a bin is gone, and the chain says so.
        """
        capacity = self.required_capacity()
        rate = _rebinned(self, capacity, bin_ns)
        form = "form A to B, lossy" if isinstance(capacity, Opportunities) else "area kept"
        return replace(
            self, capacity=rate, provenance=self.provenance.with_step(f"bins of {bin_ns} ns ({form})")
        )

    resample = to_rate

    def smooth(self, bin_ns: int, bins: int) -> Trace:
        """Return equal steps, each the mean of `bins` neighbours around it, with wrap (odd, >= 3).

        Discouraged: a mean hides the outages that packets meet. The area is kept to half a bit/s a step.
        """
        if bins < 3 or bins % 2 == 0:
            raise ValueError(f"bins is {bins}, expected an odd number >= 3")
        even = self.until(self.period_ns // bin_ns * bin_ns).to_rate(bin_ns)
        rates = even.required_rate().rates.astype(np.float64)
        means = sum(np.roll(rates, shift) for shift in range(-(bins // 2), bins // 2 + 1)) / bins
        smoothed = Rate(even.required_rate().starts, np.rint(means), even.period_ns)
        return replace(
            even, capacity=smoothed, provenance=even.provenance.with_step(f"smoothed over {bins} bins")
        )


@dataclass(frozen=True, slots=True)
class TracePair:
    """Two directions recorded together: `down` towards the user, `up` from the user."""

    down: Trace
    up: Trace

    def __post_init__(self) -> None:
        if self.down.period_ns != self.up.period_ns:
            raise ValueError(
                f"{self.down.name} and {self.up.name} last {self.down.period_ns} and {self.up.period_ns} ns; "
                "directions recorded together share a clock: cut them to one period first"
            )


def uniform_rate(rates_bit_s: ArrayLike, step_ns: int, **provenance: Any) -> Trace:
    """Return a trace of equal steps from rates in bit/s (floats are rounded to whole bit/s)."""
    rates = np.rint(np.asarray(rates_bit_s, dtype=np.float64)).astype(np.int64)
    starts = step_ns * np.arange(rates.size, dtype=np.int64)
    return Trace(Rate(starts, rates, step_ns * rates.size), provenance=Provenance(**provenance))


def _positive(factor: float | Fraction) -> Fraction:
    """Return the factor as an exact ratio of its decimal digits; ValueError unless finite and > 0."""
    if isinstance(factor, float) and not np.isfinite(factor):
        raise ValueError(f"factor is {factor}, expected a finite number > 0")
    ratio = factor if isinstance(factor, Fraction) else Fraction(str(factor))
    if ratio <= 0:
        raise ValueError(f"factor is {factor}, expected > 0")
    return ratio


def _bin_count(span_ns: int, bin_ns: int) -> int:
    """Return how many whole bins fit; ValueError for a bin below 1 ns or one that makes more than `MAX_BINS`."""
    if bin_ns < 1 or span_ns // bin_ns > MAX_BINS:
        raise ValueError(
            f"bin is {bin_ns} ns, expected at least {max(1, span_ns // MAX_BINS)} for {span_ns} ns"
        )
    return span_ns // bin_ns


def _rebinned(trace: Trace, capacity: Opportunities | Rate, bin_ns: int) -> Rate:
    """Return the capacity as steps of `bin_ns`; whole bit/s with the error carried forward."""
    _bin_count(capacity.end, bin_ns)
    edges = np.unique(np.append(np.arange(0, capacity.end, bin_ns, dtype=np.int64), capacity.end))
    areas = trace.bits_between(edges)
    if isinstance(capacity, Opportunities):  # bins are half open, but the last one owns the trace's very end
        areas[-1] += capacity.total_bits - areas.sum()
    rates, error = [], 0.0
    for area, length in zip(areas.tolist(), np.diff(edges).tolist(), strict=True):
        wanted = area * NS_PER_S / length + error * NS_PER_S / length
        rate = max(0, round(wanted))
        error = (wanted - rate) * length / NS_PER_S
        rates.append(rate)
    return Rate(edges[:-1], np.array(rates, dtype=np.int64), capacity.end)
