"""Long flows and cross traffic over a row of links, from a point; `network_run.py` runs and measures them.

Each hop is: impairments, link (with its queue), delay. One hop is a dumbbell, several with flows over parts of the
row are a parking lot. ACKs come back unqueued after the flow's return delay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.emulation.aggregate import Aggregate
from lanecast.emulation.capacity import Capacity
from lanecast.emulation.cross import ConstantTraffic, OnOffTraffic, PoissonTraffic, ReplayTraffic
from lanecast.emulation.delay import Delay, RandomDelay
from lanecast.emulation.impair import Bleach, ClearCe, Corrupt, Duplicate, Loss, LossProcess, Reorder
from lanecast.emulation.link import Link, OpportunityLink
from lanecast.emulation.path import Hops
from lanecast.emulation.simulator import Simulation
from lanecast.errors import PlanError, UsageError
from lanecast.experiments.build import (
    BYTES_PER_KBYTE,
    chosen_trace,
    link_of,
    loss_processes,
    milliseconds,
    queue_of,
    read_trace,
    synthetic_trace,
    turned,
)
from lanecast.experiments.build_flows import CODEPOINTS, Ends, long_flow
from lanecast.experiments.config import Cross, Flow, Hop, Impairment, NetworkPlan, TraceChannel
from lanecast.experiments.config import Link as LinkPlan
from lanecast.experiments.network_run import BuiltHop, NetworkRun
from lanecast.transport.rng import Streams
from lanecast.transport.stage import Sink, Stage
from lanecast.transport.units import NEVER, mbps, seconds

if TYPE_CHECKING:
    from lanecast.traces.trace import Trace


def build_network(point: NetworkPlan, data: str = "") -> NetworkRun:
    """Wire a network point; `data` is the folder that relative trace names start from (empty: the working folder)."""
    simulation = Simulation(point.run.seed, log_packets=point.run.log or point.run.delays)
    duration = seconds(point.run.duration_s)
    plans = list(point.hop)
    if point.link is not None:
        plans = [Hop(link=point.link, queue=point.queue, impair=point.impair)]
    built = [_hop(simulation, hop, point, place, data, duration) for place, hop in enumerate(plans)]
    row = Hops(simulation.calendar, *(hop.stages for hop in built))
    simulation.extend(row.stages)
    flows: list[tuple[Flow, Ends]] = []
    for flow in point.flow:
        for _ in range(flow.count):
            flows.append((flow, _flow(simulation, flow, len(flows), row, built)))
    for place, cross in enumerate(point.cross):
        number = len(flows) + place
        source = _cross(simulation, cross, number, place)
        sink = simulation.add(Sink(f"cross sink {place}"))
        row.enter(source, number, sink, first=cross.hop, last=cross.hop)
    return NetworkRun(simulation, built, flows, point.run)


def _hop(
    simulation: Simulation, plan: Hop, point: NetworkPlan, place: int, data: str, duration: int
) -> BuiltHop:
    name = f"hop {place}"
    link_plan, choice = plan.link, plan.queue
    limits: dict[str, Any] = {
        "limit_packets": choice.limit_packets,
        "limit_bytes": round(choice.limit_kbytes * BYTES_PER_KBYTE),
    }
    options = {limit: value for limit, value in limits.items() if value} | choice.options
    stream = simulation.streams.stream("queue", place)
    queue = queue_of(choice.kind, stream, limit_ms=choice.limit_ms, options=options)
    simulation.watch(queue, f"{name} queue")
    link: Link | OpportunityLink
    if link_plan.rate_mbps is not None:
        rate = mbps(link_plan.rate_mbps)
        overhead = link_plan.overhead_bytes
        link = Link(simulation.calendar, queue, Capacity(rate), overhead=overhead, name=f"{name} link")
        mean = float(rate)
    else:
        trace = _trace(point, link_plan, data)
        trace = turned(trace, simulation.streams.stream("trace offset", place).next_double(), duration)
        link = link_of(simulation, queue, trace, f"{name} link", overhead_bytes=link_plan.overhead_bytes)
        mean = trace.mean_bit_s
    delay = milliseconds(link_plan.delay_ms)
    stages = _impairments(simulation, plan.impair, point, place)
    return BuiltHop([*stages, link, _delay(simulation, plan.impair, delay, place)], link, queue, mean, delay)


def _trace(point: NetworkPlan, link: LinkPlan, data: str) -> Trace:
    """Return a traced link's capacity."""
    if link.channel:
        spec = point.channel[link.channel]
        assert isinstance(spec, TraceChannel), "checked when the plan was read"
        return chosen_trace(data, spec.files, spec.synthetic, point.run.seed)
    if link.synthetic:
        return synthetic_trace(link.synthetic, 0)
    return read_trace(f"{data}/{link.trace}" if data and not link.trace.startswith("/") else link.trace)


