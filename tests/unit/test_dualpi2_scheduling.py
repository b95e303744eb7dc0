"""Who goes next in DualPI2, what is counted, and changes in operation.

Time stands still (every call at 0) where a constant base probability is wanted: no update falls due then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lanecast.l4s.classifier import CLASSIC, LOW
from lanecast.l4s.dualpi2 import DualPi2
from lanecast.transport.rng import Stream
from lanecast.transport.stage import CE, DATA, ECT0, ECT1, NOT_ECT, Packet, make_packet
from lanecast.transport.units import MS

TUPDATE = 16 * MS


def packet(ecn: int = ECT1, size: int = 1500, flow: int = 0, pn: int = 0) -> Packet:
    return make_packet(flow, DATA, size, ecn, pn, pn, 0)


def dual(**options: Any) -> DualPi2:
    return DualPi2(Stream(7, "dualpi2"), **options)


# Scheduling -------------------------------------------------------------------------------------------------


def shares(queue: DualPi2, low_sizes: Sequence[int], classic_sizes: Sequence[int]) -> float:
    """Keep both backlogged; return L's share of the bytes."""
    sent, turn = {True: 0, False: 0}, {True: 0, False: 0}

    def fill(is_low: bool) -> None:
        sizes = low_sizes if is_low else classic_sizes
        queue.offer(0, packet(ECT1 if is_low else NOT_ECT, size=sizes[turn[is_low] % len(sizes)]))
        turn[is_low] += 1

    for _ in range(5):
        fill(is_low=True)
        fill(is_low=False)
    for _ in range(60_000):
        taken = queue.take(0)
        assert taken is not None
        is_low = taken.ecn == ECT1
        sent[is_low] += taken.size
        fill(is_low)
    return sent[True] / (sent[True] + sent[False])


SIZES = [((1500,), (1500,)), ((60,), (1500,)), ((1500,), (60,)), ((60, 1500, 700), (1500, 40, 9000))]


@pytest.mark.parametrize(("low", "classic"), SIZES)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 0.9),
        ({"classic_protection": 40.0}, 0.6),
        ({"scheduler": "wrr"}, 0.9),
        ({"profile": "rfc9332"}, 15 / 16),
        ({"profile": "linux-early"}, 16 / 17),
    ],
)
def test_both_backlogged_the_bytes_are_shared_as_set(
    options: dict[str, Any], expected: float, low: Sequence[int], classic: Sequence[int]
) -> None:
    assert shares(dual(**options), low, classic) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("scheduler", ["credit", "wrr", "tsfifo", "strict"])
def test_what_one_queue_does_not_use_goes_to_the_other(scheduler: str) -> None:
    for ecn in (ECT1, NOT_ECT):
        queue = dual(scheduler=scheduler)
        for _ in range(50):
            queue.offer(0, packet(ecn))
        assert all(queue.take(0) is not None for _ in range(50))
        assert queue.credit <= 0, "a queue alone gathers no claim"


def test_the_credit_starts_with_l_moves_only_in_contention_and_is_reset_when_empty() -> None:
    queue = dual()
    start = 1500 * (10 - 90)
    assert queue.credit == start
    queue.offer(0, packet(ECT1, size=1000))
    queue.take(0)
    assert queue.credit == start
    queue.offer(0, packet(ECT1, size=1000))
    queue.offer(0, packet(NOT_ECT))
    queue.take(0)
    assert queue.credit == start + 10 * 1000
    queue.take(0)
    assert queue.credit == start + 10 * 1000, "nobody waited"
    assert queue.take(0) is None
    assert queue.credit == start


def test_a_dropped_packet_earns_no_credit() -> None:
    queue = dual(step_thresh=0)
    queue.probability = 1.0
    for _ in range(10):
        queue.offer(0, packet(NOT_ECT))
    for _ in range(4):
        queue.offer(0, packet(ECT1))
    before = queue.credit
    taken = queue.take(0)  # every packet is dropped until less than two full ones are left behind it
    assert taken is not None
    assert taken.ecn == NOT_ECT
    assert (queue.dropped, queue.credit) == (12, before)


@pytest.mark.parametrize(("late", "first"), [(50 * MS, ECT1), (50 * MS + 1, NOT_ECT)])
def test_the_time_shifted_fifo_lets_l_overtake_by_its_shift(late: int, first: int) -> None:
    queue = dual(scheduler="tsfifo")
    queue.offer(0, packet(NOT_ECT))
    queue.offer(late, packet(ECT1))
    taken = queue.take(late)
    assert taken is not None
    assert taken.ecn == first


@pytest.mark.parametrize("scheduler", ["credit", "wrr", "tsfifo", "strict"])
def test_looking_at_the_head_changes_nothing(scheduler: str) -> None:
    stories = []
    for curious in (False, True):
        queue, story, calls = dual(scheduler=scheduler), [], Stream(3, "calls")
        for pn in range(3000):
            if calls.next_double() < 0.5:
                ecn = ECT1 if calls.next_double() < 0.5 else NOT_ECT
                queue.offer(pn, packet(ecn, size=100 + int(calls.next_double() * 1400), pn=pn))
            else:
                taken = queue.take(pn)
                story.append(-1 if taken is None else taken.pn)
            if curious:
                queue.head_sojourn(pn)
        stories.append(story)
    assert stories[0] == stories[1]


# Sojourn scaling, limits, counters --------------------------------------------------------------------------


