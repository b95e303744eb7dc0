"""Overlaps that published splits have are found, and independent traces are not."""

from __future__ import annotations

import numpy as np
import pytest

from lanecast.traces.overlap import agreement, find_overlaps, longest_run, rank_changes, value_windows
from lanecast.traces.trace import NS_PER_S, Float64s, Opportunities, Provenance, Rate, Trace


def series(seed: int, count: int = 400) -> Float64s:
    rng = np.random.default_rng(seed)
    slow = np.convolve(rng.normal(0, 1, count + 20), np.full(10, 0.3), "same")[:count]
    return np.exp(slow + rng.normal(0, 0.3, count)) * 5e6


def trace(rates: Float64s, name: str, step: int = NS_PER_S, first: int = 0) -> Trace:
    values = np.rint(rates).astype(np.int64)
    notes = (f"rebased from {first} ns",) if first else ()
    where = Provenance(file=name, set="s", notes=notes)
    return Trace(Rate(np.arange(values.size) * step, values, values.size * step), provenance=where)


def relations(first: list[Trace], second: list[Trace] | None = None) -> list[tuple[str, str, str]]:
    return [(o.first, o.second, o.relation) for o in find_overlaps(first, second)]


def test_independent_traces_do_not_overlap() -> None:
    assert relations([trace(series(i), f"t{i}.txt") for i in range(30)]) == []


def test_an_equal_trace_under_another_name_is_found_once_within_a_set() -> None:
    traces = [trace(series(1), "a"), trace(series(2), "b"), trace(series(1), "c")]
    assert relations(traces) == [("s/a", "s/c", "equal")]


def test_equal_values_on_another_clock_are_found() -> None:
    assert relations([trace(series(1), "a")], [trace(series(1), "b", step=200_000_000)]) == [
        ("s/a", "s/b", "same values")
    ]


@pytest.mark.parametrize(("low", "high"), [(0, 60), (37, 200), (340, 400)])
def test_a_piece_at_any_offset_is_found(low: int, high: int) -> None:
    assert relations([trace(series(1), "a")], [trace(series(1)[low:high], "b")]) == [
        ("s/a", "s/b", "shares values")
    ]


def test_two_overlapping_cuts_are_found() -> None:
    whole = series(3)
    assert relations([trace(whole[:250], "a")], [trace(whole[200:], "b")]) == [
        ("s/a", "s/b", "shares values")
    ]


def test_a_scaled_and_shifted_copy_without_an_equal_value_is_found() -> None:
    whole = trace(series(4), "a")
    moved = whole.cut(60 * NS_PER_S + 250_000_000, 380 * NS_PER_S).to_rate(NS_PER_S).scale_rate(1.37)
    again = Trace(moved.capacity, provenance=Provenance(file="b", set="s"))
    assert relations([whole], [again]) == [("s/a", "s/b", "same recording")]


def test_opportunities_and_their_rates_are_the_same_recording() -> None:
    rates = series(5)
    times = np.concatenate([np.sort(k * 1000 + np.random.default_rng(k).integers(0, 1000, int(r / 12_000)))
                            for k, r in enumerate(rates)])  # fmt: skip
    packets = Trace(
        Opportunities(times.astype(np.int64) * 1_000_000), provenance=Provenance(file="p", set="s")
    )
    assert relations([packets], [trace(rates, "r")]) == [("s/p", "s/r", "same recording")]


def test_consecutive_pieces_need_counting_names_and_a_continuing_clock() -> None:
    first, second = trace(series(6), "w_3.tr"), trace(series(7), "w_4.tr", first=400 * NS_PER_S)
    assert relations([first, second]) == [("s/w_3.tr", "s/w_4.tr", "consecutive")]
    assert relations([first, trace(series(7), "w_4.tr")]) == []
    assert relations([first, trace(series(7), "w_5.tr", first=400 * NS_PER_S)]) == []


def test_a_periodic_pattern_is_no_evidence() -> None:
    pattern = np.tile([5e6, 1e6, 9e6, 2e6, 7e6], 80)
    noise = [np.random.default_rng(i).normal(1, 0.05, 400) for i in (1, 2)]
    assert relations([trace(pattern * noise[0], "a")], [trace(pattern * noise[1], "b")]) == []


def test_coarse_values_need_long_runs() -> None:
    # steps of 8 Mbit/s kinds: windows of 8 agree by chance, runs as long as chance forbids do not
    coarse = [
        trace(np.random.default_rng(i).integers(1, 9, 3000) * np.float64(1e6), f"t{i}.txt") for i in range(6)
    ]
    assert relations(coarse) == []


def test_windows_need_six_distinct_values() -> None:
    hashes, positions = value_windows(np.array([1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8]))
    assert positions.tolist() == [1, 2, 3]  # the first window has five distinct values
    assert np.unique(hashes).size == 3


def test_agreement_is_the_chance_that_the_next_value_agrees_too() -> None:
    assert agreement(np.array([7, 7, 7, 7])) == 1
    assert agreement(np.array([1, 2] * 50)) == pytest.approx(1, abs=0.05)
    assert agreement(np.arange(50)) == 1 / 50
    assert agreement(np.random.default_rng(1).integers(0, 4, 10_000)) == pytest.approx(0.25, abs=0.01)


def test_longest_run_looks_only_at_its_offset() -> None:
    one, other = np.array([9, 1, 2, 3, 8]), np.array([1, 2, 3, 7])
    assert longest_run(one, other, -1) == 3
    assert longest_run(one, other, 0) == 0
    assert longest_run(one, other, 9) == 0


def test_changes_are_of_mid_ranks() -> None:
    assert rank_changes(np.array([5.0, 5.0, 9.0, 1.0])).tolist() == pytest.approx([0.375, -0.375])
    assert rank_changes(np.array([1.0])).size == 0
