from __future__ import annotations

import pytest

from lanecast.transport.calendar import SPIN_LIMIT, Calendar
from lanecast.transport.stage import Stage
from lanecast.transport.units import NEVER


class Diary(Stage):
    """Notes every wake-up in a shared list."""

    def __init__(self, name: str, notes: list[tuple[int, str]]) -> None:
        super().__init__(name)
        self.notes = notes

    def wake(self, now: int) -> None:
        self.notes.append((now, self.name))


class Again(Stage):
    """Asks for the same instant for ever."""

    def __init__(self, calendar: Calendar) -> None:
        super().__init__("again")
        self.calendar = calendar

    def wake(self, now: int) -> None:
        self.calendar.at(now, self)


def test_events_fire_in_time_then_posting_order_each_at_its_own_time() -> None:
    calendar = Calendar()
    notes: list[tuple[int, str]] = []
    one, two = Diary("one", notes), Diary("two", notes)
    calendar.at(30, one)
    calendar.at(10, two)
    calendar.at(10, one)
    calendar.at(20, two)
    calendar.settle(25)
    assert notes == [(10, "two"), (10, "one"), (20, "two")]
    assert calendar.now == 25
    assert calendar.next_event() == 30


def test_idle_calendar_has_no_next_event() -> None:
    calendar = Calendar()
    assert calendar.next_event() == NEVER
    calendar.settle(5)
    assert calendar.now == 5


def test_time_never_goes_back() -> None:
    calendar = Calendar()
    calendar.settle(100)
    with pytest.raises(ValueError, match="back from 100 to 99"):
        calendar.settle(99)
    with pytest.raises(ValueError, match="late: asked to be woken at 99"):
        calendar.at(99, Stage("late"))


def test_an_event_posted_by_a_wake_for_the_same_instant_fires_in_the_same_settle() -> None:
    notes: list[tuple[int, str]] = []
    calendar = Calendar()
    late = Diary("late", notes)

    class Poster(Stage):
        def wake(self, now: int) -> None:
            calendar.at(now, late)
            calendar.at(now + 5, late)

    calendar.at(10, Poster())
    calendar.settle(10)
    assert notes == [(10, "late")]
    assert calendar.next_event() == 15


def test_next_event_asked_inside_a_wake_does_not_show_the_entry_being_fired() -> None:
    seen: list[int] = []
    calendar = Calendar()

    class Asker(Stage):
        def wake(self, now: int) -> None:
            seen.append(calendar.next_event())
            calendar.at(now + 1, self) if now < 12 else None

    calendar.at(10, Asker())
    calendar.at(40, Stage())
    calendar.settle(50)
    assert seen == [40, 40, 40]


def test_a_stage_that_makes_no_progress_is_named() -> None:
    calendar = Calendar()
    stage = Again(calendar)
    calendar.at(7, stage)
    with pytest.raises(RuntimeError, match="'again'"):
        calendar.settle(7)
    assert calendar.fired >= SPIN_LIMIT


def test_many_entries_come_out_sorted_across_growth_of_the_heap() -> None:
    calendar = Calendar()
    notes: list[tuple[int, str]] = []
    stages = [Diary(str(i), notes) for i in range(300)]
    times = [(i * 7919) % 1009 for i in range(300)]
    for time, stage in zip(times, stages, strict=True):
        calendar.at(time, stage)
    calendar.settle(2000)
    assert notes == sorted(
        ((t, s.name) for t, s in zip(times, stages, strict=True)), key=lambda n: (n[0], int(n[1]))
    )
