"""Long flows and cross traffic over a row of links, from a point; and what is measured of them.

Each hop is: impairments, link (with its queue), delay. One hop is a dumbbell, several with flows over parts of the
row are a parking lot. ACKs come back unqueued after the flow's return delay. Goodput, sojourn times and utilisation
are taken between `warmup_s` and `duration_s`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.emulation.capacity import Capacity
from lanecast.emulation.cross import ConstantTraffic, OnOffTraffic, PoissonTraffic, ReplayTraffic
from lanecast.emulation.delay import Delay, RandomDelay
from lanecast.emulation.impair import Corrupt, Duplicate, Loss, LossProcess, Reorder
from lanecast.emulation.link import Link, OpportunityLink
from lanecast.emulation.path import Hops
from lanecast.emulation.simulator import Simulation
from lanecast.errors import PlanError
from lanecast.experiments.build import (
    BITS_PER_BYTE,
    BYTES_PER_KBYTE,
    Ends,
    in_ns,
    link_of,
    long_flow,
    loss_processes,
    milliseconds,
    queue_of,
    read_trace,
    synthetic_trace,
    turned,
)
from lanecast.experiments.config import Cross, Flow, Hop, Impairment, NetworkPlan
from lanecast.experiments.measure import Outcome, log_columns
from lanecast.l4s.queue import Queue
from lanecast.transport.rng import Streams
from lanecast.transport.stage import Sink, Stage
from lanecast.transport.units import MS, NEVER, SECOND, mbps, seconds

if TYPE_CHECKING:
    from lanecast.experiments.results import Columns, Row

SAMPLE = 10 * MS  # how often goodput, windows and backlogs are sampled for figures
PERCENTILES = (50, 95, 99)


@dataclass(slots=True)
class BuiltHop:
    """One hop's parts."""

    stages: list[Stage]
    link: Link | OpportunityLink
    queue: Queue
    mean_bps: float
    delay: int


@dataclass(slots=True)
class NetworkRun:
    """Flows over hops, ready to run."""

    simulation: Simulation
    hops: list[BuiltHop]
    flows: list[tuple[Flow, Ends]]
    duration: int
    warmup: int

    def run(self) -> Outcome:
        """Run to the end, sampling on the way, and measure."""
        calendar = self.simulation.calendar
        times = list(range(SAMPLE, self.duration + 1, SAMPLE))
        if not times or times[-1] != self.duration:
            times.append(self.duration)
        goodput, backlog, cwnd, sent = [], [], [], []
        begun = self._counts()
        for when in times:
            if calendar.now <= self.warmup < when:
                calendar.settle(self.warmup)
                begun = self._counts()
            calendar.settle(when)
            goodput.append([ends.receiver.goodput_bytes for _, ends in self.flows])
            cwnd.append([ends.sender.congestion.cwnd for _, ends in self.flows])
            backlog.append([hop.queue.backlog for hop in self.hops])
            sent.append([hop.link.sent_bytes for hop in self.hops])
        self.simulation.check()
        columns: Columns = {
            "sample_ns": np.array(times, dtype=np.int64),
            "goodput_bytes": np.array(goodput, dtype=np.int64).reshape(len(times), -1),
            "cwnd_bytes": np.array(cwnd, dtype=np.float64).reshape(len(times), -1),
            "backlog_bytes": np.array(backlog, dtype=np.int64),
            "link_bytes": np.array(sent, dtype=np.int64),
            "capacity_mean_bps": np.array([hop.mean_bps for hop in self.hops], dtype=np.float64),
        }
        columns |= log_columns(self.simulation)
        notes = {"stages": self.simulation.log.stages} if self.simulation.log is not None else {}
        drops = {f"hop {place} queue": hop.queue.dropped for place, hop in enumerate(self.hops)}
        return Outcome(self._row(begun, columns), columns, drops, notes)

    def _counts(self) -> dict[str, list[int]]:
        return {
            "goodput": [ends.receiver.goodput_bytes for _, ends in self.flows],
            "sent": [hop.link.sent_bytes for hop in self.hops],
            "drops": [hop.queue.dropped for hop in self.hops],
            "marks": [hop.queue.marked for hop in self.hops],
            "resent": [ends.sender.retransmitted for _, ends in self.flows],
        }

    def _row(self, begun: dict[str, list[int]], columns: Columns) -> Row:
        ended = self._counts()
        span_s = (self.duration - self.warmup) / SECOND
        change = {name: np.subtract(ended[name], begun[name]) for name in ended}
        rates = change["goodput"] * BITS_PER_BYTE / span_s / mbps(1)
        row: Row = {
            "goodput_mbps": float(rates.sum()),
            "jain": jain_index(rates),
            "drops": int(change["drops"].sum()),
            "marks": int(change["marks"].sum()),
            "retransmitted": int(change["resent"].sum()),
        }
        for place, hop in enumerate(self.hops):
            suffix = f"_hop{place}" if len(self.hops) > 1 else ""
            used = float(change["sent"][place]) * BITS_PER_BYTE / span_s
            row[f"utilisation{suffix}"] = used / hop.mean_bps
            late = columns["sample_ns"] > self.warmup
            waiting = columns["backlog_bytes"][late, place] * BITS_PER_BYTE / hop.mean_bps * 1000
            for percent in PERCENTILES:
                row[f"queue_p{percent}_ms{suffix}"] = float(np.percentile(waiting, percent))
        for place, rate in enumerate(rates.tolist()):
            row[f"flow{place}_mbps"] = rate
        return row


