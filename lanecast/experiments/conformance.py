"""Conformance of controllers: what any decision maker must hold to, tried out on made-up episodes.

`check_controller(factory, spec)` runs thirteen checks and raises `ClaimShort` naming every one that failed;
`examine_controller` returns the findings instead. Our own controllers pass it, and so should yours:

 1 life cycle          8 inputs are not written to
 2 episodes are apart  9 no wall clock, no global randomness
 3 determinism        10 no look at the future
 4 actions fit        11 time of a decision (told, not judged)
 5 late feedback      12 another specification is refused at `reset`
 6 batches            13 pickles, and runs in a new process
 7 saving

Episodes are drawn from the specification alone (ranges, missing values, masks), or are given as `recorded`.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from lanecast.errors import ClaimShort
from lanecast.experiments.disturb import other_chance, skewed_clocks
from lanecast.experiments.episode import Script, Step, draw_feedback, draw_script, key_of, play_script
from lanecast.transport.decision.controller import Controller, Feedback, Reason
from lanecast.transport.decision.discovery import Factory, make
from lanecast.transport.decision.task import Box, Observation, TaskSpec, stack

STEPS = 40  # decisions of an episode: longer than every history that a task declares below 40
NAMES = (
    "life cycle", "episodes are apart", "determinism", "actions fit", "late feedback", "batches", "saving",
    "inputs are not written to", "no wall clock, no global randomness", "no look at the future",
    "time of a decision", "another specification is refused", "pickles and spawns",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One check: `ok` is None where it does not apply."""

    number: int
    ok: bool | None
    detail: str = ""

    def __str__(self) -> str:
        word = {True: "ok", False: "FAILED", None: "not applicable"}[self.ok]
        return f"{self.number:2d} {NAMES[self.number - 1]}: {word}{': ' + self.detail if self.detail else ''}"


