"""Intervals and paired comparisons against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.experiments.statistics import (
    RESAMPLES,
    closed,
    interval,
    mean_interval,
    ratio,
    reduction,
    table_of,
    weights,
    worst_difference,
)


def test_weights_are_shares_of_whole_resamples() -> None:
    drawn = weights(7)
    assert drawn.shape == (RESAMPLES, 7)
    assert np.allclose(drawn.sum(axis=1), 1)
    assert np.allclose(drawn * 7, np.rint(drawn * 7))
    # Each seed is drawn once on average: mean 1/7, standard error sqrt(6/7/7/10000)/... < 0.002.
    assert np.allclose(drawn.mean(axis=0), 1 / 7, atol=0.004)


def test_the_interval_of_a_mean_matches_the_normal_formula() -> None:
    values = np.arange(400, dtype=np.float64) % 20
    estimate = mean_interval(values)
    spread = 1.96 * values.std() / math.sqrt(values.size)
    assert estimate.value == values.mean()
    assert estimate.low == pytest.approx(values.mean() - spread, abs=0.1 * spread)
    assert estimate.high == pytest.approx(values.mean() + spread, abs=0.1 * spread)


def test_one_value_has_no_width_and_none_is_nan() -> None:
    assert mean_interval([3.0]) == (3.0, 3.0, 3.0)
    assert math.isnan(mean_interval([]).value)


def test_the_same_values_give_the_same_interval() -> None:
    assert mean_interval([1.0, 2.0, 4.0]) == mean_interval([1.0, 2.0, 4.0])


def test_a_constant_reduction_has_no_width() -> None:
    base = np.array([[1.0, 2.0, 3.0], [2.0, 2.0, 5.0]])
    cut = reduction(base, 0.25 * base)
    assert cut == pytest.approx((0.75, 0.75, 0.75))


def test_pairing_removes_what_both_share() -> None:
    rng = np.arange(30.0)[None, :] + 1
    paired = reduction(rng, 0.5 * rng)
    assert paired.high - paired.low < 1e-12


def test_a_base_of_zero_has_no_reduction() -> None:
    assert math.isnan(reduction(np.zeros((2, 3)), np.zeros((2, 3))).value)


def test_ratio_is_one_minus_reduction_with_its_bounds_in_order() -> None:
    base = np.array([[1.0, 2.0, 4.0]])
    ours = np.array([[1.5, 1.0, 5.0]])
    found = ratio(ours, base)
    assert found.value == pytest.approx(7.5 / 7)
    assert found.low <= found.value <= found.high


def test_closing_the_whole_gap_is_one_and_nothing_is_zero() -> None:
    base, oracle = np.array([[0.5, 0.7, 0.9]]), np.array([[0.1, 0.2, 0.3]])
    assert closed(base, oracle, oracle).value == pytest.approx(1)
    assert closed(base, base, oracle).value == pytest.approx(0)
    assert closed(base, (base + oracle) / 2, oracle) == pytest.approx((0.5, 0.5, 0.5))


def test_the_worst_cell_is_the_one_that_is_surely_worse() -> None:
    base = np.ones((3, 20))
    ours = np.vstack([np.ones(20), np.full(20, 1.2), np.where(np.arange(20) == 0, 9.0, 1.0)])
    place, worst = worst_difference(ours, base)
    assert place == 1
    assert worst == pytest.approx((0.2, 0.2, 0.2))


def test_equal_schemes_are_not_worse() -> None:
    same = np.random.default_rng(1).random((5, 12))
    assert worst_difference(same, same)[1] == (0, 0, 0)


def test_a_table_is_paired_or_refused() -> None:
    rows = [{"cell": cell, "seed": seed, "y": 10 * cell + seed} for cell in (1, 2) for seed in (5, 6)]
    values, cells, seeds = table_of(rows, "y", ("cell",))
    assert values.tolist() == [[15, 16], [25, 26]]
    assert (cells, seeds) == ([(1,), (2,)], [5, 6])
    with pytest.raises(ValueError, match="lacks seeds"):
        table_of(rows[:-1], "y", ("cell",))
    with pytest.raises(ValueError, match="twice"):
        table_of([*rows, rows[0]], "y", ("cell",))


def test_an_interval_of_nothing_is_nan() -> None:
    assert all(map(math.isnan, interval(np.array([float("nan")]))))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=2, max_size=12))
def test_an_interval_lies_within_the_values(values: list[float]) -> None:
    estimate = mean_interval(values)
    slack = 1e-9 * max(1.0, *values)
    assert min(values) - slack <= estimate.low <= estimate.high <= max(values) + slack
