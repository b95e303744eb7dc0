from __future__ import annotations

import pytest

from lanecast.transport.stage import (
    ACK,
    CE,
    DATA,
    ECT1,
    Ack,
    Demux,
    Fifo,
    Outbox,
    Packet,
    Sink,
    Stage,
    copy_packet,
    make_ack,
    make_packet,
)

PACKET_FIELDS = ("flow", "kind", "size", "ecn", "pn", "index", "sent", "enqueued", "payload", "next")
REPORT_FIELDS = (
    *("largest", "cumulative", "delay", "ect0", "ect1", "ce", "received", "received_bytes"),
    *(f"{edge}{i}" for i in range(4) for edge in ("first", "last")),
)


def data(size: int = 1500, flow: int = 0, pn: int = 0) -> Packet:
    return make_packet(flow, DATA, size, ECT1, pn, pn, 5)


def test_a_recycled_packet_shows_nothing_of_its_former_life() -> None:
    for _ in range(3):
        used = make_packet(9, ACK, 99, CE, 98, 97, 96)
        used.payload = "old"
        used.next = data()
        del used
        fresh = make_packet(1, DATA, 2, ECT1, 3, 4, 5)
        assert [getattr(fresh, name) for name in PACKET_FIELDS] == [1, DATA, 2, ECT1, 3, 4, 5, 5, None, None]


def test_a_new_acknowledgement_reports_nothing() -> None:
    ack = make_ack(1, 40, 3, 7)
    assert (ack.largest, ack.cumulative, ack.received) == (-1, 0, 0)
    assert all(getattr(ack, f"first{i}") > getattr(ack, f"last{i}") for i in range(4))


def test_a_copy_of_an_acknowledgement_repeats_its_report() -> None:
    ack = make_ack(1, 40, 3, 7)
    for place, name in enumerate(REPORT_FIELDS):
        setattr(ack, name, 100 + place)
    copy = copy_packet(ack)
    assert isinstance(copy, Ack)
    assert copy is not ack
    assert [getattr(copy, name) for name in REPORT_FIELDS] == [
        100 + place for place in range(len(REPORT_FIELDS))
    ]


def test_fifo_keeps_order_count_and_size() -> None:
    line = Fifo()
    packets = [data(size=100 + i, pn=i) for i in range(5)]
    for packet in packets:
        line.append(packet)
    assert (line.count, line.size) == (5, 510)
    assert [line.popleft() for _ in range(5)] == packets
    assert line.popleft() is None
    assert (line.count, line.size, line.head, line.tail) == (0, 0, None, None)


def test_outbox_gives_packets_back_in_order_with_their_arrival_time() -> None:
    box = Outbox()
    first, second = data(pn=1), data(pn=2)
    box.push(10, first)
    box.push(20, second)
    assert box.held() == 2
    assert box.pull() is first
    assert first.enqueued == 10
    assert box.pull() is second
    assert box.pull() is None
    assert (box.pushed, box.passed, box.held()) == (2, 2, 0)


def test_demux_routes_by_flow_then_out_then_drops() -> None:
    demux, one, rest = Demux(), Sink(), Sink()
    demux.route(2, one)
    demux.push(0, data(flow=2))
    demux.push(0, data(flow=1))
    demux.push(0, data(flow=77))
    assert (one.pushed, demux.passed, demux.dropped) == (1, 1, 2)
    demux.out = rest
    demux.push(0, data(flow=77))
    assert rest.pushed == 1
    with pytest.raises(ValueError, match="flow must be >= 0"):
        demux.route(-1, one)


def test_the_base_stage_passes_packets_on_and_counts() -> None:
    stage, sink = Stage("wire"), Sink()
    stage.out = sink
    stage.push(0, data())
    assert (stage.pushed, stage.passed, stage.held(), sink.size) == (1, 1, 0, 1500)
