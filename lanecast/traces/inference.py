"""Correct a class model by simulation (indirect inference).

What a sample distorts cannot be read off it: autocorrelation of short traces is biased low, ranks bend it, outages
are cut by a trace's ends, mixtures over traces shift medians. So: simulate traces as long as the real ones, take the
same statistics of both, move the knobs by the difference, repeat (C. Gourieroux, A. Monfort, E. Renault, "Indirect
inference", 1993). The random numbers stay the same from turn to turn, so that the turns converge; the turn that
came closest is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from lanecast.traces.classmodel import (
    BIT_S_PER_MBPS,
    SHAPE_PROBABILITIES,
    ClassParameters,
    draw,
    rotated,
)
from lanecast.traces.processes import Floats
from lanecast.traces.statistics import (
    Summary,
    autocorrelation,
    coefficient_of_variation,
    ks_distance,
    outage_mask,
    summarise_bins,
)
from lanecast.traces.synthetic import stream
from lanecast.traces.trace import NS_PER_S

SLOW_S = 5 * 2 ** np.arange(0, 6.01, 0.25)  # s, 5..320
FAST_S = np.array([0.05, 0.3, 0.6, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8.5, 10, 12, 15])  # s
# Assumption: a recording shows no time constant longer than half of itself; 20 s are always allowed.
_SLOW_SHARE = 0.5
_SHORTEST_SLOW_S = 20.0
SHARES = np.arange(0, 1.001, 0.025)
BLENDS = np.array([0, 0.25, 0.5, 1])
LAGS_S = (1, 2, 3, 5, 10, 15, 20, 30)
JUDGED_LAG_S = 10
_JUDGED_WEIGHT = 6.0  # assumption: the lag that is judged weighs as much as several others
_WEIGHT_DECAY_S = 5.0  # weight 1 / (1 + lag / 5 s)
_ROWS = 3
_LEAST_RANGE = 1.3  # assumption: with less between the 10 % and 90 % spreads, ranking by spread is arbitrary
_MIN_TRACES_FOR_ROWS = 15  # assumption: fewer traces get one set of time constants
# What a turn simulates: so many bins, within so many traces; few recordings are not worth more than their multiple.
_SIMULATED_BINS = 400_000
_SIMULATED_TRACES = (200, 1500)
_SIMULATED_MULTIPLE = 50
_LONGEST_BINS = 8000  # longer traces are simulated cut, to keep a turn short
_TURNS = 12
_COARSE_TURNS = 5
_COARSE_GAIN, _FINE_GAIN = 0.8, 0.4
_REACH = (4, 2, 2, 1)  # grid steps that share, slow, fast, blend may move in a fine turn
_INERTIA = 2e-4  # cost of such a move, so that equally good grid points do not alternate
_MAP_PROBABILITIES = np.concatenate([[0.002, 0.01, 0.025], np.arange(0.05, 0.96, 0.05), [0.975, 0.99, 0.998]])
_MOST_ENTRY = 3.0


@dataclass(frozen=True, slots=True)
class Observed:
    """The statistics that steer the fit; rates in Mbit/s."""

    summary: Summary
    acf: Floats
    """(lags,) median over traces."""
    acf_rows: Floats
    """(rows, lags) median over the traces near each spread rank."""
    entry_rank: float
    """Mean rank, 0..1, of the bin before an outage among the trace's bins outside outages; nan without outages."""
    pooled: Floats
    """All bins, sorted, bit/s."""
    running: Floats
    """All bins outside outages, sorted, Mbit/s."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """What a turn moves."""

    acf_rows: Floats
    outage_rate: float
    outage_length: float
    spread_power: float
    entry: float
    drawn_mbps: Floats
    mapped_mbps: Floats


def correct(
    tables: ClassParameters, binned: Sequence[Floats], *, seed: int, simulated: int = 0
) -> ClassParameters:
    """Return `tables` with time constants, scales and the final map fitted to `binned` (bit/s).

    Each turn simulates `simulated` traces; 0 means as many as their lengths call for.
    """
    lags = _lags(tables.step_s)
    rows = _rows(binned)
    wanted = observe(binned, tables.step_s, lags, rows)
    lengths = [min(len(rates), _LONGEST_BINS) for rates in binned]
    seen_s = max(_SHORTEST_SLOW_S, _SLOW_SHARE * float(np.median(lengths)) * tables.step_s)
    grid = _acf_grid(lags, tables.step_s, SLOW_S[seen_s >= SLOW_S])
    knobs = Knobs(wanted.acf_rows, 1.0, 1.0, 1.0, tables.entry, np.zeros(0), np.zeros(0))
    places: list[tuple[int, ...] | None] = [None] * rows
    best = (math.inf, tables)
    for turn in range(_TURNS):
        coarse = turn < _COARSE_TURNS
        places = [
            _nearest(grid, np.asarray(row), np.asarray(lags * tables.step_s), None if coarse else place)
            for row, place in zip(knobs.acf_rows, places, strict=True)
        ]
        parameters = _turned(tables, knobs, [place for place in places if place is not None])
        made = simulate(parameters, lengths, seed, simulated or _enough(lengths))
        seen = observe(made, tables.step_s, lags, rows)
        miss = _distance(wanted, seen)
        if not coarse and miss < best[0]:
            best = (miss, parameters)
        knobs = _moved(knobs, wanted, seen, _COARSE_GAIN if coarse else _FINE_GAIN)
    return best[1]


def simulate(parameters: ClassParameters, lengths: Sequence[int], seed: int, at_least: int) -> list[Floats]:
    """Return bins in bit/s of `at_least` traces or more, whose lengths repeat `lengths` in random order."""
    order = stream(f"fit/{parameters.title}", seed)
    made: list[Floats] = []
    while len(made) < at_least:
        first, second, third = order.random(3).tolist()
        for place, bins in enumerate(order.permutation(np.asarray(lengths)).tolist()):
            rng = stream(f"fit/{parameters.title}", seed, len(made))
            made.append(draw(parameters, bins, rotated((first, second, third), place), rng) * BIT_S_PER_MBPS)
    return made


def observe(binned: Sequence[Floats], step_s: float, lags: NDArray[np.int64], rows: int) -> Observed:
    """Return the steering statistics of traces given as bins in bit/s."""
    acf = np.array([[autocorrelation(rates, lag) for lag in lags.tolist()] for rates in binned])
    spread = np.array([coefficient_of_variation(rates) for rates in binned])
    ranks = (np.argsort(np.argsort(spread, kind="stable")) + 0.5) / len(spread)
    reach = 0.4 / max(1, rows - 1) if rows > 1 else 1.0
    near = [acf[np.abs(ranks - centre) <= reach] for centre in np.linspace(0.0, 1.0, rows)]
    masks = [outage_mask(rates) for rates in binned]
    running = np.concatenate([rates[~mask] for rates, mask in zip(binned, masks, strict=True)])
    return Observed(
        summary=summarise_bins(binned, round(step_s * NS_PER_S)),
        acf=_medians(acf),
        acf_rows=np.array([_medians(part) for part in near]),
        entry_rank=_entry_rank(binned, masks),
        pooled=np.sort(np.concatenate(binned)),
        running=np.sort(running) / BIT_S_PER_MBPS,
    )


def _medians(values: Floats) -> Floats:
    """Return the column medians of the values that are numbers; nan for a column without any."""
    return np.array([np.nan if np.isnan(column).all() else np.nanmedian(column) for column in values.T])


def _entry_rank(binned: Sequence[Floats], masks: Sequence[NDArray[np.bool_]]) -> float:
    ranks = []
    for rates, mask in zip(binned, masks, strict=True):
        before = rates[:-1][mask[1:] & ~mask[:-1]]
        ordered = np.sort(rates[~mask])
        below, upto = (np.searchsorted(ordered, before, side) for side in ("left", "right"))
        ranks.append((below + upto) / (2 * ordered.size))
    pooled = np.concatenate(ranks)
    return float(pooled.mean()) if pooled.size else math.nan


def _enough(lengths: Sequence[int]) -> int:
    """Return how many traces a turn simulates."""
    least, most = _SIMULATED_TRACES
    most = min(most, max(least, _SIMULATED_MULTIPLE * len(lengths)))
    return min(max(round(_SIMULATED_BINS * len(lengths) / sum(lengths)), least), most)


def _rows(binned: Sequence[Floats]) -> int:
    """Return how many sets of time constants the traces can tell apart: they are sorted by spread."""
    low, high = np.quantile([coefficient_of_variation(rates) for rates in binned], [0.1, 0.9])
    return _ROWS if len(binned) >= _MIN_TRACES_FOR_ROWS and high > _LEAST_RANGE * low else 1


def _lags(step_s: float) -> NDArray[np.int64]:
    """Return the lags in bins that are fitted: the first three and LAGS_S where they are whole bins."""
    whole = {
        round(lag / step_s)
        for lag in LAGS_S
        if lag >= step_s and math.isclose(lag / step_s, round(lag / step_s))
    }
    return np.array(sorted({1, 2, 3} | whole))


def _acf_grid(lags: NDArray[np.int64], step_s: float, slow_s: Floats) -> Floats:
    """Return (shares, slows, fasts, blends, lags): the latent autocorrelation of every grid point."""
    time = lags * step_s

    def decay(shift_s: float) -> Floats:
        return np.asarray(np.exp(-np.abs(time + shift_s) / FAST_S[:, None])[:, None, :])

    blend = BLENDS[:, None]
    one_step = np.exp(-step_s / FAST_S)[:, None, None]
    both = decay(-step_s) + decay(step_s)
    fast = ((1 + blend**2) * decay(0.0) + blend * both) / (1 + blend**2 + 2 * blend * one_step)
    slow = np.exp(-time / slow_s[:, None])[:, None, None, :]
    share = SHARES[:, None, None, None, None]
    return np.asarray(share * slow + (1 - share) * fast)


def _nearest(grid: Floats, wanted: Floats, time_s: Floats, last: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the grid point whose autocorrelation is nearest to `wanted`; near `last` when that is given."""
    weight = np.where(time_s == JUDGED_LAG_S, _JUDGED_WEIGHT, 1.0) / (1 + time_s / _WEIGHT_DECAY_S)
    weight = np.where(np.isnan(wanted), 0.0, weight)
    if last is None:
        window = tuple(slice(0, size) for size in grid.shape[:4])
    else:
        window = tuple(
            slice(max(0, at - reach), at + reach + 1) for at, reach in zip(last, _REACH, strict=True)
        )
    cost = ((grid[window] - np.nan_to_num(wanted)) ** 2) @ weight
    corner = np.array([part.start for part in window])
    if last is not None:
        moves = (np.moveaxis(np.indices(cost.shape), 0, -1) + corner - np.array(last)) / np.array(_REACH)
        cost = cost + _INERTIA * (moves**2).sum(axis=-1)
    found = np.unravel_index(int(cost.argmin()), cost.shape)
    return tuple(int(at) for at in corner + np.array(found))


