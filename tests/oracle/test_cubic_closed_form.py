"""Cubic and the scalable laws against closed forms and naive recomputations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.transport.congestion.base import AckObservation, LossObservation
from lanecast.transport.congestion.cubic import BETA, C, Cubic
from lanecast.transport.units import SECOND

MSS = 1000


def reduced(window: int) -> Cubic:
    """Return a controller reduced at `window` packets, its epoch begun at time 0."""
    cubic = Cubic(mss=MSS, initial_packets=window)
    loss = LossObservation()
    loss.flight, loss.pn, loss.next_pn = window * MSS, 0, 1
    cubic.on_loss(loss)
    acknowledge(cubic, 0, 1, 0)
    return cubic


def acknowledge(cubic: Cubic, now: int, packets: int, srtt: int) -> None:
    seen = AckObservation()
    seen.now, seen.srtt, seen.acked, seen.acked_packets = now, srtt, packets * MSS, packets
    seen.pn, seen.next_pn = 10, 11
    cubic.on_ack(seen)


@given(st.integers(10, 100_000))
def test_k_and_the_three_points_of_the_window_function(window: int) -> None:
    cubic = reduced(window)
    k = ((window - BETA * window) / C) ** (1 / 3)
    assert cubic.k == pytest.approx(k, rel=1e-9)
    assert cubic.window(0.0) == pytest.approx(BETA * window, rel=1e-9)
    assert cubic.window(k) == pytest.approx(window, rel=1e-9)
    assert cubic.window(2 * k) == pytest.approx((2 - BETA) * window, rel=1e-9)


def test_rfc_9438_example_of_100_packets() -> None:
    cubic = reduced(100)
    assert round(cubic.k, 2) == 4.22
    assert cubic.cwnd == pytest.approx(70 * MSS, rel=1e-3)


@given(
    st.integers(20, 2000),
    st.lists(st.tuples(st.integers(1, 200_000_000), st.integers(1, 30)), min_size=1, max_size=200),
)
def test_every_window_equals_a_naive_recomputation_of_rfc_9438(
    window: int, steps: list[tuple[int, int]]
) -> None:
    srtt = 30_000_000
    cubic = reduced(window)
    prior, cwnd = float(window), cubic.cwnd / MSS
    estimate, plateau, k = cubic.w_est, cubic.w_max, cubic.k
    alpha = 3 * (1 - BETA) / (1 + BETA)
    now = 0
    for gap, packets in steps:
        now += gap
        acknowledge(cubic, now, packets, srtt)
        estimate += (alpha if estimate < prior else 1.0) * packets / cwnd  # 4.3
        t = now / SECOND
        if C * (t - k) ** 3 + plateau < estimate:
            cwnd = max(cwnd, estimate)
        else:
            target = min(max(C * (t + srtt / SECOND - k) ** 3 + plateau, cwnd), 1.5 * cwnd)  # 4.4, 4.5
            cwnd += (target - cwnd) / cwnd * packets
        assert cubic.cwnd / MSS == pytest.approx(cwnd, rel=1e-9)
