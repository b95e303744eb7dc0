"""Window laws on hand-made observations; sizes in packets of 1000 bytes."""

from __future__ import annotations

import pytest

from lanecast.transport.congestion.base import INITIAL_PACKETS, AckObservation, LossObservation
from lanecast.transport.congestion.fixed import Fixed
from lanecast.transport.congestion.reno import ABE_FACTOR, Reno
from lanecast.transport.units import MS, SECOND

MSS = 1000


def acked(packets: float, pn: int = 0, **fields: object) -> AckObservation:
    seen = AckObservation()
    seen.acked, seen.acked_packets, seen.pn, seen.next_pn = int(packets * MSS), int(packets), pn, pn + 50
    seen.flight = 10 * MSS
    for name, value in fields.items():
        setattr(seen, name, value)
    return seen


def lost(pn: int, flight: int, next_pn: int = 0) -> LossObservation:
    loss = LossObservation()
    loss.pn, loss.next_pn, loss.flight = pn, next_pn or pn + 50, flight * MSS
    return loss


def test_slow_start_grows_by_what_was_acknowledged() -> None:
    reno = Reno(mss=MSS)
    reno.on_ack(acked(3))
    assert reno.cwnd == (INITIAL_PACKETS + 3) * MSS


def test_avoidance_grows_by_one_packet_a_round_trip() -> None:
    reno = Reno(mss=MSS)
    reno.on_loss(lost(0, 20))
    window = reno.cwnd / MSS
    for _ in range(10):
        reno.on_ack(acked(1, pn=100))
    assert reno.cwnd / MSS == pytest.approx(window + 1, abs=0.05)


def test_slow_start_stops_at_ssthresh_and_the_rest_counts_for_avoidance() -> None:
    reno = Reno(mss=MSS)
    reno.on_loss(lost(0, 24))  # ssthresh 12
    reno.on_persistent_congestion(lost(0, 24))
    assert (reno.cwnd, reno.ssthresh) == (2 * MSS, 12 * MSS)
    reno.on_ack(acked(10, pn=100))
    assert reno.cwnd == 12 * MSS
    reno.on_ack(acked(12, pn=100))
    assert reno.cwnd == 13 * MSS


def test_a_loss_halves_the_flight_once_a_round_trip() -> None:
    reno = Reno(mss=MSS)
    reno.on_loss(lost(30, 40, next_pn=60))
    assert (reno.cwnd, reno.ssthresh) == (20 * MSS, 20 * MSS)
    reno.on_loss(lost(59, 40))
    assert reno.cwnd == 20 * MSS
    reno.on_loss(lost(60, 20))
    assert reno.cwnd == 10 * MSS


def test_the_window_never_falls_under_two_packets_by_losses() -> None:
    reno = Reno(mss=MSS)
    reno.on_loss(lost(0, 1))
    assert reno.cwnd == 2 * MSS


def test_packets_sent_before_the_reduction_do_not_grow_the_window() -> None:
    reno = Reno(mss=MSS)
    reno.on_loss(lost(30, 40, next_pn=60))
    reno.on_ack(acked(2, pn=59))
    assert reno.cwnd == 20 * MSS
    reno.on_ack(acked(1, pn=60))
    assert reno.cwnd == 20 * MSS + MSS / 20


def test_a_mark_reduces_like_a_loss_once_a_round_trip() -> None:
    reno = Reno(mss=MSS)
    reno.on_ack(acked(1, pn=10, ce=1))
    assert reno.cwnd == 5 * MSS
    reno.on_ack(acked(1, pn=20, ce=3))
    assert reno.cwnd == 5 * MSS


def test_abe_reduces_less_for_a_mark_than_for_a_loss() -> None:
    reno = Reno(mss=MSS, mark_factor=ABE_FACTOR)
    reno.on_ack(acked(1, pn=10, ce=1))
    assert reno.cwnd == 8 * MSS


def test_a_timeout_falls_to_one_packet() -> None:
    reno = Reno(mss=MSS)
    reno.on_rto(lost(40, 30))
    assert (reno.cwnd, reno.ssthresh) == (MSS, 15 * MSS)


def test_a_spurious_loss_is_undone_without_shrinking() -> None:
    reno = Reno(mss=MSS)
    reno.on_ack(acked(30))
    reno.on_loss(lost(30, 40, next_pn=60))
    reno.on_spurious(0)
    assert reno.cwnd == 40 * MSS
    assert reno.ssthresh > 1e17
    reno.on_spurious(0)
    assert reno.cwnd == 40 * MSS


def test_an_application_limited_window_does_not_grow() -> None:
    reno = Reno(mss=MSS)
    reno.on_ack(acked(5, app_limited=True))
    assert reno.cwnd == INITIAL_PACKETS * MSS


def test_restart_after_idle_takes_the_initial_window() -> None:
    reno = Reno(mss=MSS)
    reno.on_ack(acked(90))
    reno.on_idle(0, SECOND)
    assert reno.cwnd == INITIAL_PACKETS * MSS


