"""Task specifications: what a controller is told, what it may answer, and what that is called.

A `TaskSpec` is a frozen value. Its entries describe an observation field by field (unit, shape, physical
range, normalisation, the value that stands for "unknown"), its action space says what may be answered, and
the rest states in words when a decision is due, what it earns and what comes back later. Observations always
hold **physical units**; normalisation is data here and is applied by whoever needs it (`vector`), so that
one log of a run serves every controller.

The hash of the canonical JSON form names the task: a trained controller keeps `spec_hash` and refuses any
other (`require`). Changing a scale is therefore a change of version.

An observation is a frozen struct (`Observation`) whose field names are the entry names. Many observations
at once are one struct of the same type whose fields have a leading axis (`stack`, `row`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, TypeAlias, TypeVar, cast

import msgspec
import numpy as np

from lanecast.errors import LanecastError

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Mask: TypeAlias = Sequence[bool]  # one truth value an action: True where it is allowed

KINDS = ("scalar", "series", "categorical", "image", "vector-per-action")
TRANSFORMS = ("identity", "log1p")


class SpecMismatchError(LanecastError):
    """A controller was made for another task, or for another version of this one."""

    exit_code = 2


class Observation(msgspec.Struct, frozen=True, eq=False):
    """What a controller is told at one decision; fields are numbers or arrays that nobody may write to."""


Obs = TypeVar("Obs", bound=Observation)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One field of an observation.

    The normalised value is `clip((transform(x) - offset) / scale)`; a missing value normalises to 0.
    `low` and `high` are physical bounds, infinite where there is none.
    """

    name: str
    kind: str
    unit: str
    low: float
    high: float
    shape: tuple[int, ...] = ()
    categories: int = 0  # number of values of a categorical entry, which are 0 .. categories - 1
    dtype: str = "float32"  # of the entry in arrays and environments; observations keep full precision
    transform: str = "identity"
    offset: float = 0.0
    scale: float = 1.0
    clip: tuple[float, float] | None = None  # on the normalised value
    whole: bool = False  # only whole numbers occur (counts, levels)
    missing: float | None = None  # the value that stands for "unknown"; None: never missing

    def __post_init__(self) -> None:
        for field in ("low", "high", "offset", "scale"):
            object.__setattr__(self, field, float(getattr(self, field)))
        if self.missing is not None:
            object.__setattr__(self, "missing", float(self.missing))
        self._check_form()
        if not self.low <= self.high:
            raise ValueError(f"entry {self.name!r}: low {self.low} is above high {self.high}")
        if not (math.isfinite(self.scale) and self.scale > 0 and math.isfinite(self.offset)):
            raise ValueError(f"entry {self.name!r}: scale {self.scale} must be finite and > 0, offset finite")
        if self.missing is not None and not math.isfinite(self.missing):
            raise ValueError(f"entry {self.name!r}: missing value {self.missing} must be finite")

    def _check_form(self) -> None:
        ranks = {
            "scalar": (0,),
            "series": (1, 2),
            "categorical": (0, 1),
            "image": (2, 3),
            "vector-per-action": (1, 2),
        }
        if self.kind not in ranks:
            raise ValueError(f"entry {self.name!r}: kind {self.kind!r} is none of {', '.join(KINDS)}")
        if len(self.shape) not in ranks[self.kind] or any(size < 1 for size in self.shape):
            raise ValueError(f"entry {self.name!r}: shape {self.shape} does not fit kind {self.kind!r}")
        if (self.categories > 0) != (self.kind == "categorical"):
            raise ValueError(f"entry {self.name!r}: categories = {self.categories} with kind {self.kind!r}")
        if self.transform not in TRANSFORMS:
            raise ValueError(
                f"entry {self.name!r}: transform {self.transform!r} is none of {', '.join(TRANSFORMS)}"
            )

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def check(self, value: float | Array) -> None:
        """Raise ValueError if the value's shape or range is not the declared one."""
        array = np.asarray(value, dtype=np.float64)
        if array.shape != self.shape:
            raise ValueError(f"{self.name}: shape {array.shape}, expected {self.shape}")
        wrong = ~((array >= self.low) & (array <= self.high))
        if self.missing is not None:
            wrong &= array != self.missing
        if self.whole or self.kind == "categorical":
            wrong |= array != np.floor(array)
        if wrong.any():
            first = array[wrong].flat[0]
            raise ValueError(f"{self.name}: value {first} {self.unit} is outside {self.low} .. {self.high}")

    def normalise(self, value: float | Array) -> Array:
        """Return the normalised value(s), any leading axes kept, as `dtype`."""
        scaled = np.asarray(value, dtype=np.float64)
        known = None if self.missing is None else scaled != self.missing
        if known is not None:
            scaled = np.where(known, scaled, 0.0)
        if self.transform == "log1p":
            scaled = np.log1p(scaled)
        scaled = (scaled - self.offset) / self.scale
        if self.clip is not None:
            scaled = np.clip(scaled, *self.clip)
        if known is not None:
            scaled = np.where(known, scaled, 0.0)
        return np.asarray(scaled, dtype=self.dtype)


