"""Find controllers: built-in ones, those of installed packages, and `package.module:Factory`.

A package offers a controller through the entry-point group `lanecast.controllers`; the entry's name is the row
of a result table, its value a factory: a function is called `factory(spec, **arguments)`, a class with the
arguments alone, since it is given the specification by `reset`. Names are unique: a second one of a name,
and one that does not load, are reported in `broken` and left out; they stop nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeAlias

from lanecast.errors import UsageError
from lanecast.transport.decision.controller import Controller, Record
from lanecast.transport.decision.task import TaskSpec

GROUP = "lanecast.controllers"
Factory: TypeAlias = Callable[..., Controller]


@dataclass
class Catalog:
    """What was found: factories by name, and (name, reason) of what was left out."""

    factories: dict[str, Factory] = field(default_factory=dict)
    broken: list[tuple[str, str]] = field(default_factory=list)

    def make(self, name: str, spec: TaskSpec, arguments: Mapping[str, Any]) -> tuple[Controller, Record]:
        """Return a controller by name or by `package.module:Factory`, and its record for the result.

        Raises:
            UsageError: there is no such controller, or its factory refuses the arguments.
        """
        factory = load(name) if ":" in name else self.factories.get(name)
        if factory is None:
            reason = dict(self.broken).get(name)
            known = ", ".join(sorted(self.factories)) or "none"
            raise UsageError(
                f"controller {name!r} {'is broken: ' + reason if reason else 'is unknown'}; known: {known}"
            )
        try:
            controller = make(factory, spec, arguments)
        except TypeError as error:
            raise UsageError(f"controller {name!r} with {dict(arguments)}: {error}") from error
        return controller, record_of(controller, name, spec, arguments)


def discover(
    builtin: Mapping[str, Factory] | None = None, points: Iterable[EntryPoint] | None = None
) -> Catalog:
    """Return all controllers: `builtin` first, then entry points in the order of their names."""
    catalog = Catalog(dict(builtin or {}))
    found = entry_points(group=GROUP) if points is None else points
    for point in sorted(found, key=lambda one: (one.name, one.value)):
        if point.name in catalog.factories:
            catalog.broken.append((point.name, f"{point.value}: the name is taken"))
            continue
        try:
            factory = point.load()
        except Exception as error:  # noqa: BLE001 - the edge to a plug-in: whatever its import raises is reported
            catalog.broken.append((point.name, f"{point.value}: {type(error).__name__}: {error}"))
            continue
        if callable(factory):
            catalog.factories[point.name] = factory
        else:
            catalog.broken.append((point.name, f"{point.value}: {type(factory).__name__} is not callable"))
    return catalog


def make(factory: Factory, spec: TaskSpec, arguments: Mapping[str, Any] | None = None) -> Controller:
    """Return a controller from its factory, a class or a function."""
    if isinstance(factory, type):
        made: Controller = factory(**(arguments or {}))
        return made
    return factory(spec, **(arguments or {}))


def load(name: str) -> Any:
    """Return the object that `package.module:Name` names.

    Raises:
        UsageError: the name has another form, or leads nowhere.
    """
    module, colon, path = name.partition(":")
    if not (module and colon and path):
        raise UsageError(f"{name!r}: expected package.module:Name")
    try:
        value: Any = import_module(module)
        for part in path.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{name!r} cannot be loaded: {error}") from error
    return value


def record_of(controller: Controller, name: str, spec: TaskSpec, arguments: Mapping[str, Any]) -> Record:
    """Return what a result says of a controller."""
    return Record(
        name=name,
        version=str(getattr(controller, "version", "")),
        arguments=dict(arguments),
        spec_hash=spec.spec_hash,
        weight_hash=str(getattr(controller, "weight_hash", "")),
    )
