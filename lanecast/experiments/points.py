"""From a plan file to points: TOML, `--set`, sweeps, and errors that name file, key path, value and expectation.

A sweep stands in place: where a plan's structure wants one value, a list (`rtt_ms = [30, 100]`) or a range
(`seed = "1..30"`, `rate_mbps = "10..50 step 10"`) makes an axis. A `[sweep]` table may say the same by key path
(`"link.delay_ms" = [5, 20]`, `"flow.0.count" = [1, 10]`). Points come in the order of a nested loop over the
axes as the file lists them, the last one fastest; `[sweep]` axes come after those in place.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import msgspec.inspect as shapes

from lanecast.errors import PlanError
from lanecast.experiments.config import KINDS, NetworkPlan, Plan, TokenPlan, TraceChannel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KeyPath: TypeAlias = tuple[str | int, ...]
RANGE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*\.\.\s*(-?\d+(?:\.\d+)?)(?:\s+step\s+(\d+(?:\.\d+)?))?\s*")
SEED: KeyPath = ("run", "seed")
MAX_POINTS = 10_000_000  # assumption: more is a mistake in a range


@dataclass(frozen=True, slots=True)
class Axis:
    """One swept field: where it stands and the values it takes."""

    path: KeyPath
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The key path with dots."""
        return ".".join(map(str, self.path))


@dataclass(frozen=True, slots=True)
class Sweep:
    """A plan file with its axes; `base` is the raw TOML with the first value of every axis in place."""

    file: str
    base: dict[str, Any]
    axes: tuple[Axis, ...]
    first: Plan

    def __len__(self) -> int:
        count = 1
        for axis in self.axes:
            count *= len(axis.values)
        return count

    @property
    def name(self) -> str:
        """The plan's file name without its suffix."""
        return Path(self.file).stem

    def samples(self) -> Iterator[Plan]:
        """Yield the first point, and for every value of every axis but the seed the first point with that value."""
        yield checked(self.file, relevant(self.base))
        for axis in self.axes:
            for value in axis.values[1:] if axis.path != SEED else ():
                yield checked(self.file, relevant(put(self.base, axis.path, value)))

    def points(self) -> Iterator[Plan]:
        """Yield every point in sweep order.

        Raises:
            PlanError: a value of an axis is not allowed where it stands.
        """
        for values in itertools.product(*(axis.values for axis in self.axes)):
            raw = self.base
            for axis, value in zip(self.axes, values, strict=True):
                raw = put(raw, axis.path, value)
            yield checked(self.file, relevant(raw))


def load_plan(file: str | Path, *, settings: Sequence[str] = ()) -> Sweep:
    """Read a plan: a file, or the name of one that ships with lanecast; apply `key=value` settings.

    Raises:
        PlanError: the file is missing or says something impossible (the first value of each axis is checked here).
    """
    text, name = _read(file)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(name, "", f"not valid TOML: {error}") from None
    return make_sweep(name, raw, settings=settings)


def make_sweep(name: str, raw: dict[str, Any], *, settings: Sequence[str] = ()) -> Sweep:
    """Return the sweep of a raw plan; `name` stands in errors."""
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise PlanError(name, "--set", f"{setting!r} is not KEY=VALUE")
        raw = put(raw, _path_of(key.strip()), _toml_value(value.strip()), file=name)
    extra = raw.get("sweep", {})
    base = {key: value for key, value in raw.items() if key != "sweep"}
    shape = shapes.type_info(_kind_of(name, base))
    axes = list(_axes(name, base, shape, ()))
    if not isinstance(extra, dict):
        raise PlanError(name, "sweep", f"is {extra!r}, expected a table of key paths and lists or ranges")
    axes += [_explicit_axis(name, path, value) for path, value in _leaves(extra, ())]
    for axis in axes:
        base = put(base, axis.path, axis.values[0], file=name)
    sweep = Sweep(name, base, tuple(axes), checked(name, base))
    if len(sweep) > MAX_POINTS:
        raise PlanError(name, "", f"has {len(sweep)} points, expected at most {MAX_POINTS}")
    return sweep


def shipped_plans() -> list[str]:
    """Return the names of the plans that come with lanecast."""
    folder = resources.files("lanecast.experiments").joinpath("plans")
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def relevant(raw: dict[str, Any]) -> dict[str, Any]:
    """Leave out what does not touch a run: title, reports, channels and schemes that are not the point's own.

    A finished run then stays finished when only those change.
    """
    kept = {key: value for key, value in raw.items() if key not in ("title", "report")}
    for table, path in (("channel", ("path", "channel")), ("scheme", ("app", "scheme"))):
        name = raw.get(path[0], {}).get(path[1])
        if path[0] in raw and isinstance(raw.get(table), dict):
            own = {key: value for key, value in raw[table].items() if key == name}
            kept[table] = own or (raw[table] if table == "channel" else {})
    return kept


