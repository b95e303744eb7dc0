"""Laws of decisions on random input: late feedback, costs, deadlines, the per-packet server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lanecast.abr.controllers.base import AbrObservation, abr_spec
from lanecast.transport.calendar import Calendar
from lanecast.transport.decision.charge import Fixed, Table
from lanecast.transport.decision.controller import BaseController, Constant, Decision, Feedback, OpenDecisions
from lanecast.transport.decision.desk import Clerk, DecisionDesk, Question
from lanecast.transport.decision.guard import Guarded
from lanecast.transport.decision.server import PacketServer
from lanecast.transport.decision.task import Entry, Mask, frozen
from lanecast.transport.units import Ns

SEEN = AbrObservation(
    last_kbps=300, buffer_s=0, throughput=frozen([0] * 6), download_s=frozen([0] * 6),
    next_sizes=frozen([1] * 6), chunks_left=47,
)  # fmt: skip
TIMES = st.lists(st.integers(0, 400), min_size=1, max_size=40).map(sorted)
COSTS = st.lists(st.integers(0, 300), min_size=1, max_size=8)


class Cycle(BaseController[Any]):
    """0, 1, 2, 3, 4, 0, ...; sums the ids that it hears of."""

    def begin(self, seed: int, context: Any, privileged: Any) -> None:
        self.heard: list[int] = []

    def choose(self, observation: Any, now: Ns, mask: Mask | None) -> Decision:
        return Decision(action=self.issued % 5)

    def learn(self, feedback: Feedback, decision: Decision) -> None:
        assert decision.decision_id == feedback.decision_id
        self.heard.append(feedback.decision_id)


def started(controller: Any) -> Any:
    controller.reset(abr_spec(), 1)
    return controller


@given(st.integers(0, 30), st.lists(st.integers(-3, 40), max_size=80))
def test_each_decision_hears_at_most_once_and_every_stray_is_counted(count: int, ids: list[int]) -> None:
    controller = started(Cycle())
    for now in range(count):
        controller.act(SEEN, now)
    for decision_id in ids:
        controller.observe(Feedback(decision_id=decision_id, now=99))
    fitting = [one for one in ids if 0 <= one < count]
    assert sorted(controller.heard) == sorted(set(fitting))
    assert controller.open.stale == len(fitting) - len(set(fitting))
    assert controller.open.unknown == len(ids) - len(fitting)
    assert len(controller.open) == count - len(set(fitting))


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=60))
def test_bounded_map_never_exceeds_its_bound_and_loses_nothing_uncounted(
    limit: int, moves: list[bool]
) -> None:
    book: OpenDecisions[int] = OpenDecisions(limit)
    added = settled = 0
    for adds in moves:
        if adds:
            book.add(added, added)
            added += 1
        elif len(book):
            assert book.settle(book.ids()[0]) is not None
            settled += 1
        assert len(book) <= limit
        assert added == settled + book.evicted + len(book)


@given(TIMES, COSTS)
def test_effects_follow_the_recursion_of_a_single_server(times: list[Ns], costs: list[Ns]) -> None:
    calendar = Calendar()
    desk = DecisionDesk(calendar, started(Cycle()), Table(costs, loop=True))
    log: list[tuple[Ns, int]] = []
    for now in times:
        calendar.settle(now)
        desk.ask(Question(observation=SEEN, now=now), lambda when, one: log.append((when, one.action)))
    calendar.settle(10**6)
    end, expected = 0, []
    for place, now in enumerate(times):  # Lindley: the end of one computation, and the start of the next
        end = max(end, now) + costs[place % len(costs)]
        expected.append((end, place % 5))
    assert log == expected


@given(TIMES, COSTS, st.integers(0, 200))
def test_nothing_takes_effect_after_its_deadline(times: list[Ns], costs: list[Ns], patience: int) -> None:
    calendar = Calendar()
    guard: Guarded[AbrObservation] = started(Guarded(Cycle(), Constant(5), latch_after=10**6))
    desk = DecisionDesk(calendar, guard, Table(costs, loop=True))
    late: list[Ns] = []
    used: list[int] = []

    def note(due: Ns) -> Callable[[Ns, Decision], None]:
        def then(when: Ns, one: Decision) -> None:
            late.append(when - due)
            used.append(one.action)

        return then

    for now in times:
        calendar.settle(now)
        desk.ask(Question(observation=SEEN, now=now, deadline=now + patience), note(now + patience))
    calendar.settle(10**6)
    assert len(late) == len(times)
    assert max(late) <= 0
    assert used.count(5) == desk.clerk.deadline_misses


@given(st.integers(1, 10**9), st.integers(1, 30))
def test_fixed_cost_above_the_deadline_is_the_fallback_alone(cost: Ns, count: int) -> None:
    clerk = Clerk(started(Guarded(Cycle(), Constant(5), latch_after=10**6)), Fixed(cost))
    for place in range(count):
        now = place * 2 * cost
        ruling = clerk.rule(Question(observation=SEEN, now=now, deadline=now + cost - 1))
        assert (ruling.decision.action, ruling.effect, ruling.late) == (5, now + cost - 1, True)
    assert clerk.deadline_misses == count


@given(TIMES, COSTS, st.booleans(), st.integers(0, 400))
def test_packet_server_obeys_its_laws(times: list[Ns], costs: list[Ns], keep: bool, patience: int) -> None:
    controller = started(Cycle())
    server = PacketServer(controller, started(Constant(5)), Table(costs, loop=True), keep_last=keep)
    for now in times:
        before = server.own
        decision = server.decide(now, SEEN, now + patience)
        if server.own > before:
            assert decision.decision_id == controller.issued - 1
            assert server.free_at <= now + patience
        elif not keep:
            assert decision.action == 5
    assert server.asked == server.own + server.stood_in == len(times)
    assert controller.issued == server.own + server.deadline_misses + server.from_slot


@given(TIMES, st.integers(0, 300))
def test_packet_server_equals_a_slow_obvious_model(times: list[Ns], cost: Ns) -> None:
    server = PacketServer(started(Cycle()), started(Constant(5)), Fixed(cost))
    answers = [server.decide(now, SEEN).action for now in times]
    # The model: a list of all computations as (start, end, action), searched anew for each packet.
    work: list[tuple[Ns, Ns, int]] = []
    waiting = False
    expected = []
    for now in times:
        while waiting and work[-1][1] <= now:
            start = work[-1][1]
            work.append((start, start + cost, len(work) % 5))
            waiting = False
        if not work or work[-1][1] <= now:
            work.append((now, now + cost, len(work) % 5))
            expected.append(work[-1][2])
            continue
        waiting = True
        ended = [action for _, end, action in work if end <= now]
        expected.append(ended[-1] if ended else 5)
    assert answers == expected


@given(
    st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=8),
)  # fmt: skip
def test_normalisation_is_affine_without_transform_and_clip(
    offset: float, scale: float, values: list[float]
) -> None:
    entry = Entry(
        name="x", kind="series", unit="1", low=-1e9, high=1e9, shape=(len(values),), offset=offset, scale=scale,
        dtype="float64",
    )  # fmt: skip
    entry.check(np.array(values))
    back = entry.normalise(np.array(values)) * scale + offset
    assert np.allclose(back, values, rtol=1e-9, atol=1e-6 * max(1.0, abs(offset)))
