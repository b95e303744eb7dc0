"""The class model: capacity of one kind of link, drawn from a page of fitted numbers.

Models the capacity that a class of links (3G buses, mmWave walks, ...) offers, in bins of `step_s`. Left out:
delay, dependence on load, uplink/downlink correlation. Numbers come from `fit.py`; nothing of a recording but
quantiles and rates of events is kept.

Theory of operation. A trace is drawn in two stages.

1. *Which trace.* Three numbers in 0..1, tied by a normal copula (`dependence`), pick the trace's level, spread
   and outage rate from quantile tables over traces. They come from a rotated low-discrepancy sequence over
   `index`: one trace alone has exactly the class's distribution, and the traces 0..n-1 of one seed cover it
   evenly, so that a set of 20 traces has the class's mix of good and bad links.
2. *Within the trace.* A latent process z = sqrt(w) a + sqrt(1 - w) b, with a and b unit AR(1) processes of a
   slow and a fast time constant, is replaced by its ranks; rank r of n becomes the rate
   level x shape(spread, (r + 1/2) / n). Every trace therefore has the marginal distribution of its spread exactly,
   however slow its swings. Outages are a separate semi-Markov process: their count follows from the trace's
   outage rate, they begin preferably where z is low (weight exp(-entry z)), their lengths come from a fitted
   quantile table, and they are inserted into the running process, which resumes where it stopped.
   A random window of the wanted length is cut out.

The copula with two time scales follows the two-time-scale Gaussian copula baseline of docs/generators.md; ranks,
spread table and inserted outages are what it lacked.
"""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from lanecast.traces.packets import PacketParameters
from lanecast.traces.processes import Floats, ar1, table
from lanecast.traces.statistics import OUTAGE_FLOOR_BIT_S, OUTAGE_SHARE

if TYPE_CHECKING:
    from lanecast.traces.processes import Generator

Ranks = tuple[float, float, float]

# Probabilities of the tables over bins of one trace; ends included, so the tail is not cut.
SHAPE_PROBABILITIES = (
    0.0, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99, 1.0,
)  # fmt: skip
# Probabilities of the table of outage lengths: denser in the tail, which carries most of the outage time.
OUTAGE_PROBABILITIES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)
BIT_S_PER_MBPS = 1_000_000
# Golden, silver and bronze mean: badly approximable, so that multiples fill each coordinate evenly, and rationally
# independent of each other (H. Niederreiter, "Random number generation and quasi-Monte Carlo methods", 1992, ch. 3).
_ADVANCE = ((math.sqrt(5) - 1) / 2, math.sqrt(2) - 1, (math.sqrt(13) - 3) / 2)
# Running bins are kept this far above the outage threshold: raising all of them to it lifts the mean by less.
_CLEAR_OF_OUTAGE = 1.06
_NORMAL = NormalDist()
_EDGE = 1e-9  # keeps the inverse normal distribution finite


class ClassParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fitted numbers of one class. Tables over traces and lengths have equispaced probabilities from 0 to 1."""

    title: str
    """What the class is, in words."""
    kind: str
    """`offered` (the link's capacity was measured) or `achieved` (a flow's own throughput was)."""
    step_s: float
    """Bin width, s."""
    window_s: float
    """Shortest stretch that is drawn before a window is cut, s."""
    stretch_s: float
    """Longest stretch with one level, spread and outage rate, s; a longer trace is a chain of stretches."""
    level_mbps: tuple[float, ...]
    """Quantiles over traces of the mean rate outside outages, Mbit/s."""
    shape: tuple[tuple[float, ...], ...]
    """(spread rank, SHAPE_PROBABILITIES) rate outside outages / level; rows equispaced in spread rank."""
    slow_share: tuple[float, ...]
    """Share w of the slow component in the latent variance, per row of `shape`, 0..1."""
    slow_s: tuple[float, ...]
    """Time constant of the slow component per row, s."""
    fast_s: tuple[float, ...]
    """Time constant of the fast component per row, s."""
    fast_blend: tuple[float, ...]
    """Share of its previous value mixed into the fast component per row, 0..1 (measurements that overlap bins)."""
    outage_per_s: tuple[float, ...]
    """Quantiles over traces of outage starts per second outside outages."""
    outage_s: tuple[float, ...]
    """Outage length at OUTAGE_PROBABILITIES, s; empty for a class without outages."""
    outage_depth: tuple[float, ...]
    """Quantiles of rate / outage threshold within outages, 0..1; empty likewise."""
    entry: float
    """How strongly outages prefer low z; 0 = not at all."""
    dependence: tuple[float, float, float]
    """Normal-score correlations (level, spread), (level, outage rate), (spread, outage rate)."""
    drawn_mbps: tuple[float, ...]
    """Knots of the final monotone map of rates outside outages: from, Mbit/s."""
    mapped_mbps: tuple[float, ...]
    """Knots of the final monotone map: to, Mbit/s. It keeps marks of the medium, such as a line rate. Empty: none."""
    fitted_traces: int
    """Number of traces behind the numbers; below 15 they are a picture, not a population."""
    fitted_hours: float
    """Their total length, h."""
    packets: tuple[PacketParameters, ...] = ()
    """How opportunities lie within a step, a layer for each recording; empty for a class known only as rates."""


def rotated(start: Ranks, index: int) -> Ranks:
    """Return point `index` of the additive-recurrence sequence that begins at `start`, each in 0..1."""
    first, second, third = ((u + step * index) % 1.0 for u, step in zip(start, _ADVANCE, strict=True))
    return first, second, third


def normal_score(uniform: float) -> float:
    """Return the standard normal quantile at `uniform`, which is kept off 0 and 1 by 1e-9."""
    return _NORMAL.inv_cdf(min(max(uniform, _EDGE), 1 - _EDGE))


def dependent(dependence: Ranks, uniforms: Ranks) -> Ranks:
    """Return (level, spread, outage) ranks in 0..1: `uniforms` tied by the normal copula."""
    first, second, third = (normal_score(u) for u in uniforms)
    level_spread, level_outage, spread_outage = dependence
    lower = math.sqrt(1 - level_spread**2)
    partial = (spread_outage - level_spread * level_outage) / lower
    rest = math.sqrt(max(0.0, 1 - level_outage**2 - partial**2))
    spread = level_spread * first + lower * second
    outage = level_outage * first + partial * second + rest * third
    return _NORMAL.cdf(first), _NORMAL.cdf(spread), _NORMAL.cdf(outage)


def latent(parameters: ClassParameters, spread: float, bins: int, rng: Generator) -> Floats:
    """Return (bins,) standard normal values with the two time scales of rank `spread`."""
    share = float(table(parameters.slow_share, spread))
    keep_slow = math.exp(-parameters.step_s / float(table(parameters.slow_s, spread)))
    keep_fast = math.exp(-parameters.step_s / float(table(parameters.fast_s, spread)))
    blend = float(table(parameters.fast_blend, spread))
    noise = rng.standard_normal((2, bins + 1))
    slow = ar1(noise[0], keep_slow)[1:]
    fast = ar1(noise[1], keep_fast)
    fast = (fast[1:] + blend * fast[:-1]) / math.sqrt(1 + blend * blend + 2 * blend * keep_fast)
    return math.sqrt(share) * slow + math.sqrt(1 - share) * fast


def shaped(parameters: ClassParameters, spread: float, z: Floats) -> Floats:
    """Return rate / level for latent values `z`: their ranks through the shape row of rank `spread`."""
    ranks = np.empty(len(z))
    ranks[np.argsort(z, kind="stable")] = np.arange(len(z))
    rows = np.asarray(parameters.shape)
    place = spread * (len(rows) - 1)
    below = min(int(place), len(rows) - 2)
    row = rows[below] + (place - below) * (rows[below + 1] - rows[below])
    return np.asarray(np.interp((ranks + 0.5) / len(z), SHAPE_PROBABILITIES, row))


def outage_lengths(parameters: ClassParameters, rank: float, z: Floats, rng: Generator) -> NDArray[np.int64]:
    """Return (bins,) int64: how many outage bins follow each bin of the running process."""
    bins = len(z)
    lengths = np.zeros(bins, dtype=np.int64)
    if not parameters.outage_s:
        return lengths
    expected = float(table(parameters.outage_per_s, rank)) * parameters.step_s * bins
    count = min(int(expected + rng.random()), bins)
    # Gumbel noise: the highest `count` are a weighted sample without replacement (Gumbel top-k).
    preference = -parameters.entry * z - np.log(-np.log(rng.random(bins)))
    if count:
        starts = np.sort(np.argpartition(preference, bins - count)[bins - count :])
        stratified = (rng.permutation(count) + rng.random(count)) / count
        drawn = np.interp(stratified, OUTAGE_PROBABILITIES, parameters.outage_s) / parameters.step_s
        lengths[starts] = np.maximum(1, np.floor(drawn + rng.random(count)).astype(np.int64))
    return lengths


def outage_threshold(mean_mbps: float) -> float:
    """Return the rate, Mbit/s, below which a bin of a trace of that mean is an outage."""
    return max(OUTAGE_FLOOR_BIT_S / BIT_S_PER_MBPS, OUTAGE_SHARE * mean_mbps)


def with_outages(
    parameters: ClassParameters, running: Floats, gaps: NDArray[np.int64], rng: Generator
) -> tuple[Floats, NDArray[np.int64]]:
    """Insert `gaps` outage bins after each bin of `running`; return the rates, Mbit/s, and where `running` went."""
    places = np.arange(len(running)) + np.cumsum(gaps) - gaps
    rates = np.zeros(len(running) + int(gaps.sum()))
    rates[places] = running
    if len(rates) > len(running):
        out = np.ones(len(rates), dtype=np.bool_)
        out[places] = False
        depth = table(parameters.outage_depth, rng.random(len(rates) - len(running)))
        rates[out] = depth * outage_threshold(float(rates.mean()))
    return rates, places


def stretch(parameters: ClassParameters, bins: int, uniforms: Ranks, rng: Generator) -> Floats:
    """Return (bins,) rates, Mbit/s, with one level, spread and outage rate, picked by `uniforms`."""
    level_rank, spread, outage_rank = dependent(parameters.dependence, uniforms)
    level = float(table(parameters.level_mbps, level_rank))
    z = latent(parameters, spread, max(bins, math.ceil(parameters.window_s / parameters.step_s)), rng)
    running = level * shaped(parameters, spread, z)
    if parameters.drawn_mbps:
        running = np.interp(running, parameters.drawn_mbps, parameters.mapped_mbps)
    running = np.maximum(running, _CLEAR_OF_OUTAGE * outage_threshold(float(running.mean())))
    gaps = outage_lengths(parameters, outage_rank, z, rng)
    rates, places = with_outages(parameters, running, gaps, rng)
    start = int(rng.random() * (len(rates) - bins + 1))
    following = int(np.searchsorted(places, start))
    if (
        following == len(places) or places[following] >= start + bins
    ):  # a window of nothing but outage: move it
        start = int(min(places[int(rng.random() * len(places))], len(rates) - bins))
    return rates[start : start + bins]


def draw(parameters: ClassParameters, bins: int, uniforms: Ranks, rng: Generator) -> Floats:
    """Return (bins,) float64 rates, Mbit/s: a chain of stretches that begins with the one of `uniforms`."""
    count = max(1, round(bins * parameters.step_s / parameters.stretch_s))
    if count == 1:
        return stretch(parameters, bins, uniforms, rng)
    first, second, third = rng.random(3).tolist()
    edges = [bins * part // count for part in range(count + 1)]
    parts = []
    for part, (before, after) in enumerate(pairwise(edges)):
        picked = rotated((first, second, third), part) if part else uniforms
        parts.append(stretch(parameters, after - before, picked, rng))
    return np.concatenate(parts)
