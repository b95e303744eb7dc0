"""`lanecast bench exactness`: every packet-delivery trace, packet by packet, against the naive reference.

For each trace x arrivals {0.5, 0.95, 2 x mean constant rate, Poisson at 0.9, greedy behind a 100-packet droptail} x
sizes {1500; 60 to 1500 mixed; 40 and 1500 in turn} x byte modes {IP length, Mahimahi's TUN}, the departure time or
drop of every packet must equal that of `naive_link`. Traces are those of `../shared/data/traces` (or `LANECAST_DATA`),
or generated ones where there are none.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.emulation.link import OpportunityLink
from lanecast.experiments.naive_link import DROPPED, NEVER_SENT, departures, expand
from lanecast.l4s.queue import Queue
from lanecast.traces.files import load_trace
from lanecast.traces.shapes import make
from lanecast.traces.tracks import Opportunities
from lanecast.transport.calendar import Calendar
from lanecast.transport.rng import Streams
from lanecast.transport.stage import DATA, NOT_ECT, Packet, Stage, make_packet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lanecast.traces.trace import Trace

SETS = ("mahimahi-cellular", "nyc-lte", "pantheon-calibrated", "starlink-leocc")
LOADS = {"0.5": 0.5, "0.95": 0.95, "2": 2.0, "poisson": 0.9, "greedy": 10.0}
SIZES = ("full", "mixed", "alternating")
MODES = {"ip": (1500, 0), "mahimahi": (1504, 4)}
GREEDY_LIMIT = 100  # packets


class Notes(Stage):
    """Writes down when each packet number came by."""

    def __init__(self, count: int) -> None:
        super().__init__("notes")
        self.times = [NEVER_SENT] * count

    def push(self, now: int, packet: Packet) -> None:
        """Note the time."""
        self.times[packet.pn] = now


def packet_traces(data: Path) -> Iterator[tuple[str, Trace]]:
    """Yield (name, trace) of every packet-delivery trace below `data`, or generated ones where it does not exist."""
    found = [path for name in SETS for path in sorted((data / name).glob("*")) if _is_packet_trace(path)]
    for path in found:
        yield f"{path.parent.name}/{path.name}", load_trace(path, "mahimahi")
    if not found:
        for seed in range(6):
            yield f"poisson {seed}", make("poisson", mbps=2.0 * 2**seed, duration_s=20.0, seed=seed)


def _is_packet_trace(path: Path) -> bool:
    is_text = path.name not in ("README.md", "trace-info.txt")
    return is_text and "delay" not in path.name and path.is_file()


def workload(load: str, sizes: str, mean_bps: float, count: int, seed: int) -> tuple[list[int], list[int]]:
    """Return arrival times (ns) and sizes (bytes) of `count` packets at a share of the mean rate."""
    generator = Streams(seed).stream(f"{load} {sizes}").generator
    if sizes == "full":
        size = np.full(count, 1500)
    elif sizes == "mixed":
        size = generator.integers(60, 1501, count)
    else:
        size = np.tile([40, 1500], count // 2 + 1)[:count]
    gap = float(size.mean()) * 8e9 / (mean_bps * LOADS[load])
    gaps = generator.exponential(gap, count) if load == "poisson" else np.full(count, gap)
    return np.cumsum(gaps).astype(np.int64).tolist(), size.astype(np.int64).tolist()


def mismatches(times: list[int], arrivals: list[int], sizes: list[int], mode: str, limit: int) -> int:
    """Run both links over one workload and count the packets whose fate differs."""
    credit, overhead = MODES[mode]
    calendar, queue, notes = Calendar(), Queue(limit_packets=limit), Notes(len(arrivals))
    link = OpportunityLink(calendar, queue, times, bytes_each=credit, overhead=overhead)
    link.out = notes
    for pn, (now, size) in enumerate(zip(arrivals, sizes, strict=True)):
        calendar.settle(now)
        before = queue.dropped
        link.push(now, make_packet(0, DATA, size, NOT_ECT, pn, pn, now))
        if queue.dropped > before:
            notes.times[pn] = DROPPED
    end = 3 * arrivals[-1] + 2 * times[-1]  # long enough to drain twice the capacity
    calendar.settle(end)
    naive = departures(
        expand(times, end), arrivals, sizes, bytes_each=credit, overhead=overhead, limit_packets=limit
    )
    return sum(ours != theirs for ours, theirs in zip(notes.times, naive, strict=True))


def exactness(*, fast: bool = False) -> dict[str, Any]:
    """Compare all combinations; the full size exceeds 10^7 packets."""
    data = Path(os.environ.get("LANECAST_DATA", "../shared/data/traces"))
    count = 500 if fast else 25_000
    begin = time.process_time()
    packets = wrong = traces = 0
    for place, (_, trace) in enumerate(packet_traces(data)):
        assert isinstance(trace.capacity, Opportunities), "packet-delivery traces hold opportunities"
        times = trace.capacity.times.tolist()
        mean_bps = len(times) * 12_000 * 1e9 / times[-1]
        traces += 1
        for load in LOADS:
            for sizes in SIZES:
                arrivals, size = workload(load, sizes, mean_bps, count, place)
                for mode in MODES:
                    limit = GREEDY_LIMIT if load == "greedy" else 0
                    wrong += mismatches(times, arrivals, size, mode, limit)
                    packets += count
    return {
        "traces": traces,
        "packets": packets,
        "mismatches": wrong,
        "cpu_seconds": round(time.process_time() - begin, 1),
    }