def _turned(tables: ClassParameters, knobs: Knobs, places: Sequence[tuple[int, ...]]) -> ClassParameters:
    """Return `tables` with the knobs applied."""
    share, slow, fast, blend = np.array(places).T
    shape = np.asarray(tables.shape) ** knobs.spread_power
    shape /= np.asarray(np.trapezoid(shape, SHAPE_PROBABILITIES, axis=1))[:, None]
    return msgspec.structs.replace(
        tables,
        slow_share=tuple(SHARES[share].tolist()),
        slow_s=tuple(SLOW_S[slow].tolist()),
        fast_s=tuple(FAST_S[fast].tolist()),
        fast_blend=tuple(BLENDS[blend].tolist()),
        shape=tuple(tuple(row) for row in shape.tolist()),
        outage_per_s=tuple((knobs.outage_rate * np.array(tables.outage_per_s)).tolist()),
        outage_s=tuple((knobs.outage_length * np.array(tables.outage_s)).tolist()),
        entry=knobs.entry,
        drawn_mbps=tuple(knobs.drawn_mbps.tolist()),
        mapped_mbps=tuple(knobs.mapped_mbps.tolist()),
    )


def _distance(wanted: Observed, seen: Observed) -> float:
    """Return the squared misses of the judged statistics, each in units of its bar (docs/generators.md)."""
    real, made = wanted.summary, seen.summary
    misses = [
        (made.cov - real.cov) / (0.1 * real.cov or 1.0),
        (made.acf_10s - real.acf_10s) / 0.1,
        (wanted.acf[0] - seen.acf[0]) / 0.15,
        (made.outage_share - real.outage_share) / 0.02,
        (made.outage_mean_s - real.outage_mean_s) / (0.25 * real.outage_mean_s),
        ks_distance(wanted.pooled, seen.pooled) / 0.03,
    ]
    return float(sum(miss * miss for miss in misses if not math.isnan(miss)))


