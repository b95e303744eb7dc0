"""The conformance check: each deliberately broken controller is caught, by the check made for it."""

from __future__ import annotations

import random
import time
from time import perf_counter_ns
from typing import Any, Self

import numpy as np
import pytest

from lanecast.abr.controllers.base import abr_spec
from lanecast.errors import ClaimShort
from lanecast.experiments import conformance
from lanecast.experiments.check import TASKS, context_of, spec_of
from lanecast.experiments.conformance import NAMES, check_controller, examine_controller
from lanecast.experiments.disturb import other_chance, skewed_clocks
from lanecast.experiments.episode import draw_script
from lanecast.transport.decision.compose import Gate, RuleSet, Shadow, margin
from lanecast.transport.decision.controller import BaseController, Constant, Decision, Feedback, Reason
from lanecast.transport.decision.discovery import Factory
from lanecast.transport.decision.guard import Guarded
from lanecast.transport.decision.task import Box, Mask, TaskSpec, row
from lanecast.transport.units import Ns

NUMBER = {name: place + 1 for place, name in enumerate(NAMES)}


class Sound(BaseController[Any]):
    """A well-behaved controller with history: base of the broken ones."""

    resumable = True

    def begin(self, seed: int, context: Any, privileged: Any) -> None:
        self.total = 0.0
        self.noise = self.streams.stream("sound")
        self.drawn = 0

    def index(self, observation: Any, now: Ns) -> int:
        self.drawn += 1
        self.total += observation.buffer_s + self.noise.next_double()
        return int(self.total)

    def choose(self, observation: Any, now: Ns, mask: Mask | None) -> Decision:
        action = self.index(observation, now) % self.spec.choices
        while mask is not None and not mask[action]:
            action = (action + 1) % self.spec.choices
        return Decision(action=action)

    def learn(self, feedback: Feedback, decision: Decision) -> None:
        self.total += (feedback.reward or 0.0) + 0.01 * decision.action

    def save(self) -> Any:
        return [self.total, self.drawn]

    def restore(self, own: Any) -> None:
        self.total, drawn = own
        while self.drawn < drawn:
            self.noise.next_double()
            self.drawn += 1


class Strict(Sound):
    task = "abr/v1"


class LeaksContext(Strict):
    def __init__(self) -> None:
        super().__init__()
        self.lifetime = 0.0

    def index(self, observation: Any, now: Ns) -> int:
        self.lifetime += observation.buffer_s
        return int(self.lifetime)


class SharesBetweenInstances(Strict):
    everybody: list[float] = []  # noqa: RUF012 - the fault

    def index(self, observation: Any, now: Ns) -> int:
        self.everybody.append(0.4)
        return int(sum(self.everybody))


class HashesObjects(Strict):
    def index(self, observation: Any, now: Ns) -> int:
        return hash(f"rung {int(observation.buffer_s)}")  # differs between processes


class WrongRange(Strict):
    def choose(self, observation: Any, now: Ns, mask: Mask | None) -> Decision:
        return Decision(action=self.spec.choices)


class IgnoresMask(Strict):
    def choose(self, observation: Any, now: Ns, mask: Mask | None) -> Decision:
        return Decision(action=self.index(observation, now) % self.spec.choices)


class DividesByZero(Strict):
    def index(self, observation: Any, now: Ns) -> int:
        return int(1e3 / float(observation.next_sizes[0]))


class ExpectsPromptFeedback(Strict):
    def observe(self, feedback: Feedback) -> None:
        self._require_running("observe")
        if feedback.decision_id not in self.open.ids():
            raise KeyError(feedback.decision_id)
        super().observe(feedback)


class BatchesBackwards(Strict):
    def act_batch(self, observations: Any, times: Any, masks: Any = None) -> list[Decision]:
        places = range(len(times))
        made = {
            place: self.act(row(observations, place), times[place], masks and masks[place])
            for place in places[::-1]
        }
        return [made[place] for place in places]


class ForgetsInState(Strict):
    def save(self) -> Any:
        return [0.0, self.drawn]


class Mutates(Strict):
    def index(self, observation: Any, now: Ns) -> int:
        if observation.throughput.flags.writeable:
            observation.throughput[:] = 0
        return super().index(observation, now)


class WritesIntoInput(Strict):
    def index(self, observation: Any, now: Ns) -> int:
        observation.throughput.sort()
        return super().index(observation, now)


