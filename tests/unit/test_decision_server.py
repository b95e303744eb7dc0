"""Per-packet decisions: nobody waits, one observation may."""

from __future__ import annotations

from typing import Any

import pytest

from lanecast.transport.decision.charge import Charge, Fixed, Table
from lanecast.transport.decision.controller import BaseController, Constant, Decision, Feedback, Flag
from lanecast.transport.decision.server import PacketServer
from lanecast.transport.decision.task import Entry, Mask, TaskSpec, observation_type
from lanecast.transport.decision.tasks import mark_spec
from lanecast.transport.units import NEVER, Ns

SPEC = TaskSpec(
    name="parity", version=1, entries=(Entry(name="number", kind="scalar", unit="1", low=0, high=99),),
    action=mark_spec().action, reward="0", first_decision="first packet", deadline="none",
)  # fmt: skip
Seen: Any = observation_type(SPEC)


class Parity(BaseController[Any]):
    """Marks odd packets."""

    def begin(self, seed: int, context: Any, privileged: Any) -> None:
        self.asked: list[tuple[int, Ns]] = []
        self.heard: list[tuple[int, str]] = []

    def choose(self, observation: Any, now: Ns, mask: Mask | None) -> Decision:
        self.asked.append((observation.number, now))
        return Decision(action=observation.number % 2)

    def learn(self, feedback: Feedback, decision: Decision) -> None:
        self.heard.append((feedback.decision_id, feedback.flag))


class Lane:
    """A server with packets numbered 0, 1, 2, ..."""

    def __init__(self, charge: Charge | None = None, *, fallback: int = 0, keep_last: bool = True) -> None:
        self.controller = Parity()
        self.controller.reset(SPEC, 1)
        rest: Constant[Any] = Constant(fallback)
        rest.reset(SPEC, 1)
        self.server = PacketServer(self.controller, rest, charge, keep_last=keep_last)
        self.count = 0

    def packet(self, now: Ns, deadline: Ns = NEVER) -> int:
        self.count += 1
        decision = self.server.decide(now, Seen(number=self.count - 1), deadline)
        action: int = decision.action
        return action

    def packets(self, *times: Ns) -> list[int]:
        return [self.packet(now) for now in times]


def test_no_cost_gives_every_packet_its_own_decision() -> None:
    lane = Lane()
    assert lane.packets(0, 0, 5, 5, 5, 9) == [0, 1, 0, 1, 0, 1]
    assert (lane.server.own, lane.server.stood_in) == (6, 0)


def test_packets_during_a_decision_get_the_fallback_before_there_is_another() -> None:
    lane = Lane(Fixed(100), fallback=1)
    assert lane.packets(0, 50, 99) == [0, 1, 1]


def test_decision_is_in_effect_from_its_end_on() -> None:
    lane = Lane(Fixed(100), fallback=1)
    # 0 decided for itself until 100; 1 waits in the slot and is decided 100..200; 2 meets the decision of 0.
    assert lane.packets(0, 50, 100, 199) == [0, 1, 0, 0]
    # at 200 the decision of packet 1 (mark) is in effect; packets 2, 3 replaced each other in the slot.
    assert lane.packet(200) == 1
    assert lane.server.replaced == 1


def test_waiting_observation_is_decided_when_the_server_is_free() -> None:
    lane = Lane(Fixed(100))
    lane.packets(0, 30, 60, 500)
    assert lane.controller.asked == [(0, 0), (2, 100), (3, 500)]
    assert (lane.server.replaced, lane.server.from_slot) == (1, 1)


def test_packet_spaced_beyond_the_cost_always_gets_its_own() -> None:
    lane = Lane(Fixed(100))
    assert lane.packets(0, 100, 200, 300) == [0, 1, 0, 1]


def test_answer_after_the_packet_has_left_is_a_counted_miss() -> None:
    lane = Lane(Fixed(100), fallback=1)
    assert lane.packet(0, deadline=99) == 1
    assert lane.server.deadline_misses == 1
    assert lane.controller.heard == [(0, Flag.NOT_APPLIED)]
    assert lane.packet(150, deadline=250) == 1
    assert lane.server.own == 1


def test_discarded_answer_never_takes_effect() -> None:
    lane = Lane(Fixed(100), fallback=1)
    lane.packet(0, deadline=50)  # would have been 0
    assert lane.packet(1000, deadline=1001) == 1


def test_option_prefers_the_fallback_to_the_newest_decision() -> None:
    last, rest = Lane(Fixed(100), fallback=1), Lane(Fixed(100), fallback=1, keep_last=False)
    times = (0, 150, 160)
    assert last.packets(*times) == [0, 1, 0]
    assert rest.packets(*times) == [0, 1, 1]


def test_counts_add_up() -> None:
    lane = Lane(Table([70, 10, 250, 0, 33], loop=True))
    for place in range(200):
        lane.packet(37 * place, deadline=37 * place + 60)
    server = lane.server
    assert server.asked == server.own + server.stood_in == 200
    assert lane.controller.issued == server.own + server.deadline_misses + server.from_slot
    assert min(server.own, server.stood_in, server.deadline_misses, server.from_slot, server.replaced) > 0


def test_feedback_reaches_the_controller_once_and_the_fallback_never() -> None:
    lane = Lane(Fixed(100), fallback=1)
    lane.packet(0)
    stand_in = lane.server.decide(10, Seen(number=9))
    assert stand_in.decision_id == -1
    for decision_id in (0, 0, stand_in.decision_id):
        lane.server.observe(Feedback(decision_id=decision_id, now=20))
    assert lane.controller.heard == [(0, Flag.RESULT)]
    assert (lane.server.open.stale, lane.server.open.unknown) == (1, 1)


def test_close_flushes_what_is_open() -> None:
    lane = Lane()
    lane.packets(0, 1)
    lane.server.close(5)
    assert lane.controller.heard == [(0, Flag.NONE_CAME), (1, Flag.NONE_CAME)]
    with pytest.raises(RuntimeError):
        lane.packet(6)
