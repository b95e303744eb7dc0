"""Loss-detection laws on hand-carried acknowledgements; times worked out from the RFCs."""

from __future__ import annotations

import pytest

from lanecast.transport.records import Sent
from lanecast.transport.recovery import LOSS, PROBE, RTO, Recovery
from lanecast.transport.recovery_laws import DupAck, RackTlp, Rfc9002
from lanecast.transport.rtt import RttEstimator
from lanecast.transport.stage import Ack, make_ack
from lanecast.transport.units import MS, NEVER, SECOND

SIZE = 1500


def acknowledge(
    recovery: Recovery,
    now: int,
    *ranges: tuple[int, int],
    cumulative: int = 0,
    received: int = 0,
    ce: int = 0,
) -> bool:
    """Carry an ACK with `ranges`, highest first, and judge the holes."""
    ack: Ack = make_ack(0, 52, 0, now)
    ack.largest = ranges[0][1]
    ack.cumulative, ack.received, ack.ce = cumulative, received, ce
    for place, (first, last) in enumerate(ranges):
        setattr(ack, f"first{place}", first)
        setattr(ack, f"last{place}", last)
    recovery.on_ack(now, ack)
    return bool(recovery.detect(now))


def send(recovery: Recovery, now: int, packets: int = 1, *, first: int | None = None) -> None:
    for place in range(packets):
        index = recovery.next_pn if first is None else first + place
        recovery.track(now, index, SIZE, first is not None)


def resend_lost(recovery: Recovery, now: int) -> list[int]:
    indices = []
    while (record := recovery.next_resend()) is not None:
        indices.append(record.index)
        recovery.resent(record)
        recovery.track(now, record.index, record.size, True)  # noqa: FBT003
    return indices


@pytest.mark.parametrize("law", [Rfc9002, RackTlp, DupAck])
def test_acknowledged_packets_leave_the_flight(law: type[Recovery]) -> None:
    recovery = law()
    send(recovery, 0, 5)
    assert (recovery.in_flight, recovery.count) == (5 * SIZE, 5)
    assert not acknowledge(recovery, 40 * MS, (0, 4), cumulative=5, received=5)
    assert (recovery.in_flight, recovery.count, recovery.delivered) == (0, 0, 5 * SIZE)
    seen = recovery.ack
    assert (seen.acked, seen.acked_packets, seen.rtt, seen.pn, seen.flight) == (
        5 * SIZE,
        5,
        40 * MS,
        4,
        5 * SIZE,
    )
    assert recovery.deadline() == NEVER


def test_no_rtt_sample_unless_the_largest_is_newly_acknowledged() -> None:
    recovery = Rfc9002()
    send(recovery, 0, 3)
    acknowledge(recovery, 50 * MS, (2, 2))
    acknowledge(recovery, 70 * MS, (1, 2))  # RFC 9002 5.1
    assert recovery.rtt.samples == 1
    assert recovery.ack.rtt == 0
    assert recovery.ack.acked == SIZE


def test_four_ranges_are_read_from_the_top() -> None:
    recovery = DupAck()
    send(recovery, 0, 12)
    acknowledge(recovery, 10 * MS, (10, 11), (7, 8), (4, 5), (1, 2), received=8)
    assert recovery.ack.acked_packets == 8
    left = []
    record = recovery.head
    while record is not None:
        left.append(record.pn)
        record = record.next
    assert left == [9]  # three later arrivals: 0, 3 and 6 are lost
    assert resend_lost(recovery, 10 * MS) == [0, 3, 6]


def test_cumulative_repairs_what_the_ranges_no_longer_tell() -> None:
    recovery = Rfc9002()
    send(recovery, 0, 14)
    acknowledge(recovery, 30 * MS, (13, 13), (11, 11), (9, 9), (7, 7), cumulative=6)
    assert recovery.lost_packets == 3  # 6, 8, 10; 0..5 arrived although no range names them, 12 waits
    assert recovery.delivered == 10 * SIZE


# RFC 9002 ---------------------------------------------------------------------------------------------------


