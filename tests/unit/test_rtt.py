from __future__ import annotations

import pytest

from lanecast.transport.rtt import RttEstimator
from lanecast.transport.units import MS


def test_before_any_sample_srtt_is_333_ms_and_var_half_of_it() -> None:
    rtt = RttEstimator()
    assert (rtt.smoothed, rtt.rttvar, rtt.min_rtt, rtt.samples) == (333 * MS, 166_500_000, 0, 0)
    assert rtt.timeout == 333 * MS + 4 * 166_500_000  # RFC 9002 6.2.2: PTO 999 ms before max_ack_delay
    assert rtt.pto() == rtt.timeout + 25 * MS


def test_first_sample_sets_everything() -> None:
    rtt = RttEstimator()
    rtt.update(7, 100 * MS, 20 * MS)  # RFC 9002 5.3: the first sample ignores the acknowledgement delay
    assert (rtt.smoothed, rtt.rttvar, rtt.min_rtt, rtt.latest) == (100 * MS, 50 * MS, 100 * MS, 100 * MS)
    assert rtt.first_sample == 7


def test_second_sample_worked_by_hand() -> None:
    rtt = RttEstimator()
    rtt.update(0, 100 * MS, 0)
    rtt.update(1, 140 * MS, 20 * MS)  # adjusted 120: var = (3 x 50 + 20) / 4, srtt = (7 x 100 + 120) / 8
    assert (rtt.rttvar, rtt.smoothed) == (42_500_000, 102_500_000)
    assert rtt.pto() == 102_500_000 + 4 * 42_500_000 + 25 * MS


def test_ack_delay_never_takes_the_sample_under_the_minimum() -> None:
    rtt = RttEstimator()
    rtt.update(0, 100 * MS, 0)
    rtt.update(1, 110 * MS, 20 * MS)  # 110 - 20 < 100: taken as 110
    assert rtt.smoothed == (7 * 100 * MS + 110 * MS) // 8


def test_ack_delay_counts_up_to_its_maximum() -> None:
    rtt = RttEstimator(max_ack_delay=25 * MS)
    rtt.update(0, 100 * MS, 0)
    rtt.update(1, 200 * MS, 90 * MS)  # RFC 9002 5.3: the lesser of the reported and the maximum delay
    assert rtt.smoothed == (7 * 100 * MS + 175 * MS) // 8


def test_minimum_ignores_the_ack_delay() -> None:
    rtt = RttEstimator()
    rtt.update(0, 100 * MS, 0)
    rtt.update(1, 90 * MS, 15 * MS)
    assert rtt.min_rtt == 90 * MS


def test_spread_is_at_least_the_granularity() -> None:
    rtt = RttEstimator(max_ack_delay=0)
    for now in range(200):
        rtt.update(now, 50 * MS, 0)
    assert rtt.pto() == 51 * MS


def test_warm_estimator_knows_the_round_trip_and_learns_on() -> None:
    rtt = RttEstimator(warm=80 * MS)
    assert (rtt.smoothed, rtt.min_rtt, rtt.rttvar) == (80 * MS, 80 * MS, 20 * MS)
    rtt.update(5, 88 * MS, 0)
    assert (rtt.smoothed, rtt.rttvar) == (81 * MS, 17 * MS)
    assert rtt.first_sample == 5


def test_forget_minimum_takes_the_latest() -> None:
    rtt = RttEstimator()
    rtt.update(0, 50 * MS, 0)
    rtt.update(1, 300 * MS, 0)
    rtt.forget_minimum()
    assert rtt.min_rtt == 300 * MS


def test_negative_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="warm and max_ack_delay"):
        RttEstimator(warm=-1)
