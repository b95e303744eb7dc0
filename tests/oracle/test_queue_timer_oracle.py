"""A second set of naive queues: PIE with a real timer on a calendar, and the variants that the first set leaves out.

Written from RFC 8033, 8289 and 8290 over plain lists and dictionaries. `first_difference` plays one recorded pattern
to a queue and to its oracle and returns where they first decide differently; the last tests make sure that it sees
parameters and rules that are wrong by a little.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import pytest

from lanecast.l4s.codel import CoDel
from lanecast.l4s.droptail import DropHead
from lanecast.l4s.fq_codel import FqCoDel
from lanecast.l4s.pie import Pie
from lanecast.l4s.queue import Queue
from lanecast.l4s.red import Red
from lanecast.transport.calendar import Calendar
from lanecast.transport.recorder import DROP, PacketLog
from lanecast.transport.rng import Stream, uniform_at
from lanecast.transport.stage import CE, DATA, ECT0, ECT1, NOT_ECT, Stage, make_packet

MS = 1_000_000
TICK = 15 * MS


@dataclass
class Item:
    pn: int
    size: int
    ecn: int
    flow: int
    since: int = 0


class Oracle(Protocol):
    lost: list[int]

    def arrive(self, now: int, item: Item) -> bool: ...
    def leave(self, now: int) -> Item | None: ...


def signalled(item: Item, lost: list[int], *, ecn: bool) -> bool:
    """Mark (True) or drop."""
    if ecn and item.ecn != NOT_ECT:
        item.ecn = CE
        return True
    lost.append(item.pn)
    return False


@dataclass
class CodelFifo:
    """RFC 8289 section 5, with CE in place of drops and the step of Linux."""

    lost: list[int]
    ecn: bool
    target: int
    interval: int
    mtu: int = 1500
    step: int = 0
    items: deque[Item] = field(default_factory=deque)
    above_since: int | None = None
    active: bool = False
    due: int = 0
    n: int = 0
    n_at_start: int = 0

    def arrive(self, now: int, item: Item) -> bool:
        item.since = now
        self.items.append(item)
        return True

    def next(self, now: int) -> tuple[Item | None, bool]:
        if not self.items:
            self.above_since = None
            return None, False
        item = self.items.popleft()
        if now - item.since < self.target or sum(other.size for other in self.items) <= self.mtu:
            self.above_since = None
        elif self.above_since is None:
            self.above_since = now
        return item, self.above_since is not None and now - self.above_since >= self.interval

    def after(self, when: int) -> int:
        return when + math.floor(self.interval / math.sqrt(self.n))

    def leave(self, now: int) -> Item | None:
        item = self.decide(now)
        if item is not None and self.step and now - item.since > self.step and item.ecn != NOT_ECT:
            item.ecn = CE
        return item

    def decide(self, now: int) -> Item | None:
        item, bad = self.next(now)
        if not self.active:
            if not bad:
                return item
            grown = self.n - self.n_at_start
            self.n = grown if grown > 1 and now - self.due < 16 * self.interval else 1
            self.n_at_start, self.due, self.active = self.n, self.after(now), True
            assert item is not None
            return item if signalled(item, self.lost, ecn=self.ecn) else self.next(now)[0]
        while bad and now >= self.due:
            self.n += 1
            assert item is not None
            if signalled(item, self.lost, ecn=self.ecn):
                self.due = self.after(self.due)
                return item
            item, bad = self.next(now)
            if bad:
                self.due = self.after(self.due)
        self.active = bad
        return item


class FairOracle:
    """RFC 8290 section 4 with ordered dictionaries as the two lists."""

    def __init__(
        self, *, quantum: int, flows: int, limit_bytes: int, batch: int, key: int, **codel: Any
    ) -> None:
        self.lost: list[int] = []
        self.fifos = [CodelFifo(self.lost, **codel) for _ in range(flows)]
        self.credit = [0] * flows
        self.new: OrderedDict[int, None] = OrderedDict()
        self.old: OrderedDict[int, None] = OrderedDict()
        self.quantum, self.limit, self.batch, self.key = quantum, limit_bytes, batch, key

    def bytes_of(self, place: int) -> int:
        return sum(item.size for item in self.fifos[place].items)

    def arrive(self, now: int, item: Item) -> bool:
        place = math.floor(uniform_at(self.key, item.flow, 0) * len(self.fifos))
        self.fifos[place].arrive(now, item)
        if place not in self.new and place not in self.old:
            self.new[place] = None
            self.credit[place] = self.quantum
        while sum(map(self.bytes_of, range(len(self.fifos)))) > self.limit:
            fattest = max([*self.new, *self.old], key=self.bytes_of)
            half, dropped = self.bytes_of(fattest) // 2, 0
            while dropped < self.batch and (dropped == 0 or self.bytes_of(fattest) > half):
                self.lost.append(self.fifos[fattest].items.popleft().pn)
                dropped += 1
        return item.pn not in self.lost[-self.batch * 4 :]

    def leave(self, now: int) -> Item | None:
        while self.new or self.old:
            ring = self.new or self.old
            place = next(iter(ring))
            if self.credit[place] <= 0:
                self.credit[place] += self.quantum
                del ring[place]
                self.old[place] = None
                continue
            item = self.fifos[place].leave(now)
            if item is not None:
                self.credit[place] -= item.size
                return item
            del ring[place]
            if ring is self.new:
                self.old[place] = None
        return None


class TimerPie(Stage):
    """RFC 8033 sections 4 and 5.4, woken by a calendar each 15 ms; its sums are in exact fractions where it matters."""

    def __init__(self, calendar: Calendar, *, derandomise: bool, ecn: bool) -> None:
        super().__init__("timer")
        self.calendar = calendar
        self.items: deque[Item] = deque()
        self.lost: list[int] = []
        self.draws = Stream(7, "queue")
        self.derandomise, self.ecn = derandomise, ecn
        self.p = self.total = 0.0
        self.before, self.grace = 0, 150 * MS
        self.ticks = 0
        calendar.at(TICK, self)

    def wake(self, now: int) -> None:
        assert now % TICK == 0
        self.ticks += 1
        waited = now - self.items[0].since if self.items else 0
        move = float(
            Fraction(1, 8) * Fraction(waited - TICK, 10**9)
            + Fraction(5, 4) * Fraction(waited - self.before, 10**9)
        )
        for exponent, shift in ((-6, 11), (-5, 9), (-4, 7), (-3, 5), (-2, 3), (-1, 1)):
            if self.p < 10.0**exponent:
                move /= 2**shift
                break
        else:
            move = min(move, 0.02)
        self.p += move + (0.02 if waited > 250 * MS else 0.0)
        if waited == self.before == 0:
            self.p *= 0.98
        self.p = sorted((0.0, self.p, 1.0))[1]
        self.grace = max(0, self.grace - TICK)
        if self.p == 0 and max(waited, self.before) < TICK // 2:
            self.grace = 150 * MS
        self.before = waited
        self.calendar.at(now + TICK, self)

    def arrive(self, now: int, item: Item) -> bool:
        self.calendar.settle(now)
        item.since = now
        if self.wants_signal():
            self.total = 0.0
            if not signalled(item, self.lost, ecn=self.ecn and self.p < 0.1):
                return False
        self.items.append(item)
        return True

    def wants_signal(self) -> bool:
        if self.grace or len(self.items) <= 2 or self.p == 0 or (self.before < TICK // 2 and self.p < 0.2):
            return False
        if self.derandomise:
            self.total += self.p
            if self.total < 0.85:
                return False
            if self.total >= 8.5:
                return True
        return self.draws.next_double() < self.p

    def leave(self, now: int) -> Item | None:
        self.calendar.settle(now)
        return self.items.popleft() if self.items else None


class AgedHead:
    """Drophead with a limit in time."""

    def __init__(self, limit: int) -> None:
        self.items: deque[Item] = deque()
        self.lost: list[int] = []
        self.limit = limit

    def arrive(self, now: int, item: Item) -> bool:
        while self.items and now - self.items[0].since >= self.limit:
            self.lost.append(self.items.popleft().pn)
        item.since = now
        self.items.append(item)
        return True

    def leave(self, now: int) -> Item | None:
        return self.items.popleft() if self.items else None


def first_difference(queue: Queue, oracle: Oracle, seed: int, share: float, calls: int = 3000) -> str:
    """Play one pattern; return the first decision that differs, "" when none does."""
    queue.log = PacketLog()
    pattern = Stream(seed, f"pattern {share}")
    now = 0
    for pn in range(calls):
        now += int(pattern.next_double() * 4 * MS) + (pattern.next_double() < 0.005) * 900 * MS
        if pattern.next_double() < share:
            size = (40, 576, 1500)[int(pattern.next_double() * 3)]
            ecn = (NOT_ECT, ECT0, ECT1, CE)[int(pattern.next_double() * 4)]
            flow = int(pattern.next_double() ** 2 * 7)
            ours = queue.offer(now, make_packet(flow, DATA, size, ecn, pn, -1, now))
            if ours != oracle.arrive(now, Item(pn, size, ecn, flow)):
                return f"offer of {pn} at {now} ns"
        else:
            packet, item = queue.take(now), oracle.leave(now)
            mine = None if packet is None else (packet.pn, packet.ecn)
            if mine != (None if item is None else (item.pn, item.ecn)):
                return f"take at {now} ns: {mine} and {item}"
    columns = queue.log.columns()
    dropped = columns["pn"][columns["event"] == DROP].tolist()
    return "" if dropped == oracle.lost else "the drops"


CODEL: dict[str, Any] = {"ecn": True, "target": 5 * MS, "interval": 100 * MS}
FAIR: dict[str, Any] = {**CODEL, "quantum": 700, "limit_bytes": 20_000, "key": 99}
PAIRS: dict[str, tuple[Callable[[], Queue], Callable[[], Oracle]]] = {
    "pie": (
        lambda: Pie(Stream(7, "queue")),
        lambda: TimerPie(Calendar(), derandomise=False, ecn=False),
    ),
    "pie derandomised": (
        lambda: Pie(Stream(7, "queue"), derandomise=True),
        lambda: TimerPie(Calendar(), derandomise=True, ecn=False),
    ),
    "pie derandomised ecn": (
        lambda: Pie(Stream(7, "queue"), derandomise=True, ecn=True),
        lambda: TimerPie(Calendar(), derandomise=True, ecn=True),
    ),
    "codel": (
        lambda: CoDel(target=2 * MS, interval=30 * MS),
        lambda: CodelFifo([], ecn=False, target=2 * MS, interval=30 * MS),
    ),
    "codel ecn": (lambda: CoDel(**CODEL), lambda: CodelFifo([], **CODEL)),
    "codel step": (
        lambda: CoDel(**CODEL, ce_threshold=MS),
        lambda: CodelFifo([], **CODEL, step=MS),
    ),
    "fq_codel bytes": (
        lambda: FqCoDel(**FAIR, queues=6, limit_packets=0, drop_batch=3),
        lambda: FairOracle(**FAIR, flows=6, batch=3),
    ),
    "drophead time": (lambda: DropHead(limit_time=40 * MS), lambda: AgedHead(40 * MS)),
}  # fmt: skip


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize("share", [0.49, 0.55, 0.7])
@pytest.mark.parametrize("name", PAIRS)
def test_no_decision_differs_from_the_oracle(name: str, share: float, seed: int) -> None:
    queue, oracle = PAIRS[name][0](), PAIRS[name][1]()
    assert first_difference(queue, oracle, seed, share) == ""
    if share == 0.7:
        assert queue.dropped > 0
    if isinstance(oracle, TimerPie):
        assert oracle.ticks > 200


def test_lazy_updates_equal_a_timer_over_long_silences() -> None:
    queue, oracle = PAIRS["pie"][0](), PAIRS["pie"][1]()
    assert isinstance(queue, Pie)
    assert isinstance(oracle, TimerPie)
    now = 0
    for burst in range(6):
        for pn in range(400):
            now += MS
            item = Item(pn, 1500, NOT_ECT, 0)
            assert queue.offer(now, make_packet(0, DATA, 1500, NOT_ECT, pn, -1, now)) == oracle.arrive(
                now, item
            )
            if pn % 2:
                assert (queue.take(now) is None) == (oracle.leave(now) is None)
        while queue.count:
            assert (queue.take(now) is None) == (oracle.leave(now) is None)
        now += (1, 20, 400, 3_000, 60_000, 900_000)[burst] * MS
        assert queue.take(now) is None
        assert oracle.leave(now) is None
        assert queue.probability == pytest.approx(oracle.p, rel=1e-9, abs=1e-15)
        assert queue.burst_left == oracle.grace
    assert queue.dropped > 0


MUTANTS: dict[str, tuple[Callable[[], Queue], str]] = {
    "interval 1 % short": (lambda: CoDel(ecn=True, interval=99 * MS), "codel ecn"),
    "mtu of two packets": (lambda: CoDel(ecn=True, mtu=3000), "codel ecn"),
    "drops where it should mark": (CoDel, "codel ecn"),
    "target 1 ms long": (lambda: CoDel(target=3 * MS, interval=30 * MS), "codel"),
    "beta 1 % low": (lambda: Pie(Stream(7, "queue"), beta_hz=1.2375), "pie"),
    "update every 16 ms": (lambda: Pie(Stream(7, "queue"), update=16 * MS), "pie"),
    "no burst allowance": (lambda: Pie(Stream(7, "queue"), max_burst=0), "pie"),
    "randomised": (lambda: Pie(Stream(7, "queue")), "pie derandomised"),
    "mark limit 5 %": (
        lambda: Pie(Stream(7, "queue"), derandomise=True, ecn=True, mark_limit=0.05),
        "pie derandomised ecn",
    ),
    "quantum 1 byte off": (
        lambda: FqCoDel(**{**FAIR, "quantum": 701}, queues=6, limit_packets=0, drop_batch=3),
        "fq_codel bytes",
    ),
    "limit 40 bytes off": (
        lambda: FqCoDel(**{**FAIR, "limit_bytes": 20_040}, queues=6, limit_packets=0, drop_batch=3),
        "fq_codel bytes",
    ),
    "other hash": (
        lambda: FqCoDel(**{**FAIR, "key": 98}, queues=6, limit_packets=0, drop_batch=3),
        "fq_codel bytes",
    ),
    "red for pie": (lambda: Red(Stream(7, "queue")), "pie"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_queue_that_is_a_little_wrong_is_seen(name: str) -> None:
    make, pair = MUTANTS[name]
    found = [
        first_difference(make(), PAIRS[pair][1](), seed, share)
        for seed in (11, 12)
        for share in (0.49, 0.55, 0.7)
    ]
    assert any(found)