class LooksAtTheClock(Strict):
    def index(self, observation: Any, now: Ns) -> int:
        return time.monotonic_ns() // 10**12


class LooksAtAnImportedClock(Strict):
    def index(self, observation: Any, now: Ns) -> int:
        return perf_counter_ns() // 10**12


class DrawsFromTheGlobalGenerator(Strict):
    def index(self, observation: Any, now: Ns) -> int:
        return random.randrange(6)  # noqa: S311 - the fault


class DrawsFromNumpy(Strict):
    def index(self, observation: Any, now: Ns) -> int:
        return int(np.random.randint(6))  # noqa: NPY002 - the fault


class TakesThePrivilegedView(Strict):
    def reset(self, spec: TaskSpec, seed: int, *, context: Any = None, privileged: Any = None) -> None:
        super().reset(spec, seed, context=context, privileged=privileged)
        self.future = privileged

    def index(self, observation: Any, now: Ns) -> int:
        return 0 if self.future is None else int(self.future["capacity"][0] / 1000)


class LooksBehindTheArray(Strict):
    def index(self, observation: Any, now: Ns) -> int:
        memory = observation.throughput
        while memory.base is not None:
            memory = memory.base
        return int(memory[-1])


class FailsLater(Sound):
    """Accepts any task at reset and then misses a field."""


class TrainedElsewhere(Sound):
    def reset(self, spec: TaskSpec, seed: int, *, context: Any = None, privileged: Any = None) -> None:
        self.trained_for = ""
        super().reset(spec, seed, context=context, privileged=privileged)
        self.trained_for = abr_spec().spec_hash

    def index(self, observation: Any, now: Ns) -> int:
        return 0


class TalksAfterClose(Strict):
    def close(self, reason: Reason = Reason.END) -> None:
        """Stay open."""


class ClosesOnce(Strict):
    def close(self, reason: Reason = Reason.END) -> None:
        self._require_running("close")
        super().close(reason)


BROKEN: list[tuple[Factory, str]] = [
    (TalksAfterClose, "life cycle"),
    (ClosesOnce, "life cycle"),
    (LeaksContext, "episodes are apart"),
    (SharesBetweenInstances, "determinism"),
    (WrongRange, "actions fit"),
    (IgnoresMask, "actions fit"),
    (DividesByZero, "actions fit"),
    (ExpectsPromptFeedback, "late feedback"),
    (BatchesBackwards, "batches"),
    (ForgetsInState, "saving"),
    (Mutates, "inputs are not written to"),
    (WritesIntoInput, "determinism"),
    (LooksAtTheClock, "no wall clock, no global randomness"),
    (LooksAtAnImportedClock, "no wall clock, no global randomness"),
    (DrawsFromTheGlobalGenerator, "no wall clock, no global randomness"),
    (DrawsFromNumpy, "no wall clock, no global randomness"),
    (TakesThePrivilegedView, "no look at the future"),
    (LooksBehindTheArray, "no look at the future"),
    (FailsLater, "another specification is refused"),
    (TrainedElsewhere, "another specification is refused"),
    (lambda _: Strict(), "pickles and spawns"),
]


def failures(factory: Factory, spec: TaskSpec | None = None, **options: Any) -> set[str]:
    report = examine_controller(factory, spec or abr_spec(), **{"processes": False, **options})
    return {NAMES[one.number - 1] for one in report.failed}


def test_sound_controller_passes_everything_that_applies() -> None:
    assert failures(Strict) == set()


@pytest.mark.parametrize(
    ("factory", "check"), BROKEN, ids=[getattr(one, "__name__", "?") for one, _ in BROKEN]
)
def test_broken_controller_is_caught_by_the_check_made_for_it(factory: Factory, check: str) -> None:
    assert check in failures(factory)


SINGLE = [
    TalksAfterClose, ClosesOnce, IgnoresMask, ExpectsPromptFeedback, BatchesBackwards, ForgetsInState, Mutates,
    LooksAtTheClock, TakesThePrivilegedView,  TrainedElsewhere,
]  # fmt: skip


@pytest.mark.parametrize("factory", SINGLE)
def test_a_single_fault_is_not_blamed_on_other_checks(factory: Factory) -> None:
    expected = {check for one, check in BROKEN if one is factory}
    extra = {"episodes are apart", "late feedback"} if factory is ClosesOnce else set()
    assert failures(factory) - extra == expected


