"""Gate, shadow and rule set."""

from __future__ import annotations

from typing import Any

import pytest

from lanecast.abr.controllers.base import AbrController, AbrDecision, AbrObservation, abr_spec
from lanecast.transport.decision.compose import Gate, RuleSet, Shadow, margin
from lanecast.transport.decision.controller import Constant, Controller, Decision, Feedback, Flag
from lanecast.transport.decision.guard import Panel
from lanecast.transport.decision.task import Mask, frozen
from lanecast.transport.units import Ns


def seen(buffer_s: float = 0.0) -> AbrObservation:
    return AbrObservation(
        last_kbps=300, buffer_s=buffer_s, throughput=frozen([0] * 6), download_s=frozen([0] * 6),
        next_sizes=frozen([1] * 6), chunks_left=47,
    )  # fmt: skip


class Opinion(AbrController):
    """One answer, one priority, scores of which the second lags by the buffer level; counts what it hears."""

    def __init__(self, action: int, priority: int = 0, *, fails: bool = False) -> None:
        super().__init__()
        self.action = action
        self.priority = priority
        self.fails = fails

    def begin(self, seed: int, context: Any, privileged: Any) -> None:
        self.flags: list[Flag] = []

    def choose(self, observation: AbrObservation, now: Ns, mask: Mask | None) -> AbrDecision:
        if self.fails:
            raise RuntimeError("no opinion")
        return AbrDecision(
            action=self.action,
            scores=(1.0, 1.0 - observation.buffer_s),
            priority=self.priority,
            reason="opinion",
        )

    def learn(self, feedback: Feedback, decision: Decision) -> None:
        self.flags.append(feedback.flag)


def started(panel: Panel[AbrObservation]) -> Any:
    panel.reset(abr_spec(), 1)
    return panel


def test_gate_asks_the_heavy_one_only_where_the_light_one_is_unsure() -> None:
    gate = started(Gate(Opinion(1), Opinion(5), margin(0.5)))
    assert gate.heavy_share == 0.0
    assert [gate.act(seen(lead), 0).action for lead in (0.6, 0.4, 0.5, 0.0)] == [1, 5, 1, 5]
    assert gate.heavy_share == 0.5


def test_gate_tells_the_heavy_one_of_its_own_decisions_only() -> None:
    light, heavy = Opinion(1), Opinion(5)
    gate = started(Gate(light, heavy, margin(0.5)))
    for lead in (0.9, 0.1):
        gate.observe(Feedback(decision_id=gate.act(seen(lead), 0).decision_id, now=1))
    assert light.flags == [Flag.RESULT, Flag.NOT_APPLIED]
    assert heavy.flags == [Flag.RESULT]
    assert heavy.open.unknown == 0


@pytest.mark.parametrize(
    ("scores", "sure"), [(None, False), ((1.0,), False), ((0.0, 1.0), True), ((1.0, 0.9, 0.2), False)]
)
def test_margin_is_the_lead_of_the_best_over_the_second(
    scores: tuple[float, ...] | None, *, sure: bool
) -> None:
    assert margin(0.5)(Decision(action=0, scores=scores)) is sure


def test_shadow_is_compared_and_never_applied() -> None:
    shadow = Opinion(5)
    panel = started(Shadow(Opinion(1), shadow))
    decision = panel.act(seen(), 0)
    assert decision.action == 1
    panel.observe(Feedback(decision_id=decision.decision_id, now=1))
    assert (panel.agreed, panel.compared) == (0, 1)
    assert shadow.flags == [Flag.NOT_APPLIED]


def test_shadow_that_agrees_is_counted() -> None:
    panel = started(Shadow(Opinion(1), Opinion(1)))
    for now in range(3):
        panel.act(seen(), now)
    assert (panel.agreed, panel.compared) == (3, 3)


def test_shadow_that_fails_does_not_reach_the_episode() -> None:
    panel = started(Shadow(Opinion(1), Opinion(5, fails=True)))
    assert panel.act(seen(), 0).action == 1
    assert (panel.shadow_failures, panel.compared) == (1, 0)


def test_shadow_that_cannot_listen_is_counted_apart() -> None:
    class Deaf(Opinion):
        def learn(self, feedback: Feedback, decision: Decision) -> None:
            raise RuntimeError("does not listen")

    panel = started(Shadow(Opinion(1), Deaf(5)))
    panel.observe(Feedback(decision_id=panel.act(seen(), 0).decision_id, now=1))
    assert (panel.shadow_failures, panel.listen_failures) == (0, 1)
    exposed = started(Shadow(Deaf(5), Opinion(1)))
    feedback = Feedback(decision_id=exposed.act(seen(), 0).decision_id, now=1)
    with pytest.raises(RuntimeError, match="does not listen"):
        exposed.observe(feedback)


def test_what_took_effect_reaches_every_member_that_answered() -> None:
    class Noting(Opinion):
        def applied(self, decision_id: int, action: Any, now: Ns) -> None:
            self.flags.append(Flag.RESULT)

    light, heavy = Noting(1), Noting(5)
    gate = started(Gate(light, heavy, margin(0.5)))
    for lead in (0.9, 0.1):
        decision = gate.act(seen(lead), 0)
        gate.applied(decision.decision_id, decision.action, 0)
    gate.applied(77, 0, 0)
    assert (len(light.flags), len(heavy.flags)) == (2, 1)


def test_primary_that_fails_beside_a_shadow_is_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="no opinion"):
        started(Shadow(Opinion(1, fails=True), Opinion(5))).act(seen(), 0)


def test_lowest_rung_among_the_highest_priority_wins() -> None:
    rules: dict[str, Controller] = {
        "low": Opinion(0, 0),
        "a": Opinion(4, 2),
        "b": Opinion(3, 2),
        "c": Opinion(3, 2),
    }
    decision = started(RuleSet(rules)).act(seen(), 0)
    assert decision.action == 3
    assert decision.taken == "b"


def test_every_rule_hears_whether_it_was_the_one() -> None:
    strong, weak = Opinion(4, 2), Opinion(0, 1)
    panel = started(RuleSet({"weak": weak, "strong": strong}))
    panel.observe(Feedback(decision_id=panel.act(seen(), 0).decision_id, now=1))
    assert (strong.flags, weak.flags) == ([Flag.RESULT], [Flag.NOT_APPLIED])


def test_rule_set_needs_a_rule() -> None:
    with pytest.raises(ValueError, match="at least one rule"):
        RuleSet({})


def test_members_start_and_end_with_their_panel() -> None:
    members = Constant[AbrObservation](1), Constant[AbrObservation](2)
    panel = started(Shadow(*members))
    panel.act(seen(), 0)
    panel.close()
    for one in members:
        with pytest.raises(RuntimeError):
            one.act(seen(), 0)
