from __future__ import annotations

import pytest

from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.base import AckObservation
from lanecast.transport.congestion.fixed import Fixed
from lanecast.transport.congestion.reno import Reno
from lanecast.transport.feedback import (
    FEEDBACKS,
    AccEcn,
    Classic,
    Feedback,
    Nothing,
    ace_decode,
    ace_delta,
    ace_encode,
    bytes_delta,
    bytes_encode,
    make_feedback,
)
from lanecast.transport.marking import Marker
from lanecast.transport.receiver import Receiver
from lanecast.transport.sender import Sender
from lanecast.transport.stage import (
    CE,
    CORRUPT,
    DATA,
    ECT0,
    ECT1,
    NOT_ECT,
    Ack,
    Outbox,
    Packet,
    make_ack,
    make_packet,
)
from lanecast.transport.units import MS, SECOND

SIZE = 1500


def report(pn: int, received: int, ce: int, *, ece: bool = False) -> Ack:
    ack = make_ack(0, 52, pn, 0)
    ack.largest = received - 1
    ack.received = received
    ack.received_bytes = SIZE * received
    ack.ce = ce
    ack.ce_bytes = SIZE * ce
    ack.ect0 = received - ce
    ack.ect0_bytes = SIZE * ack.ect0
    ack.ece = ece
    return ack


# Wire forms ---------------------------------------------------------------------------------------------------


def test_ace_begins_at_five_and_wraps_at_eight() -> None:
    assert [ace_encode(count) for count in range(10)] == [5, 6, 7, 0, 1, 2, 3, 4, 5, 6]


def test_ace_alone_is_right_up_to_seven_and_wrong_by_eight_at_eight() -> None:
    for known in range(20):
        assert [ace_delta(ace_encode(known + new), known) for new in range(8)] == list(range(8))
        assert ace_delta(ace_encode(known + 8), known) == 0


@pytest.mark.parametrize(("start", "first"), [(0, 0), (1, 1)])
def test_byte_counters_begin_where_the_standard_says_and_wrap_at_24_bits(start: int, first: int) -> None:
    assert bytes_encode(0, start) == first
    assert bytes_encode(2**24 - start, start) == 0
    assert bytes_delta(bytes_encode(2**24 + 700, start), 2**24 - 800, start) == 1500


def test_beyond_seven_packets_the_bytes_choose_among_values_eight_apart() -> None:
    for marked in range(31):
        found = ace_decode(ace_encode(100 + marked), 100, 30, SIZE * marked, SIZE * 30)
        assert found == marked


def test_beyond_seven_packets_without_bytes_the_safest_value_is_taken() -> None:
    # 20 packets covered, ACE says 3 (mod 8): 3, 11 or 19; RFC 9768 A.2.1 takes the largest that fits
    assert ace_decode(ace_encode(3), 0, 20, -1, 20 * SIZE) == 19
    assert ace_decode(ace_encode(3), 0, 18, -1, 18 * SIZE) == 11
    assert ace_decode(ace_encode(3), 0, 7, -1, 7 * SIZE) == 3


def test_bytes_never_lead_beyond_the_packets_covered() -> None:
    # 12 packets covered, 11 small ones unmarked and a large one marked: bytes point to more than there are
    assert ace_decode(ace_encode(1), 0, 12, 9000, 9000 + 11 * 40) <= 12


# What each form lets through ------------------------------------------------------------------------------------


def test_exact_counts_are_told_once() -> None:
    feedback, seen = Feedback(), AckObservation()
    for ack, told in ((report(0, 4, 2), (2, 3000)), (report(1, 4, 2), (0, 0)), (report(2, 9, 3), (1, 1500))):
        feedback.read(ack, seen)
        assert (seen.ce, seen.ce_bytes) == told
    assert (feedback.packets, feedback.size) == (3, 4500)


@pytest.mark.parametrize("name", ["exact", "accecn"])
def test_lost_repeated_and_overtaken_acks_change_nothing_in_the_end(name: str) -> None:
    feedback, seen = make_feedback(name), AckObservation()
    told = 0
    acks = [report(pn, 2 * pn + 2, pn) for pn in range(40)]
    for place in (0, 0, 5, 3, 5, 20, 6, 39, 38, 39):
        feedback.read(acks[place], seen)
        told += seen.ce
    assert told == feedback.packets == 39
    assert feedback.size == 39 * SIZE


def test_accecn_without_the_option_errs_on_the_side_of_more_marks() -> None:
    feedback, seen = AccEcn(option=False), AckObservation()
    feedback.read(report(0, 20, 3), seen)
    assert (seen.ce, seen.ce_bytes) == (19, 0)