def test_the_scaled_sojourn_is_the_sojourn_times_backlog_now_over_backlog_then() -> None:
    queue = dual(sojourn="scaled", step_thresh=MS)
    for _ in range(4):
        queue.offer(0, packet(ECT1))
    marks = []
    for now in (3 * MS, 3 * MS, 3 * MS, 3 * MS):
        taken = queue.take(now)
        assert taken is not None
        marks.append(taken.ecn == CE)
    # backlog then 1 to 4 packets, now 4 to 1: 12, 4.5, 2, 0.75 ms
    assert marks == [True, True, True, False]


def test_limits_count_both_queues() -> None:
    queue = dual(limit=3, memlimit=100_000)
    assert [queue.offer(0, packet(ecn)) for ecn in (ECT1, NOT_ECT, ECT1, ECT1, ECT0)] == [True] * 3 + [
        False
    ] * 2
    assert (queue.tally_low.dropped_full, queue.tally_classic.dropped_full, queue.dropped_tail) == (1, 1, 2)
    small = dual(memlimit=3000)
    assert [small.offer(0, packet(ecn, size=1400)) for ecn in (ECT1, NOT_ECT, ECT1)] == [True, True, False]
    assert dual(limit=10).limit_bytes == 10 * 2 * 1500, "memlimit follows limit unless given"


def test_the_tallies_tell_sojourn_times_and_marks_of_each_queue() -> None:
    queue = dual()
    queue.offer(0, packet(ECT1))
    queue.offer(0, packet(ECT1))
    queue.offer(0, packet(NOT_ECT))
    for now in (MS, 3 * MS, 9 * MS):
        queue.take(now)
    low, classic = queue.tally_low, queue.tally_classic
    assert (low.offered, low.sent, low.waited_sum, low.waited_most, low.mean_wait()) == (
        2,
        2,
        4 * MS,
        3 * MS,
        2e6,
    )
    assert (low.marked_step, classic.sent, classic.waited_sum, classic.dropped()) == (1, 1, 9 * MS, 0)


def test_statistics_bear_the_names_of_tc() -> None:
    queue = dual()
    for ecn in (ECT1, ECT1, NOT_ECT):
        queue.offer(0, packet(ecn))
    found = queue.statistics(2 * MS)
    assert found == {
        "prob": 0.0, "delay_c": 2000, "delay_l": 2000, "packets_in_c": 1, "packets_in_l": 2, "maxq": 3,
        "ecn_mark": 0, "step_marks": 0, "credit": -120_000.0, "memory_used": 4500,
    }  # fmt: skip


# Changes in operation ---------------------------------------------------------------------------------------


def test_configure_keeps_packets_probability_and_credit() -> None:
    queue = dual()
    queue.probability = 0.2
    for ecn in (ECT1, ECT1, NOT_ECT, NOT_ECT):
        queue.offer(0, packet(ecn))
    queue.take(0)
    credit = queue.credit
    queue.configure(MS, target=5 * MS, step_thresh=2 * MS)
    assert (queue.count, queue.probability, queue.credit) == (3, 0.2, credit)
    assert (queue.settings.target, queue.settings.alpha) == (5 * MS, 41 / 256)


def test_configure_makes_the_updates_due_under_the_old_settings_first() -> None:
    changed, kept = dual(), dual()
    for queue in (changed, kept):
        queue.offer(0, packet(NOT_ECT))
    kept.catch_up(80 * MS)
    changed.configure(80 * MS, alpha=50.0)
    assert changed.probability == kept.probability
    changed.catch_up(96 * MS)
    kept.catch_up(96 * MS)
    assert changed.probability > kept.probability


def test_an_impossible_change_changes_nothing() -> None:
    queue = dual()
    before = queue.settings
    for change in ({"target": 0}, {"targit": 1}, {"scheduler": "lifo"}, {"classic_protection": 101}):
        with pytest.raises(ValueError, match="DualPI2"):
            queue.configure(5, **change)
    assert queue.settings is before


def test_switching_to_notes_in_operation_serves_the_packets_that_have_none() -> None:
    queue = dual()
    for pn in range(5):
        queue.offer(0, packet(ECT1, pn=pn))
    queue.configure(0, min_qlen_step=2)
    queue.offer(0, packet(ECT1, pn=5))
    queue.configure(0, sojourn="scaled")
    queue.take(0)
    queue.configure(0, sojourn="plain", min_qlen_step=0)
    queue.configure(0, min_qlen_step=9)
    queue.offer(0, packet(ECT1, pn=6))
    taken = [queue.take(2 * MS) for _ in range(6)]
    assert [one.pn for one in taken if one is not None] == [1, 2, 3, 4, 5, 6]
    assert queue.marked_step == 5, "only the last met fewer than nine"


def test_a_discipline_of_ones_own_is_used() -> None:
    from lanecast.l4s.discipline import Discipline  # noqa: PLC0415 - here to show the whole way

    class ClassicFirst(Discipline):
        def pick(self, low: Any, classic: Any) -> int:
            if classic.head is not None:
                return CLASSIC
            return -1 if low.head is None else LOW

    queue = dual(scheduler=ClassicFirst())
    for ecn in (ECT1, NOT_ECT):
        queue.offer(0, packet(ecn))
    taken = [queue.take(0), queue.take(0)]
    assert [one.ecn for one in taken if one is not None] == [NOT_ECT, ECT1]
