"""The controller's book-keeping: life cycle, ids, late feedback, saving."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lanecast.abr.controllers.base import AbrController, AbrDecision, AbrObservation, abr_spec
from lanecast.abr.kv.controller import KvController, kv_spec
from lanecast.transport.decision.controller import (
    BaseController,
    Constant,
    Controller,
    Decision,
    Feedback,
    Flag,
    OpenDecisions,
    Reason,
    flush,
    lowest_allowed,
)
from lanecast.transport.decision.task import Mask, SpecMismatchError, frozen, stack
from lanecast.transport.decision.tasks import ViewportObservation, viewport_spec
from lanecast.transport.units import Ns


def observation(buffer_s: float = 0.0) -> AbrObservation:
    return AbrObservation(
        last_kbps=300, buffer_s=buffer_s, throughput=frozen([0] * 6), download_s=frozen([0] * 6),
        next_sizes=frozen([1] * 6), chunks_left=47,
    )  # fmt: skip


class Counting(AbrController):
    """Answers how many results it has heard of, at most 5; remembers what it is told."""

    name = "counting"
    resumable = True

    def begin(self, seed: int, context: Any, privileged: Any) -> None:
        self.heard: list[tuple[int, str, int]] = []
        self.context = context
        self.privileged = privileged
        self.reasons: list[Reason] = []

    def choose(self, observation: AbrObservation, now: Ns, mask: Mask | None) -> AbrDecision:
        return AbrDecision(action=min(len(self.heard), 5), pause_s=0.5)

    def learn(self, feedback: Feedback, decision: Decision) -> None:
        self.heard.append((feedback.decision_id, feedback.flag, decision.action))

    def end(self, reason: Reason) -> None:
        self.reasons.append(reason)

    def save(self) -> Any:
        return self.heard

    def restore(self, own: Any) -> None:
        self.heard = [tuple(one) for one in own]


def running(controller: Controller) -> Any:
    controller.reset(abr_spec(), 1)
    return controller


def test_every_base_controller_satisfies_the_protocol() -> None:
    assert isinstance(Counting(), Controller)
    assert not isinstance(object(), Controller)


def test_ids_count_decisions_of_the_episode() -> None:
    controller = running(Counting())
    assert [controller.act(observation(), now).decision_id for now in range(3)] == [0, 1, 2]
    controller.reset(abr_spec(), 1)
    assert controller.act(observation(), 9).decision_id == 0


def test_own_fields_of_a_decision_survive_the_base() -> None:
    decision = running(Counting()).act(observation(), 0)
    assert isinstance(decision, AbrDecision)
    assert decision.pause_s == 0.5


def test_feedback_meets_its_own_decision_however_late() -> None:
    controller = running(Counting())
    for now in range(3):
        controller.act(observation(), now)
    for decision_id in (2, 0, 1):
        controller.observe(Feedback(decision_id=decision_id, now=9))
    assert [one[0] for one in controller.heard] == [2, 0, 1]


def test_repeated_and_unknown_feedback_is_counted_and_not_learned() -> None:
    controller = running(Counting())
    controller.act(observation(), 0)
    for decision_id in (0, 0, 7, -1):
        controller.observe(Feedback(decision_id=decision_id, now=1))
    assert len(controller.heard) == 1
    assert (controller.open.stale, controller.open.unknown) == (1, 2)


def test_everything_but_reset_raises_outside_an_episode() -> None:
    controller: Any = Counting()
    running(controller).close()
    for other in (Counting(), controller):
        calls: tuple[Callable[..., object], ...] = (
            lambda one=other: one.act(observation(), 0),
            lambda one=other: one.observe(Feedback(decision_id=0, now=0)),
            lambda one=other: one.act_batch(stack([observation()]), [0]),
            lambda one=other: one.state(),
            lambda one=other: one.load_state(b""),
        )
        for call in calls:
            with pytest.raises(RuntimeError, match=r"counting: .* outside an episode"):
                call()
    running(controller).act(observation(), 0)


def test_close_ends_an_episode_once() -> None:
    controller = running(Counting())
    controller.close(Reason.TRUNCATED)
    controller.close(Reason.END)
    assert controller.reasons == [Reason.TRUNCATED]


def test_a_reset_that_fails_leaves_no_episode() -> None:
    controller = running(Constant(5))
    with pytest.raises(ValueError, match=r"action 5 is outside 0 \.\. 1"):
        controller.reset(abr_spec(rungs=2), 1)
    with pytest.raises(RuntimeError, match="outside an episode"):
        controller.act(observation(), 0)


def test_controller_of_another_task_refuses_at_reset() -> None:
    with pytest.raises(SpecMismatchError, match=r"counting decides abr/v1, not kv-level/v1"):
        Counting().reset(kv_spec(), 1)


def test_trained_controller_refuses_another_hash_of_the_same_task() -> None:
    controller = Counting()
    controller.trained_for = abr_spec().spec_hash
    controller.reset(abr_spec(), 1)
    with pytest.raises(SpecMismatchError, match="counting was made for"):
        controller.reset(abr_spec(rungs=5), 1)


def test_privileged_view_reaches_only_who_asks_for_it() -> None:
    plain, asking = Counting(), Counting()
    asking.wants_privileged = True
    for one in (plain, asking):
        one.reset(abr_spec(), 1, context="manifest", privileged="future")
    assert (plain.context, plain.privileged) == ("manifest", None)
    assert (asking.context, asking.privileged) == ("manifest", "future")


def test_batch_rows_are_decided_in_order() -> None:
    decisions = running(Counting()).act_batch(stack([observation(1), observation(2)]), [5, 6])
    assert [one.decision_id for one in decisions] == [0, 1]


def test_saved_state_carries_history_and_open_decisions() -> None:
    first = running(Counting())
    for now in range(3):
        first.act(observation(), now)
    first.observe(Feedback(decision_id=1, now=5))
    second = running(Counting())
    second.load_state(first.state())
    for one in (first, second):
        one.observe(Feedback(decision_id=2, now=6))
        one.observe(Feedback(decision_id=1, now=6))
    assert second.heard == first.heard
    assert second.act(observation(), 9).action == first.act(observation(), 9).action == 2
    assert second.issued == first.issued
    assert second.open.ids() == first.open.ids()


def test_state_keeps_array_actions() -> None:
    views = np.zeros((20, 3))
    spec = viewport_spec()
    seen = ViewportObservation(
        orientation_deg=frozen(np.zeros((10, 3))), relative_deg=frozen(np.zeros((10, 3)))
    )
    first: Any = Constant(views)
    first.reset(spec, 1)
    first.act(seen, 0)
    second: Any = Constant(views)
    second.reset(spec, 1)
    second.load_state(first.state())
    assert second.open.ids() == [0]


def test_controller_without_saving_says_so() -> None:
    class Forgetful(Counting):
        resumable = False

    with pytest.raises(TypeError, match="does not offer state"):
        running(Forgetful()).state()


def test_streams_depend_on_the_seed_alone() -> None:
    draws = []
    for seed in (1, 1, 2):
        controller = Counting()
        controller.reset(abr_spec(), seed)
        draws.append(controller.streams.stream("policy").next_double())
    assert draws[0] == draws[1] != draws[2]


def test_base_without_choose_names_the_class() -> None:
    for kind, spec in ((AbrController, abr_spec()), (KvController, kv_spec()), (BaseController, abr_spec())):
        controller: Any = kind()
        controller.reset(spec, 1)
        with pytest.raises(NotImplementedError, match=kind.__name__):
            controller.act(observation(), 0)


def test_constant_gives_way_to_the_mask() -> None:
    controller = running(Constant(2))
    assert controller.act(observation(), 0).action == 2
    assert controller.act(observation(), 0, (False, True, False, True, True, True)).action == 1


def test_mask_that_allows_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="allows no action"):
        lowest_allowed((False, False))


def test_flush_tells_that_no_feedback_came() -> None:
    controller = running(Counting())
    for now in range(2):
        controller.act(observation(), now)
    flush(controller, controller.open.ids(), 7)
    assert [one[1] for one in controller.heard] == [Flag.NONE_CAME, Flag.NONE_CAME]
    assert len(controller.open) == 0


def test_map_is_bounded_and_evicts_the_oldest() -> None:
    book: OpenDecisions[str] = OpenDecisions(limit=2)
    for decision_id in (3, 4, 9):
        book.add(decision_id, f"d{decision_id}")
    assert book.ids() == [4, 9]
    assert book.evicted == 1
    assert book.settle(3) is None
    assert book.settle(9) == "d9"
    assert (book.stale, book.unknown) == (1, 0)


def test_map_refuses_ids_that_do_not_rise_and_an_empty_bound() -> None:
    book: OpenDecisions[str] = OpenDecisions()
    book.add(3, "d")
    with pytest.raises(ValueError, match="ids must rise"):
        book.add(3, "again")
    with pytest.raises(ValueError, match="limit must be >= 1"):
        OpenDecisions[str](0)


def test_default_bound_is_4096() -> None:
    controller = running(Counting())
    for now in range(4097):
        controller.act(observation(), now)
    assert len(controller.open) == 4096
    assert controller.open.evicted == 1
