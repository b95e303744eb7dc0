"""BBR version 1 on a made-up path of 100 packets a round trip; packets of 1000 bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lanecast.transport.congestion.base import AckObservation, LossObservation
from lanecast.transport.congestion.bbr import (
    CYCLE,
    DRAIN,
    HIGH_GAIN,
    MARGIN,
    PROBE_BW,
    PROBE_RTT,
    STARTUP,
    Bbr,
    PathModel,
)
from lanecast.transport.congestion.bbr3 import CRUISE, DOWN, REFILL, UP, Bbr3
from lanecast.transport.units import MS, SECOND

MSS = 1000
RTT = 20 * MS
RATE = 40_000_000  # bit/s: 100 packets a round trip


class Path:
    """Acknowledges two packets every 0.4 ms; what a test does not set is a full, quiet path."""

    def __init__(self, law: PathModel) -> None:
        self.law = law
        self.now = 0
        self.ack = AckObservation()
        self.places = 0

    def step(self, rate: int = RATE, rtt: int = RTT, flight: int = 100, **fields: object) -> None:
        seen = self.ack
        self.now += 400_000
        seen.now, seen.rtt, seen.srtt, seen.min_rtt = self.now, rtt, rtt, rtt
        seen.acked, seen.acked_packets, seen.received, seen.ce = 2 * MSS, 2, 2, 0
        seen.pn, seen.next_pn = 2 * self.places, 2 * self.places + 100
        seen.round_start = self.places % 50 == 0
        seen.delivered += seen.acked
        seen.rate_size, seen.rate_interval = rate * RTT // 8_000_000_000, RTT
        seen.flight, seen.in_flight, seen.rate_app_limited = flight * MSS, flight * MSS, False
        for name, value in fields.items():
            setattr(seen, name, value)
        self.places += 1
        self.law.on_ack(seen)

    def rounds(self, count: float, **fields: object) -> None:
        for _ in range(round(50 * count)):
            self.step(**fields)  # type: ignore[arg-type]

    def states(self, seconds: float, **fields: object) -> list[int]:
        """Run on and return the states in their order."""
        seen = [self.law.state]
        end = self.now + seconds * SECOND
        while self.now < end:
            self.step(**fields)  # type: ignore[arg-type]
            if self.law.state != seen[-1]:
                seen.append(self.law.state)
        return seen


def settled(law: PathModel) -> Path:
    """Return a path whose flow has left STARTUP and DRAIN."""
    path = Path(law)
    path.rounds(6)
    return path


@pytest.mark.parametrize("law", [Bbr, Bbr3])
def test_startup_ends_after_three_rounds_without_a_quarter_more_bandwidth(
    law: Callable[..., PathModel],
) -> None:
    path = Path(law(mss=MSS))
    for rate in (5, 10, 20, 40):
        path.rounds(1, rate=rate * 1_000_000, flight=200)
        assert path.law.state == STARTUP
    path.rounds(2, flight=200)
    assert path.law.state == STARTUP
    path.rounds(1, flight=200)
    assert path.law.state == DRAIN
    assert path.law.full


def test_a_growth_of_a_quarter_keeps_startup_going() -> None:
    path = Path(Bbr(mss=MSS))
    rate = 1_000_000.0
    for _ in range(12):
        path.rounds(1, rate=int(rate), flight=200)
        rate *= 1.27
    assert path.law.state == STARTUP


def test_startup_paces_at_the_high_gain_and_never_slows() -> None:
    path = Path(Bbr(mss=MSS))
    path.step(rate=0)
    assert path.law.pacing_rate_bps == pytest.approx(HIGH_GAIN * 10 * MSS * 8e9 / RTT, rel=1e-6)
    path.rounds(1, rate=1_000_000)
    assert path.law.pacing_rate_bps == pytest.approx(HIGH_GAIN * 10 * MSS * 8e9 / RTT, rel=1e-6)
    path.rounds(1)
    assert path.law.pacing_rate_bps == pytest.approx(HIGH_GAIN * RATE * MARGIN, rel=1e-6)


def test_drain_lasts_until_the_flight_is_the_path_s_content() -> None:
    path = Path(Bbr(mss=MSS))
    path.rounds(6, flight=150)
    assert path.law.state == DRAIN
    assert path.law.pacing_rate_bps == pytest.approx(RATE * MARGIN / HIGH_GAIN, rel=1e-6)
    path.step(flight=100)
    assert path.law.state == PROBE_BW


def test_the_gain_cycle_is_one_probe_one_drain_and_six_even_phases() -> None:
    path = settled(Bbr(mss=MSS))
    gains = [path.law.pacing_gain]
    for _ in range(50 * 20):
        path.step(flight=240 if path.law.pacing_gain > 1 else 101)
        if path.law.pacing_gain != gains[-1]:
            gains.append(path.law.pacing_gain)
    assert gains[:7] == [1.0, 1.25, 0.75, 1.0, 1.25, 0.75, 1.0]
    assert sum(CYCLE) == 8


def test_the_probing_phase_lasts_until_the_flight_rose_or_a_packet_was_lost() -> None:
    path = settled(Bbr(mss=MSS, phase=0))
    assert path.law.pacing_gain == 1.25
    path.rounds(3)
    assert path.law.pacing_gain == 1.25
    path.law.on_loss(LossObservation())
    path.rounds(1)
    assert path.law.pacing_gain < 1.25


def test_bandwidth_is_the_maximum_of_ten_rounds() -> None:
    path = settled(Bbr(mss=MSS))
    path.rounds(8, rate=RATE // 2)
    assert path.law.bandwidth == RATE
    path.rounds(3, rate=RATE // 2)
    assert path.law.bandwidth == RATE // 2


def test_samples_of_an_application_limited_flow_count_only_upwards() -> None:
    path = settled(Bbr(mss=MSS))
    path.rounds(15, rate=RATE // 2, rate_app_limited=True)
    assert path.law.bandwidth == RATE
    path.rounds(1, rate=2 * RATE, rate_app_limited=True)
    assert path.law.bandwidth == 2 * RATE


def test_the_least_rtt_expires_after_ten_seconds_and_is_probed_with_four_packets_for_200_ms() -> None:
    path = settled(Bbr(mss=MSS))
    law = path.law
    begin = law.min_rtt_at
    while law.state != PROBE_RTT:
        path.step(rtt=RTT + MS)
    assert path.now - begin == pytest.approx(10 * SECOND, abs=MS)
    assert law.cwnd == 4 * MSS
    assert law.min_rtt == RTT + MS
    path.rounds(5)  # the flight has not fallen: the 200 ms have not begun
    assert law.state == PROBE_RTT
    begin = path.now
    while law.state == PROBE_RTT:
        path.step(flight=4, rate=RATE // 25)
    assert path.now - begin == pytest.approx(200 * MS, abs=2 * MS)
    assert law.bandwidth == RATE  # what was delivered meanwhile says nothing of the path
    path.rounds(2)
    assert law.cwnd > 150 * MSS


def test_version_1_ignores_losses_and_marks() -> None:
    plain, hurt = settled(Bbr(mss=MSS)), settled(Bbr(mss=MSS))
    plain.rounds(3)
    hurt.rounds(1, ce=2)
    hurt.law.on_loss(LossObservation())
    hurt.rounds(2, ce=2)
    assert (plain.law.cwnd, plain.law.pacing_rate_bps) == (hurt.law.cwnd, hurt.law.pacing_rate_bps)


def test_the_window_is_twice_the_path_s_content_and_room_for_bursts() -> None:
    path = settled(Bbr(mss=MSS))
    path.rounds(5)
    burst = path.law.pacing_rate_bps / 8 / 1024
    assert path.law.cwnd == pytest.approx(200 * MSS + 3 * burst, rel=0.01)


def test_idle_restart_paces_at_the_bandwidth() -> None:
    path = settled(Bbr(mss=MSS, phase=0))
    path.law.on_idle(path.now, SECOND)
    assert path.law.pacing_rate_bps == pytest.approx(MARGIN * RATE, rel=1e-6)


# Version 3 --------------------------------------------------------------------------------------------------


def lose(path: Path, packets: int, flight: int = 100) -> None:
    loss = LossObservation()
    loss.now, loss.lost, loss.lost_packets, loss.flight = path.now, packets * MSS, packets, flight * MSS
    path.law.on_loss(loss)


def test_version_3_cycles_down_cruise_refill_up() -> None:
    path = settled(Bbr3(mss=MSS))
    seen = path.states(4, flight=99)
    assert seen[:6] == [CRUISE, REFILL, UP, DOWN, CRUISE, REFILL]


def test_version_3_waits_two_to_three_seconds_or_as_many_rounds_as_reno() -> None:
    law = Bbr3(mss=MSS)
    path = settled(law)
    begin = law.cycle_start
    while law.state != REFILL:
        path.step(flight=99)
    assert 61 * RTT <= path.now - begin <= 64 * RTT  # 63 rounds of 20 ms come before 2 s
    assert 2 * SECOND <= law.wait <= 3 * SECOND


def test_version_3_probes_the_rtt_every_five_seconds_with_half_the_content() -> None:
    law = Bbr3(mss=MSS)
    path = settled(law)
    begin = law.probe_rtt_at
    while law.state != PROBE_RTT:
        path.step(rtt=RTT + MS, flight=99)
    assert path.now - begin == pytest.approx(5 * SECOND, abs=MS)
    assert law.cwnd == pytest.approx(50 * MSS, rel=0.01)
    assert law.min_rtt == RTT  # the estimate itself lives for ten


def test_version_3_a_round_with_losses_lowers_the_short_term_bounds_to_70_percent() -> None:
    law = Bbr3(mss=MSS)
    path = settled(law)
    path.rounds(2, flight=99)
    assert law.state == CRUISE
    window = law.cwnd
    lose(path, 1)
    path.rounds(1.1, flight=99, rate=RATE // 4)
    lose(path, 1)
    path.rounds(1.1, flight=99, rate=RATE // 4)
    assert law.low_bandwidth <= 0.7 * RATE
    assert law.low < window
    path.states(2.5, flight=99)
    assert law.low_bandwidth > RATE  # forgotten at the next probe


def test_version_3_a_probe_that_loses_two_percent_sets_the_long_term_bound_and_ends() -> None:
    law = Bbr3(mss=MSS)
    path = settled(law)
    while law.state != UP:
        path.step(flight=99)
    lose(path, 2, flight=130)
    assert law.state == UP
    lose(path, 1, flight=130)
    assert law.state == DOWN
    assert law.high == 130 * MSS
    path.rounds(3, flight=99)
    assert law.cwnd <= 0.85 * 130 * MSS + 1  # headroom while cruising


def test_version_3_hears_marks_only_on_paths_up_to_5_ms() -> None:
    long, short = Bbr3(mss=MSS), Bbr3(mss=MSS)
    for law, rtt in ((long, 20 * MS), (short, 4 * MS)):
        path = Path(law)
        path.rounds(6, rtt=rtt, flight=10)
        path.rounds(5, rtt=rtt, flight=10, ce=1)
    assert long.alpha == 1.0
    assert short.alpha < 1.0
    assert short.low < long.low


def test_version_3_heavy_marks_end_startup_after_two_rounds() -> None:
    path = Path(Bbr3(mss=MSS))
    path.rounds(1, rtt=4 * MS, rate=1_000_000)
    path.rounds(3, rtt=4 * MS, rate=1_000_000, ce=2)
    assert path.law.full


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="phase must lie"):
        Bbr(phase=8)
    with pytest.raises(ValueError, match="ecn_max_rtt"):
        Bbr3(ecn_max_rtt=-1)
