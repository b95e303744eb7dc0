"""DualPI2 follows RFC 9332 and Linux: controller, coupling, step and ramp, schedulers, overload, configuration."""

from __future__ import annotations

from typing import Any

import pytest

from lanecast.experiments import l4s_laws
from lanecast.experiments.l4s_laws import full, packet, queue
from lanecast.l4s.dualpi2 import BARE, CLASSIC, LOW, DualPi2
from lanecast.l4s.dualpi2_profiles import PROFILES, Settings, gains, settings_of
from lanecast.transport.stage import CE, ECT0, ECT1, NOT_ECT, Packet
from lanecast.transport.units import MS

STILL: dict[str, Any] = {"alpha": 1e-30, "beta": 1e-30}  # a controller that does not move
DRAWS = 40_000


class CouplingLost(DualPi2):
    """A known mistake: L is marked by its own step alone."""

    def _coupled(self, now: int, packet: Packet, low: bool) -> bool:
        return True if low else super()._coupled(now, packet, low)


class SquareLost(DualPi2):
    """A known mistake: C is dropped with p p_L instead of p^2."""

    def _hits_twice(self, p: float, low: bool) -> bool:
        return super()._hits_twice((p * min(1.0, 2 * p)) ** 0.5, low)


def test_the_controller_moves_by_alpha_times_the_excess() -> None:
    assert l4s_laws.slope_error() < 1e-12


def test_a_jump_of_the_delay_moves_p_by_beta_times_the_jump() -> None:
    held = queue()
    tupdate, target = held.settings.tupdate, held.settings.target
    held.offer(2 * tupdate - target, packet(NOT_ECT))
    held.head_sojourn(0)
    held.offer(2 * tupdate, packet(NOT_ECT))  # at this update the delay is target, one before it was less
    first = held.probability
    held.offer(3 * tupdate, packet(NOT_ECT))
    jump = tupdate / 1e9
    assert held.probability - first == pytest.approx(held.settings.beta * jump + held.settings.alpha * jump)


def test_p_stays_within_0_and_1_or_1_over_k() -> None:
    for ceiling, drops in ((1.0, True), (0.5, False)):
        held = queue(drop_on_overload=drops)
        full(held, 3, 0)
        held.offer(10_000 * MS, packet(NOT_ECT))
        assert held.probability == ceiling
    held = queue()
    full(held, 1, 16 * MS - 1000)  # a delay far below target at the first update
    held.offer(20 * MS, packet(NOT_ECT))
    assert held.probability == 0.0


def test_the_coupling_is_exact() -> None:
    assert l4s_laws.coupling_error() < 1e-15


def test_marks_and_drops_come_with_their_probabilities() -> None:
    assert l4s_laws.frequency_error(draws=DRAWS) < 4


@pytest.mark.parametrize("wrong", [CouplingLost, SquareLost])
def test_known_mistakes_fail_the_frequency_check(wrong: type[DualPi2]) -> None:
    assert l4s_laws.frequency_error(wrong, draws=3 * DRAWS) > 6


def test_recur_spaces_drops_evenly() -> None:
    held = queue(dice="recur", step_thresh=0, **STILL)
    held.probability = 0.5
    full(held, 10, 0)
    hits = [held._hits_twice(0.5, low=False) for _ in range(13)]
    assert [place for place, hit in enumerate(hits, 1) if hit] == [5, 9, 13]


@pytest.mark.parametrize(("mask", "low"), [("l4s_ect", {ECT1, CE}), ("any_ect", {ECT1, CE, ECT0})])
def test_the_codepoint_chooses_the_queue(mask: str, low: set[int]) -> None:
    for ecn in (NOT_ECT, ECT0, ECT1, CE):
        held = queue(ecn_mask=mask)
        held.offer(0, packet(ecn))
        assert (held.low.count, held.classic.count) == ((1, 0) if ecn in low else (0, 1))


