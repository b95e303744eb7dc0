from __future__ import annotations

import pytest

from lanecast.transport.calendar import Calendar
from lanecast.transport.receiver import HEADER, Application, Receiver
from lanecast.transport.stage import CE, DATA, ECT0, ECT1, NOT_ECT, Ack, Outbox, make_packet
from lanecast.transport.units import MS

SIZE = 1500


class Bench:
    """A receiver with its ACKs in an outbox; `data` hands it packets."""

    def __init__(self, **options: object) -> None:
        self.calendar = Calendar()
        self.receiver = Receiver(self.calendar, flow=3, **options)  # type: ignore[arg-type]
        self.acks = Outbox()
        self.receiver.out = self.acks

    def data(self, now: int, pn: int, index: int | None = None, ecn: int = NOT_ECT) -> list[Ack]:
        self.calendar.settle(now)
        self.receiver.push(now, make_packet(3, DATA, SIZE, ecn, pn, pn if index is None else index, now))
        return self.taken()

    def taken(self) -> list[Ack]:
        found: list[Ack] = []
        while (ack := self.acks.pull()) is not None:
            assert isinstance(ack, Ack)
            found.append(ack)
        return found


def spans(ack: Ack) -> list[tuple[int, int]]:
    pairs = (
        (ack.first0, ack.last0),
        (ack.first1, ack.last1),
        (ack.first2, ack.last2),
        (ack.first3, ack.last3),
    )
    return [pair for pair in pairs if pair[0] <= pair[1]]


class Recorder(Application):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[int] = []

    def on_data(self, now: int, cumulative: int) -> None:
        self.heard.append(cumulative)

    def on_unit(self, now: int, index: int) -> None:
        self.heard.append(index)


def test_every_second_packet_is_acknowledged() -> None:
    bench = Bench()
    counts = [len(bench.data(pn * MS, pn)) for pn in range(6)]
    assert counts == [0, 1, 0, 1, 0, 1]


def test_the_first_packets_of_a_flow_may_be_acknowledged_one_by_one() -> None:
    bench = Bench(quick_acks=4)
    counts = [len(bench.data(pn * MS, pn)) for pn in range(9)]
    assert counts == [1, 1, 1, 1, 0, 1, 0, 1, 0]


def test_packets_of_one_instant_are_answered_by_one_ack_after_the_last() -> None:
    bench = Bench(coalesce=True)
    bench.calendar.settle(MS)
    for pn in range(5):
        bench.receiver.push(MS, make_packet(3, DATA, SIZE, NOT_ECT, pn, pn, 0))
    assert bench.taken() == []
    bench.calendar.settle(MS)
    (ack,) = bench.taken()
    assert (ack.sent, ack.largest, ack.received) == (MS, 4, 5)
    assert bench.data(2 * MS, 5) == []
    bench.calendar.settle(2 * MS + bench.receiver.max_ack_delay - 1)
    assert bench.taken() == []  # a single packet waits as ever
    bench.calendar.settle(2 * MS + bench.receiver.max_ack_delay)
    assert len(bench.taken()) == 1


def test_a_single_packet_is_acknowledged_after_the_delay_exactly() -> None:
    bench = Bench(max_ack_delay=25 * MS)
    assert bench.data(10 * MS, 0) == []
    bench.calendar.settle(35 * MS - 1)
    assert bench.taken() == []
    bench.calendar.settle(35 * MS)
    (ack,) = bench.taken()
    assert (ack.sent, ack.delay, ack.largest, ack.cumulative) == (35 * MS, 25 * MS, 0, 1)


def test_the_delay_runs_from_the_first_packet_not_yet_acknowledged() -> None:
    bench = Bench(ack_every=3, max_ack_delay=25 * MS)
    bench.data(0, 0)
    bench.data(20 * MS, 1)
    bench.calendar.settle(25 * MS)
    (ack,) = bench.taken()
    assert (ack.sent, ack.delay) == (25 * MS, 5 * MS)


def test_a_stale_wake_up_sends_nothing_and_a_later_deadline_is_kept() -> None:
    bench = Bench(max_ack_delay=25 * MS)
    bench.data(0, 0)
    assert len(bench.data(1 * MS, 1)) == 1
    bench.data(10 * MS, 2)
    bench.calendar.settle(35 * MS - 1)  # the first wake-up, at 25 ms, finds nothing due
    assert bench.taken() == []
    bench.calendar.settle(35 * MS)
    assert [ack.sent for ack in bench.taken()] == [35 * MS]


