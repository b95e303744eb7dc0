from __future__ import annotations

import pytest

from lanecast.transport.rangeset import FIRST_CAPACITY, FIRST_FLAGS, Ahead, RangeSet


def filled(*numbers: int, limit: int = 0) -> RangeSet:
    ranges = RangeSet(limit)
    for number in numbers:
        ranges.add(number)
    return ranges


def test_neighbours_join_into_one_range() -> None:
    assert filled(5, 7, 6).ranges() == [(5, 7)]
    assert filled(1, 2, 4, 5, 3).ranges() == [(1, 5)]


def test_a_number_below_extends_the_range_downwards() -> None:
    assert filled(5, 4, 10, 9).ranges() == [(4, 5), (9, 10)]


def test_add_tells_whether_the_number_was_new() -> None:
    ranges = filled(3, 4, 8)
    assert not ranges.add(3)
    assert not ranges.add(8)
    assert ranges.add(6)
    assert ranges.ranges() == [(3, 4), (6, 6), (8, 8)]


def test_contains_sees_only_what_was_added() -> None:
    ranges = filled(3, 4, 8)
    assert [n for n in range(11) if ranges.contains(n)] == [3, 4, 8]


def test_arrays_grow_beyond_their_first_capacity() -> None:
    numbers = range(0, 8 * FIRST_CAPACITY, 2)
    assert filled(*numbers).ranges() == [(n, n) for n in numbers]


def test_holes_filled_from_the_lowest_up_leave_one_range() -> None:
    ranges = filled(*range(0, 2000, 2))
    for number in range(1, 2000, 2):
        ranges.add(number)
        assert ranges.count == max(1, 1000 - (number + 1) // 2)
    assert ranges.ranges() == [(0, 1999)]


def test_numbers_ahead_wait_until_the_base_reaches_them() -> None:
    ahead = Ahead()
    assert ahead.add(3, 0)
    assert ahead.add(1, 0)
    assert not ahead.add(3, 0)
    assert ahead.count == 2
    assert ahead.advance(1) == 2  # 1 was here, 2 is missing
    assert ahead.advance(3) == 4
    assert ahead.count == 0
    assert ahead.advance(5) == 5


def test_the_ring_grows_to_the_farthest_number_and_keeps_its_flags() -> None:
    ahead = Ahead()
    base = 1000
    far = [base + 1, base + FIRST_FLAGS - 1, base + FIRST_FLAGS, base + 50 * FIRST_FLAGS]
    assert [ahead.add(number, base) for number in far] == [True] * 4
    assert [ahead.add(number, base) for number in far] == [False] * 4
    assert ahead.advance(base + 1) == base + 2
    assert ahead.advance(base + FIRST_FLAGS - 1) == base + FIRST_FLAGS + 1


def test_limit_forgets_the_lowest_range() -> None:
    ranges = filled(1, 3, 5, 7, limit=3)
    assert ranges.ranges() == [(3, 3), (5, 5), (7, 7)]
    assert ranges.forgotten == 1


def test_a_number_below_all_ranges_of_a_full_set_is_itself_forgotten() -> None:
    ranges = filled(3, 5, 7, limit=3)
    assert ranges.add(1)
    assert ranges.ranges() == [(3, 3), (5, 5), (7, 7)]


def test_joining_needs_no_room_in_a_full_set() -> None:
    ranges = filled(1, 3, 5, limit=3)
    ranges.add(4)
    assert ranges.ranges() == [(1, 1), (3, 5)]
    assert ranges.forgotten == 0


def test_negative_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="limit must be >= 0"):
        RangeSet(-1)
