"""Statistics of traces by stated definitions, so that a number means the same for real and generated traces.

Bins are 1 s (5 s where the recording steps by 5 s): form A counts opportunities from the first one, form B takes
the exact area; whole bins only, and a trace with fewer than `MIN_BINS` bins is left out.

- mean, median, p5, p95: over the pooled bins of all traces. CoV: population standard deviation / mean of each
  trace, then the median over traces.
- acf(k): mean of y(t) y(t+k) over the available pairs / population variance, y = bin - trace mean; needs more than
  k + 5 bins; median over traces.
- Outage: a bin below max(0.05 Mbit/s, 5 % of the trace's mean). The share is over pooled bins, the mean run over
  all runs, in s; a run cut by the trace's end counts.
- KS: largest distance between two empirical distribution functions of pooled bins.

Rates are bit/s, times ns unless a name says s. What cannot be computed is nan, never zero.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from lanecast.traces.trace import MAX_BINS, NS_PER_S, Float64s, Opportunities

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from lanecast.traces.trace import Int64s, Trace

MIN_BINS = 12
"""Fewer whole bins say too little about a trace to pool it."""
SLOW_BIN_NS = 5 * NS_PER_S
SLOW_SETS = ("fcc-broadband", "puffer", "oboe")
"""Sets whose recordings step by about 5 s or by a video chunk."""
OUTAGE_FLOOR_BIT_S = 50_000
OUTAGE_SHARE = 0.05
_ACF_EXTRA_BINS = 5
_MS = 1_000_000


def bin_ns_of(set_name: str) -> int:
    """Return the bin that a set's statistics use, ns."""
    return SLOW_BIN_NS if set_name in SLOW_SETS else NS_PER_S


def bins(trace: Trace, bin_ns: int = NS_PER_S) -> Float64s:
    """Return the mean rate (bit/s) of every whole bin, (n_bins,) float64; form A starts at its first line."""
    capacity = trace.required_capacity()
    first = int(capacity.times[0]) if isinstance(capacity, Opportunities) else 0
    return trace.binned_rates(bin_ns, from_ns=first)


def coefficient_of_variation(rates: Float64s) -> float:
    """Return population standard deviation / mean; nan for no bins or a mean of zero."""
    mean = float(rates.mean()) if rates.size else 0.0
    return float(rates.std()) / mean if mean else math.nan


def autocorrelation(rates: Float64s, lag: int) -> float:
    """Return the autocorrelation at `lag` bins; nan for a lag of 0 or less, too few bins, or no variance."""
    if lag < 1 or rates.size <= lag + _ACF_EXTRA_BINS:
        return math.nan
    centred = rates - rates.mean()
    variance = float(np.mean(centred**2))
    return float(np.mean(centred[:-lag] * centred[lag:])) / variance if variance else math.nan


def outage_mask(rates: Float64s, share: float = OUTAGE_SHARE) -> NDArray[np.bool_]:
    """Return which bins are outages: below max(0.05 Mbit/s, `share` of the mean), (n_bins,) bool."""
    if rates.size == 0:
        return np.zeros(0, dtype=np.bool_)
    return np.asarray(rates < max(OUTAGE_FLOOR_BIT_S, share * float(rates.mean())))


