"""Charges: what an answer costs in virtual time."""

from __future__ import annotations

import math

import pytest

from lanecast.transport.decision.charge import Charge, Fixed, Measured, Table, Zero
from lanecast.transport.decision.controller import Decision

ANSWER = Decision(action=0)


def costs(charge: Charge, count: int) -> list[int]:
    found = []
    for _ in range(count):
        charge.start()
        found.append(charge.cost(ANSWER))
    return found


class HandClock:
    """A clock that shows the given readings, one after another."""

    def __init__(self, *readings: int) -> None:
        self.readings = list(readings)

    def __call__(self) -> int:
        return self.readings.pop(0)


def test_zero_costs_nothing() -> None:
    assert costs(Zero(), 3) == [0, 0, 0]


def test_fixed_costs_the_same_each_time() -> None:
    assert costs(Fixed(250), 3) == [250, 250, 250]


def test_profile_starts_again_at_its_end() -> None:
    assert costs(Table([1, 2, 3], loop=True), 7) == [1, 2, 3, 1, 2, 3, 1]


def test_replay_refuses_more_decisions_than_were_recorded() -> None:
    replay = Table([5, 6])
    assert costs(replay, 2) == [5, 6]
    with pytest.raises(ValueError, match="replay of 2 costs is used up"):
        costs(replay, 1)


def test_measured_is_the_clock_s_difference_times_the_scale_rounded_up() -> None:
    charge = Measured(HandClock(100, 107, 200, 201, 300, 300), scale=1.5)
    assert costs(charge, 3) == [math.ceil(10.5), 2, 0]


def test_replay_of_measured_costs_repeats_them() -> None:
    measured = Measured(HandClock(0, 17, 20, 20, 30, 1_000_030))
    found = costs(measured, 3)
    assert costs(Table(measured.costs), 3) == found == [17, 0, 1_000_000]


def test_measured_prefers_what_the_decision_itself_states() -> None:
    charge = Measured(HandClock(0, 999), scale=2)
    charge.start()
    assert charge.cost(Decision(action=0, cost_ns=40)) == 80


@pytest.mark.parametrize("charge", [Zero(), Fixed(3), Table([3])])
def test_deterministic_modes_ignore_what_the_decision_states(charge: Charge) -> None:
    charge.start()
    assert charge.cost(Decision(action=0, cost_ns=40)) in (0, 3)


def test_clock_that_runs_back_is_an_error() -> None:
    with pytest.raises(ValueError, match="-5 ns"):
        costs(Measured(HandClock(10, 5)), 1)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf])
def test_scale_must_be_finite_and_positive(scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        Measured(HandClock(), scale=scale)


def test_impossible_costs_are_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        Fixed(-1)
    with pytest.raises(ValueError, match="-2 ns"):
        Table([3, -2])
    with pytest.raises(ValueError, match="at least one"):
        Table([])
