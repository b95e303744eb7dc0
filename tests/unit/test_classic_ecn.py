"""Prague's detection of classic ECN queues."""

from __future__ import annotations

import math

import pytest

from lanecast.emulation.capacity import Capacity
from lanecast.emulation.delay import Delay
from lanecast.emulation.link import Link
from lanecast.l4s.pie import Pie
from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.classic_ecn import CLASSIC, L4S, MOST, ClassicDetector
from lanecast.transport.congestion.prague import Prague
from lanecast.transport.congestion.reno import Reno
from lanecast.transport.marking import Marker
from lanecast.transport.pacing import prague_pacer
from lanecast.transport.receiver import Receiver
from lanecast.transport.rng import Streams
from lanecast.transport.sender import Sender
from lanecast.transport.stage import ECT0, ECT1, Demux
from lanecast.transport.units import MS, SECOND


def sawtooth(
    detector: ClassicDetector, low: int, high: int, periods: int = 60, ssthresh: float = 32.0
) -> None:
    """Play RTTs that rise from `low` to `high` ns in each of some periods."""
    for _ in range(periods):
        for step in range(200):
            detector.hear(low + (high - low) * step // 200, ssthresh)
        detector.judge(20 * MS)


def test_a_deep_swinging_queue_is_found_classic_and_a_shallow_one_is_not() -> None:
    classic, shallow = ClassicDetector(), ClassicDetector()
    sawtooth(classic, 25 * MS, 45 * MS)
    sawtooth(shallow, 20 * MS, 21 * MS)
    assert classic.score == MOST
    assert classic.share() == 0.625
    assert shallow.score == 0.0
    assert shallow.share() == 0.0


def test_the_score_moves_by_the_logarithms_of_deviation_and_depth() -> None:
    detector = ClassicDetector()
    detector.hear(30 * MS, 8.0)
    detector.judge(20 * MS)
    assert detector.score == 0.0  # the deviation is still far below the reference
    for _ in range(5000):
        detector.hear(30 * MS + 6 * MS, 2.0)
        detector.hear(30 * MS - 6 * MS, 2.0)
    detector.judge(20 * MS)
    expected = (
        math.log2(detector.deviation / 750_000) + math.log2((detector.srtt - 20 * MS) / 2_000_000)
    ) / 2
    assert detector.score == pytest.approx(expected, rel=1e-12)
    assert expected > 1


def test_the_share_rises_between_l4s_and_classic() -> None:
    detector = ClassicDetector()
    shares = []
    for _ in range(200):
        sawtooth(detector, 24 * MS, 30 * MS, periods=1)
        shares.append((detector.score, detector.share()))
    for score, share in shares:
        assert share == pytest.approx(0.625 * min(max(score - L4S, 0.0), CLASSIC - L4S))
    assert shares[-1][1] == 0.625


def share_beside_reno(*, fallback: bool) -> float:
    """Return Prague's share of a classic ECN queue (PIE, 20 Mbit/s, 20 ms) with Reno in it."""
    calendar, streams = Calendar(), Streams(3)
    queue = Pie(stream=streams.stream("aqm"), ecn=True, mark_limit=1.0)
    link = Link(calendar, queue, Capacity(20_000_000))
    link.out = demux = Demux()
    senders = []
    for flow, (law, label) in enumerate(
        ((Prague(mss=1500, ecn_fallback=fallback), ECT1), (Reno(mss=1500), ECT0))
    ):
        sender = Sender(
            calendar, law, flow=flow, marker=Marker(label), pacer=prague_pacer() if flow == 0 else None
        )
        receiver = Receiver(calendar, flow=flow)
        there, back = Delay(calendar, 10 * MS), Delay(calendar, 10 * MS)
        sender.out, there.out, receiver.out, back.out = there, link, back, sender
        demux.route(flow, receiver)
        sender.bulk()
        sender.start(flow * MS)
        senders.append(sender)
    calendar.settle(15 * SECOND)
    before = [sender.recovery.cumulative for sender in senders]
    calendar.settle(30 * SECOND)
    got = [sender.recovery.cumulative - start for sender, start in zip(senders, before, strict=True)]
    return got[0] / sum(got)


def test_the_fallback_leaves_reno_its_share_of_a_classic_queue() -> None:
    assert share_beside_reno(fallback=False) > 0.85
    assert share_beside_reno(fallback=True) < 0.7
