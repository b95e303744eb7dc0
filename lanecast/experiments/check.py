"""`lanecast check NAME`: find out what a plug-in is, and run the conformance check of its kind.

A queue, a congestion control and a token scheme are known by their base class, a controller by its calls. A
controller is checked on the task that its class names (`task = "abr/v1"`, say), one for any task on abr/v1.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from lanecast.abr.controllers.base import AbrManifest, abr_spec
from lanecast.abr.kv.controller import KvManifest, kv_spec
from lanecast.errors import ClaimShort, LanecastError, UsageError
from lanecast.experiments.conformance import check_controller
from lanecast.transport.decision.controller import Constant, Controller
from lanecast.transport.decision.discovery import discover, load
from lanecast.transport.decision.task import TaskSpec
from lanecast.transport.decision.tasks import congestion_spec, mark_spec, redundancy_spec, viewport_spec

# What there is to check: its base class, its check, and the dictionary of the built-in ones.
KINDS = (
    ("queue", "lanecast.l4s.queue:Queue", "lanecast.l4s.check:check_queue", "lanecast.l4s.registry:QUEUES"),
    (
        "congestion control",
        "lanecast.transport.congestion.base:CongestionControl",
        "lanecast.transport.congestion.check:check_congestion",
        "lanecast.transport.congestion.registry:CONTROLLERS",
    ),
    (
        "token scheme",
        "lanecast.transport.tokens.scheme:TokenScheme",
        "lanecast.transport.tokens.check:check_scheme",
        "lanecast.transport.tokens.scheme:SCHEMES",
    ),
)
TASKS: dict[str, Callable[[], TaskSpec]] = {
    "abr/v1": abr_spec,
    "kv-level/v1": kv_spec,
    "l4s-mark/v1": mark_spec,
    "tokens-redundancy/v1": redundancy_spec,
    "cc/v1": congestion_spec,
    "viewport/v1": viewport_spec,
}
CHUNK_BYTES = 500_000.0  # of the lowest rung or the largest level of a made-up video or context


def check(name: str) -> str:
    """Check a plug-in by its name, or as `package.module:Name`; return what was found, line by line.

    Raises:
        UsageError: the name leads nowhere, or to something that is no plug-in.
        ClaimShort: a check failed (exit code 5); the text names every fault.
    """
    subject = _find(name)
    for kind, base, checker, _ in KINDS:
        if inspect.isclass(subject) and issubclass(subject, load(base)):
            _run(load(checker), subject, f"{kind} {name}")
            return f"{kind} {name}: ok"
    if not callable(subject):
        raise UsageError(f"{name!r} is {type(subject).__name__}: expected a plug-in's class or a factory")
    task = str(getattr(subject, "task", ""))
    if not task and not _looks_like_controller(subject):
        known = ", ".join(kind for kind, *_ in KINDS)
        raise UsageError(f"{name!r} is neither a controller nor one of: {known}")
    spec = spec_of(task or "abr/v1")
    return str(check_controller(subject, spec, context=context_of(spec)))


def spec_of(task: str) -> TaskSpec:
    """Return the default form of a task by `name/vN`.

    Raises:
        UsageError: there is no such task.
    """
    if task not in TASKS:
        raise UsageError(f"task {task!r} is unknown; known: {', '.join(TASKS)}")
    return TASKS[task]()


def context_of(spec: TaskSpec) -> AbrManifest | KvManifest | None:
    """Return a made-up manifest that fits a task, None where the task has none."""
    if spec.name == "abr":
        chunks = int(spec.entry("chunks_left").high) + 1
        rates = 300.0 * 1.6 ** np.arange(spec.choices)  # kbit/s, a ladder as steep as Pensieve's
        return AbrManifest(
            bitrates_kbps=rates,
            chunk_s=4.0,
            sizes_bytes=np.tile(rates * 500.0, (chunks, 1)),
            weights=np.ones(chunks),
        )
    if spec.name == "kv-level":
        chunks, levels = spec.entry("held").size, spec.choices - 1
        return KvManifest(
            sizes_bytes=np.tile(CHUNK_BYTES / 2.0 ** np.arange(levels), (chunks, 1)),
            text_bytes=np.full(chunks, 1024.0),
            tokens=np.full(chunks, 256.0),
            divergence=0.005 * 3.0 ** np.arange(levels),
            decode_bps=1e9,
            prefill_tokens_per_s=500.0,
        )
    return None


def _find(name: str) -> Any:
    """Return what a registered name or `package.module:Name` stands for."""
    if ":" in name:
        return load(name)
    known: dict[str, Any] = {}
    for *_, registry in KINDS:
        known.update(load(registry))
    known.update(discover({"constant": Constant}).factories)
    if name not in known:
        raise UsageError(
            f"plug-in {name!r} is unknown; known: {', '.join(sorted(known))}, or package.module:Name"
        )
    return load(known[name]) if isinstance(known[name], str) else known[name]


def _looks_like_controller(subject: Any) -> bool:
    if inspect.isclass(subject):
        return all(callable(getattr(subject, call, None)) for call in ("reset", "act", "observe", "close"))
    return getattr(inspect.signature(subject), "return_annotation", None) in (Controller, "Controller")


def _run(checker: Callable[[Any], object], subject: Any, title: str) -> None:
    try:
        checker(subject)
    except LanecastError:
        raise
    except Exception as error:
        raise ClaimShort(f"{title}: {error}") from error