@dataclass(frozen=True)
class Discrete:
    """Actions 0 .. n - 1."""

    n: int
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.n < 1 or len(self.names) not in (0, self.n):
            raise ValueError(f"Discrete: n = {self.n} with {len(self.names)} names")

    def fault(self, action: object, mask: Mask | None = None) -> str:
        """Return why the action may not be taken, or an empty text."""
        if isinstance(action, (bool, np.bool_)) or not isinstance(action, (int, np.integer)):
            return f"action {action!r} is not a whole number"
        if not 0 <= action < self.n:
            return f"action {action} is outside 0 .. {self.n - 1}"
        if mask is not None and not mask[int(action)]:
            return f"action {action} is masked"
        return ""


@dataclass(frozen=True)
class Box:
    """Actions are arrays of `shape` within low .. high (finite), in `unit`."""

    low: float
    high: float
    shape: tuple[int, ...]
    unit: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        if not self.low < self.high:
            raise ValueError(f"Box: low {self.low} is not below high {self.high}")

    def fault(self, action: object, mask: Mask | None = None) -> str:
        """Return why the action may not be taken, or an empty text; a box knows no mask."""
        try:
            array = np.asarray(action, dtype=np.float64)
        except (TypeError, ValueError):
            return f"action {action!r} is not an array of numbers"
        if array.shape != self.shape:
            return f"action has shape {array.shape}, expected {self.shape}"
        if not np.isfinite(array).all():
            return "action is not finite"
        if (array < self.low).any() or (array > self.high).any():
            return f"action leaves {self.low} .. {self.high} {self.unit}"
        return ""


