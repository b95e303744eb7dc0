"""A sender whose packets are carried by hand."""

from __future__ import annotations

import pytest

from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.base import AckObservation, CongestionControl, LossObservation
from lanecast.transport.congestion.fixed import Fixed
from lanecast.transport.congestion.reno import Reno
from lanecast.transport.pacing import Pacer
from lanecast.transport.receiver import Receiver
from lanecast.transport.recovery import Recovery
from lanecast.transport.recovery_laws import DupAck, RackTlp, Rfc9002
from lanecast.transport.sender import Sender
from lanecast.transport.stage import DATA, Outbox, Packet, make_ack, make_packet
from lanecast.transport.units import MS, NEVER, SECOND

RTT = 40 * MS


class Pair:
    """Sender and receiver on one calendar; data and ACKs wait in outboxes until carried."""

    def __init__(
        self, control: CongestionControl, recovery: Recovery | None = None, **options: object
    ) -> None:
        self.calendar = Calendar()
        self.sender = Sender(self.calendar, control, flow=0, recovery=recovery, **options)  # type: ignore[arg-type]
        self.receiver = Receiver(self.calendar, flow=0, ack_every=1)
        self.data, self.acks = Outbox(), Outbox()
        self.sender.out, self.receiver.out = self.data, self.acks

    def sent(self) -> list[Packet]:
        found = []
        while (packet := self.data.pull()) is not None:
            found.append(packet)
        return found

    def round_trip(self, now: int, lose: tuple[int, ...] = ()) -> list[int]:
        """Carry what is under way but the numbers in `lose`, then the ACKs; return the numbers carried."""
        self.calendar.settle(now)
        carried = []
        for packet in self.sent():
            if packet.pn not in lose:
                carried.append(packet.pn)
                self.receiver.push(now, packet)
        while (ack := self.acks.pull()) is not None:
            self.sender.push(now, ack)
        return carried


def test_the_window_bounds_what_is_in_flight() -> None:
    pair = Pair(Fixed(packets=4))
    pair.sender.bulk()
    pair.sender.start(0)
    pair.calendar.settle(0)
    assert [packet.pn for packet in pair.sent()] == [0, 1, 2, 3]
    assert pair.sender.recovery.in_flight == 6000


def test_start_waits_for_its_time() -> None:
    pair = Pair(Fixed(packets=1))
    pair.sender.bulk()
    pair.sender.start(5 * MS)
    pair.calendar.settle(5 * MS - 1)
    assert pair.sent() == []
    pair.calendar.settle(5 * MS)
    assert [packet.sent for packet in pair.sent()] == [5 * MS]


