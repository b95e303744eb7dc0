"""DualPI2 against a naive one, decision by decision, under the Linux and the RFC profile.

The naive queues keep lists of rows and follow the documents step by step (torvalds/linux sch_dualpi2.c; RFC 9332 A.1);
they share no code with the product. Both meet the same random calls and the same dice.
"""

from __future__ import annotations

from typing import Any

import pytest

from lanecast.l4s.dualpi2 import DualPi2
from lanecast.transport.rng import Stream
from lanecast.transport.stage import CE, DATA, ECT0, ECT1, NOT_ECT, make_packet

MS = 1_000_000
CALLS = 30_000
Row = list[int]  # pn, size, ecn, enqueued, 1 where the step applies


class NaiveLinux:
    """Two lists, random dice, the credit of sch_dualpi2."""

    target, tupdate, alpha, beta, least = 15 * MS, 16 * MS, 41 / 256, 819 / 256, 3000
    weight_c, weight_l = 10.0, 90.0

    def __init__(self, stream: Stream, min_qlen: int = 0) -> None:
        self.stream = stream
        self.min_qlen = min_qlen
        self.low: list[Row] = []
        self.classic: list[Row] = []
        self.p = 0.0
        self.old = 0
        self.next = self.tupdate
        self.credit = 1500 * (self.weight_c - self.weight_l)
        self.dropped: list[int] = []

    def tick(self, now: int) -> None:
        while self.next <= now:
            heads = [line[0][3] for line in (self.low, self.classic) if line]
            delay = max((self.next - head for head in heads), default=0)
            change = self.alpha * (delay - self.target) / 1e9 + self.beta * (delay - self.old) / 1e9
            self.p = min(max(self.p + change, 0.0), 1.0)
            self.old = delay
            self.next += self.tupdate

    def offer(self, now: int, row: Row) -> None:
        self.tick(now)
        row[3] = now
        if row[2] in (ECT1, CE):
            row[4] = int(len(self.low) >= self.min_qlen)
            self.low.append(row)
        else:
            self.classic.append(row)

    def take(self, now: int) -> Row | None:
        self.tick(now)
        while self.low or self.classic:
            is_low = bool(self.low) and (not self.classic or self.credit <= 0)
            row = (self.low if is_low else self.classic).pop(0)
            change = 0.0
            if is_low and self.classic:
                change = self.weight_c * row[1]
            elif not is_low and self.low:
                change = -self.weight_l * row[1]
            if not self.survives(now, row, is_low=is_low):
                self.dropped.append(row[0])
                continue
            self.credit += change
            if not self.low and not self.classic:
                self.credit = 1500 * (self.weight_c - self.weight_l)
            return row
        self.credit = 1500 * (self.weight_c - self.weight_l)
        return None

    def backlog(self) -> int:
        return sum(row[1] for row in self.low + self.classic)

    def roll(self, p: float) -> bool:
        return p > 0 and self.stream.next_double() < p

    def survives(self, now: int, row: Row, *, is_low: bool) -> bool:
        if self.backlog() >= self.least:
            overload = 2.0 * self.p > 1
            if not is_low:
                if self.roll(self.p) and self.roll(self.p):
                    if overload or row[2] == NOT_ECT:
                        return False
                    row[2] = CE
                return True
            if overload:
                if self.roll(self.p) and self.roll(self.p):
                    return False
                row[2] = CE
            elif self.roll(2.0 * self.p):
                row[2] = CE
        if is_low and row[4] and now - row[3] > MS:
            row[2] = CE
        return True


class NaiveRfc(NaiveLinux):
    """Ramp, sums instead of dice, 15 to 1."""

    tupdate, alpha, beta, least = 15 * MS, 0.1 * 0.015 / 0.1**2, 0.3 / 0.1, 0
    weight_c, weight_l = 100 / 16, 100 - 100 / 16

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.sums = {True: 0.0, False: 0.0}

    def recur(self, p: float, *, is_low: bool) -> bool:
        if p <= 0:
            return False
        self.sums[is_low] += p
        if self.sums[is_low] <= 1:
            return False
        self.sums[is_low] -= 1
        return True

    def survives(self, now: int, row: Row, *, is_low: bool) -> bool:
        overload = 2.0 * self.p > 1
        if not is_low:
            if self.recur(self.p * self.p, is_low=False):
                if overload or row[2] == NOT_ECT:
                    return False
                row[2] = CE
            return True
        if overload:
            if self.recur(self.p * self.p, is_low=True):
                return False
            row[2] = CE
            return True
        ramp = 0.0
        if len(self.low) + 1 > 1 and now - row[3] > 800_000:
            ramp = min(1.0, (now - row[3] - 800_000) / 400_000)
        if self.recur(max(ramp, 2.0 * self.p), is_low=True):
            row[2] = CE
        return True


@pytest.mark.parametrize(
    ("naive", "options"),
    [
        (NaiveLinux, {}),
        (NaiveLinux, {"min_qlen_step": 2}),
        (NaiveRfc, {"profile": "rfc9332"}),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_decision_is_equal(naive: Any, options: dict[str, Any], seed: int) -> None:
    calls = Stream(seed, "calls", 0)
    ours = DualPi2(Stream(seed, "dice", 0), **options)
    dice = Stream(seed, "dice", 0)
    theirs = naive(dice, options["min_qlen_step"]) if "min_qlen_step" in options else naive(dice)
    now, pn = 0, 0
    for call in range(CALLS):
        busy = call // 5000 % 2 == 0  # the queue builds up, then drains
        now += int(calls.next_double() * (0.2 if busy else 1.0) * MS)
        if calls.next_double() < (0.7 if busy else 0.4):
            size = 60 + int(calls.next_double() * 1440)
            ecn = (NOT_ECT, ECT0, ECT1, ECT1, CE)[int(calls.next_double() * 5)]
            pn += 1
            ours.offer(now, make_packet(0, DATA, size, ecn, pn, 0, now))
            theirs.offer(now, [pn, size, ecn, 0, 0])
        else:
            mine, other = ours.take(now), theirs.take(now)
            assert (mine is None) == (other is None)
            if mine is not None:
                assert [mine.pn, mine.ecn] == [other[0], other[2]]
    assert ours.dropped == len(theirs.dropped) > 0
    assert ours.probability == theirs.p
    assert ours.marked > 0
