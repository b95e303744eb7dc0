"""Controls: each makes what its description says."""

from __future__ import annotations

import numpy as np
import pytest

from lanecast.traces.controls import CONTROLS, block_bootstrap, one_lag, two_scale_copula
from lanecast.traces.inference import simulate
from lanecast.traces.statistics import autocorrelation, ks_distance, outage_mask, summarise_bins
from lanecast.traces.synthetic import parameters_of
from lanecast.traces.trace import NS_PER_S


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def given() -> list[np.ndarray]:
    return simulate(parameters_of("5g-mmwave-walking"), [400] * 40, seed=1, at_least=40)


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_makes_the_wanted_lengths_and_no_negative_rate(
    name: str, given: list[np.ndarray]
) -> None:
    made = CONTROLS[name](given, 1.0, [30, 100, 7], rng())
    assert [len(rates) for rates in made] == [30, 100, 7]
    assert all(rates.min() >= 0 for rates in made)


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_repeats_by_seed(name: str, given: list[np.ndarray]) -> None:
    first, second = (np.concatenate(CONTROLS[name](given, 1.0, [50, 50], rng(3))) for _ in range(2))
    assert np.array_equal(first, second)


def test_one_lag_has_the_short_memory_and_not_the_long_one(given: list[np.ndarray]) -> None:
    real = summarise_bins(given, NS_PER_S)
    made = summarise_bins(one_lag(given, 1.0, [400] * 100, rng()), NS_PER_S)
    assert made.outage_share == pytest.approx(real.outage_share, abs=0.03)
    assert made.acf_10s < real.acf_10s - 0.1


def test_one_lag_of_traces_without_outages_has_none() -> None:
    calm = [1e6 * (10 + rng(seed).random(100)) for seed in range(10)]
    assert not any(outage_mask(rates).any() for rates in one_lag(calm, 1.0, [200] * 20, rng()))


def test_copula_has_the_pooled_marginal_of_its_traces(given: list[np.ndarray]) -> None:
    made = two_scale_copula(given, 1.0, [400] * 150, rng())
    relative = [np.concatenate([rates / rates.mean() for rates in traces]) for traces in (given, made)]
    assert ks_distance(*relative) < 0.06


def test_copula_finds_two_time_scales() -> None:
    # A square of 100 s under white noise: slow and fast at once.
    square = np.repeat(np.tile([5.0, 15.0], 5), 50)
    binned = [1e6 * (square + rng(seed).random(500) * 10) for seed in range(20)]
    made = two_scale_copula(binned, 1.0, [500] * 50, rng())
    acf = np.mean([[autocorrelation(rates, lag) for lag in (1, 10)] for rates in made], axis=0)
    assert 0.3 < acf[1] < acf[0] < 0.9


def test_blocks_are_copies_of_one_recording(given: list[np.ndarray]) -> None:
    for rates in block_bootstrap(given, 1.0, [200] * 5, rng()):
        sources = [source for source in given if np.isin(rates, source).all()]
        assert len(sources) == 1


def test_blocks_join_where_values_meet() -> None:
    ramp = [np.linspace(1e6, 9e6, 300)]
    made = block_bootstrap(ramp, 1.0, [2000], rng())[0]
    jumps = np.abs(np.diff(made))[np.abs(np.diff(made)) > 1e6 / 30]
    # Without matching, a seam jumps by a third of the range on average; the best of eight is much nearer.
    assert jumps.mean() < 8e6 / 3 / 1.5
