"""A conformance test for queues, for users to run on their own AQMs.

`check_queue(factory)` drives queues made by `factory` through made-up lives (bursts, pauses, ECN-capable and other
packets, mixed sizes, two flows) and raises `LanecastError` with the first law that does not hold: counters that do
not add up, a packet handed out twice or out of its flow's order, a mark on a packet that is not ECN-capable,
different answers to equal input, or a packet that the queue still holds after it left.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from lanecast.errors import LanecastError
from lanecast.l4s.queue import Queue
from lanecast.transport.rng import Stream
from lanecast.transport.stage import CE, DATA, ECT0, ECT1, NOT_ECT, Packet, make_packet
from lanecast.transport.units import MS

STEPS = 4000  # calls in one life
SIZES = (40, 576, 1500, 9000)  # bytes
LOADS = (0.45, 0.5, 0.7)  # share of calls that offer a packet: drained, balanced, overloaded

Factory = Callable[[], Queue]


class Life:
    """Plays random calls on one queue and remembers what came of them."""

    def __init__(self, queue: Queue, load: float) -> None:
        self.queue = queue
        self.stream = Stream(1, f"check_queue {load}")
        self.load = load
        self.now = 0
        self.pn = 0
        self.labels: dict[int, int] = {}  # packet number -> ECN codepoint when offered
        self.last_out = {0: -1, 1: -1}
        self.story: list[tuple[int, int]] = []

    def play(self) -> list[tuple[int, int]]:
        """Make all calls; return (packet number, ECN) of everything that came out, -1 for nothing."""
        for _ in range(STEPS):
            self.now += int(self.stream.next_double() * 2 * MS)
            if self.stream.next_double() < self.load:
                self._offer()
            else:
                self._take()
            self._balance()
        while self.queue.count > 0:
            self._take()
            self._balance()
        return self.story

    def _offer(self) -> None:
        size = SIZES[int(self.stream.next_double() * len(SIZES))]
        ecn = (NOT_ECT, ECT0, ECT1)[int(self.stream.next_double() * 3)]
        flow = int(self.stream.next_double() * 2)
        packet = make_packet(flow, DATA, size, ecn, self.pn, self.pn, self.now)
        self.labels[self.pn] = ecn
        self.pn += 1
        answer = self.queue.offer(self.now, packet)
        _require(isinstance(answer, (bool, int)), f"offer must answer True or False, got {answer!r}")

    def _take(self) -> None:
        held = self.queue.count
        packet = self.queue.take(self.now)
        if packet is None:
            _require(
                held == 0 or self.queue.dropped > 0,
                "take answered None although packets were held and none dropped",
            )
            self.story.append((-1, 0))
            return
        _require(packet.pn in self.labels, f"packet {packet.pn} was handed out twice or never offered")
        label = self.labels.pop(packet.pn)
        _require(
            packet.ecn == label or (packet.ecn == CE and label != NOT_ECT),
            "a packet that is not ECN-capable was marked",
        )
        _require(packet.pn > self.last_out[packet.flow], f"packet {packet.pn} left out of its flow's order")
        self.last_out[packet.flow] = packet.pn
        self.story.append((packet.pn, packet.ecn))
        _require(_is_free(packet), f"the queue still holds packet {packet.pn} after handing it out")

    def _balance(self) -> None:
        queue = self.queue
        _require(
            queue.offered == queue.taken + queue.dropped + queue.count,
            f"{queue.offered} offered != {queue.taken} taken + {queue.dropped} dropped + {queue.count} held",
        )
        _require(queue.count >= 0 and queue.backlog >= 0, "count and backlog must be >= 0")
        _require(
            (queue.count == 0) == (queue.backlog == 0),
            f"{queue.count} packets held, but a backlog of {queue.backlog}",
        )


def check_queue(factory: Factory) -> None:
    """Check a queue; `factory` makes a fresh one, equal each time.

    Raises:
        LanecastError: a law does not hold; the message says which.
    """
    for load in LOADS:
        first, second = (Life(factory(), load).play() for _ in range(2))
        _require(first == second, "two equal queues answered differently to equal input")
    queue = factory()
    _require(queue.take(0) is None, "an empty queue must answer None")
    _require(queue.head_sojourn(10**15) == 0, "the head of an empty queue has waited 0 ns")
    _require(queue.take(2**62) is None, "an empty queue must answer None at any time")


def _is_free(packet: Packet) -> bool:
    """Tell whether nobody but the caller's own names refers to the packet."""
    return sys.getrefcount(packet) <= OWN_REFERENCES


def _own_references() -> int:
    def inner(packet: Packet) -> int:
        return sys.getrefcount(packet)

    packet = make_packet(0, DATA, 1, NOT_ECT, 0, 0, 0)
    return inner(packet)


OWN_REFERENCES = _own_references()


def _require(law: bool, otherwise: str) -> None:
    if not law:
        raise LanecastError(f"check_queue: {otherwise}")
