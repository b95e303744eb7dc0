"""Simple shapes of capacity, each with its mean in closed form.

`make("square", low_mbps=6, high_mbps=24, period_s=10)` returns one period, which a looped trace repeats. Random
shapes take `seed` and `duration_s`; their closed form is the expected mean. Every shape is a frozen dataclass whose
fields are the options; `SHAPES` names them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from lanecast.traces.classmodel import BIT_S_PER_MBPS
from lanecast.traces.processes import Floats
from lanecast.traces.steps import BITS_PER_BYTE, PACKET_BYTES
from lanecast.traces.synthetic import stream
from lanecast.traces.trace import NS_PER_S, Opportunities, Provenance, Rate, Trace

_PACKET_BITS = PACKET_BYTES * BITS_PER_BYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Options of a shape. Rates are Mbit/s and >= 0, times s and > 0; `check` raises ValueError otherwise."""

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low_open = field.name.endswith("_s") and field.name not in _MAY_BE_ZERO
            if not (math.isfinite(value) and (value > 0 if low_open else value >= 0)):
                raise ValueError(
                    f"{self.name}: {field.name} is {value}, expected a number {'>' if low_open else '>='} 0"
                )
        self.check()

    def check(self) -> None:
        """Raise ValueError when options contradict each other."""

    @property
    def mean_mbps(self) -> float:
        """Mean capacity, Mbit/s; of a random shape the expected mean."""
        raise NotImplementedError

    def capacity(self) -> Rate | Opportunities:
        """Return one period, or `duration_s` of a random shape."""
        raise NotImplementedError

    def trace(self) -> Trace:
        """Return the shape as a trace that loops."""
        options = ", ".join(f"{field.name}={getattr(self, field.name):g}" for field in fields(self))
        provenance = Provenance(
            set="shapes", format="shape", kind="generated", chain=(f"{self.name}({options})",),
            seed=getattr(self, "seed", None),
        )  # fmt: skip
        return Trace(capacity=self.capacity(), provenance=provenance)

    def refuse(self, message: str) -> ValueError:
        """Return the error that names the shape."""
        return ValueError(f"{self.name}: {message}")


_MAY_BE_ZERO = ("start_s",)


def _pieces(*pieces: tuple[float, float]) -> Rate:
    """Return the rate of (Mbit/s, length s) pieces, leaving out those that round to no time at all."""
    ends = np.rint(np.cumsum([length for _, length in pieces]) * NS_PER_S).astype(np.int64)
    starts = np.append(0, ends[:-1])
    kept = ends > starts
    rates = np.rint(np.array([rate for rate, _ in pieces]) * BIT_S_PER_MBPS).astype(np.int64)
    return Rate(starts[kept], rates[kept], int(ends[-1]))


def _sampled(mbps: Floats, period_s: float) -> Rate:
    """Return equal steps over a period; edges are rounded to whole ns."""
    edges = np.rint(np.linspace(0.0, period_s * NS_PER_S, len(mbps) + 1)).astype(np.int64)
    return Rate(edges[:-1], np.rint(mbps * BIT_S_PER_MBPS).astype(np.int64), int(edges[-1]))


