"""DualPI2 behind real links: overload at a constant rate, responsive flows where the capacity varies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lanecast.emulation.capacity import Capacity, RateCapacity
from lanecast.emulation.cross import PoissonTraffic
from lanecast.emulation.delay import Delay
from lanecast.emulation.link import Link, OpportunityLink
from lanecast.emulation.path import chain
from lanecast.emulation.simulator import Simulation
from lanecast.l4s.dualpi2 import DualPi2
from lanecast.transport.congestion.registry import make_congestion
from lanecast.transport.marking import Marker
from lanecast.transport.pacing import Pacer
from lanecast.transport.receiver import Receiver
from lanecast.transport.recorder import MARK, TAKE
from lanecast.transport.sender import Sender
from lanecast.transport.stage import ECT1, NOT_ECT, Demux, Sink, Stage
from lanecast.transport.units import MS, SECOND, mbps

RATE = mbps(20)
RTT = 20 * MS


def made(sim: Simulation, **options: Any) -> DualPi2:
    queue = DualPi2(sim.streams.stream("aqm"), **options)
    sim.watch(queue, "queue")
    return queue


def waits(sim: Simulation, flow: int, since: int) -> Any:
    """Return the sojourn times of a flow's packets in ms."""
    assert sim.log is not None
    table = sim.log.columns()
    chosen = (table["event"] == TAKE) & (table["flow"] == flow) & (table["time_ns"] > since)
    return table["value"][chosen] / MS


# Overload ---------------------------------------------------------------------------------------------------