def test_packet_threshold_is_three() -> None:
    recovery = Rfc9002(RttEstimator(warm=SECOND))
    send(recovery, 0, 4)
    assert not acknowledge(recovery, 10 * MS, (2, 2))
    assert acknowledge(recovery, 11 * MS, (2, 3))
    assert (recovery.loss.lost_packets, recovery.loss.pn) == (1, 0)


def test_time_threshold_is_nine_eighths_of_the_round_trip() -> None:
    recovery = Rfc9002()
    send(recovery, 0)
    send(recovery, 5 * MS)
    acknowledge(recovery, 85 * MS, (1, 1))  # RTT 80 ms
    assert recovery.loss_time == recovery.deadline() == 90 * MS  # 9/8 x 80 ms after packet 0 was sent
    assert recovery.on_timeout(90 * MS) == LOSS
    assert recovery.loss.pn == 0


def test_time_threshold_is_at_least_one_millisecond() -> None:
    recovery = Rfc9002()
    send(recovery, 0)
    send(recovery, 100)
    acknowledge(recovery, 200, (1, 1))
    assert recovery.loss_time == MS


def test_pto_is_exact_and_doubles_and_resets() -> None:
    recovery = Rfc9002()
    send(recovery, 0)
    acknowledge(recovery, 100 * MS, (0, 0), cumulative=1)  # srtt 100, var 50
    send(recovery, 200 * MS)
    assert recovery.deadline() == 200 * MS + 100 * MS + 200 * MS + 25 * MS  # srtt + 4 var + max_ack_delay
    assert recovery.on_timeout(525 * MS) == PROBE
    assert recovery.lost_packets == 0  # RFC 9002 6.2: a probe timeout declares nothing lost
    recovery.track(525 * MS, 1, SIZE, True)  # noqa: FBT003
    assert recovery.deadline() == 525 * MS + 2 * 325 * MS
    acknowledge(recovery, 600 * MS, (2, 2), (0, 0), cumulative=2)
    assert recovery.backoff == 0


def test_pto_before_any_sample_starts_from_333_ms() -> None:
    recovery = Rfc9002()
    send(recovery, 10)
    assert recovery.deadline() == 10 + 333 * MS + 4 * 166_500_000 + 25 * MS


@pytest.mark.parametrize(("gap", "expected"), [(976 * MS, True), (975 * MS, False)])
def test_persistent_congestion_needs_more_than_three_ptos_of_losses_in_a_row(
    gap: int, expected: bool
) -> None:
    recovery = Rfc9002()
    send(recovery, 0)
    acknowledge(recovery, 100 * MS, (0, 0), cumulative=1)
    send(recovery, 200 * MS)
    send(recovery, 200 * MS + gap)
    assert recovery.rtt.pto() == 325 * MS  # srtt 100, 4 var 200, max_ack_delay 25; times three: 975 ms
    recovery.lose_all(300 * MS + gap)
    assert (recovery.loss.lost_packets, recovery.persistent) == (2, expected)


def test_a_delivered_packet_between_breaks_persistent_congestion() -> None:
    recovery = Rfc9002()
    send(recovery, 0)
    acknowledge(recovery, 10 * MS, (0, 0), cumulative=1)
    send(recovery, 20 * MS)
    send(recovery, SECOND)
    send(recovery, 2 * SECOND, 4)
    acknowledge(recovery, 2 * SECOND + 10 * MS, (6, 6), (2, 2), (0, 0), cumulative=1)
    assert recovery.lost_packets == 2
    assert not recovery.persistent


# TCP --------------------------------------------------------------------------------------------------------


def test_dup_ack_counts_three_later_arrivals_not_three_numbers() -> None:
    recovery = DupAck()
    send(recovery, 0, 6)
    assert not acknowledge(recovery, 10 * MS, (5, 5))
    assert not acknowledge(recovery, 11 * MS, (4, 5))
    assert acknowledge(recovery, 12 * MS, (3, 5))
    assert recovery.loss.lost_packets == 3


