"""Token streams that share a bottleneck with each other and with long flows: the do-no-harm experiment.

All answers use the point's scheme and the same source, staggered evenly over one gap. Data of answers and long flows
meet in one queue; behind it each answer has its own lossy way to its reader. ACKs come back over a delay line.

Measured besides what a reader sees (means over the answers):
- `redundancy_share`: what the answers sent beyond one copy of every token in a packet of its own, as a share of the
  link's capacity from the first to the last token;
- `long_goodput_mbps`: what the long flows delivered from their start to the last token;
- `extra_before_per_s`, `extra_after_per_s`: packets that carry no new token, per second, before the long flows begin
  and in the `SETTLED` after the two round trips that the streams have to react;
- `backoff_rtts`: round trips from the first mark or drop after the long flows' start until the rate of extra packets
  over one second has fallen to half of what it was; 0 when there was nothing to fall, or it had fallen already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.emulation.capacity import Capacity
from lanecast.emulation.delay import Delay
from lanecast.emulation.impair import Loss
from lanecast.emulation.link import Link
from lanecast.emulation.path import Hops
from lanecast.emulation.simulator import Simulation
from lanecast.experiments.build import (
    BITS_PER_BYTE,
    loss_processes,
    milliseconds,
    queue_of,
)
from lanecast.experiments.build_flows import long_flow
from lanecast.experiments.build_tokens import endpoints, token_stream
from lanecast.experiments.config import Bottleneck, Flow, TokenPlan
from lanecast.experiments.measure import Outcome, advance, log_columns, measure
from lanecast.transport.units import MS, SECOND, mbps, seconds

if TYPE_CHECKING:
    import numpy.typing as npt

    from lanecast.experiments.results import Columns, Row
    from lanecast.transport.receiver import Receiver
    from lanecast.transport.tokens.endpoint import TokenReceiver, TokenSender
    from lanecast.transport.tokens.source import TokenStream

SAMPLE = 10 * MS  # how often the queue is looked at
WINDOW = SECOND  # extra packets are counted over this long: some tens of them at 32 streams
SETTLED = 5 * SECOND  # assumption: long enough to see the reaction, short against the answers
ROUND_TRIPS = 2  # the time that the streams have to react


@dataclass(frozen=True, slots=True)
class Signal:
    """The first mark or drop after the long flows' start, and the round trip at that time (queue included), ns."""

    time: int
    rtt: int


