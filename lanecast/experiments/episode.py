"""Made-up episodes of any task, for conformance checks: observations, masks and late feedback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from lanecast.transport.decision.controller import Controller, Feedback
from lanecast.transport.decision.task import (
    Array,
    Discrete,
    Entry,
    Mask,
    Observation,
    TaskSpec,
    observation_type,
)
from lanecast.transport.rng import Stream, Streams
from lanecast.transport.units import MS, Ns

SPREAD = 2.0  # values of an unbounded entry reach this many scales
FAR = 1e6  # an extreme value of an unbounded entry, scales
NOISE = 97.0  # what the memory behind an observation holds, times the number of the future


@dataclass(frozen=True)
class Step:
    """One decision point; `feedback` arrives just before it and names earlier decisions."""

    observation: Observation
    now: Ns
    mask: Mask | None
    feedback: tuple[Feedback, ...]


Script: TypeAlias = list[Step]


def draw_script(spec: TaskSpec, seed: int, steps: int, *, style: str = "random", future: int = 0) -> Script:
    """Return an episode of `steps` decisions.

    Style "random" draws values within the ranges; "extreme" uses bounds, zero, far and missing values.
    Arrays are views of longer ones, whose rest depends on `future` and on nothing else: a controller that
    looks behind what it was given sees other numbers.
    """
    stream = Streams(seed).stream("episode")
    kind = observation_type(spec)
    script = []
    now: Ns = 0
    for place in range(steps):
        now += 1 + int(stream.next_double() * 900 * MS)
        values = {entry.name: _value(entry, stream, style, place, future) for entry in spec.entries}
        late = (draw_feedback(spec, place - 2, now, seed=place),) if place >= 2 else ()
        script.append(Step(kind(**values), now, _mask(spec, stream, place), late))
    return script


def draw_feedback(spec: TaskSpec, decision_id: int, now: Ns, *, seed: int) -> Feedback:
    """Return a made-up result of a decision."""
    stream = Streams(seed).stream("feedback")
    fields = {one.name: stream.next_double() for one in spec.feedback}
    return Feedback(decision_id=decision_id, now=now, reward=stream.next_double() - 0.5, fields=fields)


def play_script(
    controller: Controller, script: Script, *, before: Callable[[int], None] | None = None
) -> list[Any]:
    """Return the actions of a controller that has been reset; `before` is called ahead of each decision."""
    actions = []
    ids: list[int] = []
    for place, step in enumerate(script):
        for feedback in step.feedback:
            if len(ids) >= 2:
                controller.observe(_renamed(feedback, ids[-2]))
        if before is not None:
            before(place)
        decision = controller.act(step.observation, step.now, step.mask)
        ids.append(decision.decision_id)
        actions.append(key_of(decision.action))
    return actions


def key_of(action: Any) -> Any:
    """Return an action as a value that compares exactly."""
    array = np.asarray(action)
    return array.item() if array.ndim == 0 else array.tolist()


def _renamed(feedback: Feedback, decision_id: int) -> Feedback:
    return Feedback(decision_id=decision_id, now=feedback.now, reward=feedback.reward, fields=feedback.fields)


def _mask(spec: TaskSpec, stream: Stream, place: int) -> Mask | None:
    """Every third decision of a discrete task is masked; at least one action stays."""
    if not isinstance(spec.action, Discrete) or place % 3 != 2:
        return None
    allowed = [stream.next_double() < 0.5 for _ in range(spec.action.n)]
    allowed[int(stream.next_double() * spec.action.n)] = True
    return tuple(allowed)


def _value(entry: Entry, stream: Stream, style: str, place: int, future: int) -> float | Array:
    if style == "extreme":
        drawn = [_extreme(entry, place + offset) for offset in range(entry.size)]
    else:
        drawn = [_ordinary(entry, stream.next_double()) for _ in range(entry.size)]
    if not entry.shape:
        return int(drawn[0]) if _is_whole(entry) else drawn[0]
    memory = np.full(2 * entry.size, NOISE * future)
    memory[: entry.size] = drawn
    view = memory[: entry.size].reshape(entry.shape)
    view.setflags(write=False)
    return view


def _ordinary(entry: Entry, uniform: float) -> float:
    """Return the value at `uniform` of the range, unbounded sides cut at some scales."""
    low, high = _cut(entry, SPREAD)
    value = low + uniform * (high - low)
    return float(np.floor(low + uniform * (high - low + 1 - 1e-9))) if _is_whole(entry) else value


def _extreme(entry: Entry, place: int) -> float:
    low, high = _cut(entry, FAR)
    choices: Sequence[float] = [low, high, min(max(0.0, low), high)]
    if entry.missing is not None:
        choices = [*choices, entry.missing]
    value = choices[place % len(choices)]
    return float(np.floor(value)) if _is_whole(entry) else value


def _cut(entry: Entry, scales: float) -> tuple[float, float]:
    reach = entry.offset + scales * entry.scale
    low = entry.low if np.isfinite(entry.low) else -reach
    return low, entry.high if np.isfinite(entry.high) else max(low, reach)


def _is_whole(entry: Entry) -> bool:
    return entry.whole or entry.kind == "categorical"
