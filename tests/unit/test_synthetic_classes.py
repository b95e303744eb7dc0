"""Synthetic classes: what `make` promises, and that the shipped numbers are sane."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from typing import Any

import msgspec
import numpy as np
import pytest

from lanecast.traces import synthetic
from lanecast.traces.classmodel import (
    OUTAGE_PROBABILITIES,
    SHAPE_PROBABILITIES,
    ClassParameters,
    dependent,
    draw,
    latent,
    outage_lengths,
    outage_threshold,
    rotated,
    shaped,
    with_outages,
)
from lanecast.traces.packets import BURST_PROBABILITIES
from lanecast.traces.processes import ar1, table
from lanecast.traces.recordings import SOURCES
from lanecast.traces.statistics import outage_mask, run_lengths, summarise
from lanecast.traces.trace import NS_PER_S, Opportunities, Rate

PLAIN = ClassParameters(
    title="test",
    kind="offered",
    step_s=1.0,
    window_s=10.0,
    stretch_s=1000.0,
    level_mbps=(1.0, 10.0),
    shape=(tuple(2 * p for p in SHAPE_PROBABILITIES), tuple(2 * p for p in SHAPE_PROBABILITIES)),
    slow_share=(0.5,),
    slow_s=(20.0,),
    fast_s=(2.0,),
    fast_blend=(0.0,),
    outage_per_s=(0.01, 0.03),
    outage_s=tuple(1.0 + 9 * p for p in OUTAGE_PROBABILITIES),
    outage_depth=(0.0, 0.5),
    entry=0.0,
    dependence=(0.0, 0.0, 0.0),
    drawn_mbps=(),
    mapped_mbps=(),
    fitted_traces=1,
    fitted_hours=1.0,
)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def rates_of(name: str, *, duration_s: float = 120.0, seed: int = 1, index: int = 0) -> list[int]:
    capacity = synthetic.make(name, duration_s=duration_s, seed=seed, index=index).capacity
    assert isinstance(capacity, Rate)
    return [int(rate) for rate in capacity.rates]


def digest() -> str:
    """Hash of a trace of every class, in both forms."""
    parts = hashlib.sha256()
    for name in synthetic.CLASSES:
        parts.update(np.array(rates_of(name)).tobytes())
    capacity = synthetic.make("lte-walking", duration_s=30, seed=1, form="opportunities").capacity
    assert isinstance(capacity, Opportunities)
    parts.update(capacity.times.tobytes())
    return parts.hexdigest()


@pytest.mark.parametrize("name", synthetic.CLASSES)
def test_every_class_makes_a_trace_of_the_wanted_length(name: str) -> None:
    trace = synthetic.make(name, duration_s=601.5, seed=3)
    assert trace.period_ns == round(601.5 * NS_PER_S)
    assert trace.provenance.kind == "generated"
    assert trace.provenance.seed == 3
    assert trace.mean_bit_s > 0


def test_shipped_classes_are_the_catalogued_ones() -> None:
    assert set(synthetic.CLASSES) == set(SOURCES)


def test_the_same_seed_gives_the_same_bits_with_and_without_compiled_modules() -> None:
    command = "import test_synthetic_classes as t; print(t.digest())"
    folder = os.path.dirname(__file__)  # noqa: PTH120 - goes into PYTHONPATH as text
    found = {
        subprocess.run(
            [sys.executable, "-c", command],
            env={**os.environ, "LANECAST_PURE": pure, "PYTHONPATH": f"{folder}{os.pathsep}{os.getcwd()}"},  # noqa: PTH109
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for pure in ("0", "1")
    }
    assert found == {f"{digest()}\n"}


def test_seed_index_and_class_each_change_the_trace() -> None:
    first = rates_of("wifi-office")
    assert rates_of("wifi-office") == first
    assert rates_of("wifi-office", seed=2) != first
    assert rates_of("wifi-office", index=1) != first
    assert rates_of("wifi-campus") != first


def test_600_s_take_less_than_20_ms_of_cpu() -> None:
    for name in ("3g-hsdpa", "5g-mmwave-walking", "fixed-fcc"):
        synthetic.make(name, duration_s=600, seed=0)
        spent = []
        for seed in range(5):
            begun = time.process_time()
            synthetic.make(name, duration_s=600, seed=seed)
            spent.append(time.process_time() - begun)
        assert min(spent) < 0.020, name


def test_the_last_bin_is_cut_to_the_duration() -> None:
    capacity = synthetic.make("fixed-fcc", duration_s=12.5, seed=1).capacity
    assert isinstance(capacity, Rate)
    assert capacity.starts.tolist() == [0, 5 * NS_PER_S, 10 * NS_PER_S]
    assert capacity.end == round(12.5 * NS_PER_S)


def test_no_short_trace_is_an_outage_throughout() -> None:
    for index in range(300):
        assert any(rates_of("3g-hsdpa", duration_s=5.0, index=index))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "6g"}, "expected one of 3g-hsdpa"),
        ({"duration_s": 0.0}, "duration_s is 0.0, expected > 0"),
        ({"duration_s": -1.0}, "expected > 0"),
        ({"seed": -1}, "expected 0 or more"),
        ({"index": -1}, "expected 0 or more"),
        ({"form": "pcap"}, "form is 'pcap', expected one of rate, opportunities"),
        ({"form": "opportunities"}, "known as rates only"),
    ],
)
def test_misuse_names_the_value_and_what_was_expected(options: dict[str, Any], told: str) -> None:
    wanted: dict[str, Any] = {"name": "3g-hsdpa", "duration_s": 60.0, "seed": 1, **options}
    with pytest.raises(ValueError, match=told):
        synthetic.make(**wanted)


@pytest.mark.parametrize("name", synthetic.CLASSES)
def test_shipped_numbers_are_quantiles_shares_and_correlations(name: str) -> None:
    page = synthetic.parameters_of(name)
    for quantiles in (
        page.level_mbps,
        page.outage_per_s,
        page.outage_s,
        page.outage_depth,
        page.mapped_mbps,
        *page.shape,
    ):
        assert list(quantiles) == sorted(quantiles)
        assert not quantiles or quantiles[0] >= 0
    assert list(page.drawn_mbps) == sorted(page.drawn_mbps)
    assert len(page.drawn_mbps) == len(page.mapped_mbps)
    assert page.outage_s == () or len(page.outage_s) == len(OUTAGE_PROBABILITIES)
    for row in page.shape:
        assert np.trapezoid(row, SHAPE_PROBABILITIES) == pytest.approx(1, abs=1e-3)
    assert all(0 <= share <= 1 for share in (*page.slow_share, *page.fast_blend, *page.outage_depth))
    assert all(-1 < value < 1 for value in page.dependence)
    assert page.window_s <= page.stretch_s * 1.0001
    assert page.kind in ("offered", "achieved")
    assert all(len(layer.burst) == len(BURST_PROBABILITIES) for layer in page.packets)


def test_packet_layers_are_shipped_for_the_classes_recorded_as_opportunities() -> None:
    known = [name for name in synthetic.CLASSES if synthetic.parameters_of(name).packets]
    assert known == ["umts-down", "umts-up", "lte-driving-down", "lte-driving-up", "lte-walking", "starlink"]


def test_table_is_linear_between_equispaced_quantiles() -> None:
    assert table((0.0, 10.0, 40.0), np.array([0.0, 0.25, 0.5, 0.75, 1.0])).tolist() == [0, 5, 10, 25, 40]
    assert float(table((7.0,), 0.3)) == 7.0


def test_ar1_obeys_its_recursion_and_starts_stationary() -> None:
    noise = rng().standard_normal(50)
    made = ar1(noise.copy(), 0.8)
    assert made[0] == noise[0]
    assert made[1:] == pytest.approx(0.8 * made[:-1] + 0.6 * noise[1:])


def test_indices_of_one_seed_cover_every_coordinate_evenly() -> None:
    # Additive recurrence of a badly approximable number: the largest gap of n points is below 3 / n.
    for count in (10, 50, 200):
        points = np.array([rotated((0.1, 0.5, 0.9), index) for index in range(count)])
        for column in points.T:
            ordered = np.sort(column)
            gaps = np.diff(np.append(ordered, ordered[0] + 1))
            assert gaps.max() < 4 / count


def test_dependence_is_the_correlation_of_normal_scores() -> None:
    wanted = (0.6, -0.3, 0.4)
    uniforms = rng().random((4000, 3))
    ranks = np.array([dependent(wanted, (a, b, c)) for a, b, c in uniforms.tolist()])
    assert ranks.min() >= 0
    assert ranks.max() <= 1
    # Spearman's rho of a normal copula is 6/pi asin(r/2); five standard errors of n = 4000 are 0.08.
    found = np.asarray(np.corrcoef(np.argsort(np.argsort(ranks, axis=0), axis=0), rowvar=False))
    for (first, second), value in zip(((0, 1), (0, 2), (1, 2)), wanted, strict=True):
        assert found[first, second] == pytest.approx(6 / np.pi * np.arcsin(value / 2), abs=0.08)


def test_independence_leaves_the_uniforms_alone() -> None:
    assert dependent((0.0, 0.0, 0.0), (0.2, 0.5, 0.9)) == pytest.approx((0.2, 0.5, 0.9))


def test_latent_process_has_the_asked_autocorrelation() -> None:
    page = msgspec.structs.replace(PLAIN, slow_share=(0.7,), slow_s=(10.0,), fast_s=(1.0,), fast_blend=(0.5,))
    z = latent(page, 0.5, 200_000, rng())
    keep = np.exp(-1.0)
    fast = {
        lag: (1.25 * keep**lag + 0.5 * (keep ** (lag - 1) + keep ** (lag + 1))) / (1.25 + keep)
        for lag in (1, 2, 5)
    }
    assert float(z.var()) == pytest.approx(1, abs=0.06)  # about 5 s.d.: n / (2 tau) = 10^4 independent values
    for lag, value in fast.items():
        found = float(np.mean(z[:-lag] * z[lag:]))
        assert found == pytest.approx(0.7 * np.exp(-lag / 10) + 0.3 * value, abs=0.06)


def test_shaped_rates_have_exactly_the_rows_marginal_in_the_order_of_z() -> None:
    z = rng().standard_normal(100)
    made = shaped(PLAIN, 0.37, z)
    assert np.sort(made) == pytest.approx(2 * (np.arange(100) + 0.5) / 100)
    assert np.argsort(made).tolist() == np.argsort(z).tolist()


def test_shape_rows_are_interpolated_by_spread_rank() -> None:
    flat = tuple(1.0 for _ in SHAPE_PROBABILITIES)
    page = msgspec.structs.replace(PLAIN, shape=(flat, PLAIN.shape[0], PLAIN.shape[0]))
    z = rng().standard_normal(200)
    half = shaped(page, 0.25, z)
    assert half == pytest.approx((1 + shaped(PLAIN, 0.5, z)) / 2)
    assert shaped(page, 0.0, z) == pytest.approx(np.ones(200))


def test_outage_count_follows_the_rate_and_lengths_the_table() -> None:
    z = rng().standard_normal(10_000)
    gaps = outage_lengths(PLAIN, 0.5, z, rng())
    lengths = gaps[gaps > 0]
    assert len(lengths) in (200, 201)  # 0.02 per s x 10,000 s, rounded at random
    assert lengths.min() >= 1
    assert lengths.max() <= 10
    assert lengths.mean() == pytest.approx(5.5, abs=0.3)  # uniform 1..10 s, stratified


def test_outages_prefer_low_states_when_entry_is_positive() -> None:
    z = rng().standard_normal(5000)
    keen = msgspec.structs.replace(PLAIN, entry=2.0)
    before = z[outage_lengths(keen, 0.5, z, rng()) > 0]
    # Weighting a standard normal by exp(-2 z) shifts its mean to -2; without replacement from 5000 somewhat less.
    assert before.mean() < -1.2
    assert abs(z[outage_lengths(PLAIN, 0.5, z, rng()) > 0].mean()) < 0.5


def test_a_class_without_outages_draws_none() -> None:
    calm = msgspec.structs.replace(PLAIN, outage_s=(), outage_depth=())
    assert not outage_lengths(calm, 0.5, np.zeros(100), rng()).any()


def test_inserted_outages_lie_below_the_threshold_and_shift_the_rest() -> None:
    running = np.full(6, 8.0)
    gaps = np.array([0, 3, 0, 0, 1, 0])
    rates, places = with_outages(PLAIN, running, gaps, rng())
    assert places.tolist() == [0, 1, 5, 6, 7, 9]
    assert rates[places].tolist() == [8.0] * 6
    mask = outage_mask(rates * 1e6)
    assert run_lengths(mask).tolist() == [3, 1]


def test_outage_threshold_is_the_larger_of_floor_and_share() -> None:
    assert outage_threshold(0.1) == 0.05
    assert outage_threshold(100.0) == 5.0


def test_running_bins_are_never_outages() -> None:
    dry = msgspec.structs.replace(PLAIN, outage_per_s=(0.0, 0.0))
    for index in range(30):
        rates = draw(dry, 200, rotated((0.3, 0.6, 0.1), index), rng(index))
        assert not outage_mask(rates * 1e6).any()


def test_the_final_map_bends_rates_to_its_knots() -> None:
    capped = msgspec.structs.replace(PLAIN, drawn_mbps=(0.0, 5.0), mapped_mbps=(0.0, 5.0))
    rates = draw(capped, 300, (0.99, 0.5, 0.5), rng())
    assert rates.max() == 5.0
    assert draw(PLAIN, 300, (0.99, 0.5, 0.5), rng()).max() > 15


def test_a_long_trace_is_a_chain_of_stretches_with_their_own_levels() -> None:
    page = msgspec.structs.replace(PLAIN, stretch_s=100.0, outage_per_s=(0.0, 0.0))
    chained = draw(page, 1000, (0.0001, 0.5, 0.5), rng()).reshape(10, 100).mean(axis=1)
    single = draw(PLAIN, 1000, (0.0001, 0.5, 0.5), rng()).mean()
    assert chained[0] == pytest.approx(1.0, abs=0.05)  # its own level: the lowest of 1..10 Mbit/s
    assert np.ptp(chained) > 5
    assert single == pytest.approx(1.0, abs=0.3)


def test_levels_over_many_indices_have_the_tables_distribution() -> None:
    page = msgspec.structs.replace(PLAIN, outage_per_s=(0.0, 0.0))
    traces = [
        synthetic.generate(page, "levels", duration_s=100, seed=5, index=index).mean_bit_s / 1e6
        for index in range(50)
    ]
    # Stratified over 50 indices: quantiles within one stratum (0.18 Mbit/s) and the cut of a window.
    assert np.quantile(traces, [0.25, 0.5, 0.75]) == pytest.approx([3.25, 5.5, 7.75], abs=0.6)


def test_summary_of_a_set_agrees_with_another_seeds_set() -> None:
    first, second = (
        summarise(
            [synthetic.make("5g-mmwave-driving", duration_s=250, seed=seed, index=i) for i in range(60)]
        )
        for seed in (1, 2)
    )
    # Spread between sets of 60, measured: CoV 0.013, acf 0.02, share 0.0015; six times that.
    assert first.cov == pytest.approx(second.cov, abs=0.08)
    assert first.acf_10s == pytest.approx(second.acf_10s, abs=0.15)
    assert first.outage_share == pytest.approx(second.outage_share, abs=0.012)
