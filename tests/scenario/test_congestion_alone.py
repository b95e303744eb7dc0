"""Each controller alone on a link of 25 Mbit/s and 20 ms: it fills the link, and queues as its kind does.

The queue marks ECT packets that waited over 1 ms (a step, as DCTCP's and L4S's) and holds one bandwidth-delay product.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from lanecast.emulation.capacity import Capacity
from lanecast.emulation.delay import Delay
from lanecast.emulation.link import Link
from lanecast.l4s.queue import Queue
from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.registry import make_congestion
from lanecast.transport.marking import Marker
from lanecast.transport.pacing import Pacer, prague_pacer
from lanecast.transport.receiver import Receiver
from lanecast.transport.sender import Sender
from lanecast.transport.stage import NOT_ECT, Packet
from lanecast.transport.units import MS, SECOND

RATE = 25_000_000  # bit/s
RTT = 20 * MS
BDP = RATE * RTT // SECOND // 8 // 1500  # packets
MEASURED = 5 * SECOND  # after as long a start


class StepQueue(Queue):
    """Marks what waited over 1 ms, and remembers how long packets waited."""

    def __init__(self) -> None:
        super().__init__(limit_packets=BDP)
        self.waits: list[int] = []

    def take(self, now: int) -> Packet | None:
        wait = self.head_sojourn(now)
        packet = super().take(now)
        if packet is not None:
            self.waits.append(wait)
            if wait > MS and packet.ecn != NOT_ECT:
                self.mark(now, packet)
        return packet


class Alone(NamedTuple):
    """What the last half of a run did."""

    utilisation: float
    median_ms: float
    dropped: int
    marked: int


def alone(name: str, *, rtt: int = RTT, **options: object) -> Alone:
    calendar = Calendar()
    law = make_congestion(name, mss=1500, **options)
    queue = StepQueue()
    sender = Sender(
        calendar,
        law,
        flow=0,
        pacer=(prague_pacer() if "prague" in name else Pacer(gain=1.0)) if law.paced else None,
        marker=Marker(law.ecn_codepoint),
    )
    receiver = Receiver(calendar, flow=0)
    link = Link(calendar, queue, Capacity(RATE))
    there, back = Delay(calendar, rtt // 2), Delay(calendar, rtt // 2)
    sender.out, there.out, link.out, receiver.out, back.out = there, link, receiver, back, sender
    sender.bulk()
    sender.start(0)
    calendar.settle(MEASURED)
    units, dropped, waits = sender.recovery.cumulative, queue.dropped, len(queue.waits)
    calendar.settle(2 * MEASURED)
    sent = (sender.recovery.cumulative - units) * 1500 * 8 / (MEASURED / SECOND)
    late = sorted(queue.waits[waits:])
    return Alone(sent / RATE, late[len(late) // 2] / MS, queue.dropped - dropped, queue.marked)


@pytest.mark.parametrize("options", [{}, {"prr": True}, {"hystart": True}])
@pytest.mark.parametrize("name", ["reno", "cubic"])
def test_loss_based_controllers_fill_link_and_queue(name: str, options: dict[str, bool]) -> None:
    seen = alone(name, **options)
    assert seen.utilisation > 0.95
    assert seen.median_ms > 5


def test_linux_cubic_fills_link_and_queue() -> None:
    seen = alone("linux_cubic")
    assert seen.utilisation > 0.95
    assert seen.median_ms > 5


@pytest.mark.parametrize("name", ["prague", "udp_prague"])
def test_scalable_controllers_fill_the_link_at_the_step_without_a_drop(name: str) -> None:
    seen = alone(name)
    assert seen.utilisation > 0.95
    assert seen.median_ms < 1.1
    assert seen.dropped == 0
    assert seen.marked > 0


def test_dctcp_fills_a_short_link_at_the_step_and_less_of_a_long_one() -> None:
    """It needs a step above a seventh of the RTT (Alizadeh et al., SIGCOMM 2010, 3.4); this one is 1 ms."""
    short, long = alone("dctcp", rtt=5 * MS), alone("dctcp")
    assert short.utilisation > 0.95
    assert 0.8 < long.utilisation < short.utilisation
    assert short.dropped == long.dropped == 0


@pytest.mark.parametrize("name", ["bbr", "bbr3"])
def test_model_based_controllers_fill_the_link_with_a_short_queue(name: str) -> None:
    seen = alone(name)
    assert seen.utilisation > 0.95
    assert seen.median_ms < 5


@pytest.mark.parametrize("mode", ["none", "scalable", "additive"])
def test_prague_fills_the_link_in_every_mode(mode: str) -> None:
    assert alone("prague", rtt_scaling=mode).utilisation > 0.95