@dataclass(slots=True)
class SharedRun:
    """Answers and long flows over one link, ready to run."""

    simulation: Simulation
    link: Link
    spec: Bottleneck
    base_rtt: int
    streams: list[TokenStream]
    senders: list[TokenSender]
    receivers: list[TokenReceiver]
    long: list[Receiver]

    def run(self) -> Outcome:
        """Run to the end of the answers and measure."""
        last = max(int(stream.times[-1]) for stream in self.streams)
        samples, signal = self._watch(last)
        delivered = sum(receiver.goodput_bytes for receiver in self.long)
        sent = sum(sender.sent_bytes for sender in self.senders)
        end = advance(self.simulation, self.senders, self.receivers, self.streams)
        self.simulation.check()
        measured = [
            measure(stream, sender, receiver, end)
            for stream, sender, receiver in zip(self.streams, self.senders, self.receivers, strict=True)
        ]
        extra = np.sort(np.concatenate([extra_packets(sender) for sender in self.senders]))
        row = _means([metrics for metrics, _ in measured])
        row |= self._shares(last, sent, delivered) | self._reaction(extra, signal)
        columns: Columns = dict(measured[0][1]) | {"extra_ns": extra} | samples | log_columns(self.simulation)
        notes = {"stages": self.simulation.log.stages} if self.simulation.log is not None else {}
        return Outcome(row, columns, {"queue": self.link.queue.dropped}, notes)

    def _watch(self, last: int) -> tuple[Columns, Signal | None]:
        """Run to the last token, looking at the queue every 10 ms."""
        start, queue, rate = seconds(self.spec.long_start_s), self.link.queue, mbps(self.spec.rate_mbps)
        times = np.arange(SAMPLE, last + 1, SAMPLE, dtype=np.int64)
        backlog = np.empty((len(times), 1), dtype=np.int64)
        signal: Signal | None = None
        before = 0
        for place, now in enumerate(times.tolist()):
            self.simulation.calendar.settle(now)
            backlog[place, 0] = queue.backlog
            events = queue.dropped + queue.marked
            if signal is None and now > start and events > before:
                signal = Signal(now, self.base_rtt + queue.backlog * BITS_PER_BYTE * SECOND // rate)
            before = events
        columns: Columns = {"sample_ns": times, "backlog_bytes": backlog}
        columns["capacity_mean_bps"] = np.array([float(rate)])
        return columns, signal

    def _shares(self, last: int, sent: int, delivered: int) -> Row:
        """Return how the link was shared until `last`, when the answers had sent `sent` bytes."""
        rate = mbps(self.spec.rate_mbps)
        capacity_bytes = rate * last / SECOND / BITS_PER_BYTE
        needed = sum(
            len(stream) * sender.ledger.header + int(stream.wire_sizes.sum())
            for stream, sender in zip(self.streams, self.senders, strict=True)
        )
        long_s = last / SECOND - self.spec.long_start_s
        return {
            "token_share": sent / capacity_bytes,
            "redundancy_share": max(0, sent - needed) / capacity_bytes,
            "long_goodput_mbps": delivered * BITS_PER_BYTE / long_s / mbps(1) if long_s > 0 else 0.0,
            "queue_drops": self.link.queue.dropped,
            "queue_marks": self.link.queue.marked,
        }

    def _reaction(self, extra: npt.NDArray[np.int64], signal: Signal | None) -> Row:
        """Return how the rate of extra packets answered the first signal of congestion."""
        start = seconds(self.spec.long_start_s)
        if signal is None or start == 0:
            return {"extra_before_per_s": 0.0, "extra_after_per_s": 0.0, "backoff_rtts": 0.0}
        before = rate_between(extra, start - min(SETTLED, start), start)
        reacted = signal.time + ROUND_TRIPS * signal.rtt
        after = rate_between(extra, reacted, reacted + SETTLED)
        steps = range(signal.time, signal.time + SETTLED + 1, SAMPLE)
        fallen = [step for step in steps if rate_between(extra, step, step + WINDOW) <= before / 2]
        waited = (fallen[0] if fallen else signal.time + SETTLED) - signal.time
        return {
            "extra_before_per_s": before,
            "extra_after_per_s": after,
            "backoff_rtts": waited / signal.rtt if before > 0 else 0.0,
        }


def extra_packets(sender: TokenSender) -> npt.NDArray[np.int64]:
    """Return when a sender sent packets that carried no new token, ns: all packets but the first with each token."""
    sent = np.array(sender.ledger.sent_at, dtype=np.int64)
    fresh = np.unique(np.array(sender.ledger.first_sent, dtype=np.int64))
    first_of_instant = (
        np.concatenate(([True], np.diff(sent) > 0)) if len(sent) else np.empty(0, dtype=np.bool_)
    )
    return sent[~(first_of_instant & np.isin(sent, fresh))]


def rate_between(times: npt.NDArray[np.int64], start: int, stop: int) -> float:
    """Return events per second in [start, stop), ns."""
    first, last = np.searchsorted(times, [start, stop])
    return float(last - first) * SECOND / max(1, stop - start)


def build_shared(point: TokenPlan) -> SharedRun:
    """Wire a point whose channel is a shared bottleneck."""
    spec = point.channel[point.path.channel]
    if not isinstance(spec, Bottleneck):
        raise TypeError(f"channel {point.path.channel} is no bottleneck")
    simulation = Simulation(point.run.seed, log_packets=point.run.log)
    calendar, streams_of = simulation.calendar, simulation.streams
    queue = queue_of(
        spec.queue, streams_of.stream("queue"), limit_ms=spec.buffer_ms, options=spec.queue_options
    )
    simulation.watch(queue, "queue")
    one_way = milliseconds(point.path.rtt_ms / 2)
    link = Link(calendar, queue, Capacity(mbps(spec.rate_mbps)), name="bottleneck")
    hops = Hops(calendar, [link, Delay(calendar, one_way, name="wire")])
    answers = spec.other_streams + 1
    streams, senders, receivers = [], [], []
    for flow in range(answers):
        stream = token_stream(point.app, streams_of, flow)
        stream = stream.delayed(milliseconds(point.app.gap_ms) * flow // answers)
        sender, receiver = endpoints(point, simulation, stream, flow)
        hops.join(sender, receiver, flow, one_way)
        process = loss_processes(spec.access, streams_of, symmetric=True, place=flow)[0]
        lossy = simulation.add(Loss(streams_of.key("access", flow), process, f"access {flow}"))
        lossy.out = receiver
        hops.exits[0].route(flow, lossy)
        streams.append(stream)
        senders.append(sender)
        receivers.append(receiver)
    long = []
    plan = Flow(spec.congestion, start_s=spec.long_start_s, ecn="ect0" if spec.ecn else "not-ect")
    for flow in range(answers, answers + spec.long_flows):
        ends = long_flow(simulation, plan, flow, 2 * one_way)
        hops.join(ends.sender, ends.receiver, flow, one_way)
        long.append(ends.receiver)
    simulation.extend(hops.stages)
    return SharedRun(simulation, link, spec, 2 * one_way, streams, senders, receivers, long)


def _means(rows: list[dict[str, Any]]) -> Row:
    """Return the mean of every metric over the answers."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
