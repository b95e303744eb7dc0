from __future__ import annotations

import math

import pytest

from lanecast.emulation.delay import Delay, RandomDelay, TrackDelay
from lanecast.emulation.track import LimitFollower, Track
from lanecast.l4s.queue import Queue
from lanecast.transport.calendar import Calendar
from lanecast.transport.rng import Streams
from lanecast.transport.stage import DATA, NOT_ECT, Packet, Stage, make_packet
from lanecast.transport.units import MS, NEVER


class Notes(Stage):
    def __init__(self) -> None:
        super().__init__("notes")
        self.rows: list[tuple[int, int]] = []

    def push(self, now: int, packet: Packet) -> None:
        self.rows.append((now, packet.pn))


def feed(calendar: Calendar, stage: Stage, times: list[int]) -> list[tuple[int, int]]:
    notes = Notes()
    stage.out = notes
    for pn, time in enumerate(times):
        calendar.settle(time)
        stage.push(time, make_packet(0, DATA, 100, NOT_ECT, pn, pn, time))
        assert stage.pushed == stage.passed + stage.held()
    calendar.settle(10**12)
    assert (stage.passed, stage.held()) == (len(times), 0)
    return notes.rows


def test_constant_delay_is_exact_and_zero_delay_lets_pass_within_the_instant() -> None:
    calendar = Calendar()
    assert feed(calendar, Delay(calendar, 7), [0, 1, 1, 50]) == [(7, 0), (8, 1), (8, 2), (57, 3)]
    calendar = Calendar()
    assert feed(calendar, Delay(calendar, 0), [3, 3]) == [(3, 0), (3, 1)]


def test_a_falling_delay_keeps_order_unless_overtaking_is_allowed() -> None:
    falling = Track([0, 10], [100, 20], 1000)
    calendar = Calendar()
    assert feed(calendar, TrackDelay(calendar, falling), [5, 10, 200]) == [(105, 0), (105, 1), (220, 2)]
    calendar = Calendar()
    free = TrackDelay(calendar, falling, ordered=False)
    assert feed(calendar, free, [5, 10, 200]) == [(30, 1), (105, 0), (220, 2)]


def test_equal_due_times_leave_in_arrival_order_even_where_overtaking_is_allowed() -> None:
    calendar = Calendar()
    line = TrackDelay(calendar, Track([0, 10], [20, 10], 1000), ordered=False)
    assert feed(calendar, line, [0, 10]) == [(20, 0), (20, 1)]


def test_erlang_jitter_has_its_mean_and_variance() -> None:
    """Mean within 5 standard errors; an Erlang-2 variable of mean m has variance m^2 / 2."""
    calendar = Calendar()
    line = RandomDelay(calendar, 10 * MS, Streams(1).stream("jitter"), jitter_mean=3 * MS, ordered=False)
    packet = make_packet(0, DATA, 1, NOT_ECT, 0, 0, 0)
    n = 20_000
    extra = [line.delay_of(0, packet) - 10 * MS for _ in range(n)]
    mean = sum(extra) / n
    assert min(extra) >= 0
    assert abs(mean - 3 * MS) < 5 * 3 * MS / math.sqrt(2 * n)
    variance = sum((value - mean) ** 2 for value in extra) / n
    assert abs(variance / (4.5 * MS**2) - 1) < 5 * math.sqrt(5 / n)


def test_a_track_repeats_or_holds_and_tells_its_next_change() -> None:
    track = Track([0, 10, 30], [1, 2, 3], 40)
    assert [track.at(t) for t in (0, 9, 10, 29, 30, 39, 40, 50, 85, 3)] == [1, 1, 2, 2, 3, 3, 1, 2, 1, 1]
    assert [track.next_change(t) for t in (0, 10, 35, 40)] == [10, 30, 40, 50]
    held = Track([0, 10], [1, 2], 40, loop=False)
    assert (held.at(10**15), held.next_change(10)) == (2, NEVER)


def test_a_queue_limit_follows_its_track_and_never_removes_held_packets() -> None:
    calendar, queue = Calendar(), Queue()
    LimitFollower(calendar, queue, Track([0, 10], [2, 1], 20))
    calendar.settle(0)
    taken = [queue.offer(0, make_packet(0, DATA, 9, NOT_ECT, pn, pn, 0)) for pn in range(3)]
    assert taken == [True, True, False]
    calendar.settle(10)
    assert (queue.limit_packets, queue.count) == (1, 2)
    calendar.settle(20)
    assert queue.limit_packets == 2
    in_bytes = Queue()
    LimitFollower(calendar, in_bytes, Track([0], [500], 20), unit="bytes")
    calendar.settle(20)
    assert (in_bytes.limit_bytes, in_bytes.limit_packets) == (500, 0)


@pytest.mark.parametrize(
    ("starts", "values", "end"), [([], [], 1), ([0], [1, 2], 5), ([1], [1], 5), ([0, 5], [1, 1], 5)]
)
def test_impossible_tracks_are_refused(starts: list[int], values: list[int], end: int) -> None:
    with pytest.raises(ValueError, match="start"):
        Track(starts, values, end)


def test_negative_delays_and_unknown_units_are_refused() -> None:
    with pytest.raises(ValueError, match="delay must be >= 0"):
        Delay(Calendar(), -1)
    with pytest.raises(ValueError, match="packets or bytes"):
        LimitFollower(Calendar(), Queue(), Track([0], [1], 1), unit="grams")
