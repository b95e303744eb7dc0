"""Whole transfers over a bad path: whatever is lost, late or doubled, all data arrive and every law holds."""

from __future__ import annotations

import heapq
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.base import CongestionControl
from lanecast.transport.congestion.cubic import Cubic
from lanecast.transport.congestion.reno import Reno
from lanecast.transport.pacing import Pacer
from lanecast.transport.receiver import Receiver
from lanecast.transport.recovery import Recovery
from lanecast.transport.recovery_laws import DupAck, RackTlp, Rfc9002
from lanecast.transport.rng import Streams
from lanecast.transport.sender import Sender
from lanecast.transport.stage import Packet, Stage
from lanecast.transport.units import MS, SECOND


class BadPath(Stage):
    """Loses with probability `loss`, delays each packet by 5 to 5 + `jitter` ms on its own, so packets overtake."""

    def __init__(self, calendar: Calendar, streams: Streams, name: str, loss: float, jitter: float) -> None:
        super().__init__(name)
        self.calendar, self.loss, self.jitter = calendar, loss, jitter
        self.stream = streams.stream(name)
        self.line: list[tuple[int, int, Packet]] = []
        self.order = itertools.count()

    def push(self, now: int, packet: Packet) -> None:
        self.pushed += 1
        if self.stream.next_double() < self.loss:
            self.drop(now, packet)
            return
        due = now + 5 * MS + int(self.stream.next_double() * self.jitter * MS)
        heapq.heappush(self.line, (due, next(self.order), packet))
        self.calendar.at(due, self)

    def wake(self, now: int) -> None:
        while self.line and self.line[0][0] <= now:
            self.forward(now, heapq.heappop(self.line)[2])

    def held(self) -> int:
        return len(self.line)


def transfer(
    seed: int,
    control: CongestionControl,
    recovery: Recovery,
    units: int,
    loss: float,
    jitter: float,
    *,
    paced: bool,
) -> tuple[Calendar, Sender, Receiver]:
    """Send `units` data units over two bad paths and let everything settle."""
    calendar, streams = Calendar(), Streams(seed)
    sender = Sender(calendar, control, flow=0, recovery=recovery, pacer=Pacer() if paced else None)
    receiver = Receiver(calendar, flow=0)
    sender.out = there = BadPath(calendar, streams, "there", loss, jitter)
    there.out = receiver
    receiver.out = back = BadPath(calendar, streams, "back", loss, jitter)
    back.out = sender
    sender.write(0, units)
    while not sender.is_done() and calendar.now < 3600 * SECOND:
        calendar.settle(calendar.now + SECOND)
        assert sender.recovery.in_flight == 1500 * sender.recovery.count
        for stage in (sender, receiver, there, back):
            created = getattr(stage, "created", 0)
            assert stage.pushed + created == stage.passed + stage.dropped + stage.held()
    calendar.settle(calendar.now + 300 * SECOND)
    return calendar, sender, receiver


@pytest.mark.parametrize("law", [Rfc9002, RackTlp, DupAck])
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    units=st.integers(1, 150),
    loss=st.floats(0, 0.4),
    jitter=st.sampled_from([0.0, 1.0, 40.0]),
    cubic=st.booleans(),
    paced=st.booleans(),
)
def test_every_transfer_ends_with_all_data_once_and_nothing_in_flight(
    law: type[Recovery],
    seed: int,
    units: int,
    loss: float,
    jitter: float,
    cubic: bool,
    paced: bool,
) -> None:
    _, sender, receiver = transfer(
        seed, Cubic() if cubic else Reno(), law(), units, loss, jitter, paced=paced
    )
    assert sender.is_done()
    assert receiver.cumulative == units
    assert receiver.goodput_bytes == units * 1448
    recovery = sender.recovery
    assert (recovery.in_flight, recovery.count) == (0, 0)
    assert sender.created == units + sender.retransmitted
    assert recovery.spurious_packets <= recovery.lost_packets
    assert sender.congestion.cwnd >= 1500


@pytest.mark.parametrize("law", [Rfc9002, RackTlp, DupAck])
def test_without_loss_and_reordering_nothing_is_sent_twice(law: type[Recovery]) -> None:
    _, sender, receiver = transfer(1, Reno(), law(), 400, 0.0, 0.0, paced=False)
    assert (sender.retransmitted, sender.recovery.lost_packets, receiver.duplicates) == (0, 0, 0)


@pytest.mark.parametrize("law", [Rfc9002, RackTlp, DupAck])
def test_equal_seeds_give_equal_lives(law: type[Recovery]) -> None:
    def life() -> tuple[int, ...]:
        calendar, sender, receiver = transfer(7, Cubic(), law(), 120, 0.1, 30.0, paced=True)
        recovery = sender.recovery
        return (
            calendar.fired,
            sender.created,
            recovery.lost_packets,
            recovery.spurious_packets,
            receiver.received,
        )

    assert life() == life()


def test_rack_reorders_with_fewer_spurious_losses_than_packet_threshold() -> None:
    """Heavy reordering (jitter of 40 ms on 10 ms): a time window that adapts does better than three packets."""
    spurious = {}
    for law in (Rfc9002, RackTlp):
        spurious[law] = sum(
            transfer(seed, Reno(), law(), 600, 0.0, 40.0, paced=False)[1].recovery.spurious_packets
            for seed in range(5)
        )
    assert spurious[RackTlp] < 0.8 * spurious[Rfc9002]
