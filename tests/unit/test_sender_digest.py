"""Compiled and plain endpoints live the same life, bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lanecast.transport import sender

ROOT = Path(sender.__file__).parents[2]
SCRIPT = r"""
import hashlib
from lanecast.emulation.capacity import Capacity
from lanecast.emulation.aggregate import Aggregate
from lanecast.emulation.delay import Delay
from lanecast.emulation.impair import Bleach, Loss, LossProcess, Remark
from lanecast.emulation.link import Link
from lanecast.emulation.path import chain
from lanecast.l4s.codel import CoDel
from lanecast.l4s.queue import Queue
from lanecast.transport.apps import VideoSource
from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.registry import make_congestion
from lanecast.transport.feedback import make_feedback
from lanecast.transport.marking import Marker
from lanecast.transport.pacing import Pacer, linux_pacer, prague_pacer
from lanecast.transport.receiver import Receiver
from lanecast.transport.recovery_laws import DupAck, RackTlp, Rfc9002
from lanecast.transport.sender import Sender
from lanecast.transport.rng import Streams
from lanecast.transport.stage import ECT0, ECT1, Demux
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

# ECN: every feedback over a path that marks, aggregates, clears and loses ACKs
streams = Streams(5)
marking, acks = Demux(), Demux()
ecn_link = Link(calendar, CoDel(ecn=True, limit_packets=300), Capacity(30_000_000), overhead=14)
chain(ecn_link, Aggregate(calendar, MS, limit_packets=12), Bleach(streams.stream("bleach"), 0.02),
      Remark(streams.stream("remark"), (0, 2, 2, 3), 0.1), Delay(calendar, 10 * MS), marking)
back = chain(Loss(streams.key("acks"), LossProcess(0.3)), Delay(calendar, 10 * MS), acks)
for place, name in enumerate(("exact", "accecn", "classic", "none", "accecn", "exact")):
    flow = place + 6
    sender = Sender(
        calendar, make_congestion("cubic"), flow=flow, recovery=laws[place % 3](), feedback=make_feedback(name),
        pacer=(linux_pacer, prague_pacer)[place % 2](), marker=Marker(ECT1 if place > 3 else ECT0), ecn_fallback=True,
    )
    receiver = Receiver(calendar, flow=flow, coalesce=place % 2 == 0, ack_on_ce=place > 2)
    sender.out, receiver.out = ecn_link, back
    marking.route(flow, receiver)
    acks.route(flow, sender)
    if place == 5:
        VideoSource(calendar, sender, streams.stream("video"), rate_bps=4e6, fps=30, sigma=0.4, start=calendar.now)
    else:
        sender.bulk()
        sender.start(calendar.now + place * MS)
    flows.append((sender, receiver))
calendar.settle(5000 * MS)
life = [
    (s.created, s.retransmitted, s.timeouts, s.congestion.cwnd.hex(), s.congestion.ssthresh.hex(),
     s.recovery.rtt.smoothed, s.recovery.lost_packets, s.recovery.spurious_packets, s.recovery.marks, s.ecn_failed,
     r.bleached, r.ce, r.ce_bytes,
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
