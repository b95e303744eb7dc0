"""The laws of DualPI2 measured on the queue itself: slope, coupling, shares, thresholds. No flows, no link."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lanecast.experiments.claims import Goal, at_most
from lanecast.experiments.statistics import Estimate
from lanecast.l4s.dualpi2 import DualPi2
from lanecast.transport.rng import Stream
from lanecast.transport.stage import DATA, ECT1, NOT_ECT, Packet, make_packet
from lanecast.transport.units import MS, SECOND

if TYPE_CHECKING:
    from typing import Any

RFC = "RFC 9332 A.1"
LINUX = "torvalds/linux sch_dualpi2.c"
SIZE = 1500
DRAWS = 1_000_000
BEHIND = 10  # packets


def laws() -> list[tuple[str, str, Goal, Estimate]]:
    """Return each law's text, source, goal and how far the queue is from it."""
    return [
        ("PI: change of p for a constant 5 ms above target, relative error against alpha d", LINUX,
         at_most(1e-12), _sure(slope_error())),
        ("coupling: |p_C - (p_CL / k)^2| over p from 0 to 1/k", RFC, at_most(1e-12), _sure(coupling_error())),
        ("marks and drops in 10^6 packets against p_CL and p_C, in standard deviations", RFC,
         at_most(4.0), _sure(frequency_error())),
        ("shares of L and C with both backlogged, against 90 and 10 %", LINUX,
         at_most(0.005, "%"), _sure(abs(low_share("linux") - 0.90))),
        ("the same under the RFC profile, against 15 to 1", RFC,
         at_most(0.005, "%"), _sure(abs(low_share("rfc9332") - 15 / 16))),
        ("packets marked or dropped by the coupled law with less than two MTU behind, p = 0.4", LINUX,
         at_most(0.0), _sure(float(touched_when_short()))),
        ("step: packets marked at exactly 1 ms, and not marked 1 ns above", LINUX,
         at_most(0.0), _sure(float(step_faults()))),
        ("ramp: error of the marking probability at nine points from 0.8 to 1.2 ms", RFC,
         at_most(1e-3), _sure(ramp_error())),
    ]  # fmt: skip


def _sure(value: float) -> Estimate:
    return Estimate(value, value, value)


def packet(ecn: int) -> Packet:
    """Return a full-sized packet."""
    return make_packet(0, DATA, SIZE, ecn, 0, 0, 0)


def queue(kind: type[DualPi2] = DualPi2, **settings: Any) -> DualPi2:
    """Return a queue with a stream of its own."""
    return kind(Stream(1, "l4s laws", 0), **settings)


def slope_error() -> float:
    """Let every update find a C packet that has waited 5 ms beyond target; return the largest relative error of p."""
    held = queue()
    settings, excess = held.settings, 5 * MS
    expected = settings.alpha * excess / SECOND
    worst, before = 0.0, 0.0
    held.offer(2 * settings.tupdate - settings.target - excess, packet(NOT_ECT))
    for update in range(3 * settings.tupdate, 12 * settings.tupdate, settings.tupdate):
        held.offer(update - settings.target - excess, packet(NOT_ECT))
        held.take(update - settings.tupdate + 1)  # the packet of the last update leaves
        if update > 5 * settings.tupdate:
            worst = max(worst, abs((held.probability - before) / expected - 1))
        before = held.probability
    return worst


def coupling_error() -> float:
    """Return the largest deviation from p_C = (p_CL / k)^2."""
    held = queue()
    worst = 0.0
    for part in range(101):
        held.probability = part / 100 / held.settings.coupling_factor
        classic, low = held.probabilities()
        worst = max(worst, abs(classic - (low / held.settings.coupling_factor) ** 2))
    return worst


def full(held: DualPi2, behind: int, now: int) -> None:
    """Fill both queues so that `behind` packets of each stay behind whatever is taken."""
    for _ in range(behind):
        held.offer(now, packet(NOT_ECT))
        held.offer(now, packet(ECT1))


def frequency_error(kind: type[DualPi2] = DualPi2, *, p: float = 0.1, draws: int = DRAWS) -> float:
    """Send packets at a constant p; return the larger deviation of marks and drops in standard deviations."""
    held = queue(kind, alpha=1e-30, beta=1e-30, step_thresh=0)
    held.probability = p
    sent = [-BEHIND, -BEHIND]  # these stay behind
    while sum(sent) < draws:
        for ecn, line in ((NOT_ECT, held.classic), (ECT1, held.low)):
            while line.count < BEHIND:
                held.offer(0, packet(ecn))
                sent[ecn == ECT1] += 1
        held.take(0)
    marked, dropped = held.marked_coupled, held.dropped_early
    classic, low_p = held.probabilities()
    counts = ((marked, sent[1], low_p), (dropped, sent[0], classic))
    return max(abs(found - n * q) / math.sqrt(n * q * (1 - q)) for found, n, q in counts)


def low_share(profile: str) -> float:
    """Keep both queues backlogged; return L's share of the packets sent."""
    held = queue(profile=profile, alpha=1e-30, beta=1e-30)
    full(held, 2, 0)
    taken = [0, 0]
    for _ in range(100_000):
        sent = held.take(0)
        assert sent is not None, "both queues are kept backlogged"
        taken[sent.ecn == ECT1] += 1
        held.offer(0, packet(sent.ecn))
    return taken[1] / sum(taken)


def touched_when_short() -> int:
    """Send with one packet of each queue at most; return how many were marked or dropped."""
    held = queue(step_thresh=0)
    held.probability = 0.4
    for _ in range(1000):
        full(held, 1, 0)
        while held.take(0) is not None:
            pass
    return held.marked + held.dropped


def step_faults() -> int:
    """Return how many of two packets were treated wrongly: 1 ms of waiting is not too long, 1 ns more is."""
    faults = 0
    for late in (0, 1):
        held = queue()
        held.offer(0, packet(ECT1))
        held.take(held.settings.step_thresh + late)
        faults += held.marked_step != late
    return faults


def ramp_error() -> float:
    """Return the largest error of the marked share of packets at nine waiting times on the ramp."""
    worst = 0.0
    for part in range(9):
        held = queue(profile="rfc9332")
        start, width = held.settings.step_thresh, held.settings.ramp_range
        count = 10_000
        for _ in range(count):
            held.offer(0, packet(ECT1))
        waited = start + width * part // 8
        for _ in range(count - 1):
            held.take(waited)
        worst = max(worst, abs(held.marked_coupled / (count - 1) - part / 8))
    return worst