def checked(file: str, raw: dict[str, Any]) -> Plan:
    """Turn raw TOML without sweeps into a plan.

    Raises:
        PlanError: a field is unknown, missing, of the wrong type or out of bounds, or refers to nothing.
    """
    kind = _kind_of(file, raw)
    try:
        plan: Plan = msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise _plan_error(file, raw, kind, str(error)) from None
    _check_references(file, plan)
    return plan


def put(raw: dict[str, Any], path: KeyPath, value: Any, *, file: str = "") -> dict[str, Any]:
    """Return a copy of nested tables with one field set; only the tables on the way are copied.

    Raises:
        PlanError: the path leads through something that is not a table, or past the end of an array.
    """
    copied: dict[str, Any] = dict(raw)
    node: Any = copied
    for place, key in enumerate(path[:-1]):
        child = _child(file, node, path[: place + 1], default={})
        if not isinstance(child, dict | list):
            where = ".".join(map(str, path[: place + 1]))
            raise PlanError(file, where, f"is {child!r}, expected a table to set {path[-1]!r} in")
        node[key] = dict(child) if isinstance(child, dict) else list(child)
        node = node[key]
    _child(file, node, path, default=None)
    node[path[-1]] = value
    return copied


def _child(file: str, node: Any, path: KeyPath, *, default: Any) -> Any:
    """Return `node[path[-1]]`; a table lacks it politely, an array does not."""
    key = path[-1]
    if isinstance(node, dict):
        return node.get(key, default)
    if not isinstance(key, int) or not 0 <= key < len(node):
        where = ".".join(map(str, path))
        raise PlanError(file, where, f"there are {len(node)} entries, expected an index from 0")
    return node[key]


