"""Mean waiting times of one server against queueing theory (Kleinrock 1975).

Bounds are 5 standard errors, from batch means (batches far longer than the busy periods).
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from lanecast.emulation.capacity import Capacity
from lanecast.emulation.cross import PoissonTraffic
from lanecast.emulation.link import Link
from lanecast.emulation.path import chain
from lanecast.emulation.simulator import Simulation
from lanecast.l4s.queue import Queue
from lanecast.transport.recorder import TAKE
from lanecast.transport.stage import Sink
from lanecast.transport.units import MS, SECOND

SERVICE = MS  # 1500 bytes at 12 Mbit/s


class ExponentialSizes(PoissonTraffic):
    """A user's own source: Poisson arrivals with exponential sizes (rounded to bytes, at least 1)."""

    def next_size(self) -> int:
        return max(1, round(-math.log(1.0 - self.stream.next_double()) * 15_000))


def mean_wait(kind: str, load: float, seed: int, packets: int) -> tuple[float, float]:
    """Return the mean wait before service in service times, and its standard error."""
    sim = Simulation(seed, log_packets=True)
    stream = sim.streams.stream("arrivals")
    if kind == "M/D/1":
        source = PoissonTraffic(sim.calendar, 0, stream, rate_bps=round(load * 12_000_000))
        rate = 12_000_000
    else:
        source = ExponentialSizes(sim.calendar, 0, stream, rate_bps=round(load * 120_000_000), size=15_000)
        rate = 120_000_000
    queue = Queue()
    sim.watch(queue, "queue")
    link = sim.add(Link(sim.calendar, queue, Capacity(rate)))
    chain(source, link, Sink())
    sim.run(round(packets * SERVICE / load))
    assert sim.log is not None
    columns = sim.log.columns()
    waits = columns["value"][columns["event"] == TAKE] / SERVICE
    batches = np.array([batch.mean() for batch in np.array_split(waits, 40)])
    return float(waits.mean()), float(batches.std(ddof=1) / math.sqrt(len(batches)))


@pytest.mark.parametrize("load", [0.3, 0.7])
@pytest.mark.parametrize(("kind", "factor"), [("M/D/1", 0.5), ("M/M/1", 1.0)])
def test_mean_wait_follows_pollaczek_and_khinchine(kind: str, factor: float, load: float) -> None:
    mean, error = mean_wait(kind, load, seed=1, packets=60_000)
    theory = factor * load / (1 - load)
    assert abs(mean - theory) < 5 * error
    assert error < 0.08 * theory


def test_a_second_of_an_idle_link_changes_nothing() -> None:
    sim = Simulation(1)
    sim.add(Link(sim.calendar, Queue(), Capacity(1)))
    sim.run(SECOND)
    assert sim.calendar.fired == 0
