"""Fit the packet layer (`packets.py`) to recordings of opportunities.

Burst sizes are read off the recordings (lines that share a millisecond). Regularity, quiet times and flicker are
found by simulation: the recording's own counts per second are placed anew, and the index of dispersion at 10 and
100 ms and the shares of empty 10 and 100 ms slots are compared; one number at a time moves along its grid while that
helps.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from lanecast.traces.packets import BURST_PROBABILITIES, NS_PER_MS, PACKET_BITS, PacketParameters, place
from lanecast.traces.statistics import index_of_dispersion, window_counts
from lanecast.traces.steps import Int64s
from lanecast.traces.synthetic import stream
from lanecast.traces.trace import NS_PER_S, Opportunities, Trace

GRIDS: dict[str, tuple[float, ...]] = {
    "regularity": (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0),
    "quiet": (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5),
    "quiet_s": (0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0),
    "flicker": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0),
}
_LONGEST_S = 300  # of each recording; assumption: five minutes show how a scheduler works
_ROUNDS = 4
_FLOORS = (0.1, 0.1, 0.01, 0.005)  # of the compared statistics: below these, differences do not matter


def targets(times: Int64s) -> tuple[float, float, float, float]:
    """Return IDC(10 ms), IDC(100 ms), share of empty 10 ms slots, share of empty 100 ms slots."""
    empty = [float(np.mean(window_counts(times, width * NS_PER_MS) == 0)) for width in (10, 100)]
    dispersion = [index_of_dispersion(times, width * NS_PER_MS) for width in (10, 100)]
    return dispersion[0], dispersion[1], empty[0], empty[1]


def fit_packets(traces: Sequence[Trace], *, seed: int = 0) -> PacketParameters:
    """Return one packet layer for `traces`, which must all be opportunities of 1500 B.

    Raises:
        ValueError: no traces, or another form of capacity.
    """
    recordings = [_opening(trace) for trace in traces]
    if not recordings:
        raise ValueError("no traces to fit a packet layer to")
    best = _bursts(recordings)
    least = _miss(best, recordings, seed)
    for _ in range(_ROUNDS):
        before = best
        for name, grid in GRIDS.items():
            for value in grid:
                candidate = msgspec.structs.replace(best, **{name: value})
                miss = _miss(candidate, recordings, seed)
                if miss < least:
                    best, least = candidate, miss
        if best is before:
            break
    return best


def _opening(trace: Trace) -> Int64s:
    """Return the opportunity times of the first minutes, from 0."""
    capacity = trace.required_capacity()
    if not isinstance(capacity, Opportunities):
        raise ValueError(f"{trace.name}: a packet layer is fitted to opportunities, not to rates")  # noqa: TRY004
    times = capacity.times - capacity.times[0]
    return np.asarray(times[times < _LONGEST_S * NS_PER_S])


def _bursts(recordings: Sequence[Int64s]) -> PacketParameters:
    """Return the burst table and its growth with the rate; the rest is a guess."""
    sizes, rates = [], []
    for times in recordings:
        moments, count = np.unique(times // NS_PER_MS, return_counts=True)
        second = moments // 1000
        per_second = np.bincount(second, count)
        sizes.append(count.astype(np.float64))
        rates.append(per_second[second] * PACKET_BITS / 1e6)
    size, rate = np.concatenate(sizes), np.concatenate(rates)
    reference = float(np.exp(np.log(rate).mean()))
    logs = np.log(rate / reference)
    growth = float(np.clip(np.polyfit(logs, np.log(size), 1)[0], 0.0, 1.0)) if logs.std() else 0.0
    scale = (rate / reference) ** growth
    mean = float(size.sum() / scale.sum())
    relative = np.quantile(size / (mean * scale), BURST_PROBABILITIES)
    return PacketParameters(
        burst=tuple((relative / np.trapezoid(relative, BURST_PROBABILITIES)).tolist()),
        burst_packets=mean,
        reference_mbps=reference,
        growth=growth,
        regularity=2.0,
        quiet=0.1,
        quiet_s=0.12,
        flicker=0.6,
    )


def _miss(parameters: PacketParameters, recordings: Sequence[Int64s], seed: int) -> float:
    """Return the squared log ratios of the statistics, each recording's own seconds placed anew."""
    total = 0.0
    for number, times in enumerate(recordings):
        seconds = window_counts(times, NS_PER_S)
        made = place(seconds * PACKET_BITS, NS_PER_S, parameters, stream("packets", seed, number))
        floors = np.array(_FLOORS)
        ratio = np.log((np.array(targets(made)) + floors) / (np.array(targets(times)) + floors))
        total += float(ratio @ ratio)
    return total
