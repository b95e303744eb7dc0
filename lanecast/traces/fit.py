"""Fit a class model to traces: tables read off the traces, then corrected by simulation (`inference.py`).

Level and outage tables weigh a trace by its length, since pooled statistics do; spread ranks weigh traces equally,
since medians over traces do. Only quantiles and event rates are kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from lanecast.traces.classmodel import (
    BIT_S_PER_MBPS,
    OUTAGE_PROBABILITIES,
    SHAPE_PROBABILITIES,
    ClassParameters,
    Ranks,
    normal_score,
    outage_threshold,
)
from lanecast.traces.inference import correct
from lanecast.traces.packetfit import fit_packets
from lanecast.traces.processes import Floats
from lanecast.traces.statistics import MIN_BINS, bins, outage_mask, run_lengths
from lanecast.traces.steps import PACKET_BYTES
from lanecast.traces.trace import NS_PER_S, Opportunities, Trace

SPREAD_ROWS = 5
_ROW_REACH = 0.25  # assumption: a shape row averages traces up to this far in spread rank
_ROW_FLOOR = 1e-3  # weight of all other traces, so that no row is empty
_TABLE = np.linspace(0.0, 1.0, 11)
_WINDOW_QUANTILE = 0.1  # assumption: stretches shorter than nine in ten recordings are windows of longer ones
_STRETCH_QUANTILE = 0.8  # assumption: a link keeps its character for longer than most recordings last,
_SHORTEST_STRETCH_S = 600.0  # and for ten minutes at least
_MIN_TRACES_FOR_DEPENDENCE = 8  # assumption: fewer give no correlation worth keeping
_MOST_DEPENDENCE = 0.95


def fit_class(
    traces: Sequence[Trace],
    *,
    title: str,
    kind: str,
    step_s: float = 1.0,
    seed: int = 0,
    simulated: int = 0,
) -> ClassParameters:
    """Return the class model of `traces`, binned at `step_s`; traces of fewer than 12 bins are left out.

    Where all of them are opportunities of 1500 B, each adds a packet layer, so that opportunities can be generated.

    Args:
        traces: recordings of one class, each with a capacity.
        title: what the class is.
        kind: `offered` or `achieved`.
        step_s: bin width, s.
        seed: of the simulation that corrects the tables.
        simulated: traces that each turn of it makes; 0 = as many as their lengths call for.

    Raises:
        ValueError: no trace is long enough, or all offer nothing.
    """
    binned = [bins(trace, round(step_s * NS_PER_S)) for trace in traces]
    parameters = fit_bins(binned, step_s, title=title, kind=kind, seed=seed, simulated=simulated)
    if not all(_is_packets(trace) for trace in traces):
        return parameters
    layers = tuple(
        fit_packets([trace]) for trace, rates in zip(traces, binned, strict=True) if rates.size >= MIN_BINS
    )
    return msgspec.structs.replace(parameters, packets=layers)


def _is_packets(trace: Trace) -> bool:
    capacity = trace.capacity
    return isinstance(capacity, Opportunities) and capacity.bytes_each == PACKET_BYTES


def fit_bins(
    binned: Sequence[Floats],
    step_s: float,
    *,
    title: str,
    kind: str,
    seed: int = 0,
    simulated: int = 0,
) -> ClassParameters:
    """Return the class model of traces given as bins in bit/s; see `fit_class`."""
    kept = [rates / BIT_S_PER_MBPS for rates in binned if rates.size >= MIN_BINS and rates.any()]
    if not kept:
        raise ValueError(
            f"{title}: none of {len(binned)} traces has {MIN_BINS} bins of {step_s} s and a rate above 0"
        )
    tables = read_tables(kept, step_s, title=title, kind=kind)
    return correct(tables, [rates * BIT_S_PER_MBPS for rates in kept], seed=seed, simulated=simulated)


def weighted_quantiles(values: Floats, weights: Floats, probabilities: Floats) -> Floats:
    """Return quantiles of a weighted sample, linear between the midpoints of the cumulated weights."""
    order = np.argsort(values, kind="stable")
    middle = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    return np.interp(probabilities, middle, values[order])


def normal_scores(values: Floats) -> Floats:
    """Return the normal scores of mid-ranks, so that ties share one score."""
    ordered = np.sort(values)
    ranks = (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / (
        2 * len(values)
    )
    return np.array([normal_score(rank) for rank in ranks.tolist()])


def shape_rows(running: Sequence[Floats], weights: Floats) -> tuple[tuple[float, ...], ...]:
    """Return (SPREAD_ROWS, SHAPE_PROBABILITIES): mean quantile functions of rate / level near each spread rank."""
    spreads = np.array([rates.std() / rates.mean() for rates in running])
    ranks = (np.argsort(np.argsort(spreads, kind="stable")) + 0.5) / len(spreads)
    curves = np.array([np.quantile(rates / rates.mean(), SHAPE_PROBABILITIES) for rates in running])
    rows = []
    for centre in np.linspace(0.0, 1.0, SPREAD_ROWS):
        near = (np.maximum(0.0, 1 - np.abs(ranks - centre) / _ROW_REACH) + _ROW_FLOOR) * np.sqrt(weights)
        row = near @ curves / near.sum()
        rows.append(tuple((row / np.trapezoid(row, SHAPE_PROBABILITIES)).tolist()))
    return tuple(rows)


def dependence_of(level: Floats, spread: Floats, outage_rate: Floats) -> Ranks:
    """Return normal-score correlations (level, spread), (level, outage rate), (spread, outage rate).

    They are kept within +-0.95, where the copula is regular.
    """
    if len(level) < _MIN_TRACES_FOR_DEPENDENCE:
        return 0.0, 0.0, 0.0
    scores = [normal_scores(values) for values in (level, spread, outage_rate)]

    def correlation(first: int, second: int) -> float:
        if not (scores[first].std() and scores[second].std()):
            return 0.0
        found = float(np.corrcoef(scores[first], scores[second])[0, 1])
        return math.copysign(min(abs(found), _MOST_DEPENDENCE), found)

    return correlation(0, 1), correlation(0, 2), correlation(1, 2)


def read_tables(traces: Sequence[Floats], step_s: float, *, title: str, kind: str) -> ClassParameters:
    """Return what can be read off `traces` (bins in Mbit/s) directly; the latent process is a guess."""
    masks = [outage_mask(rates * BIT_S_PER_MBPS) for rates in traces]
    running = [rates[~mask] for rates, mask in zip(traces, masks, strict=True)]
    lengths = np.array([float(len(rates)) for rates in traces])
    level = np.array([rates.mean() for rates in running])
    spread = np.array([rates.std() / rates.mean() for rates in running])
    runs = [run_lengths(mask) for mask in masks]
    outage_rate = np.array(
        [len(run) / (len(rates) * step_s) for run, rates in zip(runs, running, strict=True)]
    )
    outage_s = np.concatenate(runs) * step_s
    depth = np.concatenate(
        [
            rates[mask] / outage_threshold(float(rates.mean()))
            for rates, mask in zip(traces, masks, strict=True)
        ]
    )
    return ClassParameters(
        title=title,
        kind=kind,
        step_s=step_s,
        window_s=float(np.quantile(lengths, _WINDOW_QUANTILE)) * step_s,
        stretch_s=max(_SHORTEST_STRETCH_S, float(np.quantile(lengths, _STRETCH_QUANTILE)) * step_s),
        level_mbps=tuple(np.exp(weighted_quantiles(np.log(level), lengths, _TABLE)).tolist()),
        shape=shape_rows(running, lengths),
        slow_share=(0.5,),
        slow_s=(20.0,),
        fast_s=(1.0,),
        fast_blend=(0.0,),
        outage_per_s=tuple(weighted_quantiles(outage_rate, lengths, _TABLE).tolist()),
        outage_s=tuple(np.quantile(outage_s, OUTAGE_PROBABILITIES).tolist()) if outage_s.size else (),
        outage_depth=tuple(np.quantile(depth, _TABLE).tolist()) if outage_s.size else (),
        entry=1.0 if outage_s.size else 0.0,
        dependence=dependence_of(level, spread, outage_rate),
        drawn_mbps=(),
        mapped_mbps=(),
        fitted_traces=len(traces),
        fitted_hours=float(lengths.sum()) * step_s / 3600,
    )
