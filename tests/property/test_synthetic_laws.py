"""Laws that hold for any class parameters and any shape options."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.traces import shapes, synthetic
from lanecast.traces.classmodel import (
    OUTAGE_PROBABILITIES,
    SHAPE_PROBABILITIES,
    ClassParameters,
    dependent,
    draw,
    rotated,
)
from lanecast.traces.packets import BURST_PROBABILITIES, NS_PER_MS, PACKET_BITS, PacketParameters, place
from lanecast.traces.trace import NS_PER_S

UNIT = st.floats(0.0, 1.0)
SEEDS = st.integers(0, 2**32)


@st.composite
def quantiles(pick: st.DrawFn, size: int, low: float, high: float) -> tuple[float, ...]:
    return tuple(sorted(pick(st.lists(st.floats(low, high), min_size=size, max_size=size))))


@st.composite
def classes(pick: st.DrawFn) -> ClassParameters:
    rows = []
    for _ in range(pick(st.integers(2, 4))):
        row = np.array(pick(quantiles(len(SHAPE_PROBABILITIES), 0.1, 3.0)))
        rows.append(tuple((row / np.trapezoid(row, SHAPE_PROBABILITIES)).tolist()))
    outages = pick(st.booleans())
    return ClassParameters(
        title="any",
        kind="offered",
        step_s=pick(st.sampled_from([0.1, 1.0, 5.0])),
        window_s=pick(st.floats(0.1, 100.0)),
        stretch_s=pick(st.floats(50.0, 1000.0)),
        level_mbps=pick(quantiles(4, 0.2, 500.0)),
        shape=tuple(rows),
        slow_share=(pick(UNIT),),
        slow_s=(pick(st.floats(1.0, 500.0)),),
        fast_s=(pick(st.floats(0.05, 20.0)),),
        fast_blend=(pick(UNIT),),
        outage_per_s=pick(quantiles(3, 0.0, 0.5)),
        outage_s=pick(quantiles(len(OUTAGE_PROBABILITIES), 0.0, 300.0)) if outages else (),
        outage_depth=pick(quantiles(3, 0.0, 0.99)) if outages else (),
        entry=pick(st.floats(0.0, 3.0)),
        dependence=(pick(st.floats(-0.5, 0.5)), pick(st.floats(-0.5, 0.5)), pick(st.floats(-0.5, 0.5))),
        drawn_mbps=(),
        mapped_mbps=(),
        fitted_traces=1,
        fitted_hours=1.0,
    )


@given(classes(), st.integers(1, 400), UNIT, UNIT, UNIT, SEEDS)
@settings(deadline=None, max_examples=80)
def test_a_draw_has_its_length_and_lies_between_nothing_and_the_highest_rate(
    parameters: ClassParameters, bins: int, first: float, second: float, third: float, seed: int
) -> None:
    rates = draw(parameters, bins, (first, second, third), np.random.default_rng(seed))
    assert rates.shape == (bins,)
    assert np.isfinite(rates).all()
    assert rates.min() >= 0
    assert rates.max() > 0
    assert rates.max() <= max(max(row) for row in parameters.shape) * parameters.level_mbps[-1] * 1.06 + 0.06


@given(classes(), st.floats(0.01, 300.0), SEEDS, st.integers(0, 10**6))
@settings(deadline=None, max_examples=40)
def test_generation_is_a_function_of_its_arguments(
    parameters: ClassParameters, duration_s: float, seed: int, index: int
) -> None:
    first, second = (
        synthetic.generate(parameters, "any", duration_s=duration_s, seed=seed, index=index) for _ in range(2)
    )
    assert first.same_tracks(second)
    assert first.period_ns == round(duration_s * NS_PER_S)


@given(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9), st.floats(-0.9, 0.9), UNIT, UNIT, UNIT)
def test_dependent_ranks_stay_in_the_unit_interval_even_for_impossible_correlations(
    a: float, b: float, c: float, first: float, second: float, third: float
) -> None:
    ranks = dependent((a, b, c), (first, second, third))
    assert all(0 <= rank <= 1 for rank in ranks)
    assert math.isclose(ranks[0], min(max(first, 1e-9), 1 - 1e-9), abs_tol=1e-9)


@given(UNIT, UNIT, UNIT, st.integers(0, 10**9))
def test_rotation_stays_in_the_unit_interval_and_begins_at_its_start(
    a: float, b: float, c: float, index: int
) -> None:
    assert all(0 <= u < 1 for u in rotated((a, b, c), index))
    assert rotated((a % 1, b % 1, c % 1), 0) == (a % 1, b % 1, c % 1)


@st.composite
def layers(pick: st.DrawFn) -> PacketParameters:
    burst = np.array(pick(quantiles(len(BURST_PROBABILITIES), 0.05, 5.0)))
    return PacketParameters(
        burst=tuple((burst / np.trapezoid(burst, BURST_PROBABILITIES)).tolist()),
        burst_packets=pick(st.floats(1.0, 30.0)),
        reference_mbps=pick(st.floats(0.1, 100.0)),
        growth=pick(UNIT),
        regularity=pick(st.floats(0.2, 20.0)),
        quiet=pick(st.floats(0.0, 0.95)),
        quiet_s=pick(st.floats(0.01, 3.0)),
        flicker=pick(st.floats(0.0, 2.0)),
    )


@given(layers(), st.lists(st.integers(0, 10**8), min_size=1, max_size=20), SEEDS)
@settings(deadline=None, max_examples=80)
def test_placed_packets_are_ordered_whole_ms_and_never_more_than_due(
    parameters: PacketParameters, rates: list[int], seed: int
) -> None:
    times = place(np.array(rates, dtype=np.int64), NS_PER_S, parameters, np.random.default_rng(seed))
    assert (np.diff(times) >= 0).all()
    assert not (times % NS_PER_MS).any()
    assert times.size == 0 or 0 <= times[0] <= times[-1] <= len(rates) * NS_PER_S
    assert times.size <= sum(rates) / PACKET_BITS + 1


@given(st.floats(0.001, 1000), st.floats(0.001, 1000), st.floats(0.01, 100), UNIT)
def test_a_square_has_its_closed_form_mean(high: float, low: float, period_s: float, duty: float) -> None:
    shape = shapes.shape("square", high_mbps=high, low_mbps=low, period_s=period_s, duty=duty)
    # Edges are rounded to a ns, of 10^7 ns and more.
    assert math.isclose(
        shape.trace().mean_bit_s, shape.mean_mbps * 1e6, rel_tol=1e-6, abs_tol=1 + abs(high - low) * 0.2
    )


@given(st.floats(0, 100), st.floats(0, 100), st.integers(1, 500))
def test_a_ramp_has_its_closed_form_mean(start: float, stop: float, steps: int) -> None:
    if start + stop < 1e-3:
        return
    shape = shapes.shape("ramp", from_mbps=start, to_mbps=stop, duration_s=steps * 0.25, step_s=0.25)
    assert math.isclose(shape.trace().mean_bit_s, shape.mean_mbps * 1e6, abs_tol=0.51)