def test_dup_ack_leaves_a_lost_retransmission_to_the_timer() -> None:
    recovery = DupAck()
    send(recovery, 0, 4)
    acknowledge(recovery, 10 * MS, (1, 3))
    assert resend_lost(recovery, 10 * MS) == [0]  # as packet 4
    send(recovery, 11 * MS, 5)
    assert not acknowledge(recovery, 25 * MS, (5, 9), (1, 3))
    assert recovery.loss_time == NEVER
    assert recovery.deadline() == 25 * MS + 200 * MS


def test_rto_is_bounded_below_and_doubles_to_64_times_and_60_seconds() -> None:
    recovery = DupAck(RttEstimator(warm=20 * MS), rto_min=SECOND)
    send(recovery, 0)
    now = recovery.deadline()
    assert now == SECOND
    gaps = []
    for _ in range(8):
        assert recovery.on_timeout(now) == RTO
        assert resend_lost(recovery, now) == [0]
        gaps.append(recovery.deadline() - now)
        now = recovery.deadline()
    assert gaps == [s * SECOND for s in (2, 4, 8, 16, 32, 60, 60, 60)]


def test_prototype_profile_takes_twice_the_round_trip() -> None:
    recovery = DupAck(RttEstimator(warm=30 * MS), rto_min=10 * MS, double_srtt=True)
    send(recovery, 7)
    assert recovery.deadline() == 7 + 60 * MS


def test_rto_restarts_with_every_new_acknowledgement() -> None:
    recovery = DupAck(RttEstimator(warm=20 * MS))
    send(recovery, 0, 3)
    acknowledge(recovery, 20 * MS, (0, 0), cumulative=1)
    assert recovery.deadline() == 220 * MS  # RFC 6298 5.3


def test_rack_declares_after_one_round_trip_and_a_quarter_of_the_least() -> None:
    recovery = RackTlp()
    send(recovery, 0)
    send(recovery, 3 * MS)
    acknowledge(recovery, 43 * MS, (1, 1))  # RTT 40 ms, window 10 ms
    assert recovery.loss_time == 50 * MS
    assert recovery.on_timeout(50 * MS) == LOSS
    assert recovery.loss.pn == 0


def test_rack_without_reordering_does_not_wait_after_three_later_arrivals() -> None:
    recovery = RackTlp()
    send(recovery, 0, 4)
    acknowledge(recovery, 40 * MS, (1, 2))
    assert recovery.lost_packets == 0
    assert acknowledge(recovery, 41 * MS, (1, 3))
    assert recovery.loss.pn == 0


def test_rack_window_grows_after_a_spurious_loss_and_stays_within_srtt() -> None:
    recovery = RackTlp()
    send(recovery, 0, 4)
    acknowledge(recovery, 40 * MS, (1, 3), received=3)
    assert resend_lost(recovery, 40 * MS) == [0]
    acknowledge(recovery, 50 * MS, (0, 3), cumulative=4, received=4)  # the original came late
    assert recovery.spurious_packets == 1
    assert recovery.window_factor == 2
    send(recovery, 60 * MS, 2)
    acknowledge(recovery, 100 * MS, (6, 6), (0, 3), cumulative=4, received=5)
    assert recovery.loss_time == 60 * MS + recovery.newest_rtt + 2 * recovery.rtt.min_rtt // 4


def test_tail_loss_probe_after_two_srtt_and_then_the_rto() -> None:
    recovery = RackTlp(RttEstimator(warm=50 * MS), rto_min=SECOND)
    recovery.rtt.update(0, 50 * MS, 0)
    send(recovery, 0, 2)
    assert recovery.deadline() == 100 * MS
    assert recovery.on_timeout(100 * MS) == PROBE
    probe = recovery.probe_record()
    assert probe is not None
    assert probe.pn == 1  # the last segment (RFC 8985 7.3)
    recovery.track(100 * MS, probe.index, probe.size, True)  # noqa: FBT003
    assert recovery.deadline() == 100 * MS + SECOND
    assert recovery.on_timeout(1100 * MS) == RTO
    assert recovery.count == 0


