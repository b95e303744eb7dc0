"""Queues by name. Options are the constructors' keyword arguments, times in ns and sizes in bytes.

They may also be given in human units: a duration with the suffix `_ms` (`target_ms = 5`), `limit_bytes` as
`limit_kbytes` (10^3), `limit_time` as `limit_ms`. A queue that draws gets a random stream, FQ-CoDel the key of its hash
from it; to the others a stream may be given and is left aside, so that callers need not know which is which.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from lanecast.errors import UsageError
from lanecast.l4s.codel import CoDel
from lanecast.l4s.droptail import DropHead, DropTail
from lanecast.l4s.dualpi2 import DualPi2
from lanecast.l4s.dualpi2_profiles import DERIVED, NAMES
from lanecast.l4s.fq_codel import FqCoDel
from lanecast.l4s.pi2 import PI2_NAMES, Pi2
from lanecast.l4s.pie import Pie
from lanecast.l4s.queue import Queue
from lanecast.l4s.red import Red
from lanecast.l4s.step import Step
from lanecast.transport.rng import Stream
from lanecast.transport.units import ms

QUEUES: dict[str, Callable[..., Queue]] = {
    "infinite": Queue,
    "droptail": DropTail,
    "drophead": DropHead,
    "codel": CoDel,
    "pie": Pie,
    "red": Red,
    "fq_codel": FqCoDel,
    "step": Step,
    "pi2": Pi2,
    "dualpi2": DualPi2,
}
DRAWING = (Pie, Red, Pi2, DualPi2)  # compiled classes tell no signature
_LIMITS = ("limit_packets", "limit_bytes")
_CODEL = ("target", "interval", "ecn", "ce_threshold", "ce_threshold_ect1", "mtu")
OPTIONS: dict[str, tuple[str, ...]] = {
    "infinite": (),
    "droptail": (*_LIMITS, "limit_time"),
    "drophead": (*_LIMITS, "limit_time"),
    "codel": (*_LIMITS, *_CODEL),
    "pie": (
        *_LIMITS, "target", "update", "alpha_hz", "beta_hz", "max_burst", "ecn", "mark_limit", "derandomise",
    ),
    "red": (
        *_LIMITS, "weight", "min_packets", "max_packets", "max_probability", "gentle", "ecn", "packet_time",
    ),
    "fq_codel": (*_LIMITS, *_CODEL, "queues", "quantum", "drop_batch", "key"),
    "step": (*_LIMITS, "step_packets", "step_thresh", "drop_not_ect"),
    "pi2": (*_LIMITS, "profile", *PI2_NAMES, *DERIVED),
    "dualpi2": (*_LIMITS, "profile", "classifier", *NAMES, *DERIVED),
}  # fmt: skip
DURATIONS = {
    "target", "interval", "ce_threshold", "update", "max_burst", "packet_time", "limit_time", "tupdate", "step_thresh",
    "ramp_range", "tshift", "max_rtt", "typical_rtt",
}  # fmt: skip
SCALED = {"limit_kbytes": "limit_bytes", "limit_ms": "limit_time"} | {
    f"{name}_ms": name for name in DURATIONS
}
BYTES_PER_KBYTE = 1000
KEY_RANGE = 2**53  # a double counts so far by ones


def find_queue(kind: str) -> Callable[..., Queue]:
    """Return the factory called `kind`: a registered one, or `package.module:Factory`.

    Raises:
        UsageError: there is no such queue.
    """
    if kind in QUEUES:
        return QUEUES[kind]
    if ":" not in kind:
        raise UsageError(f"queue {kind!r} is unknown; known: {', '.join(sorted(QUEUES))}, or module:Class")
    module, _, attribute = kind.partition(":")
    try:
        factory: Callable[..., Queue] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"queue {kind!r} cannot be loaded: {error}") from error
    return factory


def make_queue(spec: str | Mapping[str, Any], /, *, stream: Stream | None = None, **options: Any) -> Queue:
    """Return a new queue.

    Args:
        spec: the name of the queue, or a mapping with the name as `kind` and options beside it.
        stream: for those that draw (and for a user's factory that has a parameter of that name).
        options: of the queue; a user's factory gets them as they are.

    Raises:
        UsageError: the name or an option is unknown, a value is impossible, or the result is no `Queue`.
    """
    if not isinstance(spec, str):
        given = dict(spec)
        if not isinstance(given.get("kind"), str):
            raise UsageError(f"queue {given}: `kind` must name a queue; known: {', '.join(sorted(QUEUES))}")
        return make_queue(given.pop("kind"), stream=stream, **{**given, **options})
    factory = find_queue(spec)
    if spec in QUEUES:
        options = in_core_units(spec, options)
    if factory is FqCoDel and stream is not None and "key" not in options:
        options["key"] = int(stream.next_double() * KEY_RANGE)
    if wants_stream(factory):
        if stream is None:
            raise UsageError(f"queue {spec!r} draws at random and needs a random stream")
        options["stream"] = stream
    try:
        queue: Any = factory(**options)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"queue {spec!r} with options {options}: {error}") from error
    if not isinstance(queue, Queue):
        raise UsageError(f"queue {spec!r}: a Queue expected, got {type(queue).__name__}")
    return queue


def wants_stream(factory: Callable[..., Queue]) -> bool:
    """Tell whether a factory has a parameter `stream`."""
    if factory in DRAWING:
        return True
    if inspect.isclass(factory) and "__init__" not in vars(factory):
        return any(wants_stream(base) for base in factory.__bases__ if issubclass(base, Queue))
    try:
        return "stream" in inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return False


def in_core_units(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a registered queue in ns and bytes, under the constructor's names.

    Raises:
        UsageError: the queue has no such option, or one is given in two units.
    """
    given: dict[str, Any] = {}
    for option, value in options.items():
        name = SCALED.get(option, option)
        if name not in OPTIONS[kind]:
            known = ", ".join(f"{one}[_ms]" if one in DURATIONS else one for one in OPTIONS[kind]) or "none"
            raise UsageError(f"queue {kind!r} has no option {option!r}; known: {known}")
        if name in given:
            raise UsageError(f"queue {kind!r}: {name!r} is given twice, in different units")
        try:
            given[name] = value if name == option else _scaled(option, value)
        except (TypeError, ValueError, OverflowError) as error:
            raise UsageError(f"queue {kind!r}: {option} = {value!r}: a finite number expected") from error
    return given


def _scaled(option: str, value: Any) -> int:
    return ms(float(value)) if option.endswith("_ms") else int(round(float(value) * BYTES_PER_KBYTE))
