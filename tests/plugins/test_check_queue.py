from __future__ import annotations

import itertools

import pytest

from lanecast.errors import LanecastError
from lanecast.l4s.check import check_queue
from lanecast.l4s.queue import Queue
from lanecast.l4s.registry import QUEUES, make_queue
from lanecast.transport.rng import Stream
from lanecast.transport.stage import CE, Packet


@pytest.mark.parametrize("kind", QUEUES)
def test_every_built_in_queue_passes(kind: str) -> None:
    check_queue(lambda: make_queue(kind, stream=Stream(1, kind)))


class Forgetful(Queue):
    """Drops every tenth packet without saying so."""

    def offer(self, now: int, packet: Packet) -> bool:
        self.offered += 1
        if packet.pn % 10 == 9:
            return False
        self.keep(now, packet)
        return True


class Lifo(Queue):
    """Serves the newest first."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[Packet] = []

    def offer(self, now: int, packet: Packet) -> bool:
        self.offered += 1
        self.count += 1
        self.backlog += packet.size
        self.stack.append(packet)
        return True

    def take(self, now: int) -> Packet | None:
        if not self.stack:
            return None
        packet = self.stack.pop()
        self.count -= 1
        self.backlog -= packet.size
        self.hand_out(now, packet)
        return packet


class Marker(Queue):
    """Sets CE on everything."""

    def take(self, now: int) -> Packet | None:
        packet = super().take(now)
        if packet is not None:
            packet.ecn = CE
        return packet


class Keeper(Queue):
    """Keeps what it handed out."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Packet] = []

    def take(self, now: int) -> Packet | None:
        packet = super().take(now)
        if packet is not None:
            self.kept.append(packet)
        return packet


class Moody(Queue):
    """Decides by a counter that all its kind share."""

    calls = itertools.count()

    def offer(self, now: int, packet: Packet) -> bool:
        if next(Moody.calls) % 7 == 0:
            self.offered += 1
            self.discard(now, packet, 2)
            return False
        return super().offer(now, packet)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (Forgetful, "offered !="),
        (Lifo, "out of its flow's order"),
        (Marker, "not ECN-capable was marked"),
        (Keeper, "still holds packet"),
        (Moody, "answered differently"),
    ],
)
def test_a_broken_queue_is_told_what_is_wrong(broken: type[Queue], complaint: str) -> None:
    with pytest.raises(LanecastError, match=complaint):
        check_queue(broken)
