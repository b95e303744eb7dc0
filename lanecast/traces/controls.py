"""Controls that a class model must beat: three simpler ways to make traces like given ones.

- `one_lag`: log-normal level between traces, AR(1) of the log rate within, two-state outage chain.
- `two_scale_copula`: one pooled quantile function over a Gaussian process of two time scales; outages are its low
  end. Fitted on within-trace ranks, without correction by simulation.
- `block_bootstrap`: blocks of 10-60 s copied from one recording and joined where values meet. A strong control,
  but its output is the recordings: it is compared with, never shipped.

Each takes bins in bit/s and returns bins in bit/s of as many traces as `lengths` names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lanecast.traces.processes import Floats, ar1
from lanecast.traces.statistics import autocorrelation, median_of, outage_mask, run_lengths

if TYPE_CHECKING:
    from lanecast.traces.processes import Generator

Control = Callable[[Sequence[Floats], float, Sequence[int], "Generator"], list[Floats]]

_COPULA_PROBABILITIES = (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.995)
_COPULA_SHARES = np.arange(0, 1.001, 0.05)
_COPULA_SLOW_S = np.array([5, 10, 15, 20, 30, 45, 60, 90, 120, 200])
_COPULA_FAST_S = np.array([0.05, 0.3, 0.6, 1, 1.5, 2, 3, 4, 6])
_COPULA_LONGEST_LAG_S = 40.0
_WEIGHT_DECAY_S = 5.0
_BLOCK_S = (10.0, 60.0)
_SEAM_CANDIDATES = 8  # assumption
_NORMAL_STEPS = 4001


def _levels(binned: Sequence[Floats], count: int, rng: Generator) -> Floats:
    """Return `count` log-normal levels with the traces' mean and deviation of ln(mean rate)."""
    logs = np.log([rates.mean() for rates in binned])
    return np.exp(rng.normal(logs.mean(), logs.std(), count))


def one_lag(binned: Sequence[Floats], step_s: float, lengths: Sequence[int], rng: Generator) -> list[Floats]:
    """Return traces of the one-lag log-normal control; `step_s` plays no part, the lag is one bin."""
    del step_s
    masks = [outage_mask(rates) for rates in binned]
    logs = [np.log(rates[~mask] / rates.mean()) for rates, mask in zip(binned, masks, strict=True)]
    deviation = median_of(float(values.std()) for values in logs)
    keep = max(0.0, median_of(autocorrelation(values, 1) for values in logs))
    runs = np.concatenate([run_lengths(mask) for mask in masks])
    out_bins, all_bins = sum(int(mask.sum()) for mask in masks), sum(len(mask) for mask in masks)
    enter, leave = len(runs) / max(1, all_bins - out_bins), 1 / float(runs.mean()) if len(runs) else 1.0
    made = []
    for bins, level in zip(lengths, _levels(binned, len(lengths), rng), strict=True):
        z = ar1(rng.standard_normal(bins), keep)
        out = np.zeros(bins, dtype=np.bool_)
        state = False
        for place, chance in enumerate(rng.random(bins).tolist()):
            state = chance >= leave if state else chance < enter
            out[place] = state
        made.append(np.where(out, 0.0, level * np.exp(deviation * z - deviation**2 / 2)))
    return made


def two_scale_copula(
    binned: Sequence[Floats], step_s: float, lengths: Sequence[int], rng: Generator
) -> list[Floats]:
    """Return traces of the two-time-scale Gaussian copula."""
    kept = [rates for rates in binned if rates.any()]
    quantiles = np.quantile(np.concatenate([rates / rates.mean() for rates in kept]), _COPULA_PROBABILITIES)
    share, slow_s, fast_s = _copula_scales(kept, step_s)
    made = []
    for bins, level in zip(lengths, _levels(kept, len(lengths), rng), strict=True):
        noise = rng.standard_normal((2, bins))
        slow, fast = ar1(noise[0], math.exp(-step_s / slow_s)), ar1(noise[1], math.exp(-step_s / fast_s))
        probability = _normal_cdf(math.sqrt(share) * slow + math.sqrt(1 - share) * fast)
        made.append(level * np.interp(probability, _COPULA_PROBABILITIES, quantiles))
    return made


def _copula_scales(binned: Sequence[Floats], step_s: float) -> tuple[float, float, float]:
    """Return (share of the slow component, slow s, fast s) fitted on the normal scores of within-trace ranks."""
    lags = np.arange(1, max(2, round(_COPULA_LONGEST_LAG_S / step_s)) + 1)
    rows = []
    for rates in binned:
        ranks = np.argsort(np.argsort(rates, kind="stable"), kind="stable")
        scores = _normal_score((ranks + 0.5) / len(rates))
        rows.append([autocorrelation(scores, lag) for lag in lags.tolist()])
    known = np.array(rows)
    wanted = np.array([np.nan if np.isnan(c).all() else np.nanmean(c) for c in known.T])
    time = (lags * step_s)[~np.isnan(wanted)]
    weight = 1 / (1 + time / _WEIGHT_DECAY_S)
    slow, fast = np.exp(-time / _COPULA_SLOW_S[:, None]), np.exp(-time / _COPULA_FAST_S[:, None])
    share = _COPULA_SHARES[:, None, None, None]
    grid = share * slow[:, None, :] + (1 - share) * fast
    cost = ((grid - wanted[~np.isnan(wanted)]) ** 2) @ weight
    best = np.unravel_index(int(cost.argmin()), cost.shape)
    return float(_COPULA_SHARES[best[0]]), float(_COPULA_SLOW_S[best[1]]), float(_COPULA_FAST_S[best[2]])


def _normal_table() -> tuple[Floats, Floats]:
    scores = np.linspace(-6, 6, _NORMAL_STEPS)
    return scores, np.array([0.5 * math.erfc(-score / math.sqrt(2)) for score in scores.tolist()])


def _normal_cdf(scores: Floats) -> Floats:
    return np.interp(scores, *_normal_table())


def _normal_score(probability: Floats) -> Floats:
    scores, probabilities = _normal_table()
    return np.interp(probability, probabilities, scores)


def block_bootstrap(
    binned: Sequence[Floats], step_s: float, lengths: Sequence[int], rng: Generator
) -> list[Floats]:
    """Return traces chained from blocks of one recording each, every seam the best of a few candidates."""
    shortest, longest = (max(1, round(length / step_s)) for length in _BLOCK_S)
    made = []
    for bins in lengths:
        source = binned[int(rng.integers(len(binned)))]
        parts: list[Floats] = []
        while sum(len(part) for part in parts) < bins:
            block = min(int(rng.integers(shortest, longest + 1)), len(source))
            starts = rng.integers(0, len(source) - block + 1, _SEAM_CANDIDATES if parts else 1)
            miss = np.abs(source[starts] - parts[-1][-1]) if parts else np.zeros(1)
            start = int(starts[int(miss.argmin())])
            parts.append(source[start : start + block])
        made.append(np.concatenate(parts)[:bins])
    return made


CONTROLS: dict[str, Control] = {
    "one-lag": one_lag,
    "copula": two_scale_copula,
    "blocks": block_bootstrap,
}
