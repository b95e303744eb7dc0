from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lanecast.transport.rangeset import Ahead, RangeSet

numbers = st.lists(st.integers(0, 60), max_size=120)


@given(numbers)
def test_ranges_describe_exactly_the_set_of_added_numbers(added: list[int]) -> None:
    ranges = RangeSet()
    model: set[int] = set()
    for number in added:
        assert ranges.add(number) == (number not in model)
        model.add(number)
    assert {n for first, last in ranges.ranges() for n in range(first, last + 1)} == model
    assert all(ranges.contains(n) == (n in model) for n in range(62))


@given(numbers)
def test_ranges_are_ascending_disjoint_and_not_adjacent(added: list[int]) -> None:
    ranges = RangeSet()
    for number in added:
        ranges.add(number)
    spans = ranges.ranges()
    assert all(first <= last for first, last in spans)
    assert all(a[1] + 1 < b[0] for a, b in zip(spans, spans[1:], strict=False))


@given(st.lists(st.integers(0, 400), max_size=300), st.integers(1, 6))
def test_a_limited_set_equals_a_list_of_ranges_that_loses_its_lowest(added: list[int], limit: int) -> None:
    ranges = RangeSet(limit)
    model: list[tuple[int, int]] = []
    for number in added:
        ranges.add(number)
        inside = {n for first, last in model for n in range(first, last + 1)} | {number}
        model = [
            (first, next(n for n in range(first, 402) if n + 1 not in inside))
            for first in sorted(inside)
            if first - 1 not in inside
        ]
        if len(model) > limit:
            model.pop(0)
        assert ranges.ranges() == model


@given(st.lists(st.integers(0, 500), max_size=300), st.integers(0, 10**12))
def test_numbers_ahead_equal_a_plain_set(arrivals: list[int], origin: int) -> None:
    ahead, base, waiting = Ahead(), origin, set[int]()
    for arrival in arrivals:
        number = origin + arrival
        if number == base:
            base = ahead.advance(number + 1)
            expected = number + 1
            while expected in waiting:
                waiting.remove(expected)
                expected += 1
            assert base == expected
        elif number > base:
            assert ahead.add(number, base) == (number not in waiting)
            waiting.add(number)
        assert ahead.count == len(waiting)


@given(numbers, st.integers(1, 5))
def test_a_limited_set_keeps_the_highest_numbers(added: list[int], limit: int) -> None:
    limited, full = RangeSet(limit), RangeSet()
    for number in added:
        limited.add(number)
        full.add(number)
        assert limited.count <= limit
        assert limited.ranges()[-1][1] == full.ranges()[-1][1]
        assert all(full.contains(n) for first, last in limited.ranges() for n in (first, last))
