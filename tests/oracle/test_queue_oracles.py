"""Every AQM against a naive one, decision by decision.

The naive queues keep a list of [pn, size, ecn, enqueued] rows and follow the pseudo-code of their documents; they share
no code with the product. Both meet the same random calls; what is refused, taken, dropped and marked must be equal.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from lanecast.l4s.codel import CoDel
from lanecast.l4s.droptail import DropHead, DropTail
from lanecast.l4s.fq_codel import FqCoDel
from lanecast.l4s.pie import Pie
from lanecast.l4s.queue import Queue
from lanecast.l4s.red import Red
from lanecast.transport.recorder import DROP, PacketLog
from lanecast.transport.rng import Stream, uniform_at
from lanecast.transport.stage import CE, DATA, ECT0, NOT_ECT, make_packet

MS = 1_000_000
Row = list[int]  # pn, size, ecn, enqueued, flow


class Naive:
    """A list with the counters that are compared."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.rows: list[Row] = []
        self.dropped: list[int] = []
        self.ecn = options.get("ecn", False)

    def fits(self, size: int) -> bool:
        packets, limit = self.options.get("limit_packets", 0), self.options.get("limit_bytes", 0)
        held = sum(row[1] for row in self.rows)
        return not (packets and len(self.rows) + 1 > packets) and not (limit and held + size > limit)

    def marked(self, row: Row) -> bool:
        if self.ecn and row[2] != NOT_ECT:
            row[2] = CE
            return True
        return False

    def offer(self, now: int, row: Row) -> bool:
        if not self.fits(row[1]):
            self.dropped.append(row[0])
            return False
        row[3] = now
        self.rows.append(row)
        return True

    def take(self, now: int) -> Row | None:
        return self.rows.pop(0) if self.rows else None


class NaiveTimed(Naive):
    def offer(self, now: int, row: Row) -> bool:
        if self.rows and now - self.rows[0][3] >= self.options["limit_time"]:
            self.dropped.append(row[0])
            return False
        return super().offer(now, row)


class NaiveDropHead(Naive):
    def offer(self, now: int, row: Row) -> bool:
        while self.rows and not self.fits(row[1]):
            self.dropped.append(self.rows.pop(0)[0])
        return super().offer(now, row)


class NaiveCodel(Naive):
    """RFC 8289 section 5's routines, one by one."""

    target, interval = 5 * MS, 100 * MS

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.first_above_time = self.drop_next = self.count = self.lastcount = 0
        self.dropping = False

    def dodequeue(self, now: int) -> tuple[Row | None, bool]:
        if not self.rows:
            self.first_above_time = 0
            return None, False
        row = self.rows.pop(0)
        if now - row[3] < self.target or sum(other[1] for other in self.rows) <= 1514:
            self.first_above_time = 0
            return row, False
        if self.first_above_time == 0:
            self.first_above_time = now + self.interval
            return row, False
        return row, now >= self.first_above_time

    def control_law(self, time: int, count: int) -> int:
        return time + int(self.interval / math.sqrt(count))

    def take(self, now: int) -> Row | None:
        row, ok = self.dodequeue(now)
        if row is None:
            self.dropping = False
            return None
        if self.dropping:
            if not ok:
                self.dropping = False
            while self.dropping and now >= self.drop_next:
                self.count += 1
                if self.marked(row):
                    self.drop_next = self.control_law(self.drop_next, self.count)
                    break
                self.dropped.append(row[0])
                following, ok = self.dodequeue(now)
                if not ok:
                    self.dropping = False
                else:
                    self.drop_next = self.control_law(self.drop_next, self.count)
                if following is None:
                    return None
                row = following
        elif ok:
            following = row
            if not self.marked(row):
                self.dropped.append(row[0])
                following, _ = self.dodequeue(now)
            self.dropping = True
            delta = self.count - self.lastcount
            self.count = delta if delta > 1 and now - self.drop_next < 16 * self.interval else 1
            self.drop_next = self.control_law(now, self.count)
            self.lastcount = self.count
            return following
        return row