@dataclass(frozen=True)
class Field:
    """A named number or array that feedback, context or a privileged view carries."""

    name: str
    unit: str
    meaning: str = ""


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """A task: `name`/v`version`.

    `context` names what is known before an episode begins (a manifest); `privileged` what no ordinary
    controller is ever shown; `features` the entries that a learned controller reads by default.
    """

    name: str
    version: int
    entries: tuple[Entry, ...]
    action: Discrete | Box
    reward: str  # its formula
    first_decision: str
    deadline: str
    feedback: tuple[Field, ...] = ()
    context: tuple[Field, ...] = ()
    privileged: tuple[Field, ...] = ()
    features: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [entry.name for entry in self.entries]
        if len(set(names)) != len(names):
            raise ValueError(f"task {self.name!r}: two entries have one name: {names}")
        if not self.features:
            object.__setattr__(self, "features", tuple(names))
        unknown = [name for name in self.features if name not in names]
        if unknown:
            raise ValueError(f"task {self.name!r}: features {unknown} are no entries")
        for entry in self.entries:
            if entry.kind == "vector-per-action" and entry.shape[-1] != self.choices:
                raise ValueError(
                    f"{entry.name}: last axis {entry.shape[-1]} is not the {self.choices} actions"
                )

    @property
    def id(self) -> str:
        """`name/vN`."""
        return f"{self.name}/v{self.version}"

    @property
    def choices(self) -> int:
        """Number of discrete actions, 0 for a box."""
        return self.action.n if isinstance(self.action, Discrete) else 0

    @property
    def width(self) -> int:
        """Length of `vector`."""
        return sum(entry.size for entry in self._read)

    @cached_property
    def _read(self) -> tuple[Entry, ...]:
        """The entries that `vector` holds."""
        return tuple(self.entry(name) for name in self.features)

    def entry(self, name: str) -> Entry:
        """Return an entry by name."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise KeyError(
            f"task {self.id} has no entry {name!r}; it has {', '.join(e.name for e in self.entries)}"
        )

    def canonical(self) -> str:
        """Return the JSON text that is hashed: sorted keys, no spaces, floats in their shortest exact form."""
        return json.dumps(_plain(self), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @cached_property
    def spec_hash(self) -> str:
        """SHA-256 of `canonical()`, hexadecimal."""
        return sha256(self.canonical().encode()).hexdigest()

    def require(self, expected: str, who: str) -> None:
        """Refuse a controller that was made for another specification.

        Raises:
            SpecMismatchError: `expected` is not this specification's hash.
        """
        if expected != self.spec_hash:
            raise SpecMismatchError(
                f"{who} was made for specification {expected[:12]}, but {self.id} here is {self.spec_hash[:12]}"
            )

    def check(self, observation: Observation) -> None:
        """Raise ValueError naming the first field whose shape or range is not as declared."""
        for entry in self.entries:
            try:
                entry.check(getattr(observation, entry.name))
            except ValueError as error:
                raise ValueError(f"{self.id}: {error}") from None

    def vector(self, observation: Observation) -> Array:
        """Return the normalised `features` flat, (width,) float32; of a stacked observation (n, width)."""
        parts = []
        for entry in self._read:
            value = entry.normalise(getattr(observation, entry.name))
            leading = value.shape[: value.ndim - len(entry.shape)]
            parts.append(value.reshape(*leading, entry.size))
        return np.concatenate(parts, axis=-1, dtype=np.float32)


def observation_type(spec: TaskSpec) -> type[Observation]:
    """Return a frozen observation type with the specification's entries as fields, for generic callers."""
    fields_ = [(entry.name, Any) for entry in spec.entries]
    made = msgspec.defstruct("Observed", fields_, bases=(Observation,), frozen=True, eq=False)
    return cast("type[Observation]", made)


def stack(observations: Sequence[Obs]) -> Obs:
    """Return one observation of the same type whose fields have a leading axis of n.

    Raises:
        ValueError: there is nothing to stack.
    """
    if not observations:
        raise ValueError("stack: no observations given")
    kind = type(observations[0])
    names = kind.__struct_fields__
    return kind(
        **{name: np.stack([np.asarray(getattr(one, name)) for one in observations]) for name in names}
    )


def row(batch: Obs, place: int) -> Obs:
    """Return observation number `place` of a stacked one; scalars come back as Python numbers."""
    kind = type(batch)
    values = {name: getattr(batch, name)[place] for name in kind.__struct_fields__}
    return kind(**{name: value.item() if np.ndim(value) == 0 else value for name, value in values.items()})


def frozen(values: Sequence[float] | Array) -> Array:
    """Return a float64 copy of the values that cannot be written to, for a field of an observation."""
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array


def _plain(value: object) -> object:
    """Return the value as JSON types; an infinite float becomes the text inf or -inf."""
    if is_dataclass(value):
        content = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {"type": type(value).__name__, **content}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    return value