def rounds(reno: Reno, rtts: list[int], acks: int = 10) -> None:
    """Play one round trip per entry, each acknowledged in `acks` packets at that RTT."""
    for rtt in rtts:
        for place in range(acks):
            reno.on_ack(acked(1, rtt=rtt * MS, round_start=place == 0))


def test_hystart_slows_growth_when_the_round_trip_rises_by_an_eighth() -> None:
    reno = Reno(mss=MSS, hystart=True)
    rounds(reno, [80, 80])
    assert reno.cwnd == 30 * MSS
    rounds(reno, [90])  # 80 + 80/8: the eighth sample completes the evidence, then growth is a quarter
    assert reno.hystart is not None
    assert reno.hystart.conservative
    assert reno.cwnd == (37 + 3 * 0.25) * MSS


def test_hystart_ends_slow_start_after_five_conservative_rounds() -> None:
    reno = Reno(mss=MSS, hystart=True)
    rounds(reno, [80, 80, 95, 95, 95, 95, 95])
    assert reno.ssthresh > 1e17
    rounds(reno, [95])
    assert reno.ssthresh < 100 * MSS


def test_hystart_takes_a_false_alarm_back() -> None:
    reno = Reno(mss=MSS, hystart=True)
    rounds(reno, [80, 80, 95, 80])
    assert reno.hystart is not None
    assert not reno.hystart.conservative


def test_hystart_threshold_lies_between_4_and_16_ms() -> None:
    for base, rise, expected in ((10, 3, False), (10, 4, True), (400, 15, False), (400, 16, True)):
        reno = Reno(mss=MSS, hystart=True)
        rounds(reno, [base, base, base + rise])
        assert reno.hystart is not None
        assert reno.hystart.conservative == expected, (base, rise)


def test_hystart_is_for_the_first_slow_start_only() -> None:
    reno = Reno(mss=MSS, hystart=True)
    reno.on_loss(lost(0, 40))
    assert reno.hystart is None
    reno.on_rto(lost(60, 30))
    for pn in range(200, 210):
        reno.on_ack(acked(1, pn=pn, rtt=500 * MS, round_start=True))
    assert reno.cwnd == 11 * MSS  # slow start towards ssthresh, whatever the RTT


def recover(reno: Reno, flight: int, first: int = 1) -> list[int]:
    """Lose the first packet of a full flight, acknowledge the others one by one; return the packets sent for each."""
    loss = lost(0, flight, next_pn=flight)
    loss.in_flight = (flight - 1) * MSS
    reno.on_loss(loss)
    in_flight, next_pn, sent = flight - 1, flight, []
    for pn in range(first, flight):
        in_flight -= 1
        reno.on_ack(acked(1, pn=pn, next_pn=next_pn, in_flight=in_flight * MSS))
        fits = max(int(reno.cwnd / MSS) - in_flight, 0)
        sent.append(fits)
        in_flight, next_pn = in_flight + fits, next_pn + fits
    assert in_flight <= reno.ssthresh / MSS + 1
    return sent


def test_prr_sends_one_packet_for_two_acknowledged_when_the_window_is_halved() -> None:
    sent = recover(Reno(mss=MSS, prr=True), 40)
    assert sent[:8] == [1, 0, 1, 0, 1, 0, 1, 0]
    assert sum(sent) == pytest.approx(20, abs=1)
    at_once = recover(Reno(mss=MSS), 40)
    assert at_once[:19] == [0] * 19  # without it: half a round trip of silence


def test_prr_follows_the_factor_and_ends_at_ssthresh() -> None:
    reno = Reno(mss=MSS, prr=True, loss_factor=0.75)
    assert sum(recover(reno, 40)) == pytest.approx(30, abs=1)
    assert reno.reducing
    reno.on_ack(acked(1, pn=40, in_flight=29 * MSS))
    assert not reno.reducing
    assert reno.cwnd == 30 * MSS + MSS / 30


def test_prr_grows_by_slow_start_when_the_flight_fell_below_ssthresh() -> None:
    reno = Reno(mss=MSS, prr=True)
    reno.on_loss(lost(0, 40, next_pn=40))
    reno.on_ack(acked(1, pn=30, next_pn=40, in_flight=5 * MSS))  # most of the flight was lost
    assert reno.cwnd == 5 * MSS + 2 * MSS


def test_factors_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"factors must lie in \(0, 1\)"):
        Reno(loss_factor=1.0)
    with pytest.raises(ValueError, match="mss and initial_packets"):
        Reno(mss=0)


def test_fixed_keeps_window_and_rate_whatever_happens() -> None:
    fixed = Fixed(mss=MSS, packets=7, rate_bps=1_000_000)
    fixed.on_loss(lost(0, 7))
    fixed.on_rto(lost(0, 7))
    fixed.on_ack(acked(3, ce=3))
    assert (fixed.cwnd, fixed.pacing_rate_bps) == (7 * MSS, 1_000_000)
    with pytest.raises(ValueError, match="packets or rate_bps"):
        Fixed()
