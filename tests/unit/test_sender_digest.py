"""Compiled and plain endpoints live the same life, bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lanecast.transport import sender

ROOT = Path(sender.__file__).parents[2]
SCRIPT = """
import hashlib
from lanecast.emulation.capacity import Capacity
from lanecast.emulation.delay import Delay
from lanecast.emulation.link import Link
from lanecast.l4s.queue import Queue
from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.registry import make_congestion
from lanecast.transport.marking import Marker
from lanecast.transport.pacing import Pacer
from lanecast.transport.receiver import Receiver
from lanecast.transport.recovery_laws import DupAck, RackTlp, Rfc9002
from lanecast.transport.sender import Sender
from lanecast.transport.stage import ECT0, Demux
from lanecast.transport.units import MS

calendar = Calendar()
link = Link(calendar, Queue(limit_packets=40), Capacity(20_000_000))
there, back = Delay(calendar, 10 * MS), Delay(calendar, 10 * MS)
data, acks = Demux(), Demux()
link.out, there.out, back.out = there, data, acks
laws = (Rfc9002, RackTlp, DupAck)
flows = []
for flow in range(6):
    control = make_congestion(("cubic", "reno")[flow % 2], hystart=flow > 3)
    sender = Sender(
        calendar, control, flow=flow, recovery=laws[flow % 3](), pacer=Pacer() if flow > 2 else None,
        marker=Marker(ECT0) if flow % 2 else None,
    )
    receiver = Receiver(calendar, flow=flow, ack_every=1 + flow % 3)
    sender.out, receiver.out = link, back
    data.route(flow, receiver)
    acks.route(flow, sender)
    sender.bulk()
    sender.start(flow * MS)
    flows.append((sender, receiver))
calendar.settle(2000 * MS)
life = [
    (s.created, s.retransmitted, s.timeouts, s.congestion.cwnd.hex(), s.congestion.ssthresh.hex(),
     s.recovery.rtt.smoothed, s.recovery.lost_packets, s.recovery.spurious_packets,
     r.received, r.cumulative, r.created, r.goodput_bytes)
    for s, r in flows
]
print(hashlib.sha256(repr((life, calendar.fired, calendar.posted)).encode()).hexdigest(), sum(row[0] for row in life))
"""


def digest(*, pure: bool) -> list[str]:
    environment = {**os.environ, "LANECAST_PURE": "1" if pure else "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_compiled_and_plain_endpoints_give_the_same_bits() -> None:
    if not any(Path(sender.__file__).parent.glob("sender.*.so")):
        pytest.skip("the core is not compiled here")
    plain = digest(pure=True)
    assert int(plain[1]) > 3000
    assert digest(pure=False) == plain