def flood(
    loads: dict[int, float], span: int = 20 * SECOND, **options: Any
) -> tuple[Simulation, DualPi2, list[int]]:
    """Send Poisson floods (ECN field -> share of the link) through one queue; return bytes of the second half."""
    sim = Simulation(5, log_packets=True)
    queue = made(sim, **options)
    link, demux = sim.add(Link(sim.calendar, queue, Capacity(RATE))), Demux()
    chain(link, demux)
    sinks = []
    for flow, (ecn, load) in enumerate(loads.items()):
        stream = sim.streams.stream("flood", flow)
        source = PoissonTraffic(sim.calendar, flow, stream, rate_bps=int(load * RATE), ecn=ecn)
        source.out = link
        sinks.append(Sink())
        demux.route(flow, sinks[-1])
    sim.run(span // 2)
    before = [sink.size for sink in sinks]
    sim.run(span)
    return sim, queue, [sink.size - old for sink, old in zip(sinks, before, strict=True)]


@pytest.mark.parametrize("load", [1.1, 1.5, 2.0])
def test_in_overload_the_l_delay_rises_to_the_target_of_the_controller(load: float) -> None:
    sim, queue, _ = flood({ECT1: load})
    assert np.mean(waits(sim, 0, 10 * SECOND)) == pytest.approx(15, abs=2)
    assert queue.dropped_low > 0
    assert queue.dropped_low / queue.tally_low.offered == pytest.approx(1 - 1 / load, abs=0.01), (
        "what does not fit"
    )


@pytest.mark.parametrize("load", [1.4, 1.6, 2.0])
def test_a_flood_gains_nothing_by_ect1(load: float) -> None:
    _, _, (low, classic) = flood({ECT1: load / 2, NOT_ECT: load / 2})
    assert 0.95 < low / classic < 1.05


def test_a_flood_gains_by_ect1_while_p_is_near_the_onset_of_overload() -> None:
    """Below p = 1/2 nothing is dropped from L: a flood that barely overloads the link loses less there."""
    _, queue, (low, classic) = flood({ECT1: 0.6, NOT_ECT: 0.6})
    assert queue.probability == pytest.approx(0.5, abs=0.05)
    assert 1.05 < low / classic < 1.4


def test_in_overflow_mode_the_flood_fills_the_limit_instead() -> None:
    sim, queue, _ = flood({ECT1: 1.5}, drop_on_overload=False, limit=200)
    assert np.mean(waits(sim, 0, 10 * SECOND)) > 100
    assert (queue.dropped_low, queue.tally_low.dropped_full > 0) == (0, True)


def test_below_the_capacity_nobody_is_dropped_and_l_waits_less_than_a_millisecond() -> None:
    sim, queue, _ = flood({ECT1: 0.3, NOT_ECT: 0.3})
    assert queue.dropped == 0
    assert np.percentile(waits(sim, 0, 0), 95) < 2


# Varying capacity -------------------------------------------------------------------------------------------


def flows(kind: str, span: int, seed: int = 3, **options: Any) -> tuple[Simulation, DualPi2, Stage]:
    """Run one Prague and one Cubic flow for a while over a link of the kind."""
    sim = Simulation(seed, log_packets=True)
    queue = made(sim, **options)
    demux = Demux()
    link = sim.add(links(sim, queue)[kind]())
    chain(link, demux)
    for flow, law in enumerate(("prague", "cubic")):
        sender = Sender(
            sim.calendar,
            make_congestion(law, mss=1500),
            flow=flow,
            marker=Marker(ECT1 if law == "prague" else NOT_ECT),
            pacer=Pacer(),
        )
        receiver = Receiver(sim.calendar, flow=flow, ack_every=1)
        far, back = Delay(sim.calendar, RTT // 2), Delay(sim.calendar, RTT // 2)
        demux.route(flow, far)
        chain(sender, link)
        chain(far, receiver, back, sender)
        sim.extend([sender, receiver, far, back])
        sender.bulk()
        sender.start(0)
    sim.run(span)
    return sim, queue, link


def links(sim: Simulation, queue: DualPi2) -> dict[str, Any]:
    rates = RateCapacity([0, 2 * SECOND, 4 * SECOND], [mbps(30), mbps(8), mbps(16)], 6 * SECOND)
    # 1500 bytes each 0.5 ms (24 Mbit/s) for a second, then each 1.5 ms (8 Mbit/s) for another
    times = [*range(0, SECOND, MS // 2), *range(SECOND, 2 * SECOND, 3 * MS // 2), 2 * SECOND]
    return {
        "rates": lambda: Link(sim.calendar, queue, rates),
        "opportunities": lambda: OpportunityLink(sim.calendar, queue, times),
        "constant": lambda: Link(sim.calendar, queue, Capacity(mbps(18))),
    }


@pytest.mark.parametrize("profile", ["linux", "rfc9332"])
@pytest.mark.parametrize(("kind", "mean"), [("constant", 18.0), ("rates", 18.0), ("opportunities", 16.0)])
def test_on_links_that_vary_l_waits_a_fraction_of_c_and_the_link_is_used(
    kind: str, mean: float, profile: str
) -> None:
    span = 12 * SECOND
    sim, queue, link = flows(kind, span, profile=profile)
    low, classic = waits(sim, 0, 4 * SECOND), waits(sim, 1, 4 * SECOND)
    assert np.median(low) < 1.0
    assert np.median(low) < np.median(classic) / 5
    assert np.percentile(classic, 90) < 35, "the controller's target is 15"
    assert link.sent_bytes * 8 / (span / SECOND) > 0.75 * mean * 1e6  # type: ignore[attr-defined]
    dropped = queue.tally_low.dropped() / queue.tally_low.offered
    assert dropped == 0 if kind == "constant" else dropped < 0.02
    assert min(len(low), len(classic)) > 0.15 * (len(low) + len(classic)), "neither starves"


def test_l_recovers_within_a_second_from_a_fall_of_the_capacity() -> None:
    sim, queue, _ = flows("rates", 4 * SECOND)
    assert sim.log is not None
    assert np.max(waits(sim, 0, 2 * SECOND)) > 15, "the fall from 30 to 8 Mbit/s is felt"
    assert np.percentile(waits(sim, 0, 3 * SECOND), 90) < 3
    low = queue.tally_low
    assert low.dropped() < 0.02 * low.offered
    assert low.marked_coupled + low.marked_step > 5 * low.dropped()


def test_an_outage_ends_with_every_packet_accounted_for() -> None:
    sim = Simulation(1)
    queue = made(sim, limit=50)
    capacity = RateCapacity([0, SECOND, 3 * SECOND], [mbps(10), 0, mbps(10)], 4 * SECOND, after="hold")
    source = PoissonTraffic(
        sim.calendar, 0, sim.streams.stream("source"), rate_bps=mbps(5), ecn=ECT1, stop=4 * SECOND
    )
    chain(source, sim.add(Link(sim.calendar, queue, capacity)), Sink())
    sim.run(20 * SECOND)
    low = queue.tally_low
    assert queue.count == 0
    assert (low.offered, low.waited_most > SECOND) == (low.sent + low.dropped(), True)
    assert queue.probability == 0.0, "a long rest forgets the outage"


# Expected service time --------------------------------------------------------------------------------------


class Bursts(PoissonTraffic):
    """Bursts of eight packets at one instant, with exponential pauses."""

    left = 0

    def next_gap(self) -> int:
        self.left = (self.left + 7) % 8
        return 0 if self.left else 8 * super().next_gap()


def marked_shares(sojourn: str) -> tuple[float, float]:
    """Send a smooth and a bursty unresponsive flow through L at half load; return the marked share of each."""
    sim = Simulation(9, log_packets=True)
    queue = made(sim, sojourn=sojourn)
    link = sim.add(Link(sim.calendar, queue, Capacity(RATE)))
    link.out = Sink()
    for flow, (kind, load) in enumerate(((PoissonTraffic, 0.2), (Bursts, 0.3))):
        source = kind(
            sim.calendar, flow, sim.streams.stream("source", flow), rate_bps=int(load * RATE), ecn=ECT1
        )
        source.out = link
    sim.run(30 * SECOND)
    assert sim.log is not None
    table = sim.log.columns()
    counts = [[np.sum((table["event"] == e) & (table["flow"] == f)) for e in (MARK, TAKE)] for f in (0, 1)]
    return float(counts[0][0] / counts[0][1]), float(counts[1][0] / counts[1][1])


def test_expected_service_time_moves_marks_from_the_late_comer_to_the_burst() -> None:
    smooth, bursty = marked_shares("plain")
    smooth_scaled, bursty_scaled = marked_shares("scaled")
    assert smooth_scaled < 0.85 * smooth
    assert bursty_scaled > bursty