def test_classic_tells_of_one_mark_a_round_trip_and_asks_for_cwr() -> None:
    feedback, seen = Classic(), AckObservation()
    seen.next_pn = 10
    feedback.read(report(0, 1, 1, ece=True), seen)
    assert (seen.ce, feedback.cwr) == (1, True)
    seen.next_pn = 15
    for received in range(2, 11):  # packets 1 to 9 were sent before the reduction
        feedback.read(report(received, received, 5, ece=True), seen)
        assert seen.ce == 0
    feedback.read(report(11, 11, 5, ece=True), seen)  # packet 10 is of the new round
    assert seen.ce == 1
    feedback.read(report(12, 30, 9, ece=False), seen)
    assert seen.ce == 0


def test_nothing_tells_nothing() -> None:
    feedback, seen = Nothing(), AckObservation()
    feedback.read(report(0, 9, 9, ece=True), seen)
    assert (seen.ce, seen.ce_bytes) == (0, 0)


def test_feedbacks_have_names_and_an_unknown_one_lists_them() -> None:
    assert {name: type(make_feedback(name)) for name in FEEDBACKS} == FEEDBACKS
    with pytest.raises(ValueError, match="one of exact, accecn, classic, none, got 'quic'"):
        make_feedback("quic")


# Endpoints ------------------------------------------------------------------------------------------------------


class Wire:
    """A sender and a receiver; what is between them is done by hand."""

    def __init__(self, marker: Marker | None, feedback: Feedback | None = None, **options: object) -> None:
        self.calendar = Calendar()
        self.control = Reno()
        self.sender = Sender(
            self.calendar,
            self.control,
            flow=0,
            marker=marker,
            feedback=feedback,
            **options,  # type: ignore[arg-type]
        )
        self.receiver = Receiver(self.calendar, flow=0, ack_every=1)
        self.data, self.acks = Outbox(), Outbox()
        self.sender.out, self.receiver.out = self.data, self.acks
        self.now = 0

    def turn(self, *, mark: tuple[int, ...] = (), clear: bool = False) -> list[Packet]:
        """Carry everything one way and back, marking the packets at the places in `mark`."""
        self.now += 20 * MS
        self.calendar.settle(self.now)
        packets: list[Packet] = []
        while (packet := self.data.pull()) is not None:
            if len(packets) in mark:
                packet.ecn = CE
            if clear:
                packet.ecn = NOT_ECT
            packets.append(packet)
            self.receiver.push(self.now, packet)
        while (ack := self.acks.pull()) is not None:
            self.sender.push(self.now, ack)
        return packets


def test_the_echo_is_held_until_cwr_arrives_and_cwr_is_sent_once() -> None:
    wire = Wire(Marker(ECT0), Classic())
    wire.sender.bulk()
    wire.sender.start(0)
    first = wire.turn(mark=(3,))
    assert [packet.cwr for packet in first] == [0] * 10
    assert wire.receiver.ece
    before = wire.control.cwnd
    second = wire.turn()  # sent before the echo came; its ACKs repeat the echo
    assert [packet.cwr for packet in second] == [0] * len(second)
    assert wire.receiver.ece
    third = wire.turn()
    assert [packet.cwr for packet in third] == [1] + [0] * (len(third) - 1)
    assert not wire.receiver.ece
    assert wire.control.cwnd >= before  # one reduction, however often the echo came


def test_a_marked_cwr_packet_keeps_the_echo() -> None:
    receiver = Receiver(Calendar(), flow=0)
    packet = make_packet(0, DATA, SIZE, ECT0, 0, 0, 0)
    packet.cwr, packet.ecn = 1, CE
    receiver.push(0, packet)
    assert receiver.ece


def test_the_receiver_counts_packets_and_bytes_of_every_codepoint() -> None:
    receiver, acks = Receiver(Calendar(), flow=0, ack_every=1), Outbox()
    receiver.out = acks
    for pn, (ecn, size) in enumerate([(ECT0, 100), (ECT1, 200), (CE, 400), (NOT_ECT, 800), (ECT1, 1600)]):
        receiver.push(0, make_packet(0, DATA, size, ecn, pn, pn, 0))
    assert (receiver.ect0, receiver.ect1, receiver.ce) == (1, 2, 1)
    last = None
    while (ack := acks.pull()) is not None:
        last = ack
    assert isinstance(last, Ack)
    assert (last.ect0_bytes, last.ect1_bytes, last.ce_bytes) == (100, 1800, 400)
    assert last.received_bytes - last.ect0_bytes - last.ect1_bytes - last.ce_bytes == 800


