from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.emulation.aggregate import Aggregate
from lanecast.emulation.delay import Delay
from lanecast.emulation.path import chain
from lanecast.emulation.simulator import Simulation
from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.fixed import Fixed
from lanecast.transport.receiver import Receiver
from lanecast.transport.sender import Sender
from lanecast.transport.stage import DATA, NOT_ECT, Demux, Packet, Stage, make_packet
from lanecast.transport.units import MS


class Note(Stage):
    """Writes down when each packet came out."""

    def __init__(self) -> None:
        super().__init__("note")
        self.seen: list[tuple[int, int]] = []

    def push(self, now: int, packet: Packet) -> None:
        self.seen.append((now, packet.pn))


def through(
    arrivals: list[tuple[int, int]], hold: int, **limits: int
) -> tuple[list[tuple[int, int]], Aggregate]:
    """Push packets (time, size), numbered from 0, and return (time, number) of what came out."""
    calendar, note = Calendar(), Note()
    stage = Aggregate(calendar, hold, **limits)  # type: ignore[arg-type]
    stage.out = note
    for pn, (when, size) in enumerate(arrivals):
        calendar.settle(when)
        stage.push(when, make_packet(0, DATA, size, NOT_ECT, pn, pn, when))
        assert stage.pushed == stage.passed + stage.held()
    calendar.settle(calendar.now + hold)
    return note.seen, stage


def test_the_first_packet_starts_the_clock_and_all_leave_together() -> None:
    seen, stage = through([(0, 100), (1 * MS, 100), (3 * MS, 100), (5 * MS, 100)], 4 * MS)
    assert seen == [(4 * MS, 0), (4 * MS, 1), (4 * MS, 2), (9 * MS, 3)]
    assert stage.released == 2


def test_a_packet_that_arrives_as_the_aggregate_is_due_starts_the_next() -> None:
    calendar, note = Calendar(), Note()
    stage = Aggregate(calendar, 4 * MS)
    stage.out = note
    for pn, when in enumerate((0, 4 * MS)):
        stage.push(
            when, make_packet(0, DATA, 100, NOT_ECT, pn, pn, when)
        )  # the driver is late with the wake-up
    calendar.settle(8 * MS)
    assert note.seen == [(4 * MS, 0), (8 * MS, 1)]


def test_a_full_count_leaves_at_once() -> None:
    seen, _ = through([(0, 100), (1, 100), (2, 100), (3, 100)], 4 * MS, limit_packets=3)
    assert seen == [(2, 0), (2, 1), (2, 2), (3 + 4 * MS, 3)]


def test_bytes_beyond_the_limit_start_the_next_aggregate() -> None:
    seen, _ = through([(0, 1500), (1, 1500), (2, 1500), (3, 3000), (4, 9000)], 4 * MS, limit_bytes=4000)
    assert seen == [(2, 0), (2, 1), (3, 2), (4, 3), (4, 4)]


def test_no_hold_only_puts_off_to_the_end_of_the_instant() -> None:
    seen, stage = through([(5, 100), (5, 100), (6, 100)], 0)
    assert [when for when, _ in seen] == [5, 5, 6]
    assert stage.held() == 0


@given(
    gaps=st.lists(st.integers(0, 5 * MS), min_size=1, max_size=60),
    sizes=st.lists(st.integers(40, 1500), min_size=60, max_size=60),
    hold=st.integers(0, 8 * MS),
    packets=st.integers(0, 6),
    octets=st.integers(0, 6000),
)
def test_order_is_kept_and_nobody_waits_longer_than_the_hold(
    gaps: list[int], sizes: list[int], hold: int, packets: int, octets: int
) -> None:
    now, arrivals = 0, []
    for gap, size in zip(gaps, sizes, strict=False):
        now += gap
        arrivals.append((now, size))
    seen, stage = through(arrivals, hold, limit_packets=packets, limit_bytes=octets)
    assert [pn for _, pn in seen] == list(range(len(arrivals)))
    assert all(0 <= out - arrivals[pn][0] <= hold for out, pn in seen)
    assert stage.pushed == stage.passed == len(arrivals)
    groups: dict[int, list[int]] = {}
    for out, pn in seen:
        groups.setdefault(out, []).append(pn)
    assert stage.released >= len(groups)


@pytest.mark.parametrize(
    "limits", [{"hold_ns": -1}, {"hold_ns": 0, "limit_packets": -1}, {"hold_ns": 0, "limit_bytes": -1}]
)
def test_negative_settings_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be >= 0"):
        Aggregate(Calendar(), **limits)  # type: ignore[arg-type]


def flow(*, coalesce: bool) -> tuple[Sender, Receiver]:
    sim = Simulation(1)
    sender = Sender(sim.calendar, Fixed(packets=20), flow=0)
    receiver = Receiver(sim.calendar, flow=0, coalesce=coalesce)
    data, acks = Demux(), Demux()
    data.route(0, receiver)
    acks.route(0, sender)
    chain(sender, Delay(sim.calendar, 5 * MS), Aggregate(sim.calendar, 2 * MS), data)
    chain(receiver, Delay(sim.calendar, 5 * MS), acks)
    sim.extend([sender, receiver, data, acks])
    sender.write(0, 200)
    sim.run(400 * MS)
    return sender, receiver


def test_an_aggregate_is_answered_by_one_ack_where_offload_hands_it_up_whole() -> None:
    sender, receiver = flow(coalesce=True)
    assert sender.is_done()
    assert receiver.created == 10  # twenty packets at a time
    sender, receiver = flow(coalesce=False)
    assert sender.is_done()
    assert receiver.created == 100  # every second packet
