"""Tracks and traces: invariants, operations, provenance."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lanecast.traces.trace import (
    MAX_TIME_NS,
    NS_PER_S,
    UNLIMITED_BIT_S,
    Delay,
    Labels,
    Limit,
    Loss,
    Opportunities,
    Provenance,
    Rate,
    Trace,
    TracePair,
    uniform_rate,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MS = 1_000_000


def rate(*steps: tuple[int, int], end: int) -> Rate:
    starts, rates = zip(*steps, strict=True)
    return Rate(np.array(starts), np.array(rates), end)


def test_arrays_are_private_and_read_only() -> None:
    times = np.array([0, 5, 5, 9])
    track = Opportunities(times)
    times[0] = 3
    assert track.times.tolist() == [0, 5, 5, 9]
    with pytest.raises(ValueError, match="read-only"):
        track.times[0] = 1


def test_period_of_opportunities_is_the_last_value() -> None:
    assert Opportunities(np.array([0, 5, 5, 9])).end == 9


@pytest.mark.parametrize(
    ("times", "end", "message"),
    [
        ([], 0, "no opportunities"),
        ([3, 2], 0, "never decrease"),
        ([-1, 2], 0, ">= 0"),
        ([0, 0], 0, "end is 0"),
        ([1, 5], 4, "end is 4"),
    ],
)
def test_impossible_opportunities_are_refused(times: list[int], end: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Opportunities(np.array(times, dtype=np.int64), 1500, end)


@pytest.mark.parametrize(
    ("starts", "rates", "end", "message"),
    [
        ([], [], 1, "0 starts"),
        ([0, 1], [5], 2, "2 starts and 1 values"),
        ([1], [5], 2, "begin at 0"),
        ([0, 3, 3], [1, 1, 1], 9, "increase"),
        ([0, 3], [1, 1], 3, "end is 3"),
        ([0], [-1], 3, "rates must lie"),
        ([0], [UNLIMITED_BIT_S + 1], 3, "rates must lie"),
        ([0], [1], MAX_TIME_NS + 1, "at most"),
        ([0], [UNLIMITED_BIT_S], MAX_TIME_NS, "offers more"),
    ],
)
def test_impossible_rates_are_refused(starts: list[int], rates: list[int], end: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rate(np.array(starts, dtype=np.int64), np.array(rates, dtype=np.int64), end)


def test_fractions_are_not_silently_truncated() -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        Rate(np.array([0.5]), np.array([1]), 3)


def test_all_zero_capacity_is_refused_but_an_outage_is_legal() -> None:
    with pytest.raises(ValueError, match="zero throughout"):
        Trace(rate((0, 0), (5, 0), end=9))
    assert Trace(rate((0, 0), (5, 8), end=9)).required_rate().rates.tolist() == [0, 8]


def test_a_trace_needs_a_track() -> None:
    with pytest.raises(ValueError, match="at least one track"):
        Trace()


IMPOSSIBLE: dict[str, Callable[[], object]] = {
    "delay below 0": lambda: Delay(np.array([0]), np.array([-1]), 5),
    "unknown measurement": lambda: Delay(np.array([0]), np.array([1]), 5, "sideways"),
    "jitter of another length": lambda: Delay(np.array([0]), np.array([1]), 5, "one-way", np.array([1, 2])),
    "loss above 1": lambda: Loss(np.array([0]), np.array([1.01]), 5),
    "loss nan": lambda: Loss(np.array([0]), np.array([np.nan]), 5),
    "limit below 0": lambda: Limit(np.array([0]), np.array([-1]), 5),
    "unknown unit": lambda: Limit(np.array([0]), np.array([1]), 5, "furlongs"),
    "unknown kind": lambda: Provenance(kind="guessed"),
    "unknown end": lambda: Trace(rate((0, 8), end=9), end="never"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_values_out_of_range_are_refused(case: str) -> None:
    with pytest.raises(ValueError, match=r"expected|must"):
        IMPOSSIBLE[case]()


def test_mean_rate_weighs_steps_by_their_length() -> None:
    assert rate((0, 100), (300, 500), end=400).mean_bit_s == (300 * 100 + 100 * 500) / 400


def test_one_line_file_of_1_ms_is_12_mbit_s() -> None:
    assert Opportunities(np.array([MS])).mean_bit_s == 12_000_000


def test_value_at_a_time_holds_until_the_next_start_and_past_the_end() -> None:
    track = rate((0, 1), (10, 2), end=20)
    assert [track.at(t) for t in (0, 9, 10, 19, 99)] == [1, 1, 2, 2, 2]


def test_cut_restarts_time_and_splits_steps() -> None:
    piece = rate((0, 1), (10, 2), (20, 3), end=30).cut(5, 20)
    assert piece == rate((0, 1), (5, 2), end=15)


def test_cut_pieces_of_both_forms_join_to_the_whole() -> None:
    steps = rate((0, 1), (10, 2), (20, 3), end=30)
    chances = Opportunities(np.array([0, 4, 10, 10, 25]))
    assert steps.cut(0, 15).joined(steps.cut(15, 30)).total_bit_ns == steps.total_bit_ns
    assert chances.cut(0, 10).joined(chances.cut(10, 25)) == chances


def test_cut_keeps_an_opportunity_at_its_end_and_not_at_its_start() -> None:
    assert Opportunities(np.array([2, 5, 9])).cut(2, 9).times.tolist() == [3, 7]


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (6, 5), (0, 31)])
def test_windows_outside_are_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="cannot cut"):
        rate((0, 1), end=30).cut(start, end)


def test_offset_turns_the_loop() -> None:
    trace = Trace(rate((0, 1), (10, 2), end=30)).offset(15)
    assert trace.capacity == rate((0, 2), (15, 1), (25, 2), end=30)
    chances = Trace(Opportunities(np.array([0, 4, 10]))).offset(4).capacity
    assert chances == Opportunities(np.array([6, 6, 10]))


def test_offset_of_a_trace_that_stops_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot start"):
        Trace(rate((0, 1), end=30), end="stop").offset(3)


def test_shorter_tracks_hold_their_last_value_when_cut() -> None:
    trace = Trace(rate((0, 8), end=30), Delay(np.array([0, 5]), np.array([1, 2]), 10))
    assert trace.period_ns == 30
    piece = trace.cut(20, 30)
    assert piece.delay == Delay(np.array([0]), np.array([2]), 10)


def test_jitter_travels_with_its_delay() -> None:
    track = Delay(np.array([0, 5]), np.array([1, 2]), 10, "one-way", np.array([7, 8]))
    piece = track.cut(4, 10)
    assert piece.jitter is not None
    assert (piece.delays.tolist(), piece.jitter.tolist()) == ([1, 2], [7, 8])


def test_round_trip_halves_to_one_way() -> None:
    track = Delay(np.array([0]), np.array([31]), 10, "round-trip")
    assert track.one_way() == Delay(np.array([0]), np.array([15]), 10)


def test_scaled_rate_of_opportunities_keeps_times_and_period() -> None:
    capacity = Opportunities(np.array([0, 4, 10, 10, 25]))
    doubled = Trace(capacity).scale_rate(2).capacity
    halved = Trace(capacity).scale_rate(Fraction(1, 2)).capacity
    assert doubled == Opportunities(np.array([0, 0, 4, 4, 10, 10, 10, 10, 25, 25]))
    assert halved == Opportunities(np.array([0, 10, 25]))
    even = Trace(Opportunities(np.array([1, 2, 3, 4]))).scale_rate(0.5).capacity
    assert even == Opportunities(np.array([2, 4]))  # the last one stays: it is the period


def test_scaled_rate_rounds_to_whole_bits_and_leaves_unlimited_alone() -> None:
    trace = Trace(rate((0, 3), (5, UNLIMITED_BIT_S), end=9)).scale_rate(0.5)
    assert trace.required_rate().rates.tolist() == [2, UNLIMITED_BIT_S]


def test_scaled_time_stretches_every_track() -> None:
    trace = Trace(rate((0, 8), (10, 4), end=30), Delay(np.array([0]), np.array([9]), 30)).scale_time(1.5)
    assert trace.capacity == rate((0, 8), (15, 4), end=45)
    assert trace.delay == Delay(np.array([0]), np.array([9]), 45)


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf")])
def test_factors_must_be_positive_and_finite(factor: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        Trace(rate((0, 8), end=30)).scale_rate(factor)


def test_factors_that_pass_the_bounds_are_refused() -> None:
    steps, packets = Trace(rate((0, 8), end=30)), Trace(Opportunities(np.array([5, 30])))
    for trace in (steps, packets):
        with pytest.raises(ValueError, match="passes"):
            trace.scale_time(1e30)
    with pytest.raises(ValueError, match="passes"):
        steps.scale_rate(1e30)
    with pytest.raises(ValueError, match="more than"):
        packets.scale_rate(1e30)


@pytest.mark.parametrize("width", [0, -5, 1])
def test_bins_that_are_too_fine_are_refused(width: int) -> None:
    trace = Trace(rate((0, 8), end=10**15))
    for act in (trace.to_rate, trace.binned_rates):
        with pytest.raises(ValueError, match="bin is"):
            act(width)


def test_clip_says_how_many_steps_changed() -> None:
    trace = Trace(rate((0, 1), (10, 5), (20, 9), end=30)).clip(2, 8)
    assert trace.required_rate().rates.tolist() == [2, 5, 8]
    assert "2 of 3 steps" in trace.provenance.chain[-1]


def test_clip_of_opportunities_is_refused() -> None:
    with pytest.raises(ValueError, match="to_rate"):
        Trace(Opportunities(np.array([5]))).clip(0, 8)


def test_concatenation_needs_the_same_kinds_of_tracks() -> None:
    first = Trace(rate((0, 1), end=10))
    assert first.concatenate(Trace(rate((0, 2), end=5))).capacity == rate((0, 1), (10, 2), end=15)
    with pytest.raises(ValueError, match="differ in kind"):
        first.concatenate(Trace(Opportunities(np.array([5]))))


def test_resampling_keeps_the_area_and_a_shorter_last_step() -> None:
    trace = Trace(rate((0, 1000), (NS_PER_S * 3 // 2, 3000), end=NS_PER_S * 5 // 2)).to_rate(NS_PER_S)
    assert trace.capacity == rate((0, 1000), (NS_PER_S, 2000), (2 * NS_PER_S, 3000), end=NS_PER_S * 5 // 2)


def test_resampled_opportunities_include_the_one_at_the_end() -> None:
    trace = Trace(Opportunities(np.array([0, 500, 1000, 2000]) * MS)).to_rate(NS_PER_S)
    assert trace.required_rate().rates.tolist() == [24_000, 24_000]
    assert "lossy" in trace.provenance.chain[-1]


def test_smoothing_averages_neighbours_around_the_loop() -> None:
    trace = uniform_rate([0, 6, 0, 0], NS_PER_S).smooth(NS_PER_S, 3)
    assert trace.required_rate().rates.tolist() == [2, 2, 2, 0]
    with pytest.raises(ValueError, match="odd"):
        trace.smooth(NS_PER_S, 4)


def test_directions_of_a_pair_share_a_period() -> None:
    down, up = uniform_rate([1, 2], NS_PER_S), uniform_rate([3], NS_PER_S)
    assert TracePair(down, up.concatenate(up)).up.period_ns == 2 * NS_PER_S
    with pytest.raises(ValueError, match="cut them"):
        TracePair(down, up)


def test_binned_bits_are_exact_areas_of_whole_bins() -> None:
    trace = Trace(rate((0, 10), (NS_PER_S // 2, 30), end=NS_PER_S * 5 // 2))
    assert trace.binned_bits(NS_PER_S).tolist() == [20.0, 30.0]
    assert trace.binned_bits(3 * NS_PER_S).size == 0


def test_every_operation_is_noted_in_order() -> None:
    trace = uniform_rate([1e6, 2e6, 3e6], NS_PER_S, kind="generated", chain=("made",))
    chain = trace.cut(0, 2 * NS_PER_S).scale_rate(2).offset(5).with_end("hold").provenance.chain
    assert [step.split()[0] for step in chain] == ["made", "cut", "scale", "offset", "end=hold"]


def test_labels_are_cut_like_other_tracks() -> None:
    labels = {"radio": Labels(np.array([0, 10]), ["4G", "5G"], 30)}
    trace = Trace(rate((0, 1), end=30), labels=labels).cut(5, 15)
    assert trace.labels["radio"] == Labels(np.array([0, 5]), ["4G", "5G"], 10)


def test_same_tracks_ignores_where_they_came_from() -> None:
    first, second = (Trace(rate((0, 1), end=9), provenance=Provenance(file=name)) for name in "ab")
    assert first.same_tracks(second)
    assert not first.same_tracks(second.with_end("stop"))