def test_probe_of_a_single_packet_waits_for_a_delayed_ack_but_not_beyond_the_rto() -> None:
    recovery = RackTlp(RttEstimator(warm=50 * MS), rto_min=SECOND)
    recovery.rtt.update(0, 50 * MS, 0)
    send(recovery, 0)
    assert recovery.deadline() == 100 * MS + 200 * MS  # RFC 8985 7.2: WCDelAckT
    short = RackTlp(RttEstimator(warm=50 * MS), rto_min=200 * MS)
    short.rtt.update(0, 50 * MS, 0)
    send(short, 0)
    assert short.deadline() == 200 * MS


# Spurious losses, episodes, samples -------------------------------------------------------------------------


@pytest.mark.parametrize("law", [Rfc9002, RackTlp, DupAck])
def test_a_late_original_is_counted_and_undoes_its_episode(law: type[Recovery]) -> None:
    recovery = law()
    send(recovery, 0, 5)
    acknowledge(recovery, 40 * MS, (2, 4), received=3)
    assert recovery.lost_packets == 2
    assert resend_lost(recovery, 40 * MS) == [0, 1]
    acknowledge(recovery, 41 * MS, (1, 4), received=4)
    assert (recovery.spurious_packets, recovery.undo) == (1, False)
    acknowledge(recovery, 42 * MS, (0, 4), cumulative=5, received=5)
    assert (recovery.spurious_packets, recovery.undo) == (2, True)
    acknowledge(recovery, 80 * MS, (0, 5), cumulative=5, received=6)
    assert not recovery.undo


def test_a_late_original_is_not_sent_again() -> None:
    recovery = DupAck()
    send(recovery, 0, 5)
    acknowledge(recovery, 40 * MS, (2, 4), received=3)
    acknowledge(recovery, 41 * MS, (2, 4), (0, 0), received=4)
    assert resend_lost(recovery, 42 * MS) == [1]


def test_data_that_arrived_meanwhile_are_not_sent_again() -> None:
    recovery = DupAck()
    send(recovery, 0, 5)
    acknowledge(recovery, 40 * MS, (2, 4), received=3)
    acknowledge(recovery, 41 * MS, (2, 4), cumulative=5, received=3)
    assert resend_lost(recovery, 42 * MS) == []


def test_losses_of_one_round_trip_are_one_episode() -> None:
    recovery = Rfc9002()
    send(recovery, 0, 10)
    acknowledge(recovery, 40 * MS, (3, 3))
    assert (recovery.episode, recovery.loss.fresh) == (1, True)
    acknowledge(recovery, 41 * MS, (7, 7), (3, 3))
    assert (recovery.episode, recovery.loss.fresh) == (1, False)
    send(recovery, 50 * MS, 5)
    acknowledge(recovery, 90 * MS, (14, 14), (7, 7), (3, 3))
    assert (recovery.episode, recovery.loss.fresh) == (2, True)


def test_rounds_begin_with_the_first_packet_sent_in_them() -> None:
    recovery = Rfc9002()
    send(recovery, 0, 4)
    starts = []
    for pn in range(4):
        acknowledge(recovery, 40 * MS + pn, (0, pn), cumulative=pn + 1)
        starts.append(recovery.ack.round_start)
        send(recovery, 40 * MS + pn)
    acknowledge(recovery, 80 * MS, (0, 4), cumulative=5)
    assert [*starts, recovery.ack.round_start] == [True, False, False, False, True]


def test_delivery_rate_is_that_of_the_bottleneck() -> None:
    recovery = Rfc9002()
    send(recovery, 0, 10)
    for pn in range(10):  # one packet each ms: 12 Mbit/s
        acknowledge(recovery, 40 * MS + pn * MS, (0, pn), cumulative=pn + 1)
        send(recovery, 40 * MS + pn * MS)
    for pn in range(10, 20):
        acknowledge(recovery, 80 * MS + pn * MS, (0, pn), cumulative=pn + 1)
    assert recovery.ack.delivery_rate_bps() == pytest.approx(12e6 * 10 * MS / (50 * MS), rel=1e-9)


def test_rate_samples_of_an_idle_application_say_so() -> None:
    recovery = Rfc9002()
    send(recovery, 0)
    recovery.note_app_limited()
    send(recovery, 1)
    acknowledge(recovery, 40 * MS, (0, 1), cumulative=2)
    assert recovery.ack.rate_app_limited
    send(recovery, 50 * MS)
    acknowledge(recovery, 90 * MS, (0, 2), cumulative=3)
    assert not recovery.ack.rate_app_limited