def _moved(knobs: Knobs, wanted: Observed, seen: Observed, gain: float) -> Knobs:
    """Return the knobs moved by `gain` of what is missing."""
    real, made = wanted.summary, seen.summary
    rows = np.nan_to_num(wanted.acf_rows - seen.acf_rows)
    common = np.nan_to_num(wanted.acf - seen.acf)
    acf_rows = np.clip(knobs.acf_rows + gain * (rows + common) / 2, -0.2, 0.995)
    length = _ratio(real.outage_mean_s, made.outage_mean_s, gain)
    rate = _ratio(real.outage_share, made.outage_share, gain) / length
    entry = knobs.entry
    if not math.isnan(seen.entry_rank):
        entry = min(max(entry + 2 * gain * (seen.entry_rank - wanted.entry_rank), 0.0), _MOST_ENTRY)
    drawn, mapped = _moved_map(knobs, wanted.running, seen.running, gain)
    return replace(
        knobs,
        acf_rows=acf_rows,
        outage_length=knobs.outage_length * length,
        outage_rate=knobs.outage_rate * rate,
        spread_power=knobs.spread_power * _ratio(real.cov, made.cov, gain),
        entry=entry,
        drawn_mbps=drawn,
        mapped_mbps=mapped,
    )


def _ratio(wanted: float, seen: float, gain: float) -> float:
    """Return (wanted / seen) ** gain within 1/2..2; 1 where a side is 0 or nan."""
    if not (wanted > 0 and seen > 0):
        return 1.0
    return float(min(max((wanted / seen) ** gain, 0.5), 2.0))


def _moved_map(knobs: Knobs, wanted: Floats, seen: Floats, gain: float) -> tuple[Floats, Floats]:
    """Return the knots of the final map, its quantiles moved towards those of `wanted` (both sorted, Mbit/s)."""
    probabilities = np.append(_MAP_PROBABILITIES, 1.0)
    made, real = np.quantile(seen, probabilities), np.quantile(wanted, probabilities)
    drawn = np.interp(made, knobs.mapped_mbps, knobs.drawn_mbps) if knobs.mapped_mbps.size else made
    mapped = made * (real / made) ** gain
    rising = np.concatenate([[True], np.diff(np.maximum.accumulate(drawn)) > 1e-6 * drawn[1:]])
    mapped = np.maximum.accumulate(mapped[rising]) * (1 + 1e-9 * np.arange(rising.sum()))
    return np.append(0.0, drawn[rising]), np.append(0.0, mapped)
