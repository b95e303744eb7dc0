"""Congestion controllers by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from lanecast.errors import LanecastError
from lanecast.transport.congestion.base import CongestionControl
from lanecast.transport.congestion.cubic import Cubic
from lanecast.transport.congestion.fixed import Fixed
from lanecast.transport.congestion.reno import Reno

CONTROLLERS: dict[str, Callable[..., CongestionControl]] = {"cubic": Cubic, "fixed": Fixed, "reno": Reno}


def find_congestion(name: str) -> Callable[..., CongestionControl]:
    """Return the factory called `name`: a registered one, or `package.module:Factory`.

    Raises: LanecastError when there is none such.
    """
    if ":" not in name:
        if name not in CONTROLLERS:
            raise LanecastError(
                f"congestion control {name!r} is unknown; known: {', '.join(sorted(CONTROLLERS))}, or module:Class"
            )
        return CONTROLLERS[name]
    module, _, attribute = name.partition(":")
    try:
        factory: Callable[..., CongestionControl] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise LanecastError(f"congestion control {name!r} cannot be loaded: {error}") from error
    return factory


def make_congestion(name: str, **options: Any) -> CongestionControl:
    """Return a new controller; `options` are its keyword options.

    Raises: LanecastError when the name, or an option, is unknown or the result is no `CongestionControl`.
    """
    factory = find_congestion(name)
    try:
        controller = factory(**options)
    except (TypeError, ValueError) as error:
        raise LanecastError(f"congestion control {name!r} with options {options}: {error}") from error
    if not isinstance(controller, CongestionControl):
        raise LanecastError(
            f"congestion control {name!r}: a CongestionControl expected, got {type(controller).__name__}"
        )
    return controller