def test_the_receiver_reports_bleaching_and_marks_on_not_ect() -> None:
    receiver = Receiver(Calendar(), flow=0)
    for pn, (sent, arrived) in enumerate(
        [(ECT1, NOT_ECT), (NOT_ECT, CE), (ECT0, CE), (NOT_ECT, NOT_ECT), (ECT0, NOT_ECT)]
    ):
        packet = make_packet(0, DATA, SIZE, sent, pn, pn, 0)
        packet.ecn = arrived
        receiver.push(0, packet)
    assert (receiver.bleached, receiver.ce_on_not_ect) == (2, 1)


@pytest.mark.parametrize("name", ["exact", "accecn"])
def test_a_bleached_flow_stops_to_label_after_ten_packets(name: str) -> None:
    wire = Wire(Marker(ECT1), make_feedback(name), ecn_fallback=True)
    wire.sender.bulk()
    wire.sender.start(0)
    first = wire.turn(clear=True)
    assert [packet.label for packet in first] == [ECT1] * 10
    assert wire.sender.ecn_failed
    assert wire.receiver.bleached == 10
    wire.turn()  # what left before the tenth was acknowledged
    assert {packet.label for packet in wire.turn()} == {NOT_ECT}


@pytest.mark.parametrize(("name", "fallback"), [("exact", False), ("classic", True)])
def test_a_bleached_flow_goes_on_without_the_switch_or_where_it_cannot_know(
    name: str, fallback: bool
) -> None:
    wire = Wire(Marker(ECT0), make_feedback(name), ecn_fallback=fallback)
    wire.sender.bulk()
    wire.sender.start(0)
    wire.turn(clear=True)
    assert {packet.label for packet in wire.turn(clear=True)} == {ECT0}
    assert not wire.sender.ecn_failed


def test_a_path_that_lets_ecn_through_passes_the_test_for_good() -> None:
    wire = Wire(Marker(ECT1), ecn_fallback=True)
    wire.sender.bulk()
    wire.sender.start(0)
    wire.turn(mark=(0,))
    for _ in range(3):
        wire.turn(clear=True)  # bleaching that begins later is not looked for
    assert not wire.sender.ecn_failed


class Sometimes(Marker):
    def label(self, now: int, pn: int, size: int) -> int:
        return ECT1 if pn % 4 == 3 else NOT_ECT


def test_packets_sent_plain_prove_nothing_about_the_path() -> None:
    wire = Wire(Sometimes(), ecn_fallback=True)
    wire.sender.write(0, 10)
    wire.turn(clear=True)
    assert not wire.sender.ecn_failed  # two ECT packets are not enough
    wire.sender.write(wire.now, 10)
    wire.turn(clear=True)
    assert not wire.sender.ecn_failed
    wire.sender.write(wire.now, 20)
    for _ in range(3):
        wire.turn(clear=True)
    assert wire.sender.ecn_failed  # ten of forty


def test_a_path_that_drops_ect_is_found_out_by_three_timeouts() -> None:
    wire = Wire(Marker(ECT1), ecn_fallback=True)
    wire.sender.write(0, 1)
    labels = []
    for second in range(1, 20):
        wire.calendar.settle(second * SECOND)
        while (packet := wire.data.pull()) is not None:
            labels.append(packet.label)  # and lost
    assert wire.sender.ecn_failed
    assert labels[:4] == [ECT1, ECT1, ECT1, NOT_ECT]  # the first and two probes; the third timeout ends it
    assert set(labels[4:]) <= {NOT_ECT}


def test_ect1_without_counted_marks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ECT\(1\) needs feedback that counts marks"):
        Sender(Calendar(), Fixed(packets=4), flow=0, marker=Marker(ECT1), feedback=Classic())


def test_spoilt_packets_are_counted_and_otherwise_ignored_by_both_endpoints() -> None:
    wire = Wire(None)
    spoilt = make_packet(0, CORRUPT, SIZE, NOT_ECT, 0, 0, 0)
    wire.receiver.push(0, spoilt)
    assert (wire.receiver.corrupted, wire.receiver.dropped, wire.receiver.received) == (1, 1, 0)
    ack = make_ack(0, 52, 0, 0)
    ack.kind = CORRUPT
    wire.sender.push(0, ack)
    assert (wire.sender.pushed, wire.sender.dropped, wire.sender.passed) == (1, 1, 0)
