"""TCP Prague on hand-made observations, and RFC 9331 section 4's requirements; packets of 1000 bytes."""

from __future__ import annotations

import pytest

from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.base import AckObservation, CongestionControl, LossObservation
from lanecast.transport.congestion.prague import LINUX_AFTER, MODES, RTT_TARGET, RTT_TARGET_2020, Prague
from lanecast.transport.congestion.registry import CONTROLLERS
from lanecast.transport.feedback import Classic
from lanecast.transport.marking import Marker
from lanecast.transport.rng import Streams
from lanecast.transport.sender import Sender
from lanecast.transport.stage import ECT1
from lanecast.transport.units import MS, SECOND

MSS = 1000


class Flow:
    """Acknowledges a controller's packets one by one, a window a round trip."""

    def __init__(self, prague: CongestionControl, rtt: int = 20 * MS) -> None:
        self.prague, self.rtt = prague, rtt
        self.ack = AckObservation()
        self.now = 0
        self.pn = 0
        self.marks = 0

    def next(self, mark: int = 0, *, app_limited: bool = False) -> None:
        window = max(round(self.prague.cwnd / MSS), 1)
        seen = self.ack
        self.now += self.rtt // window
        seen.now, seen.rtt, seen.srtt, seen.min_rtt = self.now, self.rtt, self.rtt, self.rtt
        seen.acked, seen.acked_packets, seen.received, seen.ce = MSS, 1, 1, mark
        seen.pn, seen.next_pn = self.pn, self.pn + window
        seen.app_limited = app_limited
        self.pn += 1
        self.marks += mark
        self.prague.on_ack(seen)

    def rounds(self, count: int, mark: int = 0) -> None:
        for _ in range(count):
            for _ in range(max(round(self.prague.cwnd / MSS), 1)):
                self.next(mark)

    def lose(self) -> None:
        loss = LossObservation()
        loss.now, loss.pn, loss.next_pn = self.now, self.pn, self.pn + max(round(self.prague.cwnd / MSS), 1)
        loss.srtt, loss.flight, loss.fresh = self.rtt, int(self.prague.cwnd), True
        self.pn += 1
        self.prague.on_loss(loss)


def steady(rtt: int = 20 * MS, packets: int = 100, **options: object) -> Flow:
    """Return a flow that left slow start at about `packets`, with an average of marks near zero."""
    options.setdefault("initial_alpha", 0.0)
    flow = Flow(Prague(mss=MSS, initial_packets=packets, **options), rtt)  # type: ignore[arg-type]
    flow.next(1)
    flow.rounds(2)
    return flow


def test_the_first_mark_ends_slow_start_and_halves_within_a_round_trip() -> None:
    flow = Flow(Prague(mss=MSS))
    flow.rounds(3)
    prague = flow.prague
    assert isinstance(prague, Prague)
    assert prague.cwnd == 80 * MSS
    assert prague.alpha == 1.0
    flow.next(1)
    assert prague.window == 40 * MSS
    assert prague.cwnd == 79 * MSS  # one packet an ACK
    for _ in range(60):
        flow.next()
    assert prague.cwnd <= 41 * MSS


def test_alpha_is_not_updated_before_the_first_mark() -> None:
    flow = Flow(Prague(mss=MSS))
    flow.rounds(8)
    assert isinstance(flow.prague, Prague)
    assert flow.prague.alpha == 1.0


@pytest.mark.parametrize("every", [5, 20, 100])
def test_alpha_converges_to_a_constant_share_of_marks(every: int) -> None:
    flow = steady(rtt=25 * MS)
    for place in range(60 * every * 20):
        flow.next(int(place % every == 0))
    assert isinstance(flow.prague, Prague)
    assert flow.prague.alpha == pytest.approx(1 / every, rel=0.15)


def test_alpha_follows_the_average_of_one_sixteenth_exactly() -> None:
    flow = steady(rtt=25 * MS, rtt_scaling="none")
    prague = flow.prague
    assert isinstance(prague, Prague)
    naive, seen, marked, end = prague.alpha, 0, 0, None
    for place in range(5000):
        before = prague.alpha
        flow.next(int(place % 7 == 0))
        seen, marked = seen + 1, marked + int(place % 7 == 0)
        if prague.alpha != before:
            if end is not None:
                naive += (marked / seen - naive) / 16
                assert prague.alpha == naive
            else:
                naive = prague.alpha
            end, seen, marked = place, 0, 0


