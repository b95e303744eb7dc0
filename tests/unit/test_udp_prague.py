"""Prague over UDP on hand-made observations; packets of 1000 bytes."""

from __future__ import annotations

import pytest

from lanecast.transport.congestion.base import AckObservation, LossObservation
from lanecast.transport.congestion.udp_prague import QUIET, UdpPrague
from lanecast.transport.units import MS, SECOND

MSS = 1000


class Flow:
    """Acknowledges packets one by one at the controller's rate."""

    def __init__(self, rtt: int = 25 * MS, rate: int = 1_000_000) -> None:
        self.law = UdpPrague(mss=MSS, initial_rate_bps=rate)
        self.rtt = rtt
        self.now = self.pn = 0
        self.ack = AckObservation()

    def next(self, mark: int = 0) -> None:
        seen, law = self.ack, self.law
        self.now += int(MSS * 8e9 / law.rate)
        seen.now, seen.srtt, seen.acked, seen.acked_packets = self.now, self.rtt, MSS, 1
        seen.received, seen.ce = 1, mark
        seen.pn, seen.next_pn = self.pn, self.pn + max(int(law.window / MSS), 1)
        self.pn += 1
        law.on_ack(seen)

    def run(self, seconds: float, mark: int = 0) -> None:
        end = self.now + seconds * SECOND
        while self.now < end:
            self.next(mark)

    def lose(self) -> None:
        loss = LossObservation()
        loss.now, loss.pn, loss.next_pn, loss.srtt = self.now, self.pn, self.pn + 10, self.rtt
        self.law.on_loss(loss)


def test_it_starts_at_the_initial_rate_with_alpha_zero() -> None:
    law = UdpPrague(mss=MSS)
    assert (law.alpha, law.pacing_rate_bps) == (0.0, 100_000)
    flow = Flow(rate=10_000_000)
    flow.next()
    assert flow.law.rate == pytest.approx(10_000_000, rel=0.01)


def test_growth_is_one_packet_a_virtual_round_trip_until_it_was_quiet_for_long_enough() -> None:
    flow = Flow(rate=40_000_000)
    assert flow.law.quiet == QUIET + 2  # 40 / 15.36
    flow.next()
    before = flow.law.window
    while flow.law.quiet > 0:
        flow.next()
    assert flow.law.window - before == pytest.approx((QUIET + 2) * MSS, rel=0.15)
    before, start = flow.law.rate, flow.now
    while flow.now < start + 25 * MS:
        flow.next()
    assert flow.law.rate - before == pytest.approx(before / 25, rel=0.1)  # 1 ms of data in 25 ms


def test_rate_grows_alike_on_short_paths_in_window_and_rate_mode() -> None:
    gains = {}
    for rtt in (1 * MS, 5 * MS, 25 * MS):
        flow = Flow(rtt, rate=4_000_000)
        flow.next()
        assert flow.law.by_rate == (rtt <= 2 * MS)
        before, start = flow.law.rate, flow.now
        while flow.now < start + 150 * MS:
            flow.next()
        gains[rtt] = flow.law.rate - before
    assert gains[1 * MS] == pytest.approx(gains[25 * MS], rel=0.05)
    assert gains[5 * MS] == pytest.approx(gains[25 * MS], rel=0.05)


def test_marks_reduce_by_half_of_alpha_once_a_virtual_round_trip() -> None:
    flow = Flow(rate=10_000_000)
    flow.run(0.3, mark=1)
    law = flow.law
    alpha = 1 - (15 / 16) ** 12  # one update in 25 ms
    assert law.alpha == pytest.approx(alpha, rel=0.15)
    assert law.rate < 5_000_000


def test_a_loss_halves_at_most_once_a_virtual_round_trip_and_is_undone_when_spurious() -> None:
    flow = Flow(rtt=5 * MS, rate=10_000_000)
    flow.next()
    before = flow.law.window
    flow.lose()
    flow.pn += 50
    flow.now += 10 * MS
    flow.lose()
    assert flow.law.window == pytest.approx(before / 2)
    flow.law.on_spurious(flow.now)
    flow.next()
    assert flow.law.window == pytest.approx(before, rel=0.01)


def test_the_waiting_time_after_a_loss_is_that_of_a_flow_at_25_ms() -> None:
    flow = Flow(rtt=50 * MS, rate=64_000_000)
    flow.next()
    rate = flow.law.rate
    flow.lose()
    assert flow.law.quiet == int(rate / 8 / 2 / MSS * 25 / 50 * 0.025)


def test_the_window_leaves_room_and_pacing_swings_by_three_percent() -> None:
    flow = Flow(rate=40_000_000)
    flow.run(0.1)
    law = flow.law
    assert law.cwnd == (int(law.window * 1.03 / MSS) + 1) * MSS
    rates = set()
    for _ in range(200):
        flow.next()
        rates.add(round(law.pacing_rate_bps / law.rate, 2))
    assert rates == {1.03, 0.97}


def test_a_timeout_starts_anew() -> None:
    flow = Flow(rate=10_000_000)
    flow.run(1.0)
    flow.law.on_rto(LossObservation())
    assert flow.law.rate == 10_000_000
    assert flow.law.cwnd == MSS


def test_rates_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="least_rate_bps <= initial_rate_bps"):
        UdpPrague(initial_rate_bps=10)
