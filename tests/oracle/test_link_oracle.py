"""Links against the naive reference in `lanecast.experiments.naive_link`: no mismatch is allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.emulation.capacity import Capacity, RateCapacity
from lanecast.emulation.link import Link, OpportunityLink
from lanecast.experiments.naive_link import DROPPED, NEVER_SENT, departures, expand, fluid_departures
from lanecast.l4s.queue import Queue
from lanecast.transport.calendar import Calendar
from lanecast.transport.stage import DATA, NOT_ECT, Packet, Stage, make_packet

MS = 1_000_000


class Notes(Stage):
    """Writes down when each packet number came by."""

    def __init__(self, count: int) -> None:
        super().__init__("notes")
        self.times = [NEVER_SENT] * count

    def push(self, now: int, packet: Packet) -> None:
        self.times[packet.pn] = now


class NotingQueue(Queue):
    """A plain-Python queue that remembers which packet numbers it refused."""

    def __init__(self, **limits: int) -> None:
        super().__init__(**limits)
        self.refused: list[int] = []

    def discard(self, now: int, packet: Packet, reason: int) -> None:
        super().discard(now, packet, reason)
        self.refused.append(packet.pn)


def replay(
    link: Stage, queue: NotingQueue, calendar: Calendar, arrivals: list[int], sizes: list[int], end: int
) -> list[int]:
    notes = Notes(len(arrivals))
    link.out = notes
    for pn, (time, size) in enumerate(zip(arrivals, sizes, strict=True)):
        calendar.settle(time)
        link.push(time, make_packet(0, DATA, size, NOT_ECT, pn, pn, time))
        assert link.pushed == link.passed + link.dropped + link.held()
    calendar.settle(end)
    assert link.pushed == link.passed + link.dropped + link.held()
    for pn in queue.refused:
        notes.times[pn] = DROPPED
    return notes.times


Opportunities = st.lists(st.integers(0, 30), min_size=1, max_size=30).map(sorted).filter(lambda t: t[-1] > 0)
Arrivals = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from([40, 60, 700, 1500, 1504])), min_size=1, max_size=60
)


@given(
    Opportunities, Arrivals, st.booleans(), st.booleans(), st.integers(0, 6), st.sampled_from([0, 1500, 4000])
)
def test_opportunity_link_equals_the_naive_walk(
    times: list[int],
    packets: list[tuple[int, int]],
    loop: bool,
    mahimahi: bool,
    limit_packets: int,
    limit_bytes: int,
) -> None:
    arrivals = sorted(time for time, _ in packets)
    sizes = [size for _, size in packets]
    credit, overhead = (1504, 4) if mahimahi else (1500, 0)
    calendar, queue = Calendar(), NotingQueue(limit_packets=limit_packets, limit_bytes=limit_bytes)
    link = OpportunityLink(calendar, queue, times, bytes_each=credit, overhead=overhead, loop=loop)
    ours = replay(link, queue, calendar, arrivals, sizes, 3000)
    naive = departures(
        expand(times, 3000, loop=loop),
        arrivals,
        sizes,
        bytes_each=credit,
        overhead=overhead,
        limit_packets=limit_packets,
        limit_bytes=limit_bytes,
    )
    assert ours == naive


Segments = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from([0, 100_003, 10_000_000, 10**8 + 7])),
    min_size=1,
    max_size=8,
)


@given(Segments, Arrivals, st.booleans())
def test_rate_link_equals_exact_fractions(
    segments: list[tuple[int, int]], packets: list[tuple[int, int]], loop: bool
) -> None:
    lengths = [length * 1000 for length, _ in segments]
    rates = [rate * 1000 for _, rate in segments]
    rates[-1] = rates[-1] or 12_000_000  # the last rate holds when the trace does not loop
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    arrivals = sorted(time * 500 for time, _ in packets)
    sizes = [size for _, size in packets][:6]
    arrivals = arrivals[:6]
    calendar, queue = Calendar(), NotingQueue()
    capacity = RateCapacity(starts, rates, sum(lengths), after="loop" if loop else "hold")
    naive = fluid_departures(starts, rates, sum(lengths), arrivals, sizes, loop=loop)
    assert replay(Link(calendar, queue, capacity), queue, calendar, arrivals, sizes, max(naive)) == naive


@given(Arrivals, st.integers(1, 10**10))
def test_constant_rate_loses_no_fraction_of_a_bit_over_a_busy_period(
    packets: list[tuple[int, int]], rate: int
) -> None:
    sizes = [size for _, size in packets]
    calendar, queue = Calendar(), NotingQueue()
    ours = replay(Link(calendar, queue, Capacity(rate)), queue, calendar, [0] * len(sizes), sizes, 2**62)
    total = 0
    for size, time in zip(sizes, ours, strict=True):
        total += size * 8 * 10**9
        assert time == -(-total // rate)


@pytest.mark.parametrize(
    ("times", "arrivals", "sizes", "expected"),
    [
        (
            [10],
            [10 * MS, 10 * MS + 1],
            [1500, 1500],
            [20 * MS, 30 * MS],
        ),  # an arrival on an opportunity waits for the next
        ([0, 10], [1], [1500], [10 * MS]),
        (
            [0, 10],
            [1, 2, 3],
            [1500] * 3,
            [10 * MS, 10 * MS, 20 * MS],
        ),  # the wrap: last of a round and first of the next
        ([5], [0, 0], [700, 700], [5 * MS, 5 * MS]),  # two small packets share one opportunity
        ([5], [0], [2000], [10 * MS]),  # a packet straddles opportunities
        ([5], [0, 6 * MS], [100, 1500], [5 * MS, 10 * MS]),  # unused credit is lost
        ([1], [0] * 3, [1500] * 3, [1 * MS, 2 * MS, 3 * MS]),
        ([200] * 10, [0] * 12, [1500] * 12, [200 * MS] * 10 + [400 * MS] * 2),
    ],
)
def test_hand_worked_opportunities(
    times: list[int], arrivals: list[int], sizes: list[int], expected: list[int]
) -> None:
    calendar, queue = Calendar(), NotingQueue()
    link = OpportunityLink(calendar, queue, [time * MS for time in times])
    assert replay(link, queue, calendar, arrivals, sizes, 1000 * MS) == expected


def test_a_trace_that_does_not_loop_leaves_a_dead_link() -> None:
    calendar, queue = Calendar(), NotingQueue()
    link = OpportunityLink(calendar, queue, [5 * MS], loop=False)
    assert replay(link, queue, calendar, [0, 0, 6 * MS], [1500] * 3, 10**12) == [
        5 * MS,
        NEVER_SENT,
        NEVER_SENT,
    ]
    assert link.held() == 2


def test_a_stopped_rate_trace_holds_its_packets() -> None:
    calendar, queue = Calendar(), NotingQueue()
    link = Link(calendar, queue, RateCapacity([0], [12_000_000], 2 * MS, after="stop"))
    assert replay(link, queue, calendar, [0, 0, 0, 5 * MS], [1500] * 4, 10**15) == [
        MS,
        2 * MS,
        NEVER_SENT,
        NEVER_SENT,
    ]


def test_ten_gigabit_for_a_hundred_thousand_seconds_does_not_overflow() -> None:
    calendar, queue = Calendar(), NotingQueue()
    second = 10**9
    capacity = RateCapacity([0, 50_000 * second], [10**10, 10**10 - 1], 100_000 * second)
    start = 99_999 * second
    ours = replay(
        Link(calendar, queue, capacity), queue, calendar, [0, start], [1500, 1500], 200_000 * second
    )
    assert ours == [1200, start + 1201]


@pytest.mark.parametrize("bad", [[], [0], [3, 2], [-1, 5]])
def test_impossible_opportunities_are_refused(bad: list[int]) -> None:
    with pytest.raises(ValueError, match="opportunities"):
        OpportunityLink(Calendar(), Queue(), bad)


@pytest.mark.parametrize(
    ("starts", "rates", "end"),
    [([0], [0], 5), ([1], [5], 5), ([0, 0], [1, 1], 5), ([0], [1, 2], 5), ([0, 9], [1, 1], 9)],
)
def test_impossible_rates_are_refused(starts: list[int], rates: list[int], end: int) -> None:
    with pytest.raises(ValueError, match="start|rate"):
        RateCapacity(starts, rates, end)
