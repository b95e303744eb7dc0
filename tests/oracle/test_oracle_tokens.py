"""The oracles against brute force, and against every scheme on the same realisation."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.emulation.channel import Channel
from lanecast.emulation.impair import GilbertElliott, LossProcess
from lanecast.transport.calendar import Calendar
from lanecast.transport.rng import Streams
from lanecast.transport.tokens.endpoint import TokenReceiver, TokenSender
from lanecast.transport.tokens.oracle import budgeted, choose, clairvoyant, earliest_arrivals
from lanecast.transport.tokens.scheme import SCHEMES, make_scheme
from lanecast.transport.tokens.source import constant_gap
from lanecast.transport.units import MS, NEVER, SECOND

THRESHOLD = 200 * MS
COPIES = 12  # more than any scheme here sends in a slot


class Table:
    """A channel as a table of surviving slots; constant delay."""

    delay = 10 * MS

    def __init__(self, alive: list[bool]) -> None:
        self.alive = alive

    def lost_at(self, slot: int, n: int) -> bool:
        return slot < len(self.alive) and not self.alive[slot]

    def delay_at(self, slot: int, n: int) -> int:
        return self.delay


def channel(calendar: Calendar, seed: int, bad: float = 0.9) -> Channel:
    streams = Streams(seed)
    process: LossProcess = GilbertElliott(
        streams.stream("state"), mean_good=1.8 * SECOND, mean_bad=0.2 * SECOND, loss_good=0.02, loss_bad=bad
    )
    return Channel(calendar, streams.key("there") >> 1, process, 50 * MS, jitter_mean=3 * MS)


def brute(made: Channel, born: int, copies: int) -> int:
    best = NEVER
    for slot in range(born // MS, born // MS + 3000):
        send = max(born, slot * MS)
        best = min(
            [best] + [send + made.delay_at(slot, n) for n in range(copies) if not made.lost_at(slot, n)]
        )
        if send + made.delay >= best:
            return best
    raise AssertionError("nothing survives for 3 s")


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("bad", [0.9, 1.0])
def test_earliest_arrivals_equal_a_search_of_all_slots_and_copies(seed: int, bad: float) -> None:
    made = channel(Calendar(), seed, bad)
    times = [int(t) for t in np.arange(200) * 20 * MS + 333]
    assert earliest_arrivals(made, times, copies=3).tolist() == [brute(made, born, 3) for born in times]


@pytest.mark.parametrize("name", sorted(SCHEMES))
@pytest.mark.parametrize("seed", [4, 5])
def test_no_scheme_shows_a_token_before_the_clairvoyant(name: str, seed: int) -> None:
    calendar = Calendar()
    made = channel(calendar, seed)
    stream = constant_gap(50 * MS, 200)
    scheme = make_scheme(name)
    sender, receiver = TokenSender(calendar, stream, scheme), TokenReceiver(calendar).follow(scheme)
    back = Channel(calendar, 77, LossProcess(0.1), 50 * MS, jitter_mean=3 * MS)
    sender.out, made.out, receiver.out, back.out = made, receiver, back, sender
    while not sender.is_done():
        calendar.settle(calendar.next_event())
    shown = np.array(receiver.rendered)
    bound = clairvoyant(made, stream.times, copies=COPIES)
    assert np.all(bound <= shown)
    gaps, best = np.diff(shown), np.diff(bound)
    # stall seconds too, up to what a token shown late before a bad time can hide
    hidden = np.maximum(gaps - THRESHOLD, 0).sum() - np.maximum(best - THRESHOLD, 0).sum()
    assert hidden >= -50 * MS


def every_plan(slots: list[int], packets: int) -> list[tuple[int, ...]]:
    return [plan for size in range(1, packets + 1) for plan in combinations(slots, size)]


def shown_by(plan: tuple[int, ...], born: list[int]) -> list[int] | None:
    """Return render times when packets leave at these times, all arriving; None if a token is left."""
    shown = []
    for g in born:
        later = [t for t in plan if t >= g]
        if not later:
            return None
        shown.append(later[0] + Table.delay)
    return shown


def stall(shown: list[int]) -> int:
    return sum(max(0, b - a - THRESHOLD) for a, b in zip(shown, shown[1:], strict=False))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 1), min_size=2, max_size=6),
    st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_with_a_packet_for_every_token_greedy_shows_each_at_its_earliest(
    steps: list[int], alive: list[bool]
) -> None:
    born = (np.cumsum(steps) * MS).tolist()
    table = Table(alive)
    slots = [s * MS for s in range(9) if not table.lost_at(s, 0)]
    render, cost = budgeted(table, born, [5] * len(born), 45.0)
    plans = [shown_by(plan, born) for plan in every_plan(slots, len(born))]
    best = [min(column) for column in zip(*[plan for plan in plans if plan is not None], strict=True)]
    assert render.tolist() == best
    assert cost <= 45.0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=3, max_size=11), st.integers(2, 12))
def test_the_tight_budget_equals_the_best_of_all_subsets(gaps: list[int], packets: int) -> None:
    arrivals = np.cumsum([0, *gaps]) * 90 * MS
    count = len(arrivals)
    kept = choose(arrivals, packets)
    assert kept[0] == 0
    assert kept[-1] == count - 1
    assert len(kept) <= min(packets, count)
    inner = range(1, count - 1)
    best = min(
        stall([int(arrivals[k]) for k in (0, *chosen, count - 1)])
        for size in range(min(packets, count) - 1)
        for chosen in combinations(inner, size)
    )
    assert stall([int(arrivals[k]) for k in kept]) == best


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.floats(9.0, 60.0))
def test_a_budget_is_kept_to_the_byte(tokens: int, budget: float) -> None:
    born = [i * 70 * MS for i in range(tokens)]
    try:
        render, cost = budgeted(Table([True] * 2000), born, [5] * tokens, budget)
    except ValueError:
        assert budget * tokens < 5 * tokens + 80  # not even two packets
        return
    assert cost <= budget + 1e-9
    assert len(render) == tokens
    assert np.all(np.diff(render) >= 0)
    assert np.all(render >= np.array(born) + Table.delay)


def test_more_budget_never_stalls_more() -> None:
    made = channel(Calendar(), 9, 1.0)
    born = [i * 50 * MS for i in range(120)]
    stalls = [stall(budgeted(made, born, [5] * 120, budget)[0].tolist()) for budget in (8, 12, 20, 30, 45)]
    assert stalls == sorted(stalls, reverse=True)
    assert stalls[0] > stalls[-1]