def test_a_classifier_overrides_the_codepoint() -> None:
    chosen = {NOT_ECT: LOW, ECT1: CLASSIC, ECT0: BARE, CE: None}
    held = queue()
    held.classifier = lambda one: chosen[one.ecn]
    for ecn in chosen:
        held.offer(0, packet(ecn))
    assert (held.low.count, held.classic.count) == (3, 1)


def test_the_bare_class_is_neither_marked_nor_dropped() -> None:
    held = queue(**STILL)
    held.probability = 0.9
    held.classifier = lambda _: BARE
    for _ in range(50):
        held.offer(0, packet(NOT_ECT))
    sent = [held.take(5 * MS) for _ in range(50)]
    assert all(one is not None and one.ecn == NOT_ECT for one in sent)
    assert held.dropped == 0


def test_a_classic_packet_without_ecn_is_dropped_and_with_it_marked() -> None:
    for ecn, marked, dropped in ((NOT_ECT, 0, 100), (ECT0, 100, 0)):
        held = queue(**STILL, coupling_factor=0.5)
        held.probability = 1.0
        for _ in range(102):
            held.offer(0, packet(ecn))
        while held.take(0) is not None:
            pass
        # The last packets leave less than two MTU behind.
        assert held.marked == pytest.approx(marked, abs=2)
        assert held.dropped == pytest.approx(dropped, abs=2)


def test_nothing_is_touched_with_less_than_two_mtu_behind() -> None:
    assert l4s_laws.touched_when_short() == 0


def test_the_step_is_strict() -> None:
    assert l4s_laws.step_faults() == 0


def test_a_step_in_packets_counts_those_left_behind() -> None:
    held = queue(step_packets=2, **STILL)
    for _ in range(5):
        held.offer(0, packet(ECT1))
    marks = []
    for _ in range(5):
        sent = held.take(0)
        assert sent is not None
        marks.append(sent.ecn == CE)
    assert marks == [True, True, False, False, False]


def test_the_step_spares_packets_that_met_a_short_queue() -> None:
    held = queue(min_qlen_step=2, **STILL)
    for _ in range(4):
        held.offer(0, packet(ECT1))
    late = [held.take(50 * MS) for _ in range(4)]
    assert [one is not None and one.ecn == CE for one in late] == [False, False, True, True]


def test_the_ramp_marks_in_proportion() -> None:
    assert l4s_laws.ramp_error() < 1e-3


def test_the_ramp_spares_a_lone_packet() -> None:
    held = queue(profile="rfc9332")
    held.offer(0, packet(ECT1))
    sent = held.take(10 * MS)
    assert sent is not None
    assert sent.ecn == ECT1


@pytest.mark.parametrize(("profile", "share"), [("linux", 0.9), ("rfc9332", 15 / 16)])
def test_both_backlogged_share_by_weight(profile: str, share: float) -> None:
    assert l4s_laws.low_share(profile) == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize(("only", "idle"), [(ECT1, NOT_ECT), (NOT_ECT, ECT1)])
def test_each_queue_takes_what_the_other_leaves(only: int, idle: int) -> None:
    held = queue(**STILL)
    for _ in range(20):
        held.offer(0, packet(only))
    held.offer(0, packet(idle))
    sent = [held.take(0) for _ in range(21)]
    assert all(one is not None for one in sent)
    assert held.credit == held.settings.classic_protection * 1500 - 90 * 1500  # at rest again


def test_time_shifted_fifo_serves_l_unless_c_came_much_earlier() -> None:
    held = queue(scheduler="tsfifo", tshift=10 * MS, **STILL)
    held.offer(0, packet(NOT_ECT))
    held.offer(9 * MS, packet(ECT1))
    held.offer(9 * MS, packet(NOT_ECT))
    held.offer(11 * MS, packet(ECT1))
    order = []
    for _ in range(4):
        sent = held.take(11 * MS)
        assert sent is not None
        order.append(sent.ecn in (ECT1, CE))
    assert order == [True, False, True, False]