def _steps(shape: Shape, period_s: float, step_s: float) -> int:
    """Return how many steps make a period; ValueError unless it is a whole number."""
    count = round(period_s / step_s)
    if count < 1 or not math.isclose(count * step_s, period_s, rel_tol=1e-9):
        raise shape.refuse(f"step_s is {step_s}, expected a whole number of steps in {period_s} s")
    return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(Shape):
    """One rate. Mean: the rate."""

    name = "constant"
    mbps: float = 12.0

    def check(self) -> None:
        """Refuse a link that never delivers."""
        if self.mbps == 0:
            raise self.refuse("mbps is 0, expected > 0")

    @property
    def mean_mbps(self) -> float:
        """Mean, Mbit/s."""
        return self.mbps

    def capacity(self) -> Rate:
        """Return one second of it."""
        return _pieces((self.mbps, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Shape):
    """`before_mbps` until `start_s`, then `after_mbps` until `duration_s`. Mean: weighted by time."""

    name = "step"
    before_mbps: float = 24.0
    after_mbps: float = 6.0
    start_s: float = 30.0
    duration_s: float = 60.0

    def check(self) -> None:
        """Refuse a step outside the trace."""
        if self.start_s > self.duration_s:
            raise self.refuse(f"start_s is {self.start_s}, expected at most duration_s = {self.duration_s}")

    @property
    def mean_mbps(self) -> float:
        """Mean, Mbit/s."""
        share = self.start_s / self.duration_s
        return self.before_mbps * share + self.after_mbps * (1 - share)

    def capacity(self) -> Rate:
        """Return both levels."""
        return _pieces((self.before_mbps, self.start_s), (self.after_mbps, self.duration_s - self.start_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Square(Shape):
    """`high_mbps` for the share `duty` of a period, then `low_mbps`. Mean: high duty + low (1 - duty)."""

    name = "square"
    high_mbps: float = 24.0
    low_mbps: float = 6.0
    period_s: float = 20.0
    duty: float = 0.5

    def check(self) -> None:
        """Refuse a duty above 1."""
        if self.duty > 1:
            raise self.refuse(f"duty is {self.duty}, expected 0..1")

    @property
    def mean_mbps(self) -> float:
        """Mean, Mbit/s."""
        return self.high_mbps * self.duty + self.low_mbps * (1 - self.duty)

    def capacity(self) -> Rate:
        """Return one period."""
        high_s = self.duty * self.period_s
        return _pieces((self.high_mbps, high_s), (self.low_mbps, self.period_s - high_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternation(Square):
    """The square of 24 and 6 Mbit/s, 10 s each, that queue papers use. Mean: 15 Mbit/s."""

    name = "alternation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp(Shape):
    """A straight line from `from_mbps` to `to_mbps` in steps. Mean: (from + to) / 2."""

    name = "ramp"
    from_mbps: float = 2.0
    to_mbps: float = 20.0
    duration_s: float = 60.0
    step_s: float = 0.1

    def check(self) -> None:
        """Refuse steps that do not fill the duration."""
        _steps(self, self.duration_s, self.step_s)

    @property
    def mean_mbps(self) -> float:
        """Mean, Mbit/s."""
        return (self.from_mbps + self.to_mbps) / 2

    def capacity(self) -> Rate:
        """Return the ramp; a step has the value at its middle."""
        count = _steps(self, self.duration_s, self.step_s)
        middle = (np.arange(count) + 0.5) / count
        return _sampled(self.from_mbps + (self.to_mbps - self.from_mbps) * middle, self.duration_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sawtooth(Ramp):
    """A ramp that drops back to its start every `duration_s`. Mean: (from + to) / 2."""

    name = "sawtooth"
    duration_s: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sine(Shape):
    """`centre_mbps` + `swing_mbps` sin(2 pi t / period). Mean: the centre."""

    name = "sine"
    centre_mbps: float = 12.0
    swing_mbps: float = 8.0
    period_s: float = 20.0
    step_s: float = 0.1

    def check(self) -> None:
        """Refuse negative rates and too few steps: one or two would not average to the centre."""
        if self.swing_mbps > self.centre_mbps:
            raise self.refuse(
                f"swing_mbps is {self.swing_mbps}, expected at most centre_mbps = {self.centre_mbps}"
            )
        if _steps(self, self.period_s, self.step_s) < 3:
            raise self.refuse(f"step_s is {self.step_s}, expected 3 or more steps a period")

    @property
    def mean_mbps(self) -> float:
        """Mean, Mbit/s."""
        return self.centre_mbps

    def capacity(self) -> Rate:
        """Return one period; a step has the value at its middle."""
        count = _steps(self, self.period_s, self.step_s)
        angle = 2 * math.pi * (np.arange(count) + 0.5) / count
        return _sampled(self.centre_mbps + self.swing_mbps * np.sin(angle), self.period_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blackout(Shape):
    """One outage of `outage_s` from `start_s` on in a constant rate. Mean: rate (1 - outage / duration)."""

    name = "blackout"
    mbps: float = 12.0
    start_s: float = 30.0
    outage_s: float = 5.0
    duration_s: float = 60.0

    def check(self) -> None:
        """Refuse an outage that does not leave the link some time."""
        if (
            self.start_s + self.outage_s > self.duration_s
            or self.outage_s == self.duration_s
            or not self.mbps
        ):
            raise self.refuse(
                f"outage of {self.outage_s} s from {self.start_s} s, expected room in {self.duration_s} s"
            )

    @property
    def mean_mbps(self) -> float:
        """Mean, Mbit/s."""
        return self.mbps * (1 - self.outage_s / self.duration_s)

    def capacity(self) -> Rate:
        """Return the whole duration."""
        rest_s = self.duration_s - self.start_s - self.outage_s
        return _pieces((self.mbps, self.start_s), (0.0, self.outage_s), (self.mbps, rest_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class OnOff(Shape):
    """Exponential on and off times, started in the stationary state. Expected mean: rate on / (on + off)."""

    name = "on-off"
    mbps: float = 12.0
    on_s: float = 5.0
    off_s: float = 0.5
    duration_s: float = 600.0
    seed: int = 0

    @property
    def mean_mbps(self) -> float:
        """Expected mean, Mbit/s."""
        return self.mbps * self.on_s / (self.on_s + self.off_s)

    def capacity(self) -> Rate:
        """Return `duration_s` of it; with no on time at all, ValueError from the trace."""
        rng = stream("shapes/on-off", self.seed)
        on = bool(rng.random() < self.on_s / (self.on_s + self.off_s))
        pieces, left = [], self.duration_s
        while left > 0:
            length = min(left, float(rng.exponential(self.on_s if on else self.off_s)))
            pieces.append((self.mbps if on else 0.0, length))
            left, on = left - length, not on
        return _pieces(*pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomWalk(Shape):
    """A Gaussian walk of the log rate between two reflecting walls, started anywhere between them.

    The walk's stationary law is uniform in the log rate; expected mean: (high - low) / ln(high / low).
    """

    name = "random-walk"
    low_mbps: float = 1.0
    high_mbps: float = 50.0
    step_s: float = 0.5
    move: float = 0.25
    """Standard deviation of a step of ln(rate)."""
    duration_s: float = 600.0
    seed: int = 0

    def check(self) -> None:
        """Refuse walls without room between them, and steps that do not fill the duration."""
        if not 0 < self.low_mbps < self.high_mbps:
            raise self.refuse(
                f"low_mbps and high_mbps are {self.low_mbps} and {self.high_mbps}, expected 0 < low < high"
            )
        _steps(self, self.duration_s, self.step_s)

    @property
    def mean_mbps(self) -> float:
        """Expected mean, Mbit/s."""
        return (self.high_mbps - self.low_mbps) / math.log(self.high_mbps / self.low_mbps)

    def capacity(self) -> Rate:
        """Return `duration_s` of it."""
        rng = stream("shapes/random-walk", self.seed)
        count = _steps(self, self.duration_s, self.step_s)
        room = math.log(self.high_mbps / self.low_mbps)
        moves = self.move * rng.standard_normal(count)
        moves[0] = rng.random() * room
        unfolded = np.cumsum(moves) % (2 * room)  # reflection = the walk on a circle, folded in half
        return _sampled(self.low_mbps * np.exp(np.minimum(unfolded, 2 * room - unfolded)), self.duration_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poisson(Shape):
    """Packet opportunities of 1500 B at the instants of a Poisson process. Expected mean: the rate."""

    name = "poisson"
    mbps: float = 12.0
    duration_s: float = 60.0
    seed: int = 0

    @property
    def mean_mbps(self) -> float:
        """Expected mean, Mbit/s."""
        return self.mbps

    def capacity(self) -> Opportunities:
        """Return `duration_s` of it: given their number, the instants are uniform."""
        rng = stream("shapes/poisson", self.seed)
        end = round(self.duration_s * NS_PER_S)
        count = int(rng.poisson(self.mbps * BIT_S_PER_MBPS * self.duration_s / _PACKET_BITS))
        if not count:
            raise self.refuse(
                f"no opportunity in {self.duration_s} s, expected a longer duration_s or a higher mbps"
            )
        return Opportunities(np.sort(rng.integers(0, end, count, endpoint=True)), end=end)


SHAPES: dict[str, type[Shape]] = {
    shape.name: shape
    for shape in (
        Constant, Step, Square, Alternation, Sawtooth, Ramp, Sine, Blackout, OnOff, RandomWalk, Poisson,
    )
}  # fmt: skip
"""By name."""


def shape(name: str, **options: float) -> Shape:
    """Return the shape `name` with its options.

    Raises:
        ValueError: unknown name or option, or a value out of range.
    """
    if name not in SHAPES:
        raise ValueError(f"shape is {name!r}, expected one of {', '.join(SHAPES)}")
    kind = SHAPES[name]
    known = [field.name for field in fields(kind)]
    for option in options:
        if option not in known:
            raise ValueError(f"{name}: unknown option {option!r}, expected one of {', '.join(known)}")
    return kind(**options)


def make(name: str, **options: float) -> Trace:
    """Return the trace of shape `name` (see `SHAPES`); errors as of `shape`."""
    return shape(name, **options).trace()