def run_lengths(mask: NDArray[np.bool_]) -> Int64s:
    """Return the length of every run of True, in order, (n_runs,) int64."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return np.asarray(edges[1::2] - edges[::2], dtype=np.int64)


def ks_distance(first: Float64s, second: Float64s) -> float:
    """Return the two-sample Kolmogorov-Smirnov distance, 0..1; nan when a sample is empty."""
    if first.size == 0 or second.size == 0:
        return math.nan
    points = np.concatenate([first, second])
    below_first = np.searchsorted(np.sort(first), points, side="right") / first.size
    below_second = np.searchsorted(np.sort(second), points, side="right") / second.size
    return float(np.abs(below_first - below_second).max())


@dataclass(frozen=True, slots=True)
class Summary:
    """Capacity statistics of some traces; see the module for the definitions."""

    traces: int
    left_out: int
    bins: int
    bin_s: float
    mean_bit_s: float
    median_bit_s: float
    p5_bit_s: float
    p95_bit_s: float
    cov: float
    outage_share: float
    outage_mean_s: float
    acf_1s: float
    acf_10s: float

    def as_dict(self) -> dict[str, float | int | None]:
        """Return plain values for JSON, nan as None."""
        return {key: None if isinstance(v, float) and math.isnan(v) else v for key, v in asdict(self).items()}


def summarise(traces: Iterable[Trace], bin_ns: int = NS_PER_S) -> Summary:
    """Return the statistics of one or more traces with a capacity."""
    return summarise_bins([bins(trace, bin_ns) for trace in traces], bin_ns)


def summarise_bins(
    binned: Sequence[Float64s], bin_ns: int = NS_PER_S, share: float = OUTAGE_SHARE
) -> Summary:
    """Return the statistics of traces given as bins in bit/s; `share` is the outage rule's part of the mean."""
    kept = [rates for rates in binned if rates.size >= MIN_BINS]
    pooled = np.concatenate(kept) if kept else np.zeros(0)
    masks = [outage_mask(rates, share) for rates in kept]
    runs = np.concatenate([run_lengths(mask) for mask in masks]) if kept else np.zeros(0)
    low, median, high = np.percentile(pooled, [5, 50, 95]) if kept else (math.nan,) * 3
    bin_s = bin_ns / NS_PER_S
    return Summary(
        traces=len(kept),
        left_out=len(binned) - len(kept),
        bins=pooled.size,
        bin_s=bin_s,
        mean_bit_s=float(pooled.mean()) if kept else math.nan,
        median_bit_s=float(median),
        p5_bit_s=float(low),
        p95_bit_s=float(high),
        cov=median_of(coefficient_of_variation(rates) for rates in kept),
        outage_share=float(np.concatenate(masks).mean()) if kept else math.nan,
        outage_mean_s=float(runs.mean()) * bin_s if runs.size else math.nan,
        acf_1s=median_of(_acf_at(rates, NS_PER_S, bin_ns) for rates in kept),
        acf_10s=median_of(_acf_at(rates, 10 * NS_PER_S, bin_ns) for rates in kept),
    )


def median_of(values: Iterable[float]) -> float:
    """Return the median of the values that are numbers; nan when none is."""
    numbers = [value for value in values if not math.isnan(value)]
    return float(np.median(numbers)) if numbers else math.nan


