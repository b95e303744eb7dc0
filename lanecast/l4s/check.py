"""A conformance test for queues, for users to run on their own AQMs.

`check_queue(factory)` drives queues made by `factory` through made-up lives (bursts, pauses, an outage, ECN-capable and
other packets, mixed and extreme sizes, flow numbers and times) and raises `LanecastError` with the first law that does
not hold: counters or a backlog that do not add up, drops that `discard` did not see, a packet handed out twice, changed
or out of the order of its flow's packets with the same ECN field, a mark on a packet that is not ECN-capable, None
although packets are held (a link would wait for ever), different answers to equal input, or a packet that the queue
still holds after it left.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from lanecast.errors import LanecastError
from lanecast.l4s.queue import Queue
from lanecast.l4s.registry import wants_stream
from lanecast.transport.recorder import DROP, PacketLog
from lanecast.transport.rng import Stream
from lanecast.transport.stage import CE, DATA, ECT0, ECT1, NOT_ECT, Packet, make_packet
from lanecast.transport.units import MS, SECOND

STEPS = 4000  # calls in one life
SIZES = (40, 576, 1500, 9000)  # bytes
LOADS = (0.45, 0.5, 0.7)  # share of calls that offer a packet: drained, balanced, overloaded
BURST = 1000  # arrivals without a departure
LATE = 2**62  # ns, half of the range of a 64-bit time
LARGEST = 65_535  # bytes of an IP packet
FLOWS = (0, 1, 2**31 - 1)

Factory = Callable[..., Queue]


class Life:
    """Plays random calls on one queue and remembers what came of them."""

    def __init__(self, queue: Queue, load: float, *, sizes: tuple[int, ...] = SIZES, start: int = 0) -> None:
        self.queue = queue
        self.stream = Stream(1, f"check_queue {load}")
        self.load = load
        self.sizes = sizes
        self.now = start
        self.pn = 0
        self.labels: dict[int, tuple[int, int, int]] = {}  # packet number -> ECN, size and flow when offered
        self.out_bytes = 0
        self.in_bytes = 0
        self.last_out: dict[tuple[int, int], int] = {}  # (flow, ECN when offered) -> packet number
        self.story: list[tuple[int, int]] = []
        self.log = PacketLog()
        queue.log = self.log

    def play(self) -> list[tuple[int, int]]:
        """Make all calls; return (packet number, ECN) of everything that came out, -1 for nothing."""
        for _ in range(STEPS):
            self.now += int(self.stream.next_double() * 2 * MS)
            if self.stream.next_double() < self.load:
                self._offer()
            else:
                self._take()
            self._balance()
        return self._end()

    def burst(self) -> list[tuple[int, int]]:
        """Offer a thousand packets at one instant, drain after a second; do it again with an hour."""
        for pause in (SECOND, 3600 * SECOND):
            for _ in range(BURST):
                self._offer()
                self._balance()
            self.now += pause
            self._drain()
        return self._end()

    def _drain(self) -> None:
        while self.queue.count > 0:
            self._take()
            self._balance()

    def _end(self) -> list[tuple[int, int]]:
        self._account()
        self._drain()
        self._account()
        return self.story

    def _offer(self) -> None:
        size = self.sizes[int(self.stream.next_double() * len(self.sizes))]
        ecn = (NOT_ECT, ECT0, ECT1, CE)[int(self.stream.next_double() * 4)]
        flow = FLOWS[int(self.stream.next_double() * len(FLOWS))]
        packet = make_packet(flow, DATA, size, ecn, self.pn, self.pn, self.now)
        self.labels[self.pn] = ecn, size, flow
        self.in_bytes += size
        self.pn += 1
        answer = self.queue.offer(self.now, packet)
        _require(isinstance(answer, (bool, int)), f"offer must answer True or False, got {answer!r}")

    def _take(self) -> None:
        packet = self.queue.take(self.now)
        if packet is None:
            _require(
                self.queue.count == 0, f"take answered None although {self.queue.count} packets are held"
            )
            self.story.append((-1, 0))
            return
        _require(packet.pn in self.labels, f"packet {packet.pn} was handed out twice or never offered")
        label, size, flow = self.labels.pop(packet.pn)
        _require(
            (packet.size, packet.flow) == (size, flow), f"packet {packet.pn} was changed beyond its ECN field"
        )
        self.out_bytes += size
        _require(
            packet.ecn == label or (packet.ecn == CE and label != NOT_ECT),
            "a packet that is not ECN-capable was marked",
        )
        kind = (
            packet.flow,
            label,
        )  # a dual queue may part packets of one flow by their ECN field, nothing else may
        _require(packet.pn > self.last_out.get(kind, -1), f"packet {packet.pn} left out of its flow's order")
        self.last_out[kind] = packet.pn
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

    def _account(self) -> None:
        """Compare the backlog, and the drops counted, with what was offered, handed out and logged as dropped."""
        columns = self.log.columns()
        lost = columns["event"] == DROP
        logged = int(lost.sum())
        _require(
            logged == self.queue.dropped,
            f"{self.queue.dropped} drops counted, {logged} went through `discard`",
        )
        held = self.in_bytes - self.out_bytes - int(columns["size"][lost].sum())
        _require(
            held == self.queue.backlog,
            f"the backlog is {self.queue.backlog}, the sizes held add up to {held}",
        )


def check_queue(factory: Factory) -> None:
    """Check a queue; `factory` makes a fresh one, equal each time.

    If it has a parameter `stream`, it gets a random stream, with equal draws each time.

    Raises:
        LanecastError: a law does not hold; the message says which.
    """
    lives: list[Callable[[], list[tuple[int, int]]]] = [
        lambda load=load: Life(_make(factory), load).play()  # type: ignore[misc]
        for load in LOADS
    ]
    lives.append(lambda: Life(_make(factory), LOADS[-1], sizes=(1, LARGEST), start=LATE).play())
    lives.append(lambda: Life(_make(factory), 1.0).burst())
    for life in lives:
        _require(life() == life(), "two equal queues answered differently to equal input")
    queue = _make(factory)
    _require(queue.take(0) is None, "an empty queue must answer None")
    _require(queue.head_sojourn(10**15) == 0, "the head of an empty queue has waited 0 ns")
    _require(queue.take(2**62) is None, "an empty queue must answer None at any time")


def _make(factory: Factory) -> Queue:
    return factory(stream=Stream(1, "queue under check")) if wants_stream(factory) else factory()


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