def test_marks_are_counted_once_whatever_acks_repeat() -> None:
    recovery = Rfc9002()
    send(recovery, 0, 4)
    acknowledge(recovery, 40 * MS, (0, 1), received=2, ce=2)
    assert (recovery.ack.ce, recovery.ack.received) == (2, 2)
    acknowledge(recovery, 41 * MS, (0, 1), received=2, ce=2)
    assert (recovery.ack.ce, recovery.ack.received) == (0, 0)
    acknowledge(recovery, 42 * MS, (0, 3), received=4, ce=3)
    assert (recovery.ack.ce, recovery.marks) == (1, 3)


def test_an_old_acknowledgement_changes_nothing() -> None:
    recovery = Rfc9002()
    send(recovery, 0, 4)
    acknowledge(recovery, 40 * MS, (0, 3), cumulative=4, received=4)
    before = (recovery.rtt.smoothed, recovery.largest, recovery.cumulative, recovery.delivered)
    acknowledge(recovery, 45 * MS, (0, 1), cumulative=2, received=2)
    assert before == (recovery.rtt.smoothed, recovery.largest, recovery.cumulative, recovery.delivered)


def test_watched_records_are_bounded() -> None:
    recovery = Rfc9002()
    for turn in range(300):
        send(recovery, turn * 100 * MS, 8)
        acknowledge(recovery, turn * 100 * MS + 40 * MS, (recovery.next_pn - 1, recovery.next_pn - 1))
        resend_lost(recovery, turn * 100 * MS + 41 * MS)
    assert recovery.watched <= 256


def test_a_long_chain_of_records_is_freed_without_recursion() -> None:
    recovery = Rfc9002()
    send(recovery, 0, 300_000)
    del recovery


def test_a_base_without_a_law_says_so() -> None:
    with pytest.raises(NotImplementedError):
        Recovery().deadline()


class Counted(RackTlp):
    """Counts how often a hole is judged."""

    def __init__(self) -> None:
        super().__init__()
        self.judged = 0

    def lost_at(self, record: Sent) -> int:
        self.judged += 1
        return super().lost_at(record)


def test_waiting_holes_cost_nothing() -> None:
    recovery = Counted()
    send(recovery, 0, 2)
    acknowledge(recovery, 40 * MS, (1, 1), received=1)
    acknowledge(
        recovery, 40 * MS, (0, 1), cumulative=2, received=2
    )  # reordering seen: holes wait min_rtt / 4
    for step in range(1000):  # every second packet arrives at once, the others are late
        send(recovery, 100 * MS + step, 2)
    judged = recovery.judged
    for step in range(1000):
        newest = 3 + 2 * step
        ranges = [(newest - 2 * back, newest - 2 * back) for back in range(min(4, step + 1))]
        acknowledge(recovery, 140 * MS + step, *ranges, cumulative=2, received=3 + step)
    assert recovery.lost_packets == 0
    assert recovery.judged - judged <= 1000  # one for each ACK, not one for each hole and ACK
    assert recovery.above(recovery.head) == 1000  # type: ignore[arg-type]


def test_a_lost_retransmission_waits_for_the_timer_and_costs_nothing() -> None:
    recovery = DupAck()
    send(recovery, 0, 8)
    assert acknowledge(recovery, 40 * MS, (4, 7), received=4)
    assert recovery.lost_packets == 4
    resend_lost(recovery, 41 * MS)  # numbers 8 to 11, which are lost too
    send(recovery, 42 * MS, 20)
    assert not acknowledge(recovery, 82 * MS, (12, 31), (4, 7), received=24)
    assert (recovery.count, recovery.loss_time) == (4, NEVER)
    assert not acknowledge(
        recovery, 83 * MS, (12, 31), (9, 9), (4, 7), received=25
    )  # one of them was only late
    assert recovery.count == 3
    recovery.lose_all(300 * MS)
    assert (recovery.count, recovery.lost_packets) == (0, 7)