def _read(file: str | Path) -> tuple[str, str]:
    path = Path(file)
    if not path.suffix and path.name == str(file) and str(file) in shipped_plans():
        entry = resources.files("lanecast.experiments").joinpath("plans", f"{file}.toml")
        return entry.read_text(encoding="utf-8"), f"{file}.toml"
    try:
        return path.read_text(encoding="utf-8"), str(file)
    except UnicodeDecodeError as error:
        raise PlanError(str(file), "", f"is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        known = ", ".join(shipped_plans())
        raise PlanError(
            str(file), "", f"cannot be read ({error.strerror}); plans that ship: {known}"
        ) from None


def _path_of(key: str) -> KeyPath:
    return tuple(int(part) if part.isdecimal() else part for part in key.split("."))


def _toml_value(text: str) -> Any:
    """Return the TOML value that `text` spells, or the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _kind_of(file: str, raw: dict[str, Any]) -> type[TokenPlan | NetworkPlan]:
    run = raw.get("run")
    kind = run.get("kind") if isinstance(run, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise PlanError(file, "run.kind", f"is {kind!r}, expected one of {', '.join(KINDS)}")
    return KINDS[kind]


def _axes(file: str, raw: Any, shape: Any, path: KeyPath) -> Iterator[Axis]:
    """Find lists and ranges that stand where the structure wants one value."""
    options = shape.types if isinstance(shape, shapes.UnionType) else (shape,)
    if isinstance(raw, dict):
        for structure in options:
            if isinstance(structure, shapes.StructType):
                fields = {entry.encode_name: entry.type for entry in structure.fields}
                for key, value in raw.items():
                    if key in fields:
                        yield from _axes(file, value, fields[key], (*path, key))
        return
    if isinstance(raw, list):
        lists = [option for option in options if isinstance(option, shapes.ListType)]
        if lists:
            for place, value in enumerate(raw):
                yield from _axes(file, value, lists[0].item_type, (*path, place))
        elif raw and not isinstance(raw[0], dict):
            yield Axis(path, tuple(raw))
        return
    numbers = [option for option in options if isinstance(option, shapes.IntType | shapes.FloatType)]
    if isinstance(raw, str) and numbers and (values := expand_range(raw)):
        yield Axis(path, values)


def expand_range(text: str) -> tuple[Any, ...]:
    """Return the numbers of `"a..b"` or `"a..b step c"`, both ends included; empty if the text is no such range."""
    match = RANGE.fullmatch(text)
    if match is None:
        return ()
    low, high = Decimal(match[1]), Decimal(match[2])
    step = Decimal(match[3] or 1)
    if step == 0:
        return ()
    count = int((high - low) / step) + 1 if high >= low else 0
    if count > MAX_POINTS:
        return ()
    values = (low + step * place for place in range(count))
    return tuple(int(value) if value == value.to_integral_value() else float(value) for value in values)


def _leaves(table: dict[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    for key, value in table.items():
        here = (*path, *_path_of(key))
        if isinstance(value, dict):
            yield from _leaves(value, here)
        else:
            yield here, value


def _explicit_axis(file: str, path: KeyPath, value: Any) -> Axis:
    values = tuple(value) if isinstance(value, list) else expand_range(str(value))
    if not values:
        where = ".".join(("sweep", *map(str, path)))
        raise PlanError(file, where, f'is {value!r}, expected a list or a range like "1..10"')
    return Axis(path, values)


def _plan_error(file: str, raw: dict[str, Any], kind: Any, text: str) -> PlanError:
    """Turn msgspec's message into ours: key path, value, what was expected."""
    message, _, place = text.partition(" - at `$")
    where = place.rstrip("`").removeprefix(".").replace("[...]", ".*")
    where = re.sub(r"\[(\d+)\]", r".\1", where)
    value, shape = _look_up(raw, shapes.type_info(kind), where)
    if "unknown field" in message and shape is not None:
        known = ", ".join(sorted({entry.encode_name for entry in shape.fields}))
        return PlanError(file, where, f"{_lower(message)}, expected one of {known}")
    if message.startswith("Object missing"):
        return PlanError(file, where, f"{_lower(message)}")
    return PlanError(file, where, f"{_lower(message)}; the value is {value!r}")


def _lower(message: str) -> str:
    return message[0].lower() + message[1:] if message else "is not allowed"


def _look_up(raw: Any, shape: Any, where: str) -> tuple[Any, shapes.StructType | None]:
    """Return the raw value at a key path and the structure that was expected there, if it is one."""
    for key in filter(None, where.split(".")):
        if isinstance(raw, dict):
            raw = raw.get(key)
        elif isinstance(raw, list) and key.isdecimal() and int(key) < len(raw):
            raw = raw[int(key)]
        else:
            raw = None
        shape = _inner(shape, key)
    for option in shape.types if isinstance(shape, shapes.UnionType) else (shape,):
        if isinstance(option, shapes.StructType) and (
            option.tag is None or not isinstance(raw, dict) or raw.get(str(option.tag_field)) == option.tag
        ):
            return raw, option
    return raw, None


def _inner(shape: Any, key: str) -> Any:
    for option in shape.types if isinstance(shape, shapes.UnionType) else (shape,):
        if isinstance(option, shapes.StructType):
            for entry in option.fields:
                if entry.encode_name == key:
                    return entry.type
        elif isinstance(option, shapes.DictType):
            return option.value_type
        elif isinstance(option, shapes.ListType):
            return option.item_type
    return None


def _check_references(file: str, plan: Plan) -> None:
    """Refuse a plan whose parts do not fit together."""
    if isinstance(plan, TokenPlan):
        _check_name(file, "path.channel", plan.path.channel, plan.channel)
        return
    if (plan.link is None) == (not plan.hop):
        raise PlanError(file, "link", "expected either one [link] or a row of [[hop]]s")
    if not plan.flow and not plan.cross:
        raise PlanError(file, "flow", "nothing is sent: expected a [[flow]] or a [[cross]]")
    if plan.run.warmup_s >= plan.run.duration_s:
        raise PlanError(file, "run.warmup_s", f"is {plan.run.warmup_s}, expected less than run.duration_s")
    _check_links(file, plan)
    hops = max(1, len(plan.hop))
    for place, flow in enumerate(plan.flow):
        last = hops - 1 if flow.last_hop == -1 else flow.last_hop
        if not flow.first_hop <= last < hops:
            raise PlanError(
                file, f"flow.{place}", f"enters at hop {flow.first_hop}, leaves after hop {last} of {hops}"
            )
    for place, cross in enumerate(plan.cross):
        if cross.hop >= hops:
            raise PlanError(file, f"cross.{place}.hop", f"is {cross.hop}, expected less than {hops}")
        if (cross.pattern == "replay") != bool(cross.file):
            raise PlanError(file, f"cross.{place}.file", "a replay needs a file, other patterns take none")


def _check_links(file: str, plan: NetworkPlan) -> None:
    places = [("", plan.link, plan.impair)] if plan.link is not None else []
    places += [(f"hop.{place}.", hop.link, hop.impair) for place, hop in enumerate(plan.hop)]
    for prefix, link, impair in places:
        ways = ("rate_mbps", "trace", "synthetic", "channel")
        if link is not None and sum(bool(getattr(link, way)) for way in ways) != 1:
            raise PlanError(file, f"{prefix}link", f"expected exactly one of {', '.join(ways)}")
        if link is not None and link.channel:
            traced = {name: spec for name, spec in plan.channel.items() if isinstance(spec, TraceChannel)}
            _check_name(file, f"{prefix}link.channel", link.channel, traced)
        if impair.channel:
            lossy = {name: spec for name, spec in plan.channel.items() if not isinstance(spec, TraceChannel)}
            _check_name(file, f"{prefix}impair.channel", impair.channel, lossy)


def _check_name(file: str, where: str, name: str, known: dict[str, Any]) -> None:
    if name not in known:
        raise PlanError(
            file, where, f"is {name!r}, expected one of {', '.join(known) or 'none: no table is there'}"
        )