def test_strict_priority_serves_l_first() -> None:
    held = queue(scheduler="strict", **STILL)
    full(held, 20, 0)
    order = []
    for _ in range(40):
        sent = held.take(0)
        assert sent is not None
        order.append(sent.ecn)
    assert order == [ECT1] * 20 + [NOT_ECT] * 20


def test_overload_begins_at_k_p_above_1_and_drops_from_l_too() -> None:
    for p, low_drops in ((0.5, False), (0.51, True)):
        held = queue(step_thresh=0, **STILL)
        held.probability = p
        for _ in range(1000):
            held.offer(0, packet(ECT1))
        while held.take(0) is not None:
            pass
        assert (held.dropped_low > 0) == low_drops
        assert held.marked > 500


def test_drops_at_arrival_when_asked() -> None:
    held = queue(drop_enqueue=True, coupling_factor=0.5, **STILL)
    held.probability = 1.0
    taken_in = [held.offer(0, packet(NOT_ECT)) for _ in range(10)]
    assert taken_in == [True, True] + [False] * 8  # from two MTU on


def test_scaled_sojourn_lets_the_burst_behind_pay() -> None:
    """A queue that grew behind a packet raises its mark, one that shrank lowers it."""
    marks = {}
    for behind in (0, 5):
        held = queue(sojourn="scaled", **STILL)
        for _ in range(3):
            held.offer(0, packet(ECT1))
        for _ in range(behind):
            held.offer(MS, packet(ECT1))
        held.take(0)
        held.take(0)
        sent = held.take(MS * 9 // 10)
        assert sent is not None
        marks[behind] = sent.ecn == CE
    assert marks == {0: False, 5: True}


def test_settings_change_in_operation_and_packets_stay() -> None:
    held = queue()
    full(held, 30, 0)
    held.configure(5 * MS, target=5 * MS, sojourn="scaled", classic_protection=25)
    assert (held.count, held.settings.target, held.settings.classic_protection) == (60, 5 * MS, 25)
    sent = 0
    while held.take(6 * MS) is not None:
        sent += 1
    assert sent + held.dropped == 60


def test_a_refused_change_leaves_everything_as_it_was() -> None:
    held = queue()
    with pytest.raises(ValueError, match="tupdate must be > 0, got 0"):
        held.configure(0, tupdate=0)
    assert held.settings == Settings()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "windows"}, "profile must be one of linux, .*got 'windows'"),
        ({"speed": 3}, "no setting 'speed'; known: limit, memlimit, target"),
        ({"classic_protection": 100}, "classic_protection must be a percentage below 100, got 100"),
        ({"scheduler": "lottery"}, "scheduler must be one of wrr, tsfifo, strict, got 'lottery'"),
        ({"step_thresh": -1}, "step_thresh must be >= 0, got -1"),
        ({"max_rtt": 0}, "max_rtt must be > 0, got 0"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        queue(**options)


def test_gains_follow_the_round_trip_times() -> None:
    found = gains(100 * MS, 15 * MS)
    assert found["tupdate"] == 15 * MS
    assert found["alpha"] == pytest.approx(0.15)
    assert found["beta"] == pytest.approx(3.0)
    assert settings_of("linux", max_rtt=50 * MS).beta == pytest.approx(6.0)


def test_profiles_have_their_sources_values() -> None:
    linux, rfc = PROFILES["linux"], PROFILES["rfc9332"]
    assert (linux.limit, linux.target, linux.tupdate, linux.step_thresh) == (10_000, 15 * MS, 16 * MS, MS)
    assert (linux.alpha, linux.beta, linux.classic_protection) == (41 / 256, 819 / 256, 10.0)
    assert (rfc.step_thresh, rfc.ramp_range, rfc.dice) == (800_000, 400_000, "recur")


def test_limits_bound_both_queues_together() -> None:
    held = queue(limit=3)
    assert [held.offer(0, packet(ecn)) for ecn in (ECT1, NOT_ECT, ECT1, NOT_ECT)] == [True, True, True, False]
    assert held.dropped_tail == 1