def jain_index(rates: Any) -> float:
    """Return Jain's fairness index of the rates, 1/n to 1; NaN when nothing was delivered."""
    squares = float(np.square(rates).sum())
    return float(np.sum(rates)) ** 2 / (len(rates) * squares) if squares > 0 else float("nan")


def build_network(point: NetworkPlan, data: str = "") -> NetworkRun:
    """Wire a network point; `data` is the folder that relative trace names start from (empty: the working folder)."""
    simulation = Simulation(point.run.seed, log_packets=point.run.log)
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
    return NetworkRun(simulation, built, flows, duration, seconds(point.run.warmup_s))


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
        link = Link(simulation.calendar, queue, Capacity(rate), name=f"{name} link")
        mean = float(rate)
    else:
        trace = (
            synthetic_trace(link_plan.synthetic, 0)
            if link_plan.synthetic
            else read_trace(_under(data, link_plan.trace))
        )
        trace = turned(trace, simulation.streams.stream("trace offset", place).next_double(), duration)
        link = link_of(simulation, queue, trace, f"{name} link", overhead_bytes=link_plan.overhead_bytes)
        mean = trace.mean_bit_s
    delay = milliseconds(link_plan.delay_ms)
    stages = _impairments(simulation, plan.impair, point, place)
    return BuiltHop([*stages, link, _delay(simulation, plan.impair, delay, place)], link, queue, mean, delay)


def _under(data: str, name: str) -> str:
    return f"{data}/{name}" if data and not name.startswith("/") else name


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
    """Return the impairments that a plan asks for, in the order loss, duplication, corruption, reordering."""
    streams: Streams = simulation.streams
    stages: list[Stage] = []
    if impair.channel or impair.loss > 0:
        process = LossProcess(impair.loss)
        if impair.channel:
            process = loss_processes(point.channel[impair.channel], streams, symmetric=True, place=place)[0]
        loss = Loss(streams.key("loss", place), process, f"hop {place} loss")
        simulation.watch(loss, loss.name)
        stages.append(loss)
    if impair.duplicate > 0:
        stages.append(
            Duplicate(streams.stream("duplicate", place), impair.duplicate, f"hop {place} duplicate")
        )
    if impair.corrupt > 0:
        stages.append(Corrupt(streams.stream("corrupt", place), impair.corrupt, f"hop {place} corrupt"))
    if impair.reorder > 0:
        extra = milliseconds(impair.reorder_ms)
        stream = streams.stream("reorder", place)
        stages.append(Reorder(simulation.calendar, stream, impair.reorder, extra, f"hop {place} reorder"))
    return stages


def _flow(simulation: Simulation, flow: Flow, number: int, row: Hops, built: list[BuiltHop]) -> Ends:
    ends = long_flow(
        simulation,
        flow.congestion,
        number,
        ecn=flow.ecn,
        packet_bytes=flow.packet_bytes,
        start=seconds(flow.start_s),
        kbytes=flow.kbytes,
        options=in_ns(flow.options),
    )
    last = range(len(built))[flow.last_hop]
    there = sum(hop.delay for hop in built[flow.first_hop : last + 1])
    back = milliseconds(flow.return_delay_ms) or there
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
    common |= {"rate_bps": mbps(cross.rate_mbps), "size": cross.packet_bytes}
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
