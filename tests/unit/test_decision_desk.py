"""Clerk, desk and generator play: when a decision takes effect, what happens when it is late."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from lanecast.abr.controllers.base import AbrController, AbrDecision, AbrObservation, abr_spec
from lanecast.transport.calendar import Calendar
from lanecast.transport.decision.charge import Charge, Fixed, Measured, Table
from lanecast.transport.decision.controller import Constant, Controller, Decision, Feedback, Flag, Reason
from lanecast.transport.decision.desk import Clerk, DecisionDesk, Question, Ruling, play
from lanecast.transport.decision.guard import Cause, Guarded
from lanecast.transport.decision.task import Mask, frozen
from lanecast.transport.units import NEVER, Ns


def seen() -> AbrObservation:
    return AbrObservation(
        last_kbps=300, buffer_s=0, throughput=frozen([0] * 6), download_s=frozen([0] * 6),
        next_sizes=frozen([1] * 6), chunks_left=47,
    )  # fmt: skip


class Listening(AbrController):
    """Answers 0, 1, 2, ... (modulo 6) and keeps what it hears, with its time."""

    def begin(self, seed: int, context: Any, privileged: Any) -> None:
        self.times: list[Ns] = []
        self.heard: list[tuple[int, str]] = []
        self.done: list[tuple[int, int, Ns]] = []
        self.reasons: list[Reason] = []

    def choose(self, observation: AbrObservation, now: Ns, mask: Mask | None) -> AbrDecision:
        self.times.append(now)
        return AbrDecision(action=(len(self.times) - 1) % 6)

    def learn(self, feedback: Feedback, decision: Decision) -> None:
        self.heard.append((feedback.decision_id, feedback.flag))

    def applied(self, decision_id: int, action: Any, now: Ns) -> None:
        self.done.append((decision_id, action, now))

    def end(self, reason: Reason) -> None:
        self.reasons.append(reason)


def clerk_of(controller: Any, charge: Charge | None = None) -> Clerk:
    controller.reset(abr_spec(), 1)
    return Clerk(controller, charge)


def ask(now: Ns, deadline: Ns = NEVER) -> Question:
    return Question(observation=seen(), now=now, deadline=deadline)


class Bench:
    """A desk on a calendar; `log` holds (time, action) of every effect."""

    def __init__(self, controller: Any, charge: Charge | None = None) -> None:
        controller.reset(abr_spec(), 1)
        self.calendar = Calendar()
        self.desk = DecisionDesk(self.calendar, controller, charge)
        self.log: list[tuple[Ns, int]] = []

    def ask(self, now: Ns, deadline: Ns = NEVER) -> None:
        self.calendar.settle(now)
        self.desk.ask(ask(now, deadline), lambda when, decision: self.log.append((when, decision.action)))

    def run(self, until: Ns = 10**9) -> list[tuple[Ns, int]]:
        self.calendar.settle(until)
        return self.log


def test_no_cost_takes_effect_at_once() -> None:
    bench = Bench(Listening())
    bench.ask(5)
    assert bench.log == [(5, 0)]
    assert bench.calendar.next_event() == NEVER


def test_fixed_cost_delays_each_effect_by_exactly_that() -> None:
    bench = Bench(Listening(), Fixed(300))
    for now in (0, 1000, 5000):
        bench.ask(now)
    assert bench.run() == [(300, 0), (1300, 1), (5300, 2)]


def test_effect_is_not_seen_one_nanosecond_early() -> None:
    bench = Bench(Listening(), Fixed(300))
    bench.ask(0)
    assert bench.run(299) == []
    assert bench.run(300) == [(300, 0)]


def test_controller_sees_the_time_of_the_observation_not_of_the_effect() -> None:
    controller = Listening()
    bench = Bench(controller, Fixed(300))
    bench.ask(7)
    bench.run()
    assert controller.times == [7]
    assert controller.done == [(0, 0, 307)]


def test_questions_during_a_decision_wait_their_turn_in_order() -> None:
    bench = Bench(Listening(), Fixed(300))
    for now in (0, 100, 200):
        bench.ask(now)
    assert bench.run() == [(300, 0), (600, 1), (900, 2)]


def test_late_answer_is_replaced_at_the_deadline_by_the_fallback_s() -> None:
    primary = Listening()
    bench = Bench(Guarded(primary, Constant(5)), Fixed(300))
    bench.ask(0, deadline=299)
    assert bench.run() == [(299, 5)]
    assert bench.desk.clerk.deadline_misses == 1
    assert primary.done == [(0, 5, 299)]


def test_answer_at_the_deadline_is_in_time() -> None:
    bench = Bench(Guarded(Listening(), Constant(5)), Fixed(300))
    bench.ask(0, deadline=300)
    assert bench.run() == [(300, 0)]
    assert bench.desk.clerk.deadline_misses == 0


def test_deadline_in_the_past_takes_effect_now() -> None:
    bench = Bench(Guarded(Listening(), Constant(5)), Fixed(300))
    bench.ask(50, deadline=20)
    assert bench.run() == [(50, 5)]


def test_cost_above_every_deadline_is_the_fallback_alone() -> None:
    guard: Guarded[AbrObservation] = Guarded(Listening(), Constant(3), latch_after=10**6)
    bench = Bench(guard, Fixed(1000))
    for place in range(20):
        bench.ask(10_000 * place, deadline=10_000 * place + 999)
    assert bench.run() == [(10_000 * place + 999, 3) for place in range(20)]
    assert bench.desk.clerk.deadline_misses == guard.causes[Cause.DEADLINE] == 20


def test_late_computation_still_occupies_the_controller() -> None:
    bench = Bench(Guarded(Listening(), Constant(5)), Fixed(300))
    bench.ask(0, deadline=100)
    bench.ask(150)
    assert bench.run() == [(100, 5), (600, 1)]


def test_an_early_deadline_overtakes_an_earlier_question() -> None:
    bench = Bench(Guarded(Listening(), Constant(5)), Fixed(300))
    bench.ask(0)
    bench.ask(100, deadline=200)
    assert bench.run() == [(200, 5), (300, 0)]


def test_what_is_due_at_the_same_instant_and_was_asked_before_goes_first() -> None:
    bench = Bench(Guarded(Listening(), Constant(5)), Fixed(300))
    bench.ask(0)
    bench.calendar.settle(299)
    question = ask(300, deadline=300)
    bench.desk.ask(question, lambda when, decision: bench.log.append((when, decision.action)))
    assert bench.log == [(300, 0), (300, 5)]
    assert bench.run() == [(300, 0), (300, 5)]


def test_without_fallback_the_last_action_is_kept() -> None:
    controller = Listening()
    bench = Bench(controller, Table([0, 0, 500]))
    for now in (0, 10, 20):
        bench.ask(now, deadline=now + 100)
    assert bench.run() == [(0, 0), (10, 1), (120, 1)]
    bench.desk.observe(Feedback(decision_id=2, now=200))
    assert controller.heard == [(2, Flag.NOT_APPLIED)]


def test_first_answer_late_without_fallback_is_an_error() -> None:
    with pytest.raises(ValueError, match="neither a fallback nor an earlier action"):
        Bench(Listening(), Fixed(10)).ask(0, deadline=5)


def test_measured_run_and_its_replay_take_effect_alike() -> None:
    ticks = iter(range(0, 10**6, 137))
    measured = Measured(lambda: next(ticks) ** 2 % 1009 + 2000 * next(ticks))
    logs = []
    first = Bench(Listening(), measured)
    for now in (0, 1000, 2000):
        first.ask(now)
    logs.append(first.run(10**12))
    again = Bench(Listening(), Table(measured.costs))
    for now in (0, 1000, 2000):
        again.ask(now)
    assert again.run(10**12) == logs[0]
    assert again.desk.clerk.computing == sum(measured.costs)


def test_feedback_of_an_unknown_decision_is_counted_and_goes_no_further() -> None:
    controller = Listening()
    clerk = clerk_of(controller)
    clerk.rule(ask(0))
    clerk.observe(Feedback(decision_id=4, now=1))
    assert clerk.open.unknown == 1
    assert controller.open.unknown == 0


def test_close_flushes_open_decisions_and_drops_what_has_not_taken_effect() -> None:
    controller = Listening()
    bench = Bench(controller, Fixed(300))
    bench.ask(0)
    bench.ask(1)
    bench.run(300)
    bench.desk.close(400, Reason.TRUNCATED)
    assert bench.run() == [(300, 0)]
    assert controller.heard == [(0, Flag.NONE_CAME), (1, Flag.NONE_CAME)]
    assert controller.reasons == [Reason.TRUNCATED]


def test_two_desks_on_one_calendar_do_not_touch() -> None:
    calendar = Calendar()
    log: list[tuple[str, Ns]] = []
    desks = {}
    for name, cost in (("slow", 500), ("fast", 200)):
        controller = Listening()
        controller.reset(abr_spec(), 1)
        desks[name] = DecisionDesk(calendar, controller, Fixed(cost), name=name)
    for name, desk in desks.items():
        desk.ask(ask(0), lambda when, _, name=name: log.append((name, when)))  # type: ignore[misc]
    calendar.settle(1000)
    assert log == [("fast", 200), ("slow", 500)]


# An emulator that is a generator: chunks of 100 ns, fetched one after another; an answer that takes effect
# later delays its chunk.


def chunks(
    count: int, *, fails_at: int = -1
) -> Generator[Question | Feedback, Ruling | None, list[tuple[Ns, int]]]:
    now: Ns = 0
    log = []
    for place in range(count):
        if place == fails_at:
            raise OSError("trace ended")
        ruling = yield ask(now)
        assert ruling is not None
        now = ruling.effect + 100
        log.append((now, ruling.decision.action))
        answer = yield Feedback(decision_id=ruling.decision.decision_id, now=now, reward=1.0)
        assert answer is None
    return log


def test_generator_is_played_to_its_end_with_costs() -> None:
    controller = Listening()
    assert play(chunks(3), clerk_of(controller, Fixed(7))) == [(107, 0), (214, 1), (321, 2)]
    assert controller.heard == [(place, Flag.RESULT) for place in range(3)]
    assert controller.reasons == [Reason.END]


def stepped(episode: Generator[Question | Feedback, Ruling | None, Any], actions: list[int]) -> Any:
    """Step an emulator by hand, as an environment does."""
    answer: Ruling | None = None
    while True:
        try:
            point = episode.send(answer)
        except StopIteration as end:
            return end.value
        answer = None
        if isinstance(point, Question):
            answer = Ruling(decision=Decision(action=actions.pop(0)), effect=point.now)


def test_same_generator_can_be_stepped_by_hand_to_the_same_end() -> None:
    assert stepped(chunks(3), [0, 1, 2]) == play(chunks(3), clerk_of(Listening()))


def test_emulator_that_raises_aborts_the_controller() -> None:
    controller = Listening()
    with pytest.raises(OSError, match="trace ended"):
        play(chunks(3, fails_at=2), clerk_of(controller))
    assert controller.reasons == [Reason.ABORT]


def test_controller_that_raises_closes_the_emulator() -> None:
    closed = []

    def episode() -> Generator[Question | Feedback, Ruling | None, None]:
        try:
            yield ask(0)
        finally:
            closed.append(True)

    controller = Listening()
    clerk = clerk_of(controller)
    controller.close()
    with pytest.raises(RuntimeError, match="outside an episode"):
        play(episode(), clerk)
    assert closed == [True]


def test_structural_controller_without_base_works_at_a_desk() -> None:
    class Bare:
        def __init__(self) -> None:
            self.ids = 0

        def reset(self, spec: Any, seed: int, *, context: Any = None, privileged: Any = None) -> None:
            self.ids = 0

        def act(self, observation: Any, now: Ns, mask: Any = None) -> Decision:
            self.ids += 1
            return Decision(action=1, decision_id=self.ids)

        def act_batch(self, observations: Any, times: Any, masks: Any = None) -> list[Decision]:
            return [self.act(None, now) for now in times]

        def observe(self, feedback: Feedback) -> None:
            self.ids += 0

        def close(self, reason: Reason = Reason.END) -> None:
            self.ids = 0

    controller: Controller = Bare()
    bench = Bench(controller, Fixed(10))
    bench.ask(0)
    assert bench.run() == [(10, 1)]