def _delay(simulation: Simulation, impair: Impairment, delay: int, place: int) -> Delay:
    if impair.jitter_ms == 0:
        return Delay(simulation.calendar, delay, name=f"hop {place} delay")
    return RandomDelay(
        simulation.calendar,
        delay,
        simulation.streams.stream("jitter", place),
        jitter_mean=milliseconds(impair.jitter_ms),
        name=f"hop {place} delay",
    )


def _impairments(simulation: Simulation, impair: Impairment, point: NetworkPlan, place: int) -> list[Stage]:
    """Return the impairments that a plan asks for: loss, duplication, corruption, ECN, reordering, aggregation."""
    streams: Streams = simulation.streams
    stages: list[Stage] = []
    if impair.channel or impair.loss > 0:
        process = LossProcess(impair.loss)
        if impair.channel:
            spec = point.channel[impair.channel]
            assert not isinstance(spec, TraceChannel), "checked when the plan was read"
            process = loss_processes(spec, streams, symmetric=True, place=place)[0]
        loss = Loss(streams.key("loss", place), process, f"hop {place} loss")
        simulation.watch(loss, loss.name)
        stages.append(loss)
    if impair.duplicate > 0:
        stages.append(
            Duplicate(streams.stream("duplicate", place), impair.duplicate, f"hop {place} duplicate")
        )
    if impair.corrupt > 0:
        stages.append(Corrupt(streams.stream("corrupt", place), impair.corrupt, f"hop {place} corrupt"))
    if impair.ecn != "keep":
        stages.append((Bleach if impair.ecn == "bleach" else ClearCe)(name=f"hop {place} {impair.ecn}"))
    if impair.reorder > 0:
        extra = milliseconds(impair.reorder_ms)
        stream = streams.stream("reorder", place)
        stages.append(Reorder(simulation.calendar, stream, impair.reorder, extra, f"hop {place} reorder"))
    if impair.aggregate_ms > 0:
        hold, most = milliseconds(impair.aggregate_ms), impair.aggregate_packets
        stages.append(Aggregate(simulation.calendar, hold, limit_packets=most, name=f"hop {place} aggregate"))
    return stages


def _flow(simulation: Simulation, flow: Flow, number: int, row: Hops, built: list[BuiltHop]) -> Ends:
    last = range(len(built))[flow.last_hop]
    there = sum(hop.delay for hop in built[flow.first_hop : last + 1])
    back = milliseconds(flow.return_delay_ms) or there
    if flow.rtt_ms > 0:
        back = milliseconds(flow.rtt_ms) - there
    if back < 0:
        raise UsageError(f"flow {number}: rtt_ms = {flow.rtt_ms:g} is less than the delay of its links")
    ends = long_flow(simulation, flow, number, there + back)
    row.join(ends.sender, ends.receiver, number, back, first=flow.first_hop, last=last)
    return ends


def _cross(simulation: Simulation, cross: Cross, number: int, place: int) -> Stage:
    """Return one source of cross traffic."""
    calendar, name = simulation.calendar, f"cross {place}"
    common: dict[str, Any] = {
        "start": seconds(cross.start_s),
        "stop": seconds(cross.stop_s) or NEVER,
        "name": name,
    }
    if cross.pattern == "replay":
        times, sizes = _replayed(cross.file)
        return ReplayTraffic(calendar, number, times, sizes, stop=common["stop"], name=name)
    common |= {
        "rate_bps": mbps(cross.rate_mbps),
        "size": cross.packet_bytes,
        "ecn": CODEPOINTS[cross.ecn],
    }
    if cross.pattern == "constant":
        return ConstantTraffic(calendar, number, **common)
    stream = simulation.streams.stream("cross", place)
    if cross.pattern == "poisson":
        return PoissonTraffic(calendar, number, stream, **common)
    periods = {"mean_on": milliseconds(cross.on_ms), "mean_off": milliseconds(cross.off_ms)}
    shape = cross.shape if cross.pattern == "pareto" else 0.0
    return OnOffTraffic(calendar, number, stream, shape=shape, **periods, **common)


def _replayed(file: str) -> tuple[list[int], list[int]]:
    """Return the times (ns) and sizes (bytes) of a text file of `time_s size_bytes` lines."""
    try:
        table = np.loadtxt(file, ndmin=2)
    except (OSError, ValueError) as error:
        raise PlanError(file, "", f"is no table of time_s and size_bytes: {error}") from None
    if table.shape[1] != 2 or not len(table):
        raise PlanError(file, "", f"has {table.shape[1]} columns, expected time_s and size_bytes")
    return [seconds(time) for time in table[:, 0]], table[:, 1].astype(int).tolist()
