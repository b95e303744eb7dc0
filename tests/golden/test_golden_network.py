"""Golden table: what two long flows get from every queue, as integers.

Jain's index x 1000 is over the two goodputs; sojourn times are those of all data packets that the queue handed out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lanecast.emulation.capacity import Capacity
from lanecast.emulation.link import Link
from lanecast.emulation.path import Hops
from lanecast.emulation.simulator import Simulation
from lanecast.l4s.registry import make_queue
from lanecast.transport.congestion.registry import make_congestion
from lanecast.transport.receiver import Receiver
from lanecast.transport.recorder import TAKE
from lanecast.transport.sender import Sender
from lanecast.transport.units import MS, SECOND, mbps

QUEUES = ("droptail", "drophead", "codel", "pie", "red", "fq_codel")
LAWS = ("reno", "cubic")
RTTS_MS = (5, 20, 100)
RATES_MBPS = (4, 20)
DURATION = 3 * SECOND
HEADER = ("queue", "law", "rtt_ms", "mbps", "delivered", "dropped", "p50_us", "p99_us", "jain_1000")


def row(kind: str, law: str, rtt_ms: int, rate_mbps: int) -> list[str]:
    sim = Simulation(1, log_packets=True)
    limit = max(20, 2 * rtt_ms * rate_mbps * 1000 // 12_000)  # two bandwidth-delay products
    queue = make_queue(kind, stream=sim.streams.stream("queue"), limit_packets=limit)
    sim.watch(queue, "queue")
    link = sim.add(Link(sim.calendar, queue, Capacity(mbps(rate_mbps))))
    hops = Hops(sim.calendar, [link])
    senders = []
    for flow in range(2):
        sender = Sender(sim.calendar, make_congestion(law, mss=1500), flow=flow)
        hops.join(sender, Receiver(sim.calendar, flow=flow), flow, rtt_ms * MS)
        sender.bulk()
        sender.start(flow * 10 * MS)
        senders.append(sender)
    sim.run(DURATION)
    assert sim.log is not None
    columns = sim.log.columns()
    sojourn = columns["value"][columns["event"] == TAKE] // 1000
    goodput = [sender.recovery.cumulative for sender in senders]
    jain = 1000 * sum(goodput) ** 2 // (2 * sum(value**2 for value in goodput))
    p50, p99 = (int(np.percentile(sojourn, p, method="lower")) for p in (50, 99))
    return [kind, law, *map(str, (rtt_ms, rate_mbps, sum(goodput), queue.dropped, p50, p99, jain))]


def test_queues_and_congestion_control(golden: Callable[[str, str], None]) -> None:
    rows = [
        row(kind, law, rtt, rate) for kind in QUEUES for law in LAWS for rtt in RTTS_MS for rate in RATES_MBPS
    ]
    widths = [max(len(line[i]) for line in [list(HEADER), *rows]) for i in range(len(HEADER))]
    lines = ["# pytest tests/golden --update-golden"]
    lines += [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in [HEADER, *rows]
    ]
    golden("network", "\n".join(lines) + "\n")
