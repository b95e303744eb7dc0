from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lanecast.transport.calendar import Calendar
from lanecast.transport.stage import Stage


class Branching(Stage):
    """On each wake posts its next delays, and notes what happened."""

    def __init__(
        self, calendar: Calendar, name: str, delays: list[int], notes: list[tuple[int, str]]
    ) -> None:
        super().__init__(name)
        self.calendar = calendar
        self.delays = list(delays)
        self.notes = notes

    def wake(self, now: int) -> None:
        self.notes.append((now, self.name))
        for _ in range(2):
            if self.delays:
                self.calendar.at(now + self.delays.pop(), self)


Delays = st.lists(st.lists(st.integers(0, 50), max_size=12), min_size=1, max_size=6)


def run(delays: list[list[int]], stops: list[int]) -> list[tuple[int, str]]:
    calendar = Calendar()
    notes: list[tuple[int, str]] = []
    for i, own in enumerate(delays):
        calendar.at(i, Branching(calendar, f"s{i}", own, notes))
    for stop in [*sorted(stops), 10_000]:
        calendar.settle(stop)
        assert calendar.next_event() > stop
    return notes


@given(Delays, st.lists(st.integers(0, 700), max_size=5))
def test_settling_in_steps_equals_settling_at_once_and_time_is_monotone(
    delays: list[list[int]], stops: list[int]
) -> None:
    in_steps = run(delays, stops)
    assert in_steps == run(delays, [])
    assert [time for time, _ in in_steps] == sorted(time for time, _ in in_steps)
    assert len(in_steps) == len(delays) + sum(len(own) for own in delays)
