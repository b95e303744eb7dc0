"""CUBIC against the closed forms of RFC 9438; sizes in packets of 1000 bytes."""

from __future__ import annotations

import math

import pytest

from lanecast.transport.congestion.base import AckObservation, LossObservation
from lanecast.transport.congestion.cubic import BETA, C, Cubic
from lanecast.transport.units import MS, SECOND

MSS = 1000
RTT = 100 * MS


def reduced(window: int, **options: object) -> Cubic:
    """Return a controller that was reduced at `window` packets in flight."""
    cubic = Cubic(mss=MSS, **options)  # type: ignore[arg-type]
    cubic.cwnd = float(window * MSS)
    loss = LossObservation()
    loss.flight, loss.pn, loss.next_pn = window * MSS, 0, 1
    cubic.on_loss(loss)
    return cubic


def feed(cubic: Cubic, now: int, packets: float = 1.0, srtt: int = RTT, *, app_limited: bool = False) -> None:
    seen = AckObservation()
    seen.now, seen.srtt, seen.acked, seen.acked_packets = now, srtt, int(packets * MSS), 1
    seen.pn, seen.next_pn, seen.app_limited = 100, 200, app_limited
    cubic.on_ack(seen)


def run(cubic: Cubic, seconds: float, start: int = 0, srtt: int = RTT) -> int:
    """Acknowledge a window each round trip, packet by packet; return the time of the last ACK."""
    now = start
    while now < start + seconds * SECOND:
        now += int(srtt / (cubic.cwnd / MSS))
        feed(cubic, now, srtt=srtt)
    return now


def test_k_is_4_22_s_for_100_packets() -> None:
    cubic = reduced(100)
    assert cubic.cwnd == 70 * MSS
    feed(cubic, 0)
    assert cubic.k == pytest.approx((30 / 0.4) ** (1 / 3), abs=1e-12)
    assert round(cubic.k, 2) == 4.22


def test_window_function_passes_through_its_three_points() -> None:
    cubic = reduced(100)
    feed(cubic, 0)
    assert cubic.window(0.0) == pytest.approx(70)
    assert cubic.window(cubic.k) == pytest.approx(100)
    assert cubic.window(2 * cubic.k) == pytest.approx(130)


def test_growth_follows_the_closed_form() -> None:
    cubic = reduced(1000)  # far above the Reno-friendly region at this RTT
    feed(cubic, 0)
    now = 0
    for seconds in (2.0, 4.0, 3.0, 3.0):
        now = run(cubic, seconds, now)
        # the target is the window one RTT ahead, approached by (target - cwnd) a round trip: within one RTT of W(t)
        low, high = cubic.window(now / SECOND - RTT / SECOND), cubic.window((now + RTT) / SECOND)
        assert low - 1 <= cubic.cwnd / MSS <= high + 1, now


def test_reno_friendly_estimate_rules_at_small_windows() -> None:
    cubic = reduced(20)
    feed(cubic, 0, srtt=10 * MS)
    rounds = 60
    run(cubic, rounds * 0.010, srtt=10 * MS)
    alpha = 3 * (1 - BETA) / (1 + BETA)
    assert alpha == pytest.approx(0.529, abs=5e-4)
    # the estimate grows alpha packets a round trip up to the old window, then one (RFC 9438 4.3)
    slow = (20 - 14) / alpha
    expected = 20 + (rounds - slow)
    assert cubic.cwnd / MSS == pytest.approx(expected, abs=2.0)
    assert cubic.cwnd / MSS > cubic.window(rounds * 0.010)


def test_target_is_at_most_half_as_much_again() -> None:
    cubic = reduced(10)
    feed(cubic, 0)
    before = cubic.cwnd
    feed(cubic, 100 * SECOND, packets=before / MSS)
    assert cubic.cwnd == pytest.approx(1.5 * before, rel=0.02)


def test_fast_convergence_lowers_the_plateau_when_capacity_shrinks() -> None:
    cubic = reduced(100)
    loss = LossObservation()
    loss.flight, loss.pn, loss.next_pn = 70 * MSS, 10, 20
    cubic.on_loss(loss)
    assert cubic.w_max == pytest.approx(70 * (1 + BETA) / 2)
    plain = reduced(100, fast_convergence=False)
    plain.on_loss(loss)
    assert plain.w_max == pytest.approx(70)


def test_reduction_is_by_the_flight_not_the_window() -> None:
    cubic = Cubic(mss=MSS)
    cubic.cwnd = 100.0 * MSS
    loss = LossObservation()
    loss.flight, loss.pn, loss.next_pn = 40 * MSS, 0, 1
    cubic.on_loss(loss)
    assert cubic.cwnd == pytest.approx(28 * MSS)
    assert cubic.w_max == 100


def test_marks_and_losses_may_have_their_own_factors() -> None:
    cubic = Cubic(mss=MSS, mark_factor=0.85)
    seen = AckObservation()
    seen.ce, seen.pn, seen.next_pn, seen.flight, seen.acked = 1, 5, 9, 100 * MSS, MSS
    cubic.on_ack(seen)
    assert cubic.cwnd == pytest.approx(85 * MSS)


def test_application_limited_time_does_not_count() -> None:
    steady, paused = reduced(1000), reduced(1000)
    for cubic in (steady, paused):
        feed(cubic, 0)
        feed(cubic, SECOND)
    feed(paused, 2 * SECOND, app_limited=True)
    feed(paused, 11 * SECOND, app_limited=True)
    before = paused.cwnd
    feed(steady, SECOND + RTT)
    feed(paused, 11 * SECOND + RTT)
    assert paused.cwnd - before == pytest.approx(steady.cwnd - before, rel=1e-9)
    assert math.isclose(paused.epoch, 10 * SECOND)


def test_spurious_reduction_is_undone_with_its_plateau() -> None:
    cubic = reduced(100)
    feed(cubic, 0)
    run(cubic, 3.0)
    before = (cubic.cwnd, cubic.ssthresh, cubic.w_max)
    loss = LossObservation()
    loss.flight, loss.pn, loss.next_pn = int(cubic.cwnd), 150, 300
    cubic.on_loss(loss)
    assert cubic.cwnd < before[0]
    cubic.on_spurious(4 * SECOND)
    assert (cubic.cwnd, cubic.ssthresh, cubic.w_max) == before


def test_a_new_epoch_starts_without_a_loss_at_the_end_of_slow_start() -> None:
    cubic = Cubic(mss=MSS)
    cubic.ssthresh = 10.0 * MSS
    feed(cubic, 5 * SECOND)
    assert (cubic.k, cubic.w_max) == (0.0, 10.0)
    assert cubic.epoch == 5 * SECOND


def test_long_run_average_meets_the_cubic_response() -> None:
    """A loss each `period` s in the cubic region: the average lies between trough and plateau as W(t) says."""
    cubic = reduced(1000)
    feed(cubic, 0)
    k = cubic.k
    total = sum(cubic.window(k * step / 1000) for step in range(1000)) / 1000
    # integral of C (t-K)^3 + W_max over [0, K]: W_max - C K^3 / 4 = W_max - (1 - beta) W_max / 4
    assert total == pytest.approx(1000 - 300 / 4, rel=1e-3)
    assert pytest.approx(300) == C * k**3
