"""Below one second: place packet opportunities as a class's scheduler gives them.

Given a rate per step, opportunities of 1500 B are placed on a 1 ms grid, the grid of the recordings. Left out: HARQ
and grant timing, and any dependence on load.

Theory of operation. Operational time counts the packets that are due. It runs at the given rate, modulated in cells
of 10 ms: it stands still in quiet times (an AR(1) process below its `quiet` quantile), runs at exp(flicker f) else, f
independent from cell to cell, and is normalised so that every step keeps its count. Bursts follow each other in
operational time with gamma distributed gaps: a shape (`regularity`) above 1 is a metronome, 1 memoryless, below 1
clumped. Burst sizes come from a quantile table around a mean that grows with the step's rate. All packets of a burst
share a millisecond; rounding is carried forward, so that no packet is lost.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from lanecast.traces.processes import ar1
from lanecast.traces.steps import BITS_PER_BYTE, PACKET_BYTES, Float64s, Int64s

if TYPE_CHECKING:
    from lanecast.traces.processes import Generator

NS_PER_MS = 1_000_000
CELL_NS = 10 * NS_PER_MS
PACKET_BITS = PACKET_BYTES * BITS_PER_BYTE
# Probabilities of the burst table: dense in the tail.
BURST_PROBABILITIES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
_QUIET_WEIGHT = 1e-6  # not 0: a step that is quiet throughout still delivers its count
_NS_PER_S = 1_000_000_000


class PacketParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a class's opportunities follow each other within a step."""

    burst: tuple[float, ...]
    """Burst size / mean burst size at BURST_PROBABILITIES."""
    burst_packets: float
    """Mean burst size at `reference_mbps`, packets."""
    reference_mbps: float
    """Rate at which `burst_packets` holds, Mbit/s."""
    growth: float
    """Mean burst size is proportional to rate ** growth, but at least one packet."""
    regularity: float
    """Shape of the gamma distributed gaps between bursts, in operational time."""
    quiet: float
    """Share of the time in which nothing is due, 0..1."""
    quiet_s: float
    """Time constant of the process that makes quiet times, s."""
    flicker: float
    """Standard deviation of the log intensity from one 10 ms cell to the next."""


def operational_time(rates: Int64s, step_ns: int, parameters: PacketParameters, rng: Generator) -> Float64s:
    """Return (cells + 1,) packets due by each cell edge; a step is a whole number of cells of CELL_NS."""
    cells = step_ns // CELL_NS
    noise = rng.standard_normal((2, len(rates) * cells))
    weight = np.exp(parameters.flicker * noise[1])
    if parameters.quiet:
        gate = ar1(noise[0], math.exp(-CELL_NS / (parameters.quiet_s * _NS_PER_S)))
        weight[gate < NormalDist().inv_cdf(parameters.quiet)] *= _QUIET_WEIGHT
    weight = weight.reshape(len(rates), cells)
    due = rates * (step_ns / _NS_PER_S / PACKET_BITS)
    return np.append(0.0, np.cumsum(weight * (due / weight.sum(axis=1))[:, None]))


def burst_positions(
    due: Float64s, rates: Int64s, parameters: PacketParameters, rng: Generator
) -> tuple[Float64s, Float64s]:
    """Return (bursts,) operational times of the bursts, and of the last packet that each carries."""
    relative = np.maximum(rates, 1) / (parameters.reference_mbps * 1e6)
    mean_burst = np.maximum(1.0, parameters.burst_packets * relative**parameters.growth)
    counts = np.floor(due / mean_burst + rng.random(len(due))).astype(np.int64)
    step = np.repeat(np.arange(len(due)), counts)
    if not step.size:
        return np.zeros(0), np.zeros(0)
    gaps = rng.standard_gamma(parameters.regularity, step.size) + 1e-12
    sizes = np.interp(rng.random(step.size), BURST_PROBABILITIES, parameters.burst) + 1e-12
    before = np.cumsum(due) - due
    first = gaps[(np.cumsum(counts) - counts)[step]]
    phase = rng.random(len(due))[step] * first / _totals(gaps, step, counts)
    moments = before[step] + due[step] * (_share_within(gaps, step, counts) - phase)
    lasts = before[step] + due[step] * _share_within(sizes, step, counts)
    return moments, lasts


def _totals(values: Float64s, step: NDArray[np.int64], counts: NDArray[np.int64]) -> Float64s:
    """Return, for each value, the sum over its step."""
    return np.asarray(np.bincount(step, values, minlength=len(counts))[step])


def _share_within(values: Float64s, step: NDArray[np.int64], counts: NDArray[np.int64]) -> Float64s:
    """Return the running sum of `values` within their step, as a share of the step's sum, 0..1."""
    running = np.cumsum(values)
    first = (np.cumsum(counts) - counts)[step]
    return np.asarray((running - (running[first] - values[first])) / _totals(values, step, counts))


def place(rates: Int64s, step_ns: int, parameters: PacketParameters, rng: Generator) -> Int64s:
    """Return opportunity times, ns, whole ms, non-decreasing, for `rates` (bit/s), one each `step_ns`.

    The count by the end of any step differs from what is due by less than a burst.

    Raises:
        ValueError: `step_ns` is not a whole number of 10 ms cells.
    """
    if step_ns % CELL_NS:
        raise ValueError(f"step_ns is {step_ns}, expected a multiple of {CELL_NS}")
    clock = operational_time(rates, step_ns, parameters, rng)
    due = np.diff(clock[:: step_ns // CELL_NS])
    moments, lasts = burst_positions(due, rates, parameters, rng)
    packets = np.diff(np.floor(lasts + 1e-9), prepend=0.0).astype(np.int64)
    at = np.interp(moments, clock, np.arange(len(clock)) * float(CELL_NS))
    whole_ms = np.ceil(at / NS_PER_MS).astype(np.int64) * NS_PER_MS
    return np.repeat(whole_ms, packets)
