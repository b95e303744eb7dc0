"""Flows that hear of marks in different ways, over paths that treat ECN well or badly."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lanecast.emulation.aggregate import Aggregate
from lanecast.emulation.capacity import Capacity
from lanecast.emulation.delay import Delay
from lanecast.emulation.impair import Bleach, ClearCe, Loss, LossProcess, SetCe
from lanecast.emulation.link import Link
from lanecast.emulation.path import chain
from lanecast.emulation.simulator import Simulation
from lanecast.l4s.codel import CoDel
from lanecast.transport.congestion.registry import make_congestion
from lanecast.transport.feedback import make_feedback
from lanecast.transport.marking import Marker
from lanecast.transport.pacing import Pacer
from lanecast.transport.receiver import Receiver
from lanecast.transport.sender import Sender
from lanecast.transport.stage import ECT0, ECT1, NOT_ECT, Stage
from lanecast.transport.units import MS, SECOND, mbps

RATE = mbps(20)
SPAN = 8 * SECOND


@dataclass
class Flow:
    sender: Sender
    receiver: Receiver
    queue: CoDel
    peak: int  # most packets queued in the second half, sampled each ms

    @property
    def utilisation(self) -> float:
        return self.receiver.received_bytes * 8 * SECOND / (RATE * SPAN)


def run(
    feedback: str,
    *faults: Stage,
    label: int = ECT0,
    law: str = "reno",
    ack_loss: float = 0.0,
    ecn_fallback: bool = False,
    pacer: Pacer | None = None,
    bunch: int = 0,
    **options: int,
) -> Flow:
    """Run one long flow for eight seconds over CoDel with ECN and 20 ms."""
    sim = Simulation(3)
    queue = CoDel(ecn=True, limit_packets=400)
    sender = Sender(
        sim.calendar,
        make_congestion(law, mss=1500, **options),
        flow=0,
        feedback=make_feedback(feedback),
        marker=Marker(label),
        ecn_fallback=ecn_fallback,
        pacer=pacer,
    )
    receiver = Receiver(sim.calendar, flow=0)
    stages = [
        sender,
        Link(sim.calendar, queue, Capacity(RATE)),
        *faults,
        Delay(sim.calendar, 10 * MS),
        receiver,
    ]
    stages += [Loss(sim.streams.key("acks"), LossProcess(ack_loss)), Delay(sim.calendar, 10 * MS)]
    if bunch:
        stages.append(Aggregate(sim.calendar, bunch))
    chain(*stages, sender)
    sim.extend(stages)
    sender.bulk()
    sender.start(0)
    sim.run(SPAN // 2)
    peak = 0
    for when in range(SPAN // 2, SPAN + 1, MS):
        sim.calendar.settle(when)
        peak = max(peak, queue.count)
    sim.check()
    return Flow(sender, receiver, queue, peak)


def life(flow: Flow) -> tuple[float | int, ...]:
    return (
        flow.receiver.cumulative,
        flow.sender.congestion.cwnd,
        flow.sender.recovery.marks,
        flow.queue.marked,
        flow.sender.recovery.lost_packets,
    )


def test_accecn_and_exact_counts_lead_the_same_life() -> None:
    assert life(run("accecn")) == life(run("exact"))


@pytest.mark.parametrize("ack_loss", [0.3, 0.8])
def test_accecn_loses_no_mark_when_acks_are_lost(ack_loss: float) -> None:
    flow = run("accecn", ack_loss=ack_loss, law="fixed", packets=80)
    assert flow.receiver.ce > 100
    # at most what is in flight may not have been told of yet
    assert flow.receiver.ce - 80 <= flow.sender.recovery.marks <= flow.receiver.ce


@pytest.mark.parametrize("feedback", ["exact", "accecn", "classic"])
def test_a_classic_flow_fills_the_link_without_a_loss_on_marks_alone(feedback: str) -> None:
    flow = run(feedback)
    assert flow.queue.marked > 5
    assert flow.queue.dropped == flow.sender.recovery.lost_packets == 0
    assert flow.utilisation > 0.9


def test_the_classic_echo_counts_no_more_than_one_mark_a_round_trip() -> None:
    flow = run("classic", law="fixed", packets=60)
    counted = flow.sender.recovery.marks
    assert flow.receiver.ce >= counted > 0
    assert counted <= SPAN // (20 * MS)


def test_a_flow_that_hears_of_nothing_fills_the_queue() -> None:
    deaf, hearing = run("none", law="cubic"), run("exact", law="cubic")
    assert deaf.sender.recovery.marks == 0 < deaf.receiver.ce
    assert deaf.queue.marked > 5 * hearing.queue.marked
    assert deaf.queue.dropped > 0


def test_erased_marks_are_as_bad_as_none_at_all() -> None:
    erased = run("exact", ClearCe(), law="cubic")
    assert erased.queue.marked > 0 == erased.receiver.ce
    assert life(erased)[:2] == life(run("none", law="cubic"))[:2]


def test_a_bleached_flow_with_the_fallback_lives_on_losses() -> None:
    flow = run("accecn", Bleach(), label=ECT1, law="cubic", ecn_fallback=True)
    assert flow.sender.ecn_failed
    assert flow.receiver.bleached < 200  # what left in the first round trips
    assert flow.queue.dropped > 0
    assert flow.utilisation > 0.85


def test_a_path_that_marks_everything_holds_the_flow_at_its_least_window() -> None:
    flow = run("exact", SetCe())
    assert flow.receiver.ce == flow.receiver.received
    assert flow.sender.congestion.cwnd <= 4 * 1500
    assert not flow.sender.ecn_failed


def test_marks_on_packets_sent_plain_are_reported_as_a_fault() -> None:
    flow = run("exact", SetCe(everything=True), label=NOT_ECT)
    assert flow.receiver.ce_on_not_ect == flow.receiver.ce == flow.receiver.received


@pytest.mark.parametrize(("pacer", "least", "most"), [(None, 5, 12), (Pacer(burst=0, gain=1.0), 0, 2)])
def test_bunched_acks_make_bursts_that_pacing_takes_away(pacer: Pacer | None, least: int, most: int) -> None:
    # 28 packets in flight, 33 fit the path: without bursts there is no queue; 4 ms of ACKs let 6 or 7 go at once
    flow = run("exact", law="fixed", packets=28, pacer=pacer, bunch=4 * MS)
    assert least <= flow.peak <= most