def test_a_mark_takes_half_of_alpha_once_a_round_trip() -> None:
    flow = steady(rtt=30 * MS, initial_alpha=0.5)
    prague = flow.prague
    assert isinstance(prague, Prague)
    flow.rounds(1)
    window, reductions = prague.window, prague.reductions
    alpha = prague.alpha
    flow.next(1)
    assert prague.window == pytest.approx(window * (1 - alpha / 2))
    for _ in range(50):
        flow.next(1)
    assert prague.reductions == reductions + 1


def test_reductions_wait_for_the_virtual_round_trip_on_short_paths() -> None:
    counts = {}
    for rtt in (5 * MS, 25 * MS, 50 * MS):
        flow = steady(rtt=rtt)
        prague = flow.prague
        assert isinstance(prague, Prague)
        start, first = flow.now, prague.reductions
        while flow.now < start + 10 * SECOND:
            flow.next(1)
        counts[rtt // MS] = prague.reductions - first
    assert counts[5] == pytest.approx(400, rel=0.15)  # one in 25 ms, to the next whole round trip
    assert counts[25] == pytest.approx(400, rel=0.15)
    assert counts[50] == pytest.approx(200, rel=0.05)


def test_the_window_grows_also_while_it_is_being_reduced() -> None:
    flow = steady(rtt=25 * MS)
    assert isinstance(flow.prague, Prague)
    flow.next(1)
    before = flow.prague.window
    flow.next()
    assert flow.prague.window > before


def growth_of_rate(mode: str, rtt: int, target: int = RTT_TARGET) -> float:
    """Return by how many packets/s the rate grows in one second without marks."""
    flow = steady(rtt=rtt, rtt_scaling=mode, rtt_target=target, stepwise=False)
    assert isinstance(flow.prague, Prague)
    before, start = flow.prague.window, flow.now
    while flow.now < start + SECOND:
        flow.next()
    return (flow.prague.window - before) / MSS / (rtt / SECOND)


def test_rate_mode_grows_the_rate_alike_on_all_paths_shorter_than_the_target() -> None:
    reference = growth_of_rate("rate", 25 * MS)
    assert reference == pytest.approx(
        1 / 0.025**2, rel=0.02
    )  # one packet a round trip, 1/RTT^2 packets/s a second
    for rtt in (2 * MS, 5 * MS, 10 * MS, 20 * MS):
        assert growth_of_rate("rate", rtt) == pytest.approx(reference, rel=0.15)  # units of 128 us
    assert growth_of_rate("rate", 50 * MS) == pytest.approx(reference / 4, rel=0.02)


def test_without_rtt_independence_the_rate_grows_with_the_square_of_the_inverse_rtt() -> None:
    assert growth_of_rate("none", 5 * MS) == pytest.approx(25 * growth_of_rate("none", 25 * MS), rel=0.02)


def test_additive_mode_behaves_as_with_a_longer_path() -> None:
    assert growth_of_rate("additive", 10 * MS) == pytest.approx(1 / 0.035**2, rel=0.05)


def test_scalable_mode_keeps_an_eighth_of_the_growth_at_short_paths() -> None:
    prague = Prague(mss=MSS, rtt_scaling="scalable")
    unit = 128_000
    for rtt in (unit, 4 * unit, 10 * unit):  # below R1 growth is (R0 / 8) rtt / R0^2
        assert prague.scale(rtt) == pytest.approx(rtt / unit / 128 / 8)
    assert prague.scale(16 * MS + 2 * MS) == pytest.approx(1.2, rel=0.1)


def test_the_target_of_2020_is_an_option_and_scaling_ends_at_100_ms() -> None:
    prague = Prague(mss=MSS, rtt_target=RTT_TARGET_2020)
    assert prague.scale(RTT_TARGET_2020) == 1.0
    assert prague.scale(RTT_TARGET_2020 // 2) == pytest.approx(0.25, rel=0.05)
    assert Prague(mss=MSS, rtt_scaling="additive").scale(101 * MS) == 1.0


def test_rtt_independence_may_begin_after_500_periods() -> None:
    flow = steady(rtt=5 * MS, after=LINUX_AFTER, packets=20)
    prague = flow.prague
    assert isinstance(prague, Prague)
    while prague.rounds < LINUX_AFTER:
        assert prague.scale(5 * MS) == 1.0
        assert not prague.is_independent()
        flow.next(int(flow.pn % 9 == 0))
    assert prague.is_independent()
    assert prague.scale(5 * MS) < 0.05


def test_pacing_is_the_window_per_round_trip_and_twice_that_far_below_ssthresh() -> None:
    flow = steady()
    prague = flow.prague
    assert isinstance(prague, Prague)
    assert prague.pacing_rate_bps == int(prague.window * 8e9 / flow.rtt)
    prague.on_persistent_congestion(LossObservation())
    prague.recovery_end = 0
    flow.next()
    assert prague.cwnd < prague.ssthresh / 2
    assert prague.pacing_rate_bps == int(2 * prague.window * 8e9 / flow.rtt)


def test_an_application_limited_window_does_not_grow() -> None:
    flow = steady()
    assert isinstance(flow.prague, Prague)
    before = flow.prague.window
    flow.next(app_limited=True)
    assert flow.prague.window == before


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="one of none, rate, scalable, additive"):
        Prague(rtt_scaling="fast")
    with pytest.raises(ValueError, match="rtt_target > 0"):
        Prague(rtt_target=0)
    assert list(MODES) == ["none", "rate", "scalable", "additive"]


# RFC 9331 section 4 -----------------------------------------------------------------------------------------


def marks_and_window(share: float, name: str = "prague", seconds: int = 40) -> tuple[float, float]:
    """Return the mean marks a round trip, and the mean window in packets, under random marks."""
    stream = Streams(7).stream("marks")
    flow = Flow(CONTROLLERS[name](mss=MSS), 25 * MS)
    total, count = 0.0, 0
    while flow.now < seconds * SECOND:
        flow.next(int(stream.next_double() < share))
        if flow.now > seconds * SECOND // 4:
            total, count = total + flow.prague.cwnd, count + 1
    window = total / count / MSS
    return share * window, window


def test_rfc_9331_4_3_marks_a_round_trip_do_not_depend_on_the_rate() -> None:
    """A mark is heard at most once a round trip and the next comes 1/p packets later, so with x = pW:
    x/2 = 1 + 1/x, x = 1 + sqrt(3) = 2.73. (x = 2 would need a reduction in every round trip.)"""
    for share in (0.2, 0.06, 0.02):
        marks, _ = marks_and_window(share)
        assert marks == pytest.approx(1 + 3**0.5, rel=0.2), share


def test_rfc_9331_4_3_reno_is_not_scalable() -> None:
    assert marks_and_window(0.06, "reno")[0] > 2 * marks_and_window(0.006, "reno")[0]


def test_rfc_9331_4_3_windows_below_two_packets_slow_down_by_pacing() -> None:
    flow = steady(rtt=25 * MS, packets=4, initial_alpha=1.0)
    prague = flow.prague
    assert isinstance(prague, Prague)
    flow.rounds(40, mark=1)
    assert prague.cwnd == 2 * MSS
    assert prague.window < MSS
    assert prague.pacing_rate_bps < MSS * 8e9 / flow.rtt


def test_rfc_9331_4_3_a_loss_is_answered_like_reno_once_a_round_trip() -> None:
    flow = steady(rtt=25 * MS)
    prague = flow.prague
    assert isinstance(prague, Prague)
    before = prague.window
    flow.lose()
    assert prague.window == before / 2
    flow.pn -= 1
    prague.recovery_end += 10
    flow.lose()
    assert prague.window == before / 2
    flow.next(1)  # no reduction by a mark, and no growth, during recovery
    assert prague.window == before / 2


def test_rfc_9331_4_3_reordering_is_undone() -> None:
    flow = steady(rtt=25 * MS)
    prague = flow.prague
    assert isinstance(prague, Prague)
    before = prague.window
    flow.lose()
    prague.on_spurious(flow.now)
    assert prague.window == before
    prague.on_spurious(flow.now)
    assert prague.window == before


def test_rfc_9331_4_2_no_ect1_without_accurate_feedback() -> None:
    with pytest.raises(ValueError, match="ECT\\(1\\) needs feedback that counts marks"):
        Sender(Calendar(), Prague(), flow=0, marker=Marker(Prague.ecn_codepoint), feedback=Classic())


def test_rfc_9331_4_1_only_scalable_controllers_declare_ect1() -> None:
    declared = {name for name, law in CONTROLLERS.items() if law.ecn_codepoint == ECT1}  # type: ignore[attr-defined]
    assert declared == {"prague", "udp_prague"}


def test_a_timeout_returns_to_half_the_window_by_slow_start() -> None:
    flow = steady(rtt=25 * MS)
    prague = flow.prague
    assert isinstance(prague, Prague)
    before = prague.window
    loss = LossObservation()
    loss.pn, loss.next_pn, loss.now = flow.pn, flow.pn + 1, flow.now
    prague.on_rto(loss)
    assert (prague.cwnd, prague.window) == (MSS, before / 2)
    flow.pn += 1
    flow.rounds(8)
    assert prague.cwnd == pytest.approx(before / 2, rel=0.1)