@dataclass(frozen=True)
class Report:
    """All findings on one subject."""

    subject: str
    findings: tuple[Finding, ...] = field(default_factory=tuple)

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings that failed."""
        return tuple(one for one in self.findings if one.ok is False)

    def __str__(self) -> str:
        return "\n".join([self.subject, *(f"  {one}" for one in self.findings)])


class Refused(AssertionError):  # noqa: N818 - the outcome of a check
    """A check found a fault; its text says which."""


class NotOffered(Exception):  # noqa: N818 - the outcome of a check
    """A check does not apply."""


class Examiner:
    """One factory under examination; every `check_` method raises `Refused`, or returns a remark."""

    def __init__(
        self,
        factory: Factory,
        spec: TaskSpec,
        *,
        context: Any,
        recorded: Sequence[Observation],
        processes: bool,
    ) -> None:
        self.factory = factory
        self.spec = spec
        self.context = context
        self.recorded = recorded
        self.processes = processes

    def fresh(self, seed: int = 1, privileged: Any = None) -> Controller:
        """Return a new controller at the start of an episode."""
        controller = make(self.factory, self.spec)
        controller.reset(self.spec, seed, context=self.context, privileged=privileged)
        return controller

    def script(self, seed: int, style: str = "random", future: int = 0) -> Script:
        """Return a made-up episode."""
        return draw_script(self.spec, seed, STEPS, style=style, future=future)

    def run(self, script: Script, *, seed: int = 1, before: Callable[[int], None] | None = None) -> list[Any]:
        """Return the actions of a new controller on an episode."""
        return play_script(self.fresh(seed), script, before=before)

    def check_1(self) -> str:
        """Life cycle."""
        script = self.script(1)
        controller = self.fresh()
        play_script(controller, script)
        controller.close(Reason.END)
        controller.close(Reason.END)
        step = script[0]
        for name, call in (
            ("act", lambda: controller.act(step.observation, step.now, step.mask)),
            ("observe", lambda: controller.observe(Feedback(decision_id=0, now=step.now))),
        ):
            try:
                call()
            except Exception:  # noqa: BLE001, S112 - raising anything is what is asked for
                continue
            raise Refused(f"{name} after close did not raise")
        controller.reset(self.spec, 1, context=self.context)
        play_script(controller, script)
        return ""

    def check_2(self) -> str:
        """Episode B after A equals B alone."""
        first, second = self.script(1), self.script(2)
        controller = self.fresh(1)
        play_script(controller, first)
        controller.close(Reason.END)
        controller.reset(self.spec, 2, context=self.context)
        _same(
            play_script(controller, second),
            self.run(second, seed=2),
            "an earlier episode changes a later one",
        )
        return ""

    def check_3(self) -> str:
        """Equal seeds give equal actions."""
        for seed in (1, 2):
            script = self.script(seed)
            _same(self.run(script, seed=seed), self.run(script, seed=seed), "two runs of one seed differ")
        return ""

    def check_4(self) -> str:
        """Actions lie in the space and the mask."""
        scripts = [self.script(3), self.script(4, "extreme")]
        if self.recorded:
            scripts.append([Step(one, place, None, ()) for place, one in enumerate(self.recorded)])
        for script in scripts:
            controller = self.fresh()
            for step in script:
                decision = controller.act(step.observation, step.now, step.mask)
                fault = self.spec.action.fault(decision.action, step.mask)
                if fault:
                    raise Refused(f"{fault}, at {step.now} ns")
        return ""

    def check_5(self) -> str:
        """Feedback shuffled, repeated, lost, or on unknown ids does no harm."""
        controller = self.fresh()
        script = self.script(5)
        ids = [controller.act(step.observation, step.now, step.mask).decision_id for step in script]
        order = sorted(ids, key=lambda one: (one * 7919) % 31)[: 3 * len(ids) // 4]
        for decision_id in [*order, *order[::-2], -5, 10**9]:
            controller.observe(draw_feedback(self.spec, decision_id, script[-1].now, seed=decision_id & 0xFF))
        controller.act(script[0].observation, script[-1].now + 1, script[0].mask)
        return ""

    def check_6(self) -> str:
        """Compare a batch with the loop."""
        script = self.script(6)
        masks = (
            None
            if isinstance(self.spec.action, Box)
            else [step.mask or (True,) * self.spec.choices for step in script]
        )
        batch = stack([step.observation for step in script])
        rows = self.fresh().act_batch(batch, [step.now for step in script], masks)
        loop = self.fresh()
        for place, step in enumerate(script):
            mask = None if masks is None else masks[place]
            alone = key_of(loop.act(step.observation, step.now, mask).action)
            _same([key_of(rows[place].action)], [alone], f"row {place} of a batch differs from act")
        return ""

    def check_7(self) -> str:
        """Go on from a saved episode as if nothing had happened."""
        if not getattr(self.fresh(), "resumable", False):
            raise NotOffered("state and load_state are not offered")
        script = self.script(7)
        half = len(script) // 2
        controller: Any = self.fresh()
        play_script(controller, script[:half])
        state = controller.state()
        again: Any = self.fresh()
        again.load_state(state)
        _same(
            play_script(again, script[half:]),
            play_script(controller, script[half:]),
            "a restored run differs",
        )
        return f"{len(state)} bytes"

    def check_8(self) -> str:
        """Observations, masks and feedback stay as they were."""
        script = [replace(step, observation=_writable(step.observation)) for step in self.script(8)]
        before = pickle.dumps([_content(step) for step in script])
        self.run(script)
        if pickle.dumps([_content(step) for step in script]) != before:
            raise Refused("an input was changed")
        return ""

    def check_9(self) -> str:
        """Neither clocks nor global generators have a say."""
        script = self.script(9)
        plain = self.run(script)
        for skew in (1, 2):
            with skewed_clocks([type(self.fresh()).__module__], skew):
                _same(self.run(script), plain, "actions depend on a clock")
            with other_chance() as seed_all:
                stirred = self.run(script, before=partial(_stir, seed_all, skew))
            _same(stirred, plain, "actions depend on a global random generator")
        return ""

    def check_10(self) -> str:
        """With another future, the actions so far do not change."""
        if getattr(self.fresh(), "wants_privileged", False):
            raise NotOffered("asks for the privileged view")
        runs = []
        for future in (1, 2):
            view = {one.name: np.full(STEPS, 1000.0 * future) for one in self.spec.privileged}
            runs.append(play_script(self.fresh(privileged=view), self.script(10, future=future)))
        _same(runs[0], runs[1], "actions depend on what is not known yet")
        return ""

    def check_11(self) -> str:
        """Time per decision."""
        script = self.script(11)
        controller = self.fresh()
        spent = []
        for step in script:
            start = time.perf_counter_ns()
            controller.act(step.observation, step.now, step.mask)
            spent.append(time.perf_counter_ns() - start)
        p50, p99 = np.percentile(spent, (50, 99)) / 1000
        return f"p50 {p50:.1f} us, p99 {p99:.1f} us on this machine"

    def check_12(self) -> str:
        """Another specification is refused at `reset`, or served to the end."""
        entries = tuple(replace(entry, name=f"{entry.name}_other") for entry in self.spec.entries)
        foreign = replace(self.spec, name="foreign", entries=entries, features=())
        newer = replace(self.spec, version=self.spec.version + 1)
        for other in (foreign, newer):
            controller = make(self.factory, self.spec)
            try:
                controller.reset(other, 1, context=self.context)
            except Exception:  # noqa: BLE001, S112 - raising anything here is what is asked for
                continue
            if getattr(controller, "trained_for", ""):
                raise Refused(f"trained for another specification, yet {other.id} was accepted")
            try:
                play_script(controller, draw_script(other, 12, STEPS))
            except Exception as error:
                raise Refused(f"{other.id} was accepted by reset, then: {_said(error)}") from error
        return ""

    def check_13(self) -> str:
        """Pickle the factory and decide alike in a new process."""
        try:
            pickle.dumps(self.factory)
        except Exception as error:
            raise Refused(f"the factory does not pickle: {_said(error)}") from error
        if not self.processes:
            return "pickles; no process was started"
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
            there = pool.submit(_elsewhere, self.factory, self.spec, self.context).result()
        _same(there, self.run(self.script(13)), "a new process decides otherwise")
        return ""

    def findings(self) -> Iterator[Finding]:
        """Run all checks."""
        for number in range(1, len(NAMES) + 1):
            check: Callable[[], str] = getattr(self, f"check_{number}")
            try:
                yield Finding(number, ok=True, detail=check())
            except NotOffered as remark:
                yield Finding(number, ok=None, detail=str(remark))
            except Exception as error:  # noqa: BLE001 - the edge to a plug-in: whatever it raises is the finding
                yield Finding(number, ok=False, detail=_said(error))


def examine_controller(
    factory: Factory,
    spec: TaskSpec,
    *,
    context: Any = None,
    recorded: Sequence[Observation] = (),
    processes: bool = True,
) -> Report:
    """Return what the thirteen checks find; `processes=False` saves starting one (about a second)."""
    examiner = Examiner(factory, spec, context=context, recorded=recorded, processes=processes)
    subject = f"{getattr(factory, '__name__', type(factory).__name__)} on {spec.id}"
    return Report(subject, tuple(examiner.findings()))


def check_controller(factory: Factory, spec: TaskSpec, **options: Any) -> Report:
    """Raise unless a controller passes; options are those of `examine_controller`.

    Raises:
        ClaimShort: at least one check failed; the text names each.
    """
    report = examine_controller(factory, spec, **options)
    if report.failed:
        raise ClaimShort(f"{report.subject}: " + "; ".join(str(one).strip() for one in report.failed))
    return report


def _elsewhere(factory: Factory, spec: TaskSpec, context: Any) -> list[Any]:
    return Examiner(factory, spec, context=context, recorded=(), processes=False).run(
        draw_script(spec, 13, STEPS)
    )


def _stir(seed_all: Callable[[int], None], skew: int, place: int) -> None:
    seed_all(1000 * skew + place)


def _same(here: list[Any], there: list[Any], fault: str) -> None:
    for place, (left, right) in enumerate(zip(here, there, strict=True)):
        if left != right:
            raise Refused(f"{fault}: decision {place} is {left} here and {right} there")


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"


def _writable(observation: Observation) -> Observation:
    kind = type(observation)
    values = {name: getattr(observation, name) for name in kind.__struct_fields__}
    return kind(
        **{name: np.array(one) if isinstance(one, np.ndarray) else one for name, one in values.items()}
    )


def _content(step: Step) -> list[Any]:
    names = type(step.observation).__struct_fields__
    return [
        [np.asarray(getattr(step.observation, name)) for name in names],
        step.mask,
        [dict(f.fields) for f in step.feedback],
    ]