class NaivePie(Naive):
    """RFC 8033 section 4, with a real timer: updates are replayed one by one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.p, self.old, self.burst, self.timer = 0.0, 0, 150 * MS, 15 * MS
        self.draws = Stream(5, "drops")

    def tick(self, now: int) -> None:
        while self.timer <= now:
            delay = self.timer - self.rows[0][3] if self.rows else 0
            step = 0.125 * ((delay - 15 * MS) / 1e9) + 1.25 * ((delay - self.old) / 1e9)
            for bound, divisor in ((1e-6, 2048), (1e-5, 512), (1e-4, 128), (1e-3, 32), (1e-2, 8), (1e-1, 2)):
                if self.p < bound:
                    step /= divisor
                    break
            if self.p >= 0.1:
                step = min(step, 0.02)
            if delay > 250 * MS:
                step += 0.02
            self.p += step
            if delay == 0 and self.old == 0:
                self.p *= 0.98
            self.p = max(0.0, min(1.0, self.p))
            self.burst = max(0, self.burst - 15 * MS)
            if self.p == 0 and delay < 7.5 * MS and self.old < 7.5 * MS:
                self.burst = 150 * MS
            self.old = delay
            self.timer += 15 * MS

    def offer(self, now: int, row: Row) -> bool:
        self.tick(now)
        if not self.fits(row[1]):
            self.dropped.append(row[0])
            return False
        safe = self.burst > 0 or len(self.rows) <= 2 or self.p == 0 or (self.old < 7.5 * MS and self.p < 0.2)
        if not safe and self.draws.next_double() < self.p and not (self.p < 0.1 and self.marked(row)):
            self.dropped.append(row[0])
            return False
        return super().offer(now, row)

    def take(self, now: int) -> Row | None:
        self.tick(now)
        return super().take(now)


class NaiveRed(Naive):
    """Floyd and Jacobson's figure 2, gentle."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.average, self.count, self.idle = 0.0, -1, 0
        self.draws = Stream(5, "drops")

    def offer(self, now: int, row: Row) -> bool:
        if self.rows:
            self.average = (1 - 0.002) * self.average + 0.002 * len(self.rows)
        else:
            self.average = (1 - 0.002) ** ((now - self.idle) / 120_000) * self.average
        if not self.fits(row[1]):
            self.count = 0
            self.dropped.append(row[0])
            return False
        p = 0.0
        if 2 <= self.average < 4:
            p = 0.1 * (self.average - 2) / (4 - 2)
        elif 4 <= self.average < 8:
            p = 0.1 + (1 - 0.1) * (self.average - 4) / 4
        elif self.average >= 8:
            p = 1.0
        if p == 0:
            self.count = -1
            return super().offer(now, row)
        self.count += 1
        if p >= 1 or self.count * p >= 1 or self.draws.next_double() < p / (1 - self.count * p):
            self.count = 0
            if self.average >= 4 or not self.marked(row):
                self.dropped.append(row[0])
                return False
        return super().offer(now, row)

    def take(self, now: int) -> Row | None:
        row = super().take(now)
        if row is not None and not self.rows:
            self.idle = now
        return row


