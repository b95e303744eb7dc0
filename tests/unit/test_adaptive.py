"""Adaptive redundancy: when extra packets are sent, how they are bounded, and that congestion takes them away."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lanecast.emulation.capacity import Capacity
from lanecast.emulation.delay import Delay
from lanecast.emulation.link import Link
from lanecast.l4s.queue import Queue
from lanecast.transport.calendar import Calendar
from lanecast.transport.rtt import RttEstimator
from lanecast.transport.stage import CE, CROSS, Packet, Stage, make_ack, make_packet
from lanecast.transport.tokens.adaptive import HOLD, PROOF, TAIL_COPIES, WHOLE_EVERY, Adaptive, AdaptiveRich
from lanecast.transport.tokens.check import run_scripted
from lanecast.transport.tokens.endpoint import TokenReceiver, TokenSender
from lanecast.transport.tokens.ledger import Ledger
from lanecast.transport.tokens.sense import ChannelSense, CongestionGate
from lanecast.transport.tokens.silence import LEAST_SENT, Silence
from lanecast.transport.tokens.source import constant_gap
from lanecast.transport.units import MS, SECOND, Ns

GAP = 20 * MS
ONE_WAY = 50 * MS
RTT = 2 * ONE_WAY


class Marker(Stage):
    """Marks every packet CE in a span of time."""

    def __init__(self, start: Ns, stop: Ns) -> None:
        super().__init__("marker")
        self.start, self.stop = start, stop

    def push(self, now: Ns, packet: Packet) -> None:
        self.pushed += 1
        if self.start <= now < self.stop:
            packet.ecn = CE
        self.forward(now, packet)


def test_the_first_token_is_sent_twice_at_once() -> None:
    sender, _ = run_scripted(Adaptive(), tokens=20, gap=GAP, one_way=ONE_WAY, warm=RTT)
    assert sender.ledger.sent_at[:3] == [0, 0, GAP]


def test_the_last_packet_is_repeated_a_gap_apart_while_it_may_still_be_acknowledged() -> None:
    sender, _ = run_scripted(Adaptive(), tokens=20, gap=GAP, one_way=ONE_WAY, warm=RTT)
    last = 19 * GAP
    assert [t - last for t in sender.ledger.sent_at if t > last] == [
        GAP * k for k in range(1, TAIL_COPIES + 1)
    ]


def test_a_lost_last_token_comes_with_the_first_tail_copy() -> None:
    _, receiver = run_scripted(
        Adaptive(), tokens=20, gap=GAP, one_way=ONE_WAY, warm=RTT, data_lost=lambda _k, now: now == 19 * GAP
    )
    assert receiver.rendered[19] == 20 * GAP + ONE_WAY


def test_without_loss_nothing_extra_is_sent_in_between() -> None:
    sender, _ = run_scripted(Adaptive(hold=0), tokens=500, gap=GAP, one_way=ONE_WAY, warm=RTT)
    assert sender.passed == 500 + 1 + TAIL_COPIES


def test_an_outage_is_probed_faster_than_tokens_come_and_ends_within_a_spacing() -> None:
    scheme = Adaptive()
    stop = 2 * SECOND + 713 * MS
    sender, receiver = run_scripted(
        scheme,
        tokens=80,
        gap=100 * MS,
        one_way=ONE_WAY,
        warm=RTT,
        data_lost=lambda _k, now: 2 * SECOND <= now < stop,
    )
    first = min(r for r in receiver.rendered if r > stop)
    # pace 1.2, gap 100 ms, at most 160 bytes a probe (cost 16/3), a round trip of 100 ms
    spacing = 1.2 * math.sqrt(100 / 50 * 160 / 60 * (300 + 100) / 10)
    assert first - stop - ONE_WAY <= spacing * MS
    probes = [t for t in sender.ledger.sent_at if 2300 * MS < t < stop]
    assert len(probes) > 20


def test_an_outage_of_the_ack_path_costs_fewer_probes_once_it_is_known() -> None:
    scheme = Adaptive()
    spans = [(k * SECOND, k * SECOND + 500 * MS) for k in range(2, 18, 3)]
    sender, _ = run_scripted(
        scheme,
        tokens=400,
        gap=50 * MS,
        one_way=ONE_WAY,
        warm=RTT,
        acks_lost=lambda _k, now: any(a <= now < b for a, b in spans),
    )
    counts = [sum(a <= t < b + RTT for t in sender.ledger.sent_at) for a, b in spans]
    assert scheme.silence.arrival > 0.6
    assert counts[-1] < 0.6 * counts[0]


def test_a_probe_starts_when_the_first_ack_is_overdue_and_not_with_the_next_token() -> None:
    """Gap 100 ms, RTT 100 ms: the token of second 6 is lost; its ACK is overdue between two tokens."""
    scheme = Adaptive()
    scheme.silence.trust = 0.0  # no waiting for heartbeats
    outages = [(k * 1500 * MS, k * 1500 * MS + 350 * MS) for k in range(1, 4)]  # losses come in bursts
    sender, _ = run_scripted(
        scheme,
        tokens=70,
        gap=100 * MS,
        one_way=ONE_WAY,
        warm=RTT,
        data_lost=lambda _k, now: any(a <= now < b for a, b in outages) or 6 * SECOND <= now < 6900 * MS,
    )
    assert scheme.sense.is_bursty()
    first = min(t for t in sender.ledger.sent_at if t > 6 * SECOND and t % (100 * MS))
    assert 6 * SECOND + RTT < first < 6 * SECOND + RTT + 30 * MS


def test_tokens_share_packets_only_after_proof_and_wait_no_longer_than_hold() -> None:
    sender, receiver = run_scripted(Adaptive(), tokens=400, gap=GAP, one_way=ONE_WAY, warm=RTT)
    waits = [sender.ledger.first_sent[i] - sender.ledger.born[i] for i in range(400)]
    assert max(waits) == GAP == HOLD
    assert max(waits[:PROOF]) == 0
    assert sender.passed < 400 * 0.6
    assert max(b - a for a, b in zip(receiver.rendered, receiver.rendered[1:], strict=False)) <= 2 * GAP


def test_bursts_of_losses_end_the_sharing_of_packets() -> None:
    scheme = Adaptive()
    sender, _ = run_scripted(
        scheme,
        tokens=500,
        gap=GAP,
        one_way=ONE_WAY,
        warm=RTT,
        data_lost=lambda _k, now: now > 3 * SECOND and now % SECOND > 700 * MS,
    )
    waits = [sender.ledger.first_sent[i] - sender.ledger.born[i] for i in range(500)]
    assert max(waits[PROOF:150]) == GAP
    assert max(waits[250:]) == 0


def test_in_bursty_times_packets_are_trimmed_and_whole_ones_come_often_enough() -> None:
    scheme = Adaptive()
    whole: list[Ns] = []
    sizes: list[int] = []

    class Look(Stage):
        def push(self, now: Ns, packet: Packet) -> None:
            self.pushed += 1
            if 6 * SECOND < now < 7 * SECOND:
                sizes.append(packet.size)
                if packet.size > 40 + 3 * 5:
                    whole.append(now)
            self.forward(now, packet)

    run_scripted(
        scheme,
        tokens=400,
        gap=GAP,
        one_way=ONE_WAY,
        warm=RTT,
        data_lost=lambda _k, now: now < 5 * SECOND and now % SECOND > 700 * MS,
        watch=Look("look"),
    )
    assert min(sizes) == 40 + 3 * 5
    assert max(b - a for a, b in zip(whole, whole[1:], strict=False)) <= WHOLE_EVERY


def test_extra_packets_leave_the_congestion_window_to_new_tokens() -> None:
    scheme = AdaptiveRich()
    sender, _ = run_scripted(
        scheme,
        tokens=200,
        gap=50 * MS,
        one_way=ONE_WAY,
        warm=RTT,
        data_lost=lambda _k, now: now % (2 * SECOND) > 1200 * MS,
    )
    assert scheme.probes > 100
    assert sender.blocked == 0


def heard(silence: Silence, now: Ns, ledger: Ledger, *, waited: Ns = 0) -> None:
    ack = make_ack(0, 40, 0, 0)
    ack.largest, ack.cumulative, ack.delay = ledger.largest, ledger.cumulative, waited
    ack.ect0 = ledger.received
    ledger.acknowledge(now, ack)
    silence.on_ack(ledger, now)


def sent_ledger(packets: int) -> Ledger:
    ledger = Ledger(RttEstimator(warm=RTT))
    for i in range(packets):
        ledger.generate(i * 10 * MS, 5)
        ledger.note_sent(i * 10 * MS, 45, (i, i + 1))
    return ledger


def ends(silence: Silence, ledger: Ledger, now: Ns, largest: int, received: int) -> None:
    ack = make_ack(0, 40, 0, 0)
    ack.largest, ack.cumulative, ack.ect0 = largest, largest + 1, received
    ledger.acknowledge(now, ack)
    silence.on_ack(ledger, now)


def test_arrival_is_learned_from_the_packets_of_a_silence_without_the_last() -> None:
    silence, ledger = Silence(), sent_ledger(60)
    ends(silence, ledger, RTT, 0, 1)
    silence.begin(ledger, 2 * SECOND)
    ends(silence, ledger, 3 * SECOND, 40, 4)  # 40 packets, 3 arrived, the last of them ended it
    assert silence.arrival == pytest.approx((0.8 * 3 + 2) / (0.8 * 30 + 39))
    before = silence.arrival
    silence.begin(ledger, 3 * SECOND)
    ends(silence, ledger, 4 * SECOND, 40 + LEAST_SENT - 1, 4 + LEAST_SENT - 1)  # too short to say anything
    assert silence.arrival == before


@pytest.mark.parametrize(("lasts", "is_trusted"), [(80 * MS, True), (800 * MS, False)])
def test_heartbeats_are_trusted_while_the_silence_ends_soon_after_them(lasts: Ns, is_trusted: bool) -> None:
    silence, ledger = Silence(), sent_ledger(60)
    ends(silence, ledger, RTT, 0, 1)
    for k in range(1, 5):
        start = k * SECOND
        silence.begin(ledger, start)
        for beat in range(3):
            heard(silence, start + (70 + 10 * beat) * MS, ledger, waited=16 * MS)
        ends(silence, ledger, start + 90 * MS + lasts, k, k + 1)
    assert silence.is_trusted() == is_trusted
    now = 4 * SECOND + 90 * MS
    assert (silence.clear_until(single=False) > now) == is_trusted


def test_independent_losses_at_short_gaps_bring_no_probes() -> None:
    scheme = Adaptive()
    run_scripted(
        scheme, tokens=400, gap=GAP, one_way=ONE_WAY, warm=RTT, data_lost=lambda k, _now: k * 7919 % 101 < 8
    )
    assert not scheme.sense.is_bursty()
    assert scheme.probes <= 4


def test_extra_packets_never_exceed_the_bucket() -> None:
    for rate, burst in ((0.0, 1), (0.1, 2), (1.0, 5)):
        scheme = Adaptive(bucket_rate=rate, bucket_burst=burst)
        sender, _ = run_scripted(
            scheme,
            tokens=200,
            gap=50 * MS,
            one_way=ONE_WAY,
            warm=RTT,
            data_lost=lambda _k, now: now % (2 * SECOND) > 1200 * MS,
        )
        assert scheme.bucket.level >= 0
        assert scheme.bucket.spent <= scheme.bucket.earned <= burst + rate * 200
        assert sender.passed == 200 + scheme.bucket.spent + scheme.bucket.refused


def test_a_spent_bucket_leaves_the_published_doubling_timer() -> None:
    scheme = Adaptive(bucket_rate=0.0, bucket_burst=1)  # the first token's copy takes it
    sender, _ = run_scripted(
        scheme,
        tokens=10,
        gap=GAP,
        one_way=ONE_WAY,
        warm=RTT,
        data_lost=lambda k, now: now < 3 * SECOND and k > 0,
    )
    tail = [t for t in sender.ledger.sent_at if t > SECOND]
    gaps = [b - a for a, b in zip(tail, tail[1:], strict=False)]
    assert all(b >= 1.9 * a for a, b in zip(gaps, gaps[1:], strict=False))


def marked_run(start: Ns, stop: Ns) -> tuple[Adaptive, TokenSender]:
    """Bursty losses throughout; CE marks on every packet in a span."""
    scheme = Adaptive()
    marker = Marker(start, stop)
    sender, _ = run_scripted(
        scheme,
        tokens=300,
        gap=50 * MS,
        one_way=ONE_WAY,
        warm=RTT,
        data_lost=lambda _k, now: now % SECOND > 700 * MS,
        watch=marker,
    )
    return scheme, sender


def test_redundancy_falls_within_two_round_trips_of_the_first_mark() -> None:
    calendar = Calendar()
    scheme = Adaptive()
    sender = TokenSender(calendar, constant_gap(20 * MS, 200), scheme, warm=RTT)
    receiver = TokenReceiver(calendar).follow(scheme)
    marker, there, back = Marker(SECOND, 4 * SECOND), Delay(calendar, ONE_WAY), Delay(calendar, ONE_WAY)
    sender.out, marker.out, there.out, receiver.out, back.out = marker, there, receiver, back, sender
    calendar.settle(SECOND)
    assert scheme.gate.scale == 1.0
    before = scheme.volley(sender.ledger, SECOND)
    calendar.settle(SECOND + 2 * RTT)
    assert scheme.gate.scale <= 0.5
    assert scheme.volley(sender.ledger, SECOND + 2 * RTT) <= 0.55 * before
    calendar.settle(3 * SECOND)
    assert scheme.gate.scale < 0.05
    calendar.settle(4 * SECOND)
    low = scheme.gate.scale
    calendar.settle(10 * SECOND)
    assert low < 0.05 < scheme.gate.scale


def test_marks_take_probes_away() -> None:
    free, free_sender = marked_run(0, 0)
    held, held_sender = marked_run(0, 15 * SECOND)
    assert held.probes < free.probes / 3
    assert held.gate.signals > 10
    assert free.gate.signals == 0
    assert held_sender.sent_bytes < free_sender.sent_bytes


def test_a_growing_queue_halves_the_scale_within_two_round_trips_or_three_samples() -> None:
    calendar = Calendar()
    scheme = Adaptive()
    sender = TokenSender(calendar, constant_gap(20 * MS, 400), scheme, warm=RTT)
    receiver = TokenReceiver(calendar).follow(scheme)
    link = Link(calendar, Queue(), Capacity(1_000_000))
    there, back = Delay(calendar, ONE_WAY), Delay(calendar, ONE_WAY)
    sender.out, link.out, there.out, receiver.out, back.out = link, there, receiver, back, sender
    calendar.settle(3 * SECOND)
    assert scheme.gate.scale == 1.0
    for _ in range(40):  # 40 full packets of another flow: half a second of queue
        link.push(3 * SECOND, make_packet(9, CROSS, 1500, 0, 0, -1, 3 * SECOND))
    calendar.settle(
        3 * SECOND + 480 * MS + RTT
    )  # the first packet out of the queue is acknowledged about now
    before = scheme.gate.scale
    calendar.settle(3 * SECOND + 480 * MS + RTT + 20 * MS)
    assert (before, scheme.gate.scale) == (1.0, 0.5)


def test_the_gate_halves_at_most_once_a_round_trip_and_recovers_by_tenths() -> None:
    gate = CongestionGate()
    ledger = Ledger(RttEstimator(warm=RTT))
    for i in range(400):
        ledger.generate(i, 5)
    for i in range(400):
        ledger.note_sent(i * 10 * MS, 45, (i, i + 1))
    scales = []
    for i in range(400):
        ack = make_ack(0, 40, 0, 0)
        ack.largest, ack.cumulative, ack.ect0 = i, i + 1, i + 1
        ack.ce = min(i, 30)
        ledger.acknowledge(i * 10 * MS + RTT, ack)
        gate.on_ack(ledger, i * 10 * MS + RTT)
        scales.append(gate.scale)
    changes = [i for i in range(1, 400) if scales[i] != scales[i - 1]]
    assert gate.signals == 3  # 300 ms of marks
    assert min(b - a for a, b in zip(changes, changes[1:], strict=False)) >= 10
    rises = [scales[i] - scales[i - 1] for i in changes if scales[i] > scales[i - 1]]
    assert rises[0] == pytest.approx(0.1)
    assert scales[-1] == 1.0


def test_runs_of_losses_are_told_from_independent_ones() -> None:
    def sense(lost: np.ndarray) -> ChannelSense:
        made, ledger = ChannelSense(), Ledger(RttEstimator(warm=RTT))
        for i in range(len(lost)):
            ledger.generate(i, 5)
            ledger.note_sent(i * 10 * MS, 45, (i, i + 1))
        received = 0
        for i, gone in enumerate(lost):
            if not gone:
                received += 1
                ack = make_ack(0, 40, 0, 0)
                ack.largest, ack.cumulative, ack.ect0 = i, i + 1, received
                ledger.acknowledge(i * 10 * MS + RTT, ack)
                made.on_ack(ledger)
        return made

    random = np.random.default_rng(5)
    assert not sense(random.random(2000) < 0.19).is_bursty()
    bursts = np.zeros(2000, dtype=bool)
    for start in range(100, 2000, 200):
        bursts[start : start + 12] = True
    bursty = sense(bursts)
    assert bursty.is_bursty()
    made = Ledger(RttEstimator())
    assert 0.85 < bursty.next_loss(made) < 1.0
