"""Statistics against a slow, plain-Python version of their definitions, and at the outage rule's boundary."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lanecast.traces.statistics import (
    autocorrelation,
    bins,
    coefficient_of_variation,
    delay_statistics,
    index_of_dispersion,
    ks_distance,
    outage_mask,
    packet_statistics,
    predictor_errors,
    run_lengths,
    summarise,
    summarise_bins,
)
from lanecast.traces.trace import NS_PER_S, Delay, Float64s, Loss, Opportunities, Rate, Trace

MS = 1_000_000


def random_rates(seed: int, count: int = 400) -> Float64s:
    """A correlated series with outages, bit/s."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0, 0.3, count))
    return np.where(rng.random(count) < 0.1, 0.0, np.rint(2e6 * np.exp(np.sin(walk)))) + 0.0


def random_trace(seed: int) -> Trace:
    """Form B with irregular steps."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 3 * NS_PER_S, 200)
    starts = np.concatenate([[0], np.cumsum(lengths[:-1])])
    return Trace(Rate(starts, rng.integers(0, 10**8, 200), int(lengths.sum())))


def slow_bins(rate: Rate, width: int) -> list[float]:
    areas = []
    steps = list(zip(rate.starts.tolist(), rate.lengths.tolist(), rate.rates.tolist(), strict=True))
    for k in range(rate.end // width):
        low, high = k * width, (k + 1) * width
        area = sum(max(0, min(high, s + n) - max(low, s)) * r for s, n, r in steps)
        areas.append(area / width)
    return areas


def slow_acf(values: list[float], lag: int) -> float:
    n = len(values)
    if n <= lag + 5:
        return math.nan
    mean = math.fsum(values) / n
    variance = math.fsum((v - mean) ** 2 for v in values) / n
    pairs = [(values[t] - mean) * (values[t + lag] - mean) for t in range(n - lag)]
    return math.fsum(pairs) / len(pairs) / variance


@pytest.mark.parametrize("seed", range(10))
def test_bins_of_a_rate_are_exact_areas(seed: int) -> None:
    trace = random_trace(seed)
    for width in (NS_PER_S, 5 * NS_PER_S, 333_333_333):
        np.testing.assert_allclose(bins(trace, width), slow_bins(trace.required_rate(), width), rtol=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_bins_of_opportunities_start_at_the_first_line(seed: int) -> None:
    rng = np.random.default_rng(seed)
    marks = np.sort(rng.integers(500, 20_000, 3000))
    marks[-1] = 30_000
    counted = [0] * ((30_000 - int(marks[0])) // 1000)
    for mark in marks.tolist():
        k = (mark - int(marks[0])) // 1000
        if k < len(counted):
            counted[k] += 1
    assert bins(Trace(Opportunities(marks * MS))).tolist() == [12_000.0 * c for c in counted]


@pytest.mark.parametrize("seed", range(10))
def test_moments_correlations_and_outages_equal_their_definitions(seed: int) -> None:
    rates = random_rates(seed)
    values = rates.tolist()
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))
    assert coefficient_of_variation(rates) == pytest.approx(deviation / mean, rel=1e-12)
    for lag in (1, 10, 40):
        assert autocorrelation(rates, lag) == pytest.approx(slow_acf(values, lag), rel=1e-9, abs=1e-12)
    below = [v < max(50_000, 0.05 * mean) for v in values]
    runs: list[int] = []
    for previous, out in zip([False, *below], below, strict=False):
        if out and previous:
            runs[-1] += 1
        elif out:
            runs.append(1)
    assert outage_mask(rates).tolist() == below
    assert run_lengths(outage_mask(rates)).tolist() == runs
    one = summarise_bins([rates])
    assert (one.outage_share, one.outage_mean_s) == pytest.approx(
        (sum(below) / 400, sum(runs) / len(runs)), rel=1e-12
    )


@pytest.mark.parametrize("seed", range(10))
def test_ks_is_the_largest_gap_between_distribution_functions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = np.rint(rng.normal(0, 3, 50)), np.rint(rng.normal(1, 3, 80))
    points = sorted({*first.tolist(), *second.tolist()})
    gaps = [abs(sum(v <= p for v in first) / 50 - sum(v <= p for v in second) / 80) for p in points]
    assert ks_distance(first, second) == pytest.approx(max(gaps), abs=1e-12)
    assert ks_distance(first, first) == 0


def test_pooled_figures_weigh_bins_and_medians_weigh_traces() -> None:
    steady, wild, short = np.full(100, 4e6), np.tile([0.0, 2e6], 20), np.full(11, 1e6)
    found = summarise_bins([steady, wild, short])
    assert (found.traces, found.left_out, found.bins) == (2, 1, 140)
    assert found.mean_bit_s == pytest.approx((100 * 4e6 + 20 * 2e6) / 140)
    assert found.cov == pytest.approx(0.5)  # median of 0 and 1
    assert found.acf_1s == pytest.approx(-1)  # the steady trace has none
    assert (found.outage_share, found.outage_mean_s) == pytest.approx((20 / 140, 1.0))


def test_outage_is_strictly_below_the_larger_bound() -> None:
    low = np.array([49_999.0, 50_000.0, 60_000.0] + [100_000.0] * 9)
    assert outage_mask(low).tolist() == [True] + [False] * 11
    high = np.full(20, 20e6)
    high[:2] = [0.05 * 18.97e6, 1.0e6]
    bound = 0.05 * float(high.mean())
    assert outage_mask(high).tolist() == [v < bound for v in high.tolist()]


def test_a_run_that_the_end_cuts_counts() -> None:
    assert run_lengths(np.array([True, True, False, True])).tolist() == [2, 1]
    assert run_lengths(np.zeros(3, dtype=np.bool_)).size == 0


def test_five_second_bins_have_no_correlation_at_one_second() -> None:
    found = summarise([random_trace(1)], 5 * NS_PER_S)
    assert math.isnan(found.acf_1s)
    assert not math.isnan(found.acf_10s)
    assert found.as_dict()["acf_1s"] is None


def test_correlation_needs_more_than_lag_plus_five_bins() -> None:
    rates = np.arange(16.0)
    assert math.isnan(autocorrelation(rates, 11))
    assert not math.isnan(autocorrelation(rates, 10))
    assert math.isnan(autocorrelation(np.ones(50), 1))


def test_poisson_opportunities_have_dispersion_near_one() -> None:
    # 20,000 windows: the estimate's standard error is about sqrt(2 / 20,000) = 0.01; 0.05 is five of them
    times = np.sort(np.random.default_rng(5).integers(0, 2 * 10**11, 200_000))
    assert index_of_dispersion(times, 10 * MS) == pytest.approx(1, abs=0.05)
    assert index_of_dispersion(np.arange(1000) * MS, 10 * MS) == 0


def test_packet_statistics_of_a_hand_made_trace() -> None:
    found = packet_statistics(Trace(Opportunities(np.array([0, 0, 5, 25, 25, 40]) * MS)))
    assert found.opportunities == 6
    assert found.equal_ms_share == pytest.approx(2 / 5)
    assert (found.gap_p50_ms, found.gap_max_ms) == (5, 20)
    assert found.empty_10ms_share == pytest.approx(2 / 4)  # 10..20 and 30..40
    assert math.isnan(found.empty_100ms_share)
    with pytest.raises(ValueError, match="opportunities"):
        packet_statistics(random_trace(0))


def test_delay_statistics_leave_lost_packets_out() -> None:
    starts = np.arange(6) * 10 * MS
    delay = Delay(starts, np.array([1, 9, 9, 9, 2, 3]) * MS, 60 * MS, "round-trip")
    trace = Trace(delay=delay, loss=Loss(starts, np.array([0.0, 1, 1, 0, 0, 1]), 60 * MS))
    found = delay_statistics(trace)
    assert (found.samples, found.loss_share, found.longest_loss_run) == (3, 0.5, 2)
    assert (found.p50_ms, found.max_ms) == (2, 9)
    assert found.above_5ms_share == pytest.approx(1 / 3)


def test_a_delay_whose_packets_are_all_lost_has_no_figures_but_a_loss_share() -> None:
    trace = Trace(delay=Delay(np.array([0]), np.array([5]), 9), loss=Loss(np.array([0]), np.array([1.0]), 9))
    found = delay_statistics(trace)
    assert (found.samples, found.loss_share) == (0, 1)
    assert math.isnan(found.mean_ms)


def test_predictor_controls_follow_their_definitions() -> None:
    values = np.array([1.0, 3.0, 2.0, 6.0])
    constant, last, ar1 = predictor_errors(values)
    assert constant == pytest.approx((0.5 + 0.5 + 3.5) / 3)  # median 2.5
    assert last == pytest.approx((2 + 1 + 4) / 3)
    phi = slow_acf(values.tolist() * 1, 1) if len(values) > 6 else autocorrelation(values, 1)
    assert math.isnan(phi) == math.isnan(ar1)  # four values are too few for a correlation
    assert all(math.isnan(v) for v in predictor_errors(values[:2]))