def test_a_gap_and_everything_while_data_are_missing_are_acknowledged_at_once() -> None:
    bench = Bench()
    bench.data(0, 0)
    bench.data(0, 1)
    assert [len(bench.data(n * MS, pn)) for n, pn in enumerate((3, 4, 5))] == [1, 1, 1]
    (ack,) = bench.data(5 * MS, 6, index=2)  # the retransmission fills the hole
    assert ack.cumulative == 6
    assert bench.data(6 * MS, 7, index=6) == []


def test_an_ack_carries_the_four_highest_ranges() -> None:
    bench = Bench()
    for pn in (0, 2, 4, 6, 8, 9):
        acks = bench.data(pn * MS, pn)
    assert spans(acks[-1]) == [(8, 9), (6, 6), (4, 4), (2, 2)]
    assert acks[-1].largest == 9
    assert acks[-1].cumulative == 1


def test_a_reordered_packet_does_not_move_the_largest() -> None:
    bench = Bench()
    bench.data(0, 0)
    bench.data(1 * MS, 2)
    (ack,) = bench.data(9 * MS, 1)
    assert (ack.largest, ack.delay, spans(ack)) == (2, 8 * MS, [(0, 2)])
    assert bench.receiver.reordered == 1


def test_codepoints_are_counted_cumulatively() -> None:
    bench = Bench(ack_every=1)
    for pn, ecn in enumerate((NOT_ECT, ECT0, ECT1, ECT1, CE)):
        (ack,) = bench.data(pn, pn, ecn=ecn)
    assert (ack.ect0, ack.ect1, ack.ce, ack.received, ack.received_bytes) == (1, 2, 1, 5, 5 * SIZE)


def test_a_change_of_the_ce_mark_is_acknowledged_at_once_when_asked_for() -> None:
    bench = Bench(ack_every=100, ack_on_ce=True)
    counts = [len(bench.data(pn, pn, ecn=ecn)) for pn, ecn in enumerate((ECT1, ECT1, CE, CE, ECT1))]
    assert counts == [0, 0, 1, 0, 1]
    assert [len(Bench(ack_every=100).data(0, 0, ecn=CE))] == [0]


def test_goodput_counts_distinct_data_only() -> None:
    bench = Bench()
    for pn, index in enumerate((0, 1, 1, 0, 2)):
        bench.data(pn, pn, index=index)
    receiver = bench.receiver
    assert receiver.goodput_bytes == 3 * (SIZE - HEADER)
    assert (receiver.duplicates, receiver.received, receiver.cumulative) == (2, 5, 3)


def test_packets_without_data_are_acknowledged_but_no_goodput() -> None:
    bench = Bench(ack_every=1)
    (ack,) = bench.data(0, 0, index=-1)
    assert (ack.largest, ack.cumulative, bench.receiver.goodput_bytes) == (0, 0, 0)


def test_data_beyond_the_window_are_refused_unseen() -> None:
    bench = Bench(window=2)
    bench.data(0, 0)
    assert bench.data(1, 1, index=3) == []
    assert (bench.receiver.dropped, bench.receiver.received, bench.receiver.largest) == (1, 1, 0)


def test_application_hears_in_order_and_not_before_its_target() -> None:
    recorder = Recorder()
    bench = Bench(application=recorder)
    for pn, index in enumerate((0, 2, 3, 1)):
        bench.data(pn, pn, index=index)
    assert recorder.heard == [1, 4]
    late = Recorder()
    late.target = 3
    bench = Bench(application=late)
    for pn in range(4):
        bench.data(pn, pn)
    assert late.heard == [3, 4]


def test_unordered_application_hears_each_unit_once_as_it_comes() -> None:
    recorder = Recorder()
    bench = Bench(application=recorder, unordered=True)
    for pn, index in enumerate((2, 0, 2, 1)):
        bench.data(pn, pn, index=index)
    assert recorder.heard == [2, 0, 1]


def test_packets_and_acks_add_up() -> None:
    bench = Bench(window=5)
    for pn, index in enumerate((0, 1, 9, 2)):
        bench.data(pn, pn, index=index)
    receiver = bench.receiver
    assert receiver.pushed + receiver.created == receiver.passed + receiver.dropped + receiver.held()


def test_remembered_number_ranges_are_bounded() -> None:
    bench = Bench()
    for pn in range(0, 4000, 2):
        bench.data(pn, pn, index=pn // 2)
    assert bench.receiver.numbers.count <= 64
    assert bench.receiver.units.count == 0
    assert bench.receiver.cumulative == 2000


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="ack_every >= 1"):
        Bench(ack_every=0)