@pytest.mark.parametrize("task", list(TASKS))
def test_constant_passes_on_every_task(task: str) -> None:
    spec = spec_of(task)
    made: Factory = Constant
    if isinstance(spec.action, Box):
        shape = spec.action.shape

        def made(_: TaskSpec) -> Constant[Any]:
            return Constant(np.zeros(shape))

    expected = {"pickles and spawns"} if isinstance(spec.action, Box) else set()
    assert failures(made, spec, context=context_of(spec)) == expected


def test_panels_pass_when_their_members_do() -> None:
    panels: list[Factory] = [
        lambda _: Guarded(Strict(), Constant(0)),
        lambda _: Gate(Strict(), Strict(), margin(0.1)),
        lambda _: Shadow(Strict(), Constant(0)),
        lambda _: RuleSet({"one": Strict(), "two": Constant(2)}),
    ]
    for factory in panels:
        assert failures(factory) == {"pickles and spawns"}


def test_guard_around_a_broken_primary_repairs_what_it_can() -> None:
    assert failures(lambda _: Guarded(WrongRange(), Strict())) == {"pickles and spawns"}


def test_check_raises_with_every_failure_named() -> None:
    with pytest.raises(ClaimShort, match=r"WrongRange on abr/v1: 4 actions fit: FAILED: action 6 is outside"):
        check_controller(WrongRange, abr_spec(), processes=False)


def test_new_process_decides_alike() -> None:
    report = check_controller(Constant, abr_spec())
    assert report.findings[12].ok
    assert report.findings[12].detail == ""


def test_process_that_decides_otherwise_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pool:
        """Runs what it is given here, with another hash seed as a new process would have."""

        def __init__(self, **_: Any) -> None:
            self.value: Any = None

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def submit(self, call: Any, *arguments: Any) -> Pool:
            self.value = [one + 1 for one in call(*arguments)]
            return self

        def result(self) -> Any:
            return self.value

    monkeypatch.setattr(conformance, "ProcessPoolExecutor", Pool)
    assert failures(Constant, processes=True) == {"pickles and spawns"}


def test_report_says_what_did_not_apply() -> None:
    text = str(examine_controller(lambda _: Guarded(Strict(), Constant(0)), abr_spec(), processes=False))
    assert "7 saving: not applicable: state and load_state are not offered" in text


def test_controller_that_asks_for_the_privileged_view_is_not_judged_by_it() -> None:
    class Asks(Strict):
        wants_privileged = True

    report = examine_controller(Asks, abr_spec(), processes=False)
    assert report.findings[9].ok is None
    assert "asks for the privileged view" in str(report.findings[9])


def test_recorded_observations_are_tried_too() -> None:
    class DislikesOne(Strict):
        def index(self, observation: Any, now: Ns) -> int:
            if observation.buffer_s == 1.2345:
                raise RuntimeError("cannot bear 1.2345")
            return super().index(observation, now)

    one = draw_script(abr_spec(), 1, 1)[0].observation
    kind: Any = type(one)
    values = {name: getattr(one, name) for name in kind.__struct_fields__}
    recorded = [kind(**{**values, "buffer_s": 1.2345})]
    assert "actions fit" not in failures(DislikesOne)
    assert "actions fit" in failures(DislikesOne, recorded=recorded)


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("style", ["random", "extreme"])
def test_made_up_observations_fit_their_specification(task: str, style: str) -> None:
    spec = spec_of(task)
    for step in draw_script(spec, 3, 50, style=style):
        spec.check(step.observation)
        assert step.mask is None or any(step.mask)


def test_made_up_episodes_depend_on_the_seed_alone() -> None:
    first, again, other = (draw_script(abr_spec(), seed, 20) for seed in (1, 1, 2))
    assert [one.now for one in first] == [one.now for one in again] != [one.now for one in other]


def test_clocks_and_generators_are_as_before_after_a_disturbance() -> None:
    clock, state = time.monotonic, random.getstate()
    with skewed_clocks([__name__], 3):
        first, second = time.monotonic(), time.monotonic()
        assert second - first > 3600
    with other_chance() as seed_all:
        seed_all(5)
        assert random.getstate() != state
    assert time.monotonic is clock
    assert random.getstate() == state
