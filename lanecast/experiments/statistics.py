"""Statistics over runs: bootstrap intervals over seeds, paired reductions, shares.

Every interval is a percentile bootstrap over seeds with 10,000 resamples from one fixed stream, so that the same rows
give the same interval. Cells (a channel, an RTT, a gap) are the experiment's design and are not resampled; schemes
are compared on equal seeds of equal cells, which is what makes a reduction paired.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from lanecast.transport.rng import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lanecast.experiments.results import Row

Floats: TypeAlias = npt.NDArray[np.float64]
RESAMPLES = (
    10_000  # the published protocol of the comparison: 95 % CI by bootstrap over seeds, 10,000 resamples
)
CONFIDENCE = 0.95
BLOCK = 1000  # resamples drawn at a time: bounds the memory


class Estimate(NamedTuple):
    """A value with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


@functools.lru_cache(maxsize=8)
def weights(n: int, resamples: int = RESAMPLES) -> Floats:
    """Return how often each of n seeds is drawn in each resample, as shares: (resamples, n) float64, read-only."""
    stream = Stream(0, "bootstrap", n)
    counts = np.empty((resamples, n))
    for start in range(0, resamples, BLOCK):
        stop = min(start + BLOCK, resamples)
        picks = (stream.generator.random((stop - start, n)) * n).astype(np.int64)
        for place, pick in enumerate(picks, start):
            counts[place] = np.bincount(pick, minlength=n)
    shares = counts / n
    shares.setflags(write=False)
    return shares


def interval(samples: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the percentile interval of resampled values; NaN where there is none."""
    good = samples[np.isfinite(samples)]
    if not good.size:
        return float("nan"), float("nan")
    low, high = np.quantile(good, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def mean_interval(values: Sequence[float] | Floats) -> Estimate:
    """Return the mean of one value a seed with its bootstrap interval (NaN for no values)."""
    column = np.asarray(values, dtype=np.float64)
    if not column.size:
        return Estimate(float("nan"), float("nan"), float("nan"))
    value = float(column.mean())
    if column.size == 1:
        return Estimate(value, value, value)
    return Estimate(value, *interval(weights(column.size) @ column))


def table_of(
    rows: Iterable[Row], column: str, cell: Sequence[str]
) -> tuple[Floats, list[tuple[Any, ...]], list[int]]:
    """Arrange one column as (cells, seeds): the values, the cells in order of appearance, the seeds.

    Raises:
        ValueError: a cell lacks a seed that another has (runs failed or are missing), or has it twice.
    """
    found: dict[tuple[Any, ...], dict[int, float]] = {}
    for row in rows:
        place = tuple(row[name] for name in cell)
        seeds_here = found.setdefault(place, {})
        if row["seed"] in seeds_here:
            raise ValueError(f"{column}: seed {row['seed']} stands twice in cell {place}")
        seeds_here[row["seed"]] = float(row[column])
    seeds = sorted({seed for cells in found.values() for seed in cells})
    for place, cells in found.items():
        if len(cells) != len(seeds):
            lacking = sorted(set(seeds) - set(cells))
            raise ValueError(f"{column}: cell {place} lacks seeds {lacking[:5]}: comparisons must be paired")
    values = np.array([[cells[seed] for seed in seeds] for cells in found.values()], dtype=np.float64)
    return values.reshape(len(found), len(seeds)), list(found), seeds


def reduction(base: Floats, ours: Floats) -> Estimate:
    """Return 1 - mean(ours) / mean(base) over (cells, seeds), interval over seeds; NaN when base is zero."""
    base_means, ours_means = base.mean(axis=0), ours.mean(axis=0)
    if base_means.mean() <= 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    drawn = weights(base_means.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        samples = 1 - (drawn @ ours_means) / (drawn @ base_means)
    return Estimate(float(1 - ours_means.mean() / base_means.mean()), *interval(samples))


def ratio(ours: Floats, base: Floats) -> Estimate:
    """Return mean(ours) / mean(base) over (cells, seeds), interval over seeds."""
    cut = reduction(base, ours)
    return Estimate(1 - cut.value, 1 - cut.high, 1 - cut.low)


def closed(base: Floats, ours: Floats, oracle: Floats) -> Estimate:
    """Return the share of the gap between base and oracle that ours closes, interval over seeds."""
    return reduction(base - oracle, ours - oracle)


def worst_difference(ours: Floats, base: Floats) -> tuple[int, Estimate]:
    """Return the cell in which ours - base is largest by the interval's lower bound, and its difference.

    "Never worse" holds when that lower bound is <= 0: in no cell is the difference above zero with confidence.
    """
    differences = ours - base
    samples = weights(differences.shape[1]) @ differences.T
    lows, highs = np.quantile(samples, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    means = differences.mean(axis=1)
    place = int(np.lexsort((means, lows))[-1])
    return place, Estimate(float(means[place]), float(lows[place]), float(highs[place]))