def _acf_at(rates: Float64s, time_ns: int, bin_ns: int) -> float:
    """Return the autocorrelation at a time that is a whole number of bins, else nan."""
    return math.nan if time_ns % bin_ns else autocorrelation(rates, time_ns // bin_ns)


def index_of_dispersion(times: Int64s, window_ns: int) -> float:
    """Return variance / mean of the counts in whole windows from the first time.

    nan for fewer than 2 windows, and for more than `MAX_BINS`, which would only count emptiness.
    """
    windows = int(times[-1] - times[0]) // window_ns
    if not 2 <= windows <= MAX_BINS:
        return math.nan
    counts = window_counts(times, window_ns)
    return float(counts.var() / counts.mean())


def window_counts(times: Int64s, window_ns: int) -> Int64s:
    """Return how many times fall in each whole window from the first, (n_windows,) int64; none past `MAX_BINS`."""
    windows = int(times[-1] - times[0]) // window_ns
    if windows > MAX_BINS:
        return np.zeros(0, dtype=np.int64)
    edges = times[0] + window_ns * np.arange(windows + 1, dtype=np.int64)
    return np.asarray(np.diff(np.searchsorted(times, edges, side="left")), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class PacketStatistics:
    """How opportunities follow each other: below the scale of a bin."""

    opportunities: int
    equal_ms_share: float
    gap_p50_ms: float
    gap_p99_ms: float
    gap_max_ms: float
    empty_10ms_share: float
    empty_100ms_share: float
    idc_10ms: float
    idc_100ms: float
    idc_1s: float


def packet_statistics(trace: Trace) -> PacketStatistics:
    """Return packet-level statistics of a form A capacity; ValueError for another."""
    capacity = trace.required_capacity()
    if not isinstance(capacity, Opportunities):
        raise ValueError(f"{trace.name}: packet statistics need opportunities, the capacity is a rate")  # noqa: TRY004
    times = capacity.times
    gaps = np.diff(times)
    p50, p99, longest = np.percentile(gaps, [50, 99, 100]) / _MS if gaps.size else (math.nan,) * 3
    empty = [
        float(np.mean(counts == 0)) if (counts := window_counts(times, width * _MS)).size else math.nan
        for width in (10, 100)
    ]
    return PacketStatistics(
        opportunities=times.size,
        equal_ms_share=float(np.mean(np.diff(times // _MS) == 0)) if gaps.size else math.nan,
        gap_p50_ms=float(p50),
        gap_p99_ms=float(p99),
        gap_max_ms=float(longest),
        empty_10ms_share=empty[0],
        empty_100ms_share=empty[1],
        idc_10ms=index_of_dispersion(times, 10 * _MS),
        idc_100ms=index_of_dispersion(times, 100 * _MS),
        idc_1s=index_of_dispersion(times, NS_PER_S),
    )


@dataclass(frozen=True, slots=True)
class DelayStatistics:
    """A delay track's samples: lost ones count in the loss figures only."""

    samples: int
    measured: str
    mean_ms: float
    p5_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    above_5ms_share: float
    acf_lag1: float
    loss_share: float
    longest_loss_run: int
    mae_constant_ms: float
    mae_last_ms: float
    mae_ar1_ms: float


def delay_statistics(trace: Trace) -> DelayStatistics:
    """Return delay percentiles, the share above 5 ms, loss runs, and the errors of three simple predictors."""
    track = trace.delay
    if track is None:
        raise ValueError(f"{trace.name}: the trace has no delay track")
    lost = np.zeros(track.starts.size, dtype=np.bool_)
    if trace.loss is not None:
        at = np.searchsorted(trace.loss.starts, track.starts, side="right") - 1
        lost = trace.loss.probabilities[at] >= 1
    delays = track.delays[~lost] / _MS
    p5, p50, p95, p99, top = np.percentile(delays, [5, 50, 95, 99, 100]) if delays.size else (math.nan,) * 5
    runs = run_lengths(lost)
    errors = predictor_errors(delays)
    return DelayStatistics(
        samples=delays.size,
        measured=track.measured,
        mean_ms=float(delays.mean()) if delays.size else math.nan,
        p5_ms=float(p5),
        p50_ms=float(p50),
        p95_ms=float(p95),
        p99_ms=float(p99),
        max_ms=float(top),
        above_5ms_share=float(np.mean(delays > 5)) if delays.size else math.nan,
        acf_lag1=autocorrelation(delays, 1),
        loss_share=float(lost.mean()),
        longest_loss_run=int(runs.max()) if runs.size else 0,
        mae_constant_ms=errors[0],
        mae_last_ms=errors[1],
        mae_ar1_ms=errors[2],
    )


def predictor_errors(values: Float64s) -> tuple[float, float, float]:
    """Return mean absolute one-step errors of (best constant, last value, AR(1)); nan below 3 values.

    The best constant for the absolute error is the median; AR(1) is mean + acf(1) x (last - mean), in sample.
    """
    if values.size < 3:
        return (math.nan,) * 3
    target, last = values[1:], values[:-1]
    mean, phi = float(values.mean()), autocorrelation(values, 1)
    constant = float(np.abs(target - np.median(values)).mean())
    ar1 = float(np.abs(target - (mean + phi * (last - mean))).mean())
    return constant, float(np.abs(target - last).mean()), ar1
