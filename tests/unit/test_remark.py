from __future__ import annotations

from collections.abc import Callable

import pytest

from lanecast.emulation.capacity import Capacity
from lanecast.emulation.cross import ConstantTraffic
from lanecast.emulation.impair import Bleach, ClearCe, Remark, SetCe
from lanecast.emulation.link import Link
from lanecast.l4s.queue import Queue
from lanecast.transport.calendar import Calendar
from lanecast.transport.rng import Streams
from lanecast.transport.stage import CE, DATA, ECT0, ECT1, NOT_ECT, Outbox, make_packet
from lanecast.transport.units import MS

CODEPOINTS = (NOT_ECT, ECT1, ECT0, CE)


def after(stage: Remark, ecn: int) -> int:
    stage.out = outbox = Outbox()
    stage.push(0, make_packet(0, DATA, 100, ecn, 0, 0, 0))
    packet = outbox.pull()
    assert packet is not None
    assert packet.label == ecn  # what the sender wrote is remembered
    return packet.ecn


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (Bleach, [NOT_ECT, NOT_ECT, NOT_ECT, NOT_ECT]),
        (ClearCe, [NOT_ECT, ECT1, ECT0, ECT0]),
        (lambda: ClearCe(to=ECT1), [NOT_ECT, ECT1, ECT0, ECT1]),
        (SetCe, [NOT_ECT, CE, CE, CE]),
        (lambda: SetCe(everything=True), [CE, CE, CE, CE]),
        (lambda: Remark(None, (NOT_ECT, ECT0, ECT0, CE)), [NOT_ECT, ECT0, ECT0, CE]),
    ],
)
def test_codepoints_leave_as_the_table_says(make: Callable[[], Remark], expected: list[int]) -> None:
    assert [after(make(), ecn) for ecn in CODEPOINTS] == expected


def test_only_changed_packets_are_counted_and_draw() -> None:
    stream = Streams(1).stream("bleach")
    stage = Bleach(stream, 0.5)
    for _ in range(100):
        after(stage, NOT_ECT)
    assert stage.remarked == 0
    assert stream.next_double() == Streams(1).stream("bleach").next_double()


def test_a_share_is_bleached_within_five_standard_deviations() -> None:
    stage = Bleach(Streams(3).stream("bleach"), 0.3)
    cleared = sum(after(stage, ECT1) == NOT_ECT for _ in range(10_000))
    assert stage.remarked == cleared
    assert abs(cleared - 3000) < 5 * (10_000 * 0.3 * 0.7) ** 0.5
    assert stage.pushed == stage.passed == 10_000


def test_a_probability_of_zero_changes_nothing() -> None:
    assert after(Bleach(None, 0.0), CE) == CE


def test_bad_remarks_are_refused() -> None:
    with pytest.raises(ValueError, match="table of four ECN codepoints"):
        Remark(None, (0, 1, 2))
    with pytest.raises(ValueError, match="table of four ECN codepoints"):
        Remark(None, (0, 1, 2, 4))
    with pytest.raises(ValueError, match="needs a random stream"):
        Bleach(None, 0.5)
    with pytest.raises(ValueError, match=r"probability must be within 0\.\.1"):
        Bleach(None, 1.5)


def test_floods_may_carry_ect1() -> None:
    calendar = Calendar()
    flood = ConstantTraffic(calendar, 5, rate_bps=12_000_000, stop=3 * MS, ecn=ECT1)
    flood.out = outbox = Outbox()
    calendar.settle(10 * MS)
    packets = [outbox.pull() for _ in range(3)]
    assert [packet.ecn for packet in packets if packet is not None] == [ECT1] * 3


def test_framing_takes_time_on_the_wire_and_counts_as_no_data() -> None:
    calendar = Calendar()
    link = Link(calendar, Queue(), Capacity(100_000_000), overhead=14)
    link.out = outbox = Outbox()
    for pn in range(2):
        link.push(0, make_packet(0, DATA, 1500, NOT_ECT, pn, pn, 0))
    calendar.settle(MS)
    first, second = outbox.pull(), outbox.pull()
    assert first is not None
    assert second is not None
    assert (first.enqueued, second.enqueued) == (121_120, 242_240)  # 1514 bytes at 100 Mbit/s
    assert link.sent_bytes == 3000
    with pytest.raises(ValueError, match="overhead must be >= 0"):
        Link(calendar, Queue(), Capacity(1000), overhead=-1)