class NaiveFqCodel(Naive):
    """RFC 8290 section 4 over dictionaries of NaiveCodel."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.flows: dict[int, NaiveCodel] = {}
        self.credit: dict[int, int] = {}
        self.new: list[int] = []
        self.old: list[int] = []

    def held(self) -> int:
        return sum(len(flow.rows) for flow in self.flows.values())

    def offer(self, now: int, row: Row) -> bool:
        place = int(uniform_at(0, row[4], 0) * self.options["queues"])
        flow = self.flows.setdefault(place, NaiveCodel(ecn=True))
        flow.dropped = self.dropped
        row[3] = now
        flow.rows.append(row)
        if place not in self.new and place not in self.old:
            self.new.append(place)
            self.credit[place] = 1514
        if self.held() > self.options["limit_packets"]:
            sizes = {key: sum(r[1] for r in self.flows[key].rows) for key in [*self.new, *self.old]}
            fattest = max(sizes, key=lambda key: sizes[key])
            goal = sizes[fattest] // 2
            rows = self.flows[fattest].rows
            for _ in range(4):
                if not rows:
                    break
                self.dropped.append(rows.pop(0)[0])
                if sum(r[1] for r in rows) <= goal:
                    break
        return row[0] not in self.dropped

    def take(self, now: int) -> Row | None:
        while self.new or self.old:
            source = self.new or self.old
            place = source[0]
            if self.credit[place] <= 0:
                self.credit[place] += 1514
                self.old.append(source.pop(0))
                continue
            row = self.flows[place].take(now)
            if row is None:
                source.pop(0)
                if source is self.new:
                    self.old.append(place)
                continue
            self.credit[place] -= row[1]
            return row
        return None


class DropNotes:
    """Collects the packet numbers that a queue drops, in order."""

    def __init__(self, queue: Queue) -> None:
        self.log = PacketLog()
        self.event = DROP
        queue.log = self.log

    def drops(self) -> list[int]:
        columns = self.log.columns()
        return [int(pn) for pn in columns["pn"][columns["event"] == self.event]]


CASES: dict[str, tuple[Any, Any, dict[str, Any], dict[str, Any]]] = {
    "packets": (DropTail, Naive, {"limit_packets": 7}, {}),
    "bytes": (DropTail, Naive, {"limit_bytes": 9000}, {}),
    "time": (DropTail, NaiveTimed, {"limit_time": 9 * MS}, {}),
    "drophead": (DropHead, NaiveDropHead, {"limit_packets": 7, "limit_bytes": 9000}, {}),
    "codel": (CoDel, NaiveCodel, {"limit_packets": 90}, {}),
    "codel ecn": (CoDel, NaiveCodel, {"ecn": True}, {}),
    "pie": (Pie, NaivePie, {"limit_packets": 60}, {"stream": True}),
    "pie ecn": (Pie, NaivePie, {"limit_packets": 60, "ecn": True}, {"stream": True}),
    "red": (Red, NaiveRed, {"limit_packets": 12, "min_packets": 2, "max_packets": 4}, {"stream": True}),
    "red ecn": (Red, NaiveRed, {"min_packets": 2, "max_packets": 4, "ecn": True}, {"stream": True}),
    "fq_codel": (FqCoDel, NaiveFqCodel, {"limit_packets": 40, "queues": 5, "drop_batch": 4}, {}),
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("ratio", [0.48, 0.56, 0.75])
@pytest.mark.parametrize("name", CASES)
def test_every_decision_equals_the_naive_one(name: str, ratio: float, seed: int) -> None:
    make, naive_make, options, extra = CASES[name]
    real = make(Stream(5, "drops"), **options) if extra else make(**options)
    notes, naive = DropNotes(real), naive_make(**options)
    calls = Stream(seed, f"calls {ratio}")
    now = 0
    for pn in range(4000):
        now += int(calls.next_double() * 3 * MS)
        if calls.next_double() < 0.01:
            now += int(calls.next_double() * 400 * MS)
        if calls.next_double() < ratio:
            size = (60, 700, 1500)[int(calls.next_double() * 3)]
            ecn = (NOT_ECT, ECT0)[int(calls.next_double() * 2)]
            flow = int(calls.next_double() * 8)
            ours = real.offer(now, make_packet(flow, DATA, size, ecn, pn, pn, now))
            assert ours == naive.offer(now, [pn, size, ecn, now, flow]), f"offer of {pn} at {now}"
        else:
            packet, row = real.take(now), naive.take(now)
            assert (packet is None) == (row is None), f"take at {now}"
            if packet is not None and row is not None:
                assert [packet.pn, packet.ecn] == [row[0], row[2]], f"take at {now}"
    assert notes.drops() == naive.dropped
    assert real.dropped == len(naive.dropped)
    assert real.offered == real.taken + real.dropped + real.count
    if ratio == 0.75:
        assert real.dropped > 0
        assert real.marked > 0 or not getattr(naive, "ecn", False)
