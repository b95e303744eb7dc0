"""DualPI2, PI2 and step against naive queues, decision by decision, with the same dice.

The naive queues keep lists of rows and follow their documents step by step: torvalds/linux sch_dualpi2.c with its
credit and two rolls, RFC 9332 A.1 with its sums, the PI2 paper, DCTCP's switch. They share no code with the product.
A roll against 0 asks no die, here and there. The last test makes sure that small faults are seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.l4s.classifier import FlowClasses
from lanecast.l4s.dualpi2 import DualPi2
from lanecast.l4s.pi2 import Pi2
from lanecast.l4s.queue import Queue
from lanecast.l4s.step import Step
from lanecast.transport.recorder import DROP, PacketLog
from lanecast.transport.rng import Stream
from lanecast.transport.stage import CE, DATA, ECT0, ECT1, NOT_ECT, make_packet

MS = 1_000_000
CALLS = 6000


@dataclass
class Row:
    pn: int
    size: int
    ecn: int
    flow: int
    since: int = 0
    kind: str = "c"  # c, l, or b: L without marks
    step: bool = True  # the step applies


class NaiveLinux:
    """sch_dualpi2.c: dequeue_packet, must_drop, do_step_aqm, calculate_probability."""

    target, tupdate, alpha, beta, least, k = 15 * MS, 16 * MS, 41 / 256, 819 / 256, 3000, 2.0
    wc, wl = 10.0, 90.0

    def __init__(self, stream: Stream, **options: Any) -> None:
        self.stream = stream
        self.on = options
        self.wc = options.get("classic_protection", self.wc)
        self.wl = 100 - self.wc
        self.lanes: dict[str, list[Row]] = {"l": [], "c": []}
        self.p, self.old, self.next = 0.0, 0, self.tupdate
        self.credit = 1500 * (self.wc - self.wl)
        self.dropped: list[int] = []
        self.step_marks = 0

    def tick(self, now: int) -> None:
        while self.next <= now:
            delay = self.delay(self.next)
            change = self.alpha * (delay - self.target) / 1e9 + self.beta * (delay - self.old) / 1e9
            top = 1.0 / self.k if not self.on.get("drop_on_overload", True) else 1.0
            self.p = min(max(self.p + change, 0.0), top)
            self.old = delay
            self.next += self.tupdate

    def delay(self, now: int) -> int:
        return max((now - lane[0].since for lane in self.lanes.values() if lane), default=0)

    def backlog(self) -> int:
        return sum(row.size for lane in self.lanes.values() for row in lane)

    def roll(self, p: float) -> bool:
        return p > 0 and self.stream.next_double() < p

    def classify(self, row: Row) -> str:
        if self.on.get("classes", {}).get(row.flow):
            return str(self.on["classes"][row.flow])
        mask = 3 if self.on.get("ecn_mask") == "any_ect" else 1
        return "l" if row.ecn & mask else "c"

    def arrive(self, now: int, row: Row) -> bool:
        self.tick(now)
        row.kind = self.classify(row)
        held = sum(len(lane) for lane in self.lanes.values())
        full = held >= self.on.get("limit", 10**9) or self.backlog() + row.size > self.on.get(
            "memlimit", 10**12
        )
        if full or (self.on.get("drop_enqueue") and self.must_drop(row)):
            self.dropped.append(row.pn)
            return False
        row.since = now
        row.step = row.kind == "l" and len(self.lanes["l"]) >= self.on.get("min_qlen_step", 0)
        self.lanes["c" if row.kind == "c" else "l"].append(row)
        return True

    def leave(self, now: int) -> Row | None:
        self.tick(now)
        while self.lanes["l"] or self.lanes["c"]:
            low, classic = self.lanes["l"], self.lanes["c"]
            change = 0.0
            if low and (not classic or self.credit <= 0):
                row = low.pop(0)
                change = self.wc * row.size if classic else 0.0
            else:
                row = classic.pop(0)
                change = -self.wl * row.size if low else 0.0
            if not self.on.get("drop_enqueue") and self.must_drop(row):
                self.dropped.append(row.pn)
                continue
            if row.kind != "c" and self.step_drop(now, row):
                self.dropped.append(row.pn)
                continue
            self.credit += change
            return row
        self.credit = 1500 * (self.wc - self.wl)
        return None

    def must_drop(self, row: Row) -> bool:
        if self.backlog() < self.least or row.kind == "b":
            return False
        low = self.k * self.p
        if row.kind == "c":
            if self.roll(self.p) and self.roll(self.p):
                if low > 1 or row.ecn == NOT_ECT:
                    return True
                row.ecn = CE
            return False
        if low > 1:
            if self.on.get("drop_on_overload", True) and self.roll(self.p) and self.roll(self.p):
                return True
            row.ecn = CE if row.ecn != NOT_ECT else NOT_ECT
            return False
        if self.roll(low):
            if row.ecn == NOT_ECT:
                return True
            row.ecn = CE
        return False

    def step_drop(self, now: int, row: Row) -> bool:
        if self.on.get("step_packets"):
            over = len(self.lanes["l"]) > self.on["step_packets"]
        else:
            over = now - row.since > self.on.get("step_thresh", MS)
        if not (row.step and over):
            return False
        if row.ecn == NOT_ECT:
            return True
        row.ecn = CE
        self.step_marks += 1
        return False


class NaiveRfc:
    """RFC 9332 A.1 and its figures: laqm, recur, dualpi2_dequeue with overload; a round robin by bytes."""

    def __init__(self, _stream: Stream, **options: Any) -> None:
        self.on = options
        self.lanes: dict[str, list[Row]] = {"l": [], "c": []}
        self.p, self.old, self.next = 0.0, 0, 15 * MS
        self.count = {"l": 0.0, "c": 0.0}
        self.turn, self.left = "l", {"l": 22500.0, "c": 0.0}
        self.dropped: list[int] = []

    def tick(self, now: int) -> None:
        while self.next <= now:
            delay = max((self.next - lane[0].since for lane in self.lanes.values() if lane), default=0)
            alpha, beta = 0.1 * 0.015 / 0.1**2, 0.3 / 0.1
            self.p += alpha * (delay - 15 * MS) / 1e9 + beta * (delay - self.old) / 1e9
            self.p = min(max(self.p, 0.0), 1.0)
            self.old = delay
            self.next += 15 * MS

    def recur(self, lane: str, likelihood: float) -> bool:
        self.count[lane] += likelihood
        if self.count[lane] > 1:
            self.count[lane] -= 1
            return True
        return False

    def arrive(self, now: int, row: Row) -> bool:
        self.tick(now)
        row.since, row.kind = now, "l" if row.ecn & 1 else "c"
        self.lanes[row.kind].append(row)
        return True

    def scheduler(self) -> str:
        if not (self.lanes["l"] and self.lanes["c"]):
            return "l" if self.lanes["l"] else "c"
        while self.left[self.turn] <= 0:
            self.turn = "c" if self.turn == "l" else "l"
            self.left[self.turn] += {"l": 22500.0, "c": 1500.0}[self.turn]
        return self.turn

    def leave(self, now: int) -> Row | None:
        self.tick(now)
        while self.lanes["l"] or self.lanes["c"]:
            lane = self.scheduler()
            row = self.lanes[lane].pop(0)
            if self.lost(now, row):
                self.dropped.append(row.pn)
                continue
            if self.lanes["c" if lane == "l" else "l"]:
                self.left[lane] -= row.size
            else:
                self.turn, self.left = "l", {"l": 22500.0, "c": 0.0}
            return row
        self.turn, self.left = "l", {"l": 22500.0, "c": 0.0}
        return None

    def lost(self, now: int, row: Row) -> bool:
        p_cl, p_c = 2.0 * self.p, self.p * self.p
        if row.kind == "c":
            if self.recur("c", p_c):
                if p_c >= 0.25 or row.ecn == NOT_ECT:
                    return True
                row.ecn = CE
            return False
        if p_cl < 1:
            waited = (now - row.since - 800_000) / 400_000
            native = min(max(waited, 0.0), 1.0) if len(self.lanes["l"]) + 1 > 1 else 0.0
            if self.recur("l", max(native, p_cl)):
                row.ecn = CE
            return False
        if self.recur("l", p_c):
            return True
        if self.recur("l", min(p_cl, 1.0)):
            row.ecn = CE
        return False


class NaivePi2(NaiveLinux):
    """One list: 'l' rows are judged as scalable, 'c' rows as classic."""

    def arrive(self, now: int, row: Row) -> bool:
        self.tick(now)
        row.since, row.kind = now, self.classify(row)
        self.lanes["c"].append(row)
        return True

    def leave(self, now: int) -> Row | None:
        self.tick(now)
        while self.lanes["c"]:
            row = self.lanes["c"].pop(0)
            if not self.must_drop(row):
                return row
            self.dropped.append(row.pn)
        return None


class NaiveStep:
    def __init__(self, _stream: Stream, **options: Any) -> None:
        self.on = options
        self.rows: list[Row] = []
        self.dropped: list[int] = []

    def marked(self, row: Row) -> bool:
        if row.ecn == NOT_ECT:
            return not self.on.get("drop_not_ect")
        row.ecn = CE
        return True

    def arrive(self, now: int, row: Row) -> bool:
        row.since = now
        if self.on.get("step_packets") and len(self.rows) >= self.on["step_packets"] and not self.marked(row):
            self.dropped.append(row.pn)
            return False
        self.rows.append(row)
        return True

    def leave(self, now: int) -> Row | None:
        while self.rows:
            row = self.rows.pop(0)
            late = self.on.get("step_thresh") and now - row.since >= self.on["step_thresh"]
            if not late or self.marked(row):
                return row
            self.dropped.append(row.pn)
        return None


def differs(real: Queue, naive: Any, seed: int, busy: float = 0.75) -> str:
    """Play the same calls to both; return where they first decide differently, or nothing."""
    real.log = PacketLog()
    calls, now = Stream(seed, "calls"), 0
    for pn in range(CALLS):
        load = busy if pn // 1000 % 2 == 0 else 0.35  # the queue builds up, then drains
        now += int(calls.next_double() * (0.25 if load == busy else 1.2) * MS)
        if calls.next_double() < 0.004:
            now += int(calls.next_double() * 300 * MS)
        if calls.next_double() < load:
            size = (60, 700, 1500)[int(calls.next_double() * 3)]
            ecn = (NOT_ECT, ECT0, ECT1, CE)[int(calls.next_double() * 4)]
            flow = int(calls.next_double() * 5)
            ours = real.offer(now, make_packet(flow, DATA, size, ecn, pn, pn, now))
            if ours != naive.arrive(now, Row(pn, size, ecn, flow)):
                return f"arrival {pn} at {now}"
        else:
            packet, row = real.take(now), naive.leave(now)
            mine = None if packet is None else (packet.pn, packet.ecn)
            other = None if row is None else (row.pn, row.ecn)
            if mine != other:
                return f"departure at {now}: {mine}, not {other}"
    columns = real.log.columns()
    if columns["pn"][columns["event"] == DROP].tolist() != naive.dropped:
        return "drops"
    return ""


CLASSES = {"classes": {1: "b", 2: "l", 3: "c"}}
FILTER = {"classifier": FlowClasses({1: "bare", 2: "l4s", 3: "classic"})}
CASES: dict[str, tuple[Any, dict[str, Any], Any, dict[str, Any]]] = {
    "linux": (DualPi2, {}, NaiveLinux, {}),
    "linux limits": (DualPi2, {"limit": 60, "memlimit": 50_000}, NaiveLinux, {"limit": 60, "memlimit": 50_000}),
    "linux overflow": (DualPi2, {"drop_on_overload": False}, NaiveLinux, {"drop_on_overload": False}),
    "linux drop_enqueue": (DualPi2, {"drop_enqueue": True}, NaiveLinux, {"drop_enqueue": True}),
    "linux any_ect": (DualPi2, {"ecn_mask": "any_ect"}, NaiveLinux, {"ecn_mask": "any_ect"}),
    "linux min_qlen": (DualPi2, {"profile": "linux-2020"}, NaiveLinux, {"min_qlen_step": 2}),
    "linux packets": (DualPi2, {"step_packets": 5}, NaiveLinux, {"step_packets": 5}),
    "linux protection": (DualPi2, {"classic_protection": 50}, NaiveLinux, {"classic_protection": 50}),
    "linux filters": (DualPi2, FILTER, NaiveLinux, CLASSES),
    "linux filters early": (DualPi2, FILTER | {"drop_enqueue": True}, NaiveLinux, CLASSES | {"drop_enqueue": True}),
    "rfc9332": (DualPi2, {"profile": "rfc9332"}, NaiveRfc, {}),
    "pi2": (Pi2, {}, NaivePi2, {}),
    "step packets": (Step, {"step_packets": 9}, NaiveStep, {"step_packets": 9}),
    "step time": (Step, {"step_thresh": 2 * MS}, NaiveStep, {"step_thresh": 2 * MS}),
    "step drop": (
        Step, {"step_packets": 9, "step_thresh": MS, "drop_not_ect": True},
        NaiveStep, {"step_packets": 9, "step_thresh": MS, "drop_not_ect": True},
    ),
}  # fmt: skip


def pair(name: str, seed: int) -> tuple[Queue, Any]:
    make, options, naive_make, known = CASES[name]
    real = make(**options) if make is Step else make(Stream(seed, "dice"), **options)
    return real, naive_make(Stream(seed, "dice"), **known)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("busy", [0.62, 0.9])
@pytest.mark.parametrize("name", CASES)
def test_every_decision_equals_the_naive_one(name: str, busy: float, seed: int) -> None:
    real, naive = pair(name, seed)
    assert differs(real, naive, seed, busy) == ""
    assert real.marked > 0
    if isinstance(real, DualPi2):
        assert real.probability == naive.p
        assert real.dropped > 0
        if isinstance(naive, NaiveLinux):
            assert (real.marked_step, real.credit) == (naive.step_marks, naive.credit)
            assert real.marked_step > 0


class Mild(NaiveLinux):
    beta = 818 / 256


class Late(NaiveLinux):
    tupdate = 16 * MS + 10_000


class Generous(NaiveLinux):
    wc = 11.0


class Lenient(NaiveLinux):
    least = 3001


class RightBehind(NaiveLinux):
    """Judges a packet while it still counts."""

    def must_drop(self, row: Row) -> bool:
        self.lanes["c"].append(row)
        answer = super().must_drop(row)
        self.lanes["c"].pop()
        return answer


class OnceRolled(NaiveLinux):
    """p instead of p^2."""

    def roll(self, p: float) -> bool:
        return p > 0 and (p == 1.0 or self.stream.next_double() < p * 0.999)


@pytest.mark.parametrize("wrong", [Mild, Late, Generous, Lenient, RightBehind, OnceRolled])
def test_an_oracle_that_is_wrong_by_a_little_is_told_from_the_queue(wrong: Callable[..., Any]) -> None:
    assert any(differs(DualPi2(Stream(s, "dice")), wrong(Stream(s, "dice")), s) for s in range(6))


@given(delays=st.lists(st.integers(0, 60 * MS), min_size=2, max_size=60))
def test_the_controller_equals_exact_fractions(delays: list[int]) -> None:
    """The product's doubles stay within 10^-12 of the recursion in exact arithmetic."""

    class Scripted(DualPi2):
        def delay_at(self, now: int) -> int:
            return delays[now // (16 * MS) - 1]

    queue = Scripted(Stream(1, "dice"))
    queue.offer(0, make_packet(0, DATA, 1500, NOT_ECT, 0, 0, 0))
    exact = Fraction(0)
    for update, (old, new) in enumerate(pairwise([0, *delays]), 1):
        step = Fraction(41, 256) * (new - 15 * MS) + Fraction(819, 256) * (new - old)
        exact = min(max(exact + step / 10**9, Fraction(0)), Fraction(1))
        queue.catch_up(update * 16 * MS)
        assert abs(queue.probability - exact) < 1e-12