def test_a_lost_packet_is_sent_again_once_under_a_new_number() -> None:
    pair = Pair(Fixed(packets=10))
    pair.sender.write(0, 10)
    assert pair.round_trip(RTT, lose=(7,)) == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    # 8 and 9 are only two later packets: the time threshold decides, 9/8 RTT after it was sent
    assert pair.sent() == []
    pair.calendar.settle(RTT * 9 // 8)
    (again,) = pair.sent()
    assert (again.pn, again.index, again.sent) == (10, 7, RTT * 9 // 8)
    assert pair.sender.recovery.in_flight == 1500
    pair.receiver.push(2 * RTT, again)
    ack = pair.acks.pull()
    assert ack is not None
    pair.calendar.settle(2 * RTT)
    pair.sender.push(2 * RTT, ack)
    assert pair.sender.is_done()
    assert (pair.sender.retransmitted, pair.sender.recovery.in_flight) == (1, 0)


def test_probe_fires_at_its_time_and_finds_the_tail() -> None:
    pair = Pair(Fixed(packets=10))
    pair.sender.write(0, 2)
    pair.round_trip(RTT)
    pair.sender.write(RTT, 1)
    assert len(pair.sent()) == 1  # lost on its way
    rtt = pair.sender.recovery.rtt
    due = RTT + rtt.smoothed + 4 * rtt.rttvar + 25 * MS
    pair.calendar.settle(due - 1)
    assert pair.sent() == []
    pair.calendar.settle(due)
    (probe,) = pair.sent()
    assert (probe.index, probe.sent, pair.sender.probes, pair.sender.recovery.lost_packets) == (2, due, 1, 0)
    pair.calendar.settle(due + 2 * (rtt.smoothed + 4 * rtt.rttvar + 25 * MS))
    assert pair.sender.probes == 2


def test_probe_prefers_new_data_and_ignores_the_window() -> None:
    pair = Pair(Fixed(packets=2))
    pair.sender.write(0, 5)
    assert len(pair.sent()) == 2
    pair.calendar.settle(SECOND + 25 * MS)
    assert [packet.index for packet in pair.sent()] == [2]


@pytest.mark.parametrize("law", [Rfc9002, RackTlp, DupAck])
def test_a_transfer_ends_when_half_of_everything_is_lost(law: type[Recovery]) -> None:
    pair = Pair(Reno(), law())
    pair.sender.write(0, 60)
    now = 0
    turn = 0
    while not pair.sender.is_done() and turn < 2000:
        now = max(now + RTT, min(pair.calendar.next_event(), now + 60 * SECOND))
        pair.round_trip(now, lose=tuple(pn for pn in range(2000) if pn * 2654435761 % 100 < 50))
        turn += 1
    assert pair.sender.is_done()
    assert pair.receiver.goodput_bytes == 60 * 1448
    assert pair.sender.recovery.in_flight == 0


def test_dup_ack_timeout_collapses_the_window_and_resends_one() -> None:
    pair = Pair(Reno(), DupAck(rto_min=200 * MS))
    pair.sender.write(0, 10)
    pair.sent()  # all lost
    pair.calendar.settle(999 * MS)  # 333 + 4 x 166.5 ms before any sample
    (again,) = pair.sent()
    assert (again.index, again.pn, pair.sender.congestion.cwnd) == (0, 10, 1500.0)
    assert pair.sender.congestion.ssthresh == 7500.0


def test_receive_window_bounds_new_data() -> None:
    pair = Pair(Fixed(packets=100), window=3)
    pair.sender.write(0, 10)
    assert len(pair.sent()) == 3


def test_pacer_spreads_the_window() -> None:
    pair = Pair(Fixed(packets=100, rate_bps=12_000_000), pacer=Pacer(burst=0))
    pair.sender.write(0, 5)
    pair.calendar.settle(4 * MS)
    assert [packet.sent for packet in pair.sent()] == [0, MS, 2 * MS, 3 * MS, 4 * MS]


def test_paced_sender_does_not_wake_when_it_has_nothing_to_send() -> None:
    pair = Pair(Fixed(packets=100, rate_bps=12_000_000), pacer=Pacer(burst=0))
    pair.sender.write(0, 3)
    pair.calendar.settle(2 * MS)
    fired = pair.calendar.fired
    pair.calendar.settle(100 * MS)
    assert pair.calendar.fired == fired


def test_a_timer_that_moves_later_keeps_its_wake_up() -> None:
    pair = Pair(Fixed(packets=10))
    pair.sender.bulk()
    pair.sender.start(0)
    for turn in range(1, 50):
        pair.round_trip(turn * MS)
    # 490 packets and ACKs: the start, a timeout that comes nearer as the RTT is learnt, and its re-arming
    assert pair.sender.created > 400
    assert pair.calendar.posted < 10


def test_short_units_carry_the_rest_of_the_bytes() -> None:
    pair = Pair(Fixed(packets=10))
    assert pair.sender.write_bytes(0, 3000) == 3
    assert pair.sender.write_bytes(0, 100) == 4
    assert pair.sender.write_bytes(0, 1448) == 5
    assert [packet.size for packet in pair.sent()] == [1500, 1500, 156, 152, 1500]


def test_a_short_unit_is_resent_at_its_own_size() -> None:
    pair = Pair(Fixed(packets=10))
    pair.sender.write_bytes(0, 100)
    pair.sender.write(0, 4)
    pair.round_trip(RTT, lose=(0,))
    assert [(packet.index, packet.size) for packet in pair.sent()] == [(0, 152)]


def test_app_limited_until_the_window_binds() -> None:
    pair = Pair(Fixed(packets=4))
    pair.sender.write(0, 2)
    assert pair.sender.app_limited
    pair.sender.write(0, 5)
    assert not pair.sender.app_limited


class Diary(CongestionControl):
    """Writes down which hooks were called."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def on_sent(self, now: int, size: int, in_flight: int) -> None:
        self.heard.append(f"sent {in_flight}")

    def on_ack(self, ack: AckObservation) -> None:
        self.heard.append(f"ack {ack.acked_packets}")

    def on_loss(self, loss: LossObservation) -> None:
        self.heard.append(f"loss {loss.lost_packets} of {loss.flight}")

    def on_spurious(self, now: int) -> None:
        self.heard.append("spurious")

    def on_idle(self, now: int, idle: int) -> None:
        self.heard.append(f"idle {idle}")


def test_a_controller_in_plain_python_hears_everything_in_order() -> None:
    diary = Diary()
    pair = Pair(diary)
    pair.sender.write(0, 4)
    assert diary.heard == ["sent 1500", "sent 3000", "sent 4500", "sent 6000"]
    diary.heard.clear()
    late = pair.sent()
    for packet in late[1:]:
        pair.receiver.push(RTT, packet)
    while (ack := pair.acks.pull()) is not None:
        pair.sender.push(RTT, ack)
    assert diary.heard == ["ack 1", "ack 1", "loss 1 of 3000", "ack 1", "sent 1500"]
    diary.heard.clear()
    pair.receiver.push(RTT, late[0])
    ack = pair.acks.pull()
    assert ack is not None
    pair.sender.push(RTT, ack)
    assert diary.heard == ["spurious"]
    assert pair.sender.undone == 1


def test_restart_after_idle_is_told_once_nothing_was_in_flight_for_a_timeout() -> None:
    diary = Diary()
    pair = Pair(diary)
    pair.sender.write(0, 1)
    pair.round_trip(RTT)
    pair.calendar.settle(5 * SECOND)
    pair.sender.write(5 * SECOND, 2)
    assert [line for line in diary.heard if line.startswith("idle")] == [f"idle {5 * SECOND - RTT}"]


def test_packets_and_acks_add_up() -> None:
    pair = Pair(Reno())
    pair.sender.write(0, 40)
    for turn in range(1, 9):
        pair.round_trip(turn * RTT, lose=(3, 17))
    sender = pair.sender
    assert sender.pushed + sender.created == sender.passed + sender.dropped + sender.held()
    assert sender.created == 40 + sender.retransmitted


def test_misuse_is_refused() -> None:
    pair = Pair(Fixed(packets=1))
    with pytest.raises(TypeError, match="an Ack expected"):
        pair.sender.push(0, make_packet(0, DATA, 1500, 0, 0, 0, 0))
    with pytest.raises(ValueError, match="mss is 1400"):
        Sender(Calendar(), Fixed(mss=1400, packets=1), flow=0)
    with pytest.raises(ValueError, match="units >= 0"):
        pair.sender.write(0, -1)
    with pytest.raises(ValueError, match="size must be > 0"):
        pair.sender.write_bytes(0, 0)
    with pytest.raises(ValueError, match="header < packet_size"):
        Sender(Calendar(), Fixed(packets=1), flow=0, header=1500)


def test_an_ack_for_nothing_does_no_harm() -> None:
    pair = Pair(Fixed(packets=1))
    pair.sender.push(0, make_ack(0, 52, 0, 0))
    assert pair.calendar.next_event() == NEVER


def test_a_window_under_one_packet_lets_one_packet_go_at_a_time() -> None:
    control = Fixed(packets=1)
    control.cwnd = 700.0
    pair = Pair(control)
    pair.sender.write(0, 3)
    assert [packet.pn for packet in pair.sent()] == [0]
    pair.sender.write(1, 1)
    assert pair.sent() == []


def test_the_first_retransmission_of_an_episode_does_not_wait_for_the_window() -> None:
    control = Reno()
    pair = Pair(control)
    pair.sender.bulk()
    pair.sender.start(0)
    pair.calendar.settle(RTT)
    for packet in pair.sent()[1:4]:  # packet 0 is lost; three later ones say so
        pair.receiver.push(RTT, packet)
    while (ack := pair.acks.pull()) is not None:
        pair.sender.push(RTT, ack)
    assert [packet.sent for packet in pair.sent() if packet.index == 0] == [RTT]
    assert pair.sender.recovery.in_flight > control.cwnd
