"""Shapes: each trace has the mean that its closed form says, and the form that its name says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lanecast.traces import shapes
from lanecast.traces.trace import NS_PER_S, Opportunities, Rate

MBPS = 1_000_000
RANDOM = ("on-off", "random-walk", "poisson")
EXACT = tuple(name for name in shapes.SHAPES if name not in RANDOM)


def rate_of(name: str, **options: float) -> Rate:
    capacity = shapes.make(name, **options).capacity
    assert isinstance(capacity, Rate)
    return capacity


def test_the_shapes_are_the_promised_ones() -> None:
    assert set(shapes.SHAPES) == {
        "constant", "step", "square", "alternation", "sawtooth", "ramp", "sine", "blackout", "on-off", "random-walk",
        "poisson",
    }  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_exact_shapes_have_their_closed_form_mean(name: str) -> None:
    # Rates are rounded to whole bit/s, so the mean may be off by half a bit/s.
    assert shapes.make(name).mean_bit_s == pytest.approx(shapes.shape(name).mean_mbps * MBPS, abs=0.5)


@pytest.mark.parametrize(
    ("name", "options", "mean"),
    [
        ("constant", {"mbps": 7.25}, 7.25),
        ("step", {"before_mbps": 10, "after_mbps": 1, "start_s": 1, "duration_s": 10}, 1.9),
        ("step", {"start_s": 0}, 6.0),
        ("square", {"high_mbps": 8, "low_mbps": 0, "period_s": 4, "duty": 0.25}, 2.0),
        ("square", {"duty": 1}, 24.0),
        ("alternation", {}, 15.0),
        ("sawtooth", {"from_mbps": 0, "to_mbps": 9, "duration_s": 3, "step_s": 1}, 4.5),
        ("ramp", {"from_mbps": 9, "to_mbps": 0, "duration_s": 3, "step_s": 0.5}, 4.5),
        ("sine", {"centre_mbps": 5, "swing_mbps": 5, "period_s": 1, "step_s": 0.25}, 5.0),
        ("blackout", {"mbps": 10, "start_s": 0, "outage_s": 2, "duration_s": 10}, 8.0),
        ("on-off", {"mbps": 10, "on_s": 3, "off_s": 1}, 7.5),
        ("random-walk", {"low_mbps": 1, "high_mbps": math.e}, math.e - 1),
        ("poisson", {"mbps": 3}, 3.0),
    ],
)
def test_means_worked_by_hand(name: str, options: dict[str, float], mean: float) -> None:
    assert shapes.shape(name, **options).mean_mbps == pytest.approx(mean)
    if name in EXACT:
        assert shapes.make(name, **options).mean_bit_s == pytest.approx(mean * MBPS, abs=0.5)


def test_step_square_and_blackout_change_where_they_say() -> None:
    assert rate_of("step").starts.tolist() == [0, 30 * NS_PER_S]
    assert rate_of("square", duty=0.25, period_s=8).starts.tolist() == [0, 2 * NS_PER_S]
    out = rate_of("blackout")
    assert out.starts.tolist() == [0, 30 * NS_PER_S, 35 * NS_PER_S]
    assert out.rates.tolist() == [12 * MBPS, 0, 12 * MBPS]
    assert out.end == 60 * NS_PER_S


def test_alternation_is_24_then_6_mbit_s() -> None:
    capacity = rate_of("alternation")
    assert capacity.rates.tolist() == [24 * MBPS, 6 * MBPS]
    assert capacity.end == 20 * NS_PER_S


def test_ramp_and_sawtooth_rise_evenly_through_the_middles_of_their_steps() -> None:
    assert rate_of("ramp", from_mbps=0, to_mbps=4, duration_s=2, step_s=0.5).rates.tolist() == [
        500_000, 1_500_000, 2_500_000, 3_500_000,
    ]  # fmt: skip
    assert np.ptp(np.diff(rate_of("sawtooth").rates)) <= 1


def test_sine_swings_between_its_bounds() -> None:
    rates = rate_of("sine", centre_mbps=12, swing_mbps=8, period_s=20, step_s=0.1).rates
    assert rates.max() == pytest.approx(20 * MBPS, rel=1e-3)
    assert rates.min() == pytest.approx(4 * MBPS, rel=1e-3)
    assert rates[0] > 12 * MBPS


def test_on_off_has_its_expected_mean_and_exponential_times() -> None:
    capacity = rate_of("on-off", mbps=10, on_s=2, off_s=1, duration_s=30_000, seed=1)
    assert set(capacity.rates.tolist()) == {0, 10 * MBPS}
    lengths = capacity.lengths / NS_PER_S
    on = lengths[capacity.rates > 0]
    # 10,000 cycles: standard error of a mean exponential time 1 %, of the mean rate 0.5 %; five of them.
    assert on.mean() == pytest.approx(2, rel=0.05)
    assert on.std() == pytest.approx(2, rel=0.08)
    assert capacity.mean_bit_s == pytest.approx(10 * MBPS * 2 / 3, rel=0.025)


def test_on_off_starts_in_the_stationary_state() -> None:
    started_on = np.mean(
        [rate_of("on-off", on_s=1, off_s=1, duration_s=50, seed=seed).rates[0] > 0 for seed in range(400)]
    )
    assert started_on == pytest.approx(0.5, abs=0.125)  # five standard errors of 400 coin flips


def test_random_walk_is_reflected_and_has_its_expected_mean() -> None:
    shape = shapes.shape("random-walk", low_mbps=1, high_mbps=8, step_s=0.5, move=0.8, duration_s=20_000)
    capacity = shape.capacity()
    assert isinstance(capacity, Rate)
    assert capacity.rates.min() >= MBPS
    assert capacity.rates.max() <= 8 * MBPS
    # Time constant of the slowest mode 2 (ln 8 / (0.8 pi))^2 = 1.4 steps: about 15,000 independent values, s.d. 2.0.
    assert capacity.mean_bit_s == pytest.approx(shape.mean_mbps * MBPS, rel=0.04)


def test_random_walk_moves_by_its_standard_deviation_in_log_rate() -> None:
    capacity = rate_of("random-walk", low_mbps=1e-3, high_mbps=1e3, move=0.05, duration_s=2000)
    assert np.diff(np.log(capacity.rates)).std() == pytest.approx(0.05, rel=0.06)


def test_poisson_counts_are_as_dispersed_as_their_mean() -> None:
    trace = shapes.make("poisson", mbps=12, duration_s=200, seed=2)
    capacity = trace.capacity
    assert isinstance(capacity, Opportunities)
    assert trace.period_ns == 200 * NS_PER_S
    # 200,000 opportunities: standard error of the mean 0.22 %.
    assert trace.mean_bit_s == pytest.approx(12 * MBPS, rel=0.012)
    counts = np.bincount(capacity.times // (NS_PER_S // 100), minlength=20_000)
    assert counts.var() / counts.mean() == pytest.approx(1, abs=0.06)  # six of sqrt(2 / 20000)


@pytest.mark.parametrize("name", RANDOM)
def test_random_shapes_repeat_by_seed(name: str) -> None:
    assert shapes.make(name, seed=4).same_tracks(shapes.make(name, seed=4))
    assert not shapes.make(name, seed=4).same_tracks(shapes.make(name, seed=5))
    assert shapes.make(name, seed=4).provenance.seed == 4


def test_provenance_names_the_shape_and_its_options() -> None:
    assert shapes.make("constant", mbps=3).provenance.chain == ("constant(mbps=3)",)
    assert shapes.make("constant").provenance.kind == "generated"


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("circle", {}, "shape is 'circle', expected one of constant"),
        ("constant", {"rate": 3}, "constant: unknown option 'rate', expected one of mbps"),
        ("constant", {"mbps": 0}, "constant: mbps is 0, expected > 0"),
        ("constant", {"mbps": -1}, "constant: mbps is -1, expected a number >= 0"),
        ("constant", {"mbps": math.nan}, "mbps is nan"),
        ("step", {"start_s": 61}, "step: start_s is 61, expected at most duration_s"),
        ("square", {"duty": 1.5}, r"square: duty is 1.5, expected 0..1"),
        ("square", {"period_s": 0}, "square: period_s is 0, expected a number > 0"),
        (
            "sawtooth",
            {"step_s": 0.3, "duration_s": 1},
            "sawtooth: step_s is 0.3, expected a whole number of steps in 1",
        ),
        ("ramp", {"step_s": 100}, "ramp: step_s is 100"),
        ("sine", {"swing_mbps": 13}, "sine: swing_mbps is 13, expected at most centre_mbps"),
        ("sine", {"step_s": 10}, "expected 3 or more steps a period"),
        ("blackout", {"outage_s": 31}, "blackout: outage of 31 s from 30.0 s"),
        ("blackout", {"mbps": 0}, "blackout: outage"),
        ("random-walk", {"low_mbps": 0}, "expected 0 < low < high"),
        ("random-walk", {"low_mbps": 60}, "expected 0 < low < high"),
        ("poisson", {"mbps": 0}, "poisson: no opportunity in 60.0 s"),
    ],
)
def test_misuse_names_shape_option_value_and_expectation(
    name: str, options: dict[str, float], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        shapes.make(name, **options)
