"""Guarded: every cause of a fallback, the latch, warm histories, and no trace of itself when all is well."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from lanecast.abr.controllers.base import AbrController, AbrDecision, AbrObservation, abr_spec
from lanecast.transport.decision.controller import Constant, Decision, Feedback, Flag
from lanecast.transport.decision.guard import Cause, Guarded
from lanecast.transport.decision.task import Mask, frozen
from lanecast.transport.units import Ns

Answer = Callable[[int], Any]


def seen() -> AbrObservation:
    return AbrObservation(
        last_kbps=300, buffer_s=8.0, throughput=frozen([0] * 6), download_s=frozen([0] * 6),
        next_sizes=frozen([1] * 6), chunks_left=47,
    )  # fmt: skip


class Scripted(AbrController):
    """Answers `answer(n)` to its n-th question of the episode; keeps what it is told."""

    def __init__(self, answer: Answer, *, scores: Answer | None = None, deaf: bool = False) -> None:
        super().__init__()
        self.answer = answer
        self.scores = scores
        self.deaf = deaf
        self.asked = 0

    def begin(self, seed: int, context: Any, privileged: Any) -> None:
        self.asked = 0
        self.told: list[tuple[int, str, float | None]] = []
        self.done: list[tuple[int, int]] = []
        self.privileged = privileged

    def choose(self, observation: AbrObservation, now: Ns, mask: Mask | None) -> AbrDecision:
        self.asked += 1
        scores = None if self.scores is None else self.scores(self.asked - 1)
        return AbrDecision(action=self.answer(self.asked - 1), scores=scores, reason="script")

    def learn(self, feedback: Feedback, decision: Decision) -> None:
        if self.deaf:
            raise RuntimeError("deaf")
        self.told.append((feedback.decision_id, feedback.flag, feedback.reward))

    def applied(self, decision_id: int, action: Any, now: Ns) -> None:
        self.done.append((decision_id, action))


def broken(place: int) -> int:
    raise ZeroDivisionError(place)


def guarded(primary: AbrController, fallback: AbrController | None = None, **options: Any) -> Any:
    guard: Guarded[AbrObservation] = Guarded(primary, fallback or Scripted(lambda _: 0), **options)
    guard.reset(abr_spec(), 1)
    return guard


def act(guard: Any, mask: Mask | None = None) -> Decision:
    decision: Decision = guard.act(seen(), 0, mask)
    return decision


def test_primary_that_never_fails_is_passed_on_bit_for_bit() -> None:
    def answer(place: int) -> int:
        return place * 7 % 6

    alone = Scripted(answer, scores=lambda place: (0.1 * place, 1 / 3))
    alone.reset(abr_spec(), 1)
    guard = guarded(Scripted(answer, scores=lambda place: (0.1 * place, 1 / 3)))
    for now in range(50):
        plain, watched = alone.act(seen(), now), guard.act(seen(), now)
        for field in ("action", "decision_id", "scores", "reason", "cost_ns", "priority"):
            assert getattr(plain, field) == getattr(watched, field)
    assert not any(guard.causes.values())


@pytest.mark.parametrize(
    ("primary", "options", "mask", "cause"),
    [
        (Scripted(broken), {}, None, Cause.EXCEPTION),
        (Scripted(lambda _: 2, scores=lambda _: (0.0, math.nan)), {}, None, Cause.SCORE),
        (Scripted(lambda _: 2, scores=lambda _: (math.inf,)), {}, None, Cause.SCORE),
        (Scripted(lambda _: 6), {}, None, Cause.SPACE),
        (Scripted(lambda _: 1.0), {}, None, Cause.SPACE),
        (Scripted(lambda _: None), {}, None, Cause.SPACE),
        (Scripted(lambda _: 2), {}, (True, True, False, True, True, True), Cause.SPACE),
        (Scripted(lambda _: 2), {"veto": lambda one, _: one.buffer_s < 10}, None, Cause.VETO),
    ],
)
def test_each_cause_brings_the_fallback_and_is_counted_alone(
    primary: AbrController, options: dict[str, Any], mask: Mask | None, cause: Cause
) -> None:
    guard = guarded(primary, **options)
    assert act(guard, mask).action == 0
    assert {name: count for name, count in guard.causes.items() if count} == {cause: 1}


def test_veto_sees_the_primary_s_decision() -> None:
    guard = guarded(Scripted(lambda place: place), veto=lambda _, decision: decision.action > 1)
    assert [act(guard).action for _ in range(3)] == [0, 1, 0]


def test_three_failures_in_a_row_latch_the_primary_off_until_reset() -> None:
    primary = Scripted(broken)
    guard = guarded(primary)
    for _ in range(5):
        act(guard)
    assert guard.latched
    assert primary.asked == 3
    assert (guard.causes[Cause.EXCEPTION], guard.causes[Cause.LATCHED]) == (3, 2)
    guard.reset(abr_spec(), 1)
    assert not guard.latched
    assert not any(guard.causes.values())
    act(guard)
    assert primary.asked == 1


def test_a_success_breaks_the_row() -> None:
    guard = guarded(Scripted(lambda place: 1 if place % 3 == 2 else 9))
    assert [act(guard).action for _ in range(9)] == [0, 0, 1] * 3
    assert not guard.latched


def test_missed_deadlines_in_a_row_latch_too() -> None:
    guard = guarded(Scripted(lambda _: 4))
    for _ in range(3):
        instead = guard.miss(act(guard).decision_id)
        assert instead.action == 0
    assert guard.latched
    assert guard.causes[Cause.DEADLINE] == 3


def test_a_decision_in_time_between_two_misses_breaks_the_row() -> None:
    guard = guarded(Scripted(lambda _: 4), latch_after=2)
    guard.miss(act(guard).decision_id)
    act(guard)
    guard.miss(act(guard).decision_id)
    assert not guard.latched


def test_missing_a_fallback_s_own_answer_changes_nothing() -> None:
    guard = guarded(Scripted(broken))
    decision = act(guard)
    assert guard.miss(decision.decision_id).action == decision.action
    assert guard.causes[Cause.DEADLINE] == 0


def test_only_an_open_decision_can_be_missed() -> None:
    with pytest.raises(KeyError, match="decision 5 is not open"):
        guarded(Scripted(lambda _: 4)).miss(5)


def test_both_hear_of_every_result_and_who_was_not_used_is_told_so() -> None:
    primary, fallback = Scripted(lambda place: 1 if place == 0 else 9), Scripted(lambda _: 0)
    guard = guarded(primary, fallback)
    for place in range(2):
        guard.observe(Feedback(decision_id=act(guard).decision_id, now=1, reward=place + 0.5))
    assert primary.told == [(0, Flag.RESULT, 0.5), (1, Flag.NOT_APPLIED, 1.5)]
    assert fallback.told == [(0, Flag.NOT_APPLIED, 0.5), (1, Flag.RESULT, 1.5)]


def test_late_decision_is_told_that_it_was_not_applied() -> None:
    primary = Scripted(lambda _: 4)
    guard = guarded(primary)
    decision = act(guard)
    guard.miss(decision.decision_id)
    guard.observe(Feedback(decision_id=decision.decision_id, now=1))
    assert primary.told == [(0, Flag.NOT_APPLIED, None)]


def test_that_no_feedback_came_is_told_to_both_as_it_is() -> None:
    primary, fallback = Scripted(lambda _: 4), Scripted(lambda _: 0)
    guard = guarded(primary, fallback)
    guard.observe(Feedback(decision_id=act(guard).decision_id, now=1, flag=Flag.NONE_CAME))
    assert primary.told == fallback.told == [(0, Flag.NONE_CAME, None)]


def test_the_action_that_took_effect_reaches_both_histories() -> None:
    primary, fallback = Scripted(lambda _: 9), Scripted(lambda _: 3)
    guard = guarded(primary, fallback)
    decision = act(guard)
    guard.applied(decision.decision_id, decision.action, 0)
    assert primary.done == fallback.done == [(0, 3)]


def test_fallback_answers_every_question_so_that_it_is_warm() -> None:
    fallback = Scripted(lambda place: place)
    guard = guarded(Scripted(lambda place: 1 if place < 2 else 9), fallback)
    assert [act(guard).action for _ in range(4)] == [1, 1, 2, 3]
    assert fallback.asked == 4


def test_primary_that_raises_while_listening_is_counted_and_carried() -> None:
    guard = guarded(Scripted(lambda _: 4, deaf=True))
    guard.observe(Feedback(decision_id=act(guard).decision_id, now=1))
    assert guard.listen_failures == 1


def test_fallback_that_raises_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        act(guarded(Scripted(lambda _: 4), Scripted(broken)))


def test_close_reaches_both() -> None:
    primary, fallback = Scripted(lambda _: 4), Scripted(lambda _: 0)
    guard = guarded(primary, fallback)
    guard.close()
    for one in (primary, fallback):
        with pytest.raises(RuntimeError):
            one.act(seen(), 0)


def test_privileged_view_passes_through_to_the_member_that_asks() -> None:
    primary, fallback = Scripted(lambda _: 4), Scripted(lambda _: 0)
    primary.wants_privileged = True
    guard: Guarded[AbrObservation] = Guarded(primary, fallback)
    assert guard.wants_privileged
    guard.reset(abr_spec(), 1, privileged="future")
    assert (primary.privileged, fallback.privileged) == ("future", None)


def test_guards_nest() -> None:
    inner: Guarded[AbrObservation] = Guarded(Scripted(broken), Scripted(lambda _: 9))
    outer: Guarded[AbrObservation] = Guarded(inner, Constant(1))
    outer.reset(abr_spec(), 1)
    assert outer.act(seen(), 0).action == 1
    assert (inner.causes[Cause.EXCEPTION], outer.causes[Cause.SPACE]) == (1, 1)


def test_latch_needs_at_least_one_failure() -> None:
    with pytest.raises(ValueError, match="latch_after"):
        Guarded(Constant(0), Constant(1), latch_after=0)
