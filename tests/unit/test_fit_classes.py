"""Fitting: tables read off traces, and parameters recovered from a model's own output."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from lanecast.traces import synthetic
from lanecast.traces.classmodel import OUTAGE_PROBABILITIES, SHAPE_PROBABILITIES, ClassParameters
from lanecast.traces.fit import (
    dependence_of,
    fit_bins,
    fit_class,
    normal_scores,
    read_tables,
    shape_rows,
    weighted_quantiles,
)
from lanecast.traces.inference import observe, simulate
from lanecast.traces.statistics import ks_distance, summarise_bins
from lanecast.traces.trace import NS_PER_S

MBPS = 1_000_000


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def own_output(parameters: ClassParameters, count: int, bins: int) -> list[np.ndarray]:
    return simulate(parameters, [bins] * count, seed=77, at_least=count)


def test_weighted_quantiles_of_equal_weights_are_midpoint_quantiles() -> None:
    values = np.array([3.0, 1.0, 2.0])
    found = weighted_quantiles(values, np.ones(3), np.array([0.0, 1 / 6, 0.5, 5 / 6, 1.0]))
    assert found == pytest.approx([1, 1, 2, 3, 3])


def test_weighted_quantiles_lean_to_the_heavier_value() -> None:
    # Midpoints of the cumulated weights: 0.05 for value 0, 0.55 for value 10.
    found = weighted_quantiles(np.array([0.0, 10.0]), np.array([1.0, 9.0]), np.array([0.3]))
    assert found == pytest.approx([5.0])


def test_normal_scores_of_ties_are_equal_and_of_the_middle_zero() -> None:
    scores = normal_scores(np.array([5.0, 1.0, 5.0, 9.0]))
    assert scores[0] == scores[2] == pytest.approx(0.0)
    assert scores[1] == pytest.approx(-scores[3])


def test_dependence_sees_order_only() -> None:
    level = np.exp(rng().standard_normal(40))
    found = dependence_of(level, level**3, -level)
    assert found == pytest.approx((0.95, -0.95, -0.95))


def test_dependence_of_few_traces_or_constant_columns_is_zero() -> None:
    assert dependence_of(np.arange(3.0), np.arange(3.0), np.arange(3.0)) == (0, 0, 0)
    assert dependence_of(np.arange(9.0), np.arange(9.0), np.zeros(9))[1:] == (0, 0)


def test_shape_rows_rise_in_spread_and_have_mean_one() -> None:
    traces = [1 + spread * np.linspace(-1, 1, 200) for spread in np.linspace(0.05, 0.9, 30)]
    rows = np.array(shape_rows(traces, np.full(30, 200.0)))
    assert np.trapezoid(rows, SHAPE_PROBABILITIES, axis=1) == pytest.approx(np.ones(5))
    assert (np.diff(rows[:, -1]) > 0).all()


def test_tables_of_a_hand_made_trace() -> None:
    rates = np.full(100, 4.0)
    rates[10:13] = rates[50:51] = 0.0
    page = read_tables([rates, rates], 1.0, title="hand", kind="offered")
    assert page.level_mbps == pytest.approx((4.0,) * 11)
    assert page.outage_per_s == pytest.approx((2 / 96,) * 11)
    assert page.outage_s[0] == 1
    assert page.outage_s[-1] == 3
    assert len(page.outage_s) == len(OUTAGE_PROBABILITIES)
    assert page.outage_depth == (0.0,) * 11
    assert (page.fitted_traces, page.step_s) == (2, 1.0)
    assert page.fitted_hours == pytest.approx(200 / 3600)


def test_a_class_without_outages_gets_empty_outage_tables() -> None:
    page = read_tables([np.linspace(3, 5, 50)], 5.0, title="calm", kind="offered")
    assert page.outage_s == page.outage_depth == ()
    assert page.entry == 0


def test_too_short_or_silent_traces_are_refused_by_name() -> None:
    for binned in ([], [np.ones(11)], [np.zeros(50)]):
        with pytest.raises(ValueError, match=r"tiny: none of \d traces has 12 bins"):
            fit_bins(binned, 1.0, title="tiny", kind="offered")


def test_observed_rows_are_medians_near_each_spread_rank() -> None:
    noise, slow = rng(1), rng(2)
    calm = [1e6 * (1000 + noise.standard_normal(300)) for _ in range(10)]
    swings = [1e6 * (90 + np.cumsum(slow.standard_normal(300))) for _ in range(10)]
    seen = observe(calm + swings, 1.0, np.array([1, 2]), rows=3)
    assert abs(seen.acf_rows[0, 0]) < 0.15
    assert seen.acf_rows[2, 0] > 0.9


def test_entry_rank_is_the_rank_of_the_bin_before_an_outage() -> None:
    rates = np.array([9.0, 8, 7, 6, 5, 4, 3, 2, 0, 10, 11, 12, 13]) * MBPS
    seen = observe([rates], 1.0, np.array([1]), rows=1)
    assert seen.entry_rank == pytest.approx(0.5 / 12)  # 2 Mbit/s is the lowest of 12 running bins


@pytest.fixture(scope="module")
def truth() -> ClassParameters:
    """A class of one spread and one level, so that only the latent process is in question."""
    return ClassParameters(
        title="truth", kind="offered", step_s=1.0, window_s=600.0, stretch_s=6000.0, level_mbps=(10.0, 10.0),
        shape=(tuple(2 * p for p in SHAPE_PROBABILITIES),) * 2, slow_share=(0.6,), slow_s=(28.28427,), fast_s=(1.5,),
        fast_blend=(0.0,), outage_per_s=(0.0, 0.0), outage_s=(), outage_depth=(), entry=0.0,
        dependence=(0.0, 0.0, 0.0), drawn_mbps=(), mapped_mbps=(), fitted_traces=1, fitted_hours=1.0,
    )  # fmt: skip


def test_fit_recovers_the_time_scales_of_its_own_output(truth: ClassParameters) -> None:
    # 120 traces of 600 s. Share within 0.1, time constants within a step of the coarse grid 10, 15, 20, 30, 45, 60 s.
    found = fit_bins(own_output(truth, 120, 600), 1.0, title="again", kind="offered", simulated=40)
    middle = len(found.slow_share) // 2
    assert found.slow_share[middle] == pytest.approx(0.6, abs=0.1)
    assert 19 < found.slow_s[middle] < 46
    # Blend smooths as a longer constant does: compare what both make together, the fast part's correlation at 1 s.
    keep, blend = math.exp(-1 / found.fast_s[middle]), found.fast_blend[middle]
    both = ((1 + blend**2) * keep + blend * (1 + keep**2)) / (1 + blend**2 + 2 * blend * keep)
    assert both == pytest.approx(math.exp(-1 / 1.5), abs=0.15)


def test_fitted_model_repeats_the_statistics_it_was_fitted_to() -> None:
    given = own_output(synthetic.parameters_of("fixed-puffer"), 60, 120)
    page = fit_bins(given, 5.0, title="again", kind="achieved", simulated=180)
    made = simulate(page, [120] * 60, seed=5, at_least=300)
    first, second = (summarise_bins(binned, 5 * NS_PER_S) for binned in (given, made))
    assert second.cov == pytest.approx(first.cov, rel=0.1)
    assert second.acf_10s == pytest.approx(first.acf_10s, abs=0.1)
    assert second.outage_share == pytest.approx(first.outage_share, abs=0.02)
    assert second.outage_mean_s == pytest.approx(first.outage_mean_s, rel=0.25)
    assert (
        ks_distance(np.concatenate(given), np.concatenate(made)) < 0.06
    )  # 0.03 and the made set's own noise


def test_fit_class_bins_traces_and_is_repeatable() -> None:
    traces = [synthetic.make("5g-mmwave-driving", duration_s=120, seed=1, index=index) for index in range(16)]
    first = fit_class(traces, title="copy", kind="offered", step_s=1.0, simulated=32)
    assert first == fit_class(traces, title="copy", kind="offered", step_s=1.0, simulated=32)
    assert first.fitted_traces == 16
    assert synthetic.generate(first, "copy", duration_s=60, seed=1).mean_bit_s > 0


def test_fitted_numbers_survive_json() -> None:
    page = synthetic.parameters_of("lte-ghent")
    assert msgspec.json.decode(msgspec.json.encode(page), type=ClassParameters) == page
