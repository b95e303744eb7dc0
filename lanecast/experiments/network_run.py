"""Flows over hops, run and measured.

Goodput, delays and utilisation are taken between `warmup_s` and `duration_s`; windows, smoothed RTTs and
backlogs are sampled every 10 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.experiments.measure import Outcome, log_columns
from lanecast.l4s.dualpi2 import DualPi2
from lanecast.transport import recorder
from lanecast.transport.units import MS, mbps, seconds

if TYPE_CHECKING:
    from lanecast.emulation.link import Link, OpportunityLink
    from lanecast.emulation.simulator import Simulation
    from lanecast.experiments.build_flows import Ends
    from lanecast.experiments.config import Flow, Run
    from lanecast.experiments.results import Columns, Row
    from lanecast.l4s.queue import Queue
    from lanecast.transport.stage import Stage

SAMPLE = 10 * MS
BITS_PER_BYTE = 8
PERCENTILES = (50, 95, 99)
FRACTIONS = ("cwnd_bytes", "p_classic", "p_low")


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
    plan: Run

    def run(self) -> Outcome:
        """Run to the end, sampling on the way, and measure."""
        calendar = self.simulation.calendar
        duration, warmup = seconds(self.plan.duration_s), seconds(self.plan.warmup_s)
        times = list(range(SAMPLE, duration + 1, SAMPLE))
        if not times or times[-1] != duration:
            times.append(duration)
        samples: dict[str, list[list[float]]] = {name: [] for name in self._sample()}
        begun = self._counts()
        for when in times:
            if calendar.now <= warmup < when:
                calendar.settle(warmup)
                begun = self._counts()
            calendar.settle(when)
            for name, values in self._sample().items():
                samples[name].append(values)
        self.simulation.check()
        columns: Columns = {"sample_ns": np.array(times, dtype=np.int64)}
        for name, table in samples.items():
            kind = np.float64 if name in FRACTIONS else np.int64
            columns[name] = np.array(table, dtype=kind).reshape(len(times), -1)
        columns["capacity_mean_bps"] = np.array([hop.mean_bps for hop in self.hops], dtype=np.float64)
        row = self._row(begun, columns)
        if self.plan.delays:
            row |= self._delays(columns)
        if self.plan.log:
            columns |= log_columns(self.simulation)
        notes = {"stages": self.simulation.log.stages} if self.simulation.log is not None else {}
        drops = {f"hop {place} queue": hop.queue.dropped for place, hop in enumerate(self.hops)}
        return Outcome(row, columns, drops, notes)

    def _sample(self) -> dict[str, list[float]]:
        """Return what is sampled now: a value for each flow, for each hop, or for each hop with a dual queue."""
        ends = [ends for _, ends in self.flows]
        sampled: dict[str, list[float]] = {
            "goodput_bytes": [end.receiver.goodput_bytes for end in ends],
            "cwnd_bytes": [end.sender.congestion.cwnd for end in ends],
            "srtt_ns": [end.sender.recovery.rtt.smoothed for end in ends],
            "backlog_bytes": [hop.queue.backlog for hop in self.hops],
            "link_bytes": [hop.link.sent_bytes for hop in self.hops],
        }
        dual = [hop.queue.probabilities() for hop in self.hops if isinstance(hop.queue, DualPi2)]
        if dual:
            sampled["p_classic"], sampled["p_low"] = ([one[kind] for one in dual] for kind in (0, 1))
        return sampled

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
        span_s = self.plan.duration_s - self.plan.warmup_s
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
            late = columns["sample_ns"] > seconds(self.plan.warmup_s)
            waiting = columns["backlog_bytes"][late, place] * BITS_PER_BYTE / hop.mean_bps * 1000
            for percent in PERCENTILES:
                row[f"queue_p{percent}_ms{suffix}"] = float(np.percentile(waiting, percent))
        for place, rate in enumerate(rates.tolist()):
            row[f"flow{place}_mbps"] = rate
        return row

    def _delays(self, columns: Columns) -> Row:
        """Return each flow's smoothed RTT, queueing delay (of all hops together), marks and share of packets dropped.

        Cross traffic counts as further flows.
        """
        log = self.simulation.log
        assert log is not None, "a run with delays keeps a log"
        late = columns["sample_ns"] > seconds(self.plan.warmup_s)
        row: Row = {}
        for place in range(len(self.flows)):
            rtts = columns["srtt_ns"][late, place] / MS
            row[f"flow{place}_srtt_ms"] = float(rtts.mean())
            row[f"flow{place}_srtt_p99_ms"] = float(np.percentile(rtts, 99))
        table = log.columns()
        counted = table["time_ns"] > seconds(self.plan.warmup_s)
        taken = counted & (table["event"] == recorder.TAKE)
        for flow in np.unique(table["flow"][taken]).tolist():
            own = table["flow"] == flow
            waits = table["value"][taken & own] / MS
            dropped = int((counted & own & (table["event"] == recorder.DROP)).sum())
            row[f"flow{flow}_delay_mean_ms"] = float(waits.mean())
            for percent in PERCENTILES:
                row[f"flow{flow}_delay_p{percent}_ms"] = float(np.percentile(waits, percent))
            row[f"flow{flow}_marks"] = int((counted & own & (table["event"] == recorder.MARK)).sum())
            row[f"flow{flow}_loss"] = dropped / (dropped + len(waits))
        return row


def jain_index(rates: Any) -> float:
    """Return Jain's fairness index of the rates, 1/n to 1; NaN when nothing was delivered."""
    squares = float(np.square(rates).sum())
    return float(np.sum(rates)) ** 2 / (len(rates) * squares) if squares > 0 else float("nan")
