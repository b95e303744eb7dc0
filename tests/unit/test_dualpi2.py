"""The laws of DualPI2, each check written so that the two wrong variants found in public code fail it.

Time stands still (every call at 0) where a constant base probability is wanted: no update falls due then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lanecast.l4s import dualpi2
from lanecast.l4s.classifier import BARE, CLASSIC, LOW, FlowClasses
from lanecast.l4s.dualpi2 import DualPi2
from lanecast.l4s.pi2 import Pi2
from lanecast.transport.rng import Stream
from lanecast.transport.stage import CE, DATA, ECT0, ECT1, NOT_ECT, Packet, make_packet
from lanecast.transport.units import MS

COMPILED = not str(dualpi2.__file__).endswith(".py")
PACKETS = 1_000_000 if COMPILED else 60_000
CHI2 = 27.7  # two degrees of freedom, one false alarm in 10^6
TUPDATE = 16 * MS


def packet(ecn: int = ECT1, size: int = 1500, flow: int = 0, pn: int = 0) -> Packet:
    return make_packet(flow, DATA, size, ecn, pn, pn, 0)


def dual(**options: Any) -> DualPi2:
    return DualPi2(Stream(7, "dualpi2"), **options)


class CouplingLost(DualPi2):
    """L is marked by its own law only."""

    def low_probability(self, coupled: float, native: float) -> float:
        return native


class ProductDrop(DualPi2):
    """p_C is the base times L's own probability."""

    def hits_classic(self, p: float, is_low: bool) -> bool:
        return self.hits(p * self.ramp(0), is_low)


# The controller ---------------------------------------------------------------------------------------------


class Scripted(DualPi2):
    """A controller that is told its delays, one an update."""

    def __init__(self, delays: Sequence[int], **options: Any) -> None:
        super().__init__(Stream(7, "dualpi2"), **options)
        self.delays = list(delays)
        self.offer(0, packet(NOT_ECT))

    def delay_at(self, now: int) -> int:
        return self.delays.pop(0)

    def play(self) -> list[float]:
        found = []
        for update in range(1, len(self.delays) + 1):
            self.catch_up(update * self.settings.tupdate)
            found.append(self.probability)
        return found


@pytest.mark.parametrize(
    ("profile", "gain"), [("linux", 41 / 256), ("rfc9332", 0.15), ("linux-early", 80 / 256)]
)
def test_a_constant_delay_above_target_gives_a_slope_of_alpha_times_the_excess(
    profile: str, gain: float
) -> None:
    target = dual(profile=profile).settings.target
    found = Scripted([target] + [target + 5 * MS] * 9, profile=profile).play()
    slopes = [b - a for a, b in zip(found[1:], found[2:], strict=False)]
    assert slopes == pytest.approx([gain * 0.005] * 8, rel=1e-9)


def test_a_step_of_the_delay_adds_beta_times_its_height_once() -> None:
    before, first, second = Scripted([15 * MS, 20 * MS, 20 * MS]).play()
    assert (first - before) - (second - first) == pytest.approx(819 / 256 * 0.005, rel=1e-9)
    assert second - first == pytest.approx(41 / 256 * 0.005, rel=1e-9)


def test_the_base_probability_stays_within_0_and_1_and_below_1_over_k_in_overflow_mode() -> None:
    assert Scripted([0] * 5).play() == [0.0] * 5
    assert Scripted([1000 * MS] * 9).play()[-1] == 1.0
    assert Scripted([1000 * MS] * 9, drop_on_overload=False).play()[-1] == 0.5
    assert Scripted([1000 * MS] * 9, drop_on_overload=False, coupling_factor=4.0).play()[-1] == 0.25


@pytest.mark.parametrize(("pi_input", "expected"), [("both", 31 * MS), ("classic", 16 * MS)])
def test_the_delay_is_the_older_head_at_the_instant_of_the_update(pi_input: str, expected: int) -> None:
    queue = dual(pi_input=pi_input)
    queue.offer(MS, packet(ECT1))
    queue.offer(16 * MS, packet(NOT_ECT))
    assert queue.delay_at(32 * MS) == expected
    queue.catch_up(2 * TUPDATE)
    first, second = 15 * MS if pi_input == "both" else 0, expected
    alpha, beta, p = 41 / 256e9, 819 / 256e9, 0.0
    for delay, last in ((first, 0), (second, first)):
        p = max(0.0, p + alpha * (delay - 15 * MS) + beta * (delay - last))
    assert queue.probability == pytest.approx(p, abs=1e-15)


@pytest.mark.parametrize("late", [1, 15 * MS, 400 * MS, 2000 * MS])
def test_updates_made_up_late_equal_a_timer(late: int) -> None:
    lazy, prompt = dual(), dual()
    for queue in (lazy, prompt):
        queue.offer(3 * MS, packet(NOT_ECT))
        queue.offer(4 * MS, packet(ECT1))
    for instant in range(TUPDATE, 4 * MS + late + 1, TUPDATE):
        prompt.catch_up(instant)
    lazy.catch_up(4 * MS + late)
    assert lazy.probability == prompt.probability


# Coupling ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1.0, 2.0, 4.0])
def test_p_cl_is_k_times_the_root_of_p_c(k: float) -> None:
    queue = dual(coupling_factor=k)
    for part in range(101):
        queue.probability = part / 100 / k
        classic, low = queue.probabilities()
        assert low == pytest.approx(k * math.sqrt(classic), abs=1e-12)


def chi_square(queue: DualPi2, p: float, packets: int) -> float:
    """Send packets of both kinds at a constant p; compare marks and drops with k p and p^2."""
    queue.probability = p
    for _ in range(packets):
        while queue.low.count < 4:
            queue.offer(0, packet(ECT1))
        while queue.classic.count < 4:
            queue.offer(0, packet(NOT_ECT))
        queue.take(0)
    low, classic = queue.tally_low, queue.tally_classic
    return sum(
        (found - n * q) ** 2 / (n * q * (1 - q))
        for found, n, q in (
            (low.marked_coupled, low.offered - queue.low.count, 2 * p),
            (classic.dropped_early, classic.offered - queue.classic.count, p * p),
        )
    )


def balanced(kind: Callable[..., DualPi2], seed: int = 1) -> DualPi2:
    return kind(Stream(seed, "frequencies"), classic_protection=50.0)


@pytest.mark.parametrize("p", [0.03, 0.2, 0.45])
def test_marks_and_drops_have_the_probabilities_of_the_law(p: float) -> None:
    assert chi_square(balanced(DualPi2), p, PACKETS // 3) < CHI2


@pytest.mark.parametrize("wrong", [CouplingLost, ProductDrop])
def test_the_check_of_probabilities_finds_the_variants_of_public_code(wrong: type[DualPi2]) -> None:
    assert chi_square(balanced(wrong), 0.2, 20_000) > 10 * CHI2


def test_recur_answers_at_the_fifth_and_then_every_fourth_time_for_a_quarter() -> None:
    queue, is_low = dual(dice="recur"), True
    assert [n for n in range(1, 30) if queue.hits(0.25, is_low)] == [5, 9, 13, 17, 21, 25, 29]
    assert [n for n in range(1, 10) if queue.hits(0.25, not is_low)] == [5, 9], (
        "each queue has a sum of its own"
    )


def test_recur_spaces_marks_and_drops_evenly() -> None:
    queue = dual(dice="recur", step_thresh=0)
    queue.probability = 0.25
    for pn in range(200):
        queue.offer(0, packet(ECT1, pn=pn))
    out = [queue.take(0) for _ in range(100)]
    assert [p.pn for p in out if p is not None and p.ecn == CE] == [*range(2, 100, 2)]
    for pn in range(400):
        queue.offer(0, packet(NOT_ECT, pn=pn))
    while queue.classic.count > 4:
        queue.take(0)
    dropped = queue.tally_classic.dropped_early
    assert dropped == (400 - queue.classic.count - 1) // 16, "p^2 = 1/16: the 17th, then every 16th"


# Thresholds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [1, 2])
def test_the_law_leaves_packets_alone_with_less_than_two_mtu_behind(held: int) -> None:
    queue = dual(step_thresh=0)
    queue.probability = 0.9
    for _ in range(300):
        for _ in range(held):
            queue.offer(0, packet(ECT1))
            queue.offer(0, packet(NOT_ECT, size=1499))
        while queue.take(0) is not None:
            pass
    touched = queue.marked + queue.dropped
    assert touched == 0 if held == 1 else touched > 0


@pytest.mark.parametrize(("waited", "marked"), [(MS - 1, 0), (MS, 0), (MS + 1, 1)])
def test_the_step_is_strict(waited: int, marked: int) -> None:
    queue = dual()
    queue.offer(0, packet(ECT1))
    taken = queue.take(waited)
    assert taken is not None
    assert (queue.marked_step, taken.ecn == CE) == (marked, bool(marked))


def test_the_step_in_packets_counts_what_is_left_behind() -> None:
    queue = dual(step_packets=2)
    for _ in range(5):
        queue.offer(0, packet(ECT1))
    marks = [taken.ecn == CE for taken in (queue.take(0) for _ in range(5)) if taken is not None]
    assert marks == [True, True, False, False, False]


def test_min_qlen_step_looks_at_the_queue_that_a_packet_meets() -> None:
    queue = dual(min_qlen_step=2)
    for _ in range(4):
        queue.offer(0, packet(ECT1))
    marks = [taken.ecn == CE for taken in (queue.take(2 * MS) for _ in range(4)) if taken is not None]
    assert marks == [False, False, True, True]


def test_the_ramp_rises_from_0_to_1_between_800_and_1200_us() -> None:
    queue = dual(profile="rfc9332")
    for _ in range(3):
        queue.offer(0, packet(ECT1))
    for part in range(9):
        assert queue.ramp(800_000 + 50_000 * part) == pytest.approx(part / 8, abs=1e-12)
    assert (queue.ramp(0), queue.ramp(799_999), queue.ramp(5 * MS)) == (0.0, 0.0, 1.0)


def test_the_ramp_spares_a_packet_that_is_alone() -> None:
    queue = dual(profile="rfc9332")
    queue.offer(0, packet(ECT1))
    queue.offer(0, packet(ECT1))
    first, last = queue.take(5 * MS), queue.take(5 * MS)
    assert first is not None
    assert last is not None
    assert (queue.low.count, last.ecn) == (0, ECT1)


def test_the_greater_of_ramp_and_coupled_probability_counts() -> None:
    queue = dual(profile="rfc9332")
    assert queue.low_probability(0.3, 0.7) == queue.low_probability(0.7, 0.3) == 0.7


@pytest.mark.parametrize("dice", ["random", "recur"])
def test_the_ramp_works_with_drop_enqueue_too(dice: str) -> None:
    queue = dual(profile="rfc9332", drop_enqueue=True, dice=dice)
    for _ in range(10):
        queue.offer(0, packet(ECT1))
    taken = [queue.take(2 * MS) for _ in range(10)]
    assert sum(p is not None and p.ecn == CE for p in taken) >= 8


# Overload ---------------------------------------------------------------------------------------------------


def overloaded(p: float, ecn: int, count: int = 4000, **options: Any) -> DualPi2:
    queue = dual(step_thresh=0, **options)
    queue.probability = p
    for _ in range(count):
        queue.offer(0, packet(ecn))
    while queue.take(0) is not None:
        pass
    return queue


def test_at_half_marks_still_do_and_above_it_ecn_no_longer_protects() -> None:
    edge, above = overloaded(0.5, ECT0), overloaded(math.nextafter(0.5, 1.0), ECT0)
    assert (edge.dropped, above.marked) == (0, 0)
    assert edge.marked / 4000 == pytest.approx(0.25, abs=0.035)
    assert above.dropped / 4000 == pytest.approx(0.25, abs=0.035)


@pytest.mark.parametrize("ecn", [ECT1, CE])
def test_in_overload_l4s_packets_are_dropped_with_p_c_and_marked_otherwise(ecn: int) -> None:
    queue = overloaded(0.8, ecn)
    assert queue.dropped_low / 4000 == pytest.approx(0.64, abs=0.04)
    assert queue.marked_coupled >= queue.tally_low.sent - 2


def test_in_overflow_mode_l4s_packets_are_never_dropped_by_the_law() -> None:
    queue = overloaded(0.5, ECT1, drop_on_overload=False)
    assert (queue.dropped, queue.marked) == (0, 4000 - 2)


def test_a_filtered_packet_that_is_not_ecn_capable_is_dropped_instead_of_marked() -> None:
    queue = overloaded(0.3, NOT_ECT, classifier=FlowClasses({0: "l4s"}))
    assert queue.dropped_low / 4000 == pytest.approx(0.6, abs=0.04)
    beyond = overloaded(0.8, NOT_ECT, classifier=FlowClasses({0: "l4s"}))
    assert beyond.dropped_low / 4000 == pytest.approx(0.64, abs=0.04), (
        "as Linux: what cannot be marked passes"
    )
    step = dual(classifier=FlowClasses({0: "l4s"}))
    step.offer(0, packet(NOT_ECT))
    assert step.take(2 * MS) is None
    assert (step.dropped_low, step.marked_step) == (1, 0)


# Classes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "expected"),
    [("l4s_ect", (CLASSIC, LOW, CLASSIC, LOW)), ("any_ect", (CLASSIC, LOW, LOW, LOW))],
)
def test_the_ecn_bits_choose_the_queue(mask: str, expected: tuple[int, ...]) -> None:
    queue = dual(ecn_mask=mask)
    assert tuple(queue.kind_of(packet(ecn)) for ecn in (NOT_ECT, ECT1, ECT0, CE)) == expected


def test_a_classifier_overrules_the_bits_for_its_flows_only() -> None:
    queue = dual(classifier=FlowClasses({1: "classic", 2: "bare"}))
    assert [queue.kind_of(packet(ECT1, flow=flow)) for flow in range(3)] == [LOW, CLASSIC, BARE]
    assert queue.kind_of(packet(NOT_ECT)) == CLASSIC
    with pytest.raises(ValueError, match=r"flow 3: class must be one of classic, l4s, bare, got 'low'"):
        FlowClasses({3: "low"})


def test_bare_packets_wait_in_l_without_marks_and_drops() -> None:
    queue = dual(classifier=FlowClasses({0: "bare"}))
    queue.probability = 1.0
    for ecn in (ECT1, NOT_ECT, ECT0) * 100:
        queue.offer(0, packet(ecn))
    assert queue.low.count == 300
    taken = [queue.take(14 * MS) for _ in range(300)]
    assert [p.ecn for p in taken if p is not None] == [ECT1, NOT_ECT, ECT0] * 100
    assert (queue.marked, queue.dropped) == (0, 0)


@pytest.mark.parametrize("p", [0.2, 0.9])
@pytest.mark.parametrize("options", [{}, {"drop_enqueue": True}, {"ecn_mask": "any_ect"}])
def test_a_packet_that_is_not_ecn_capable_is_never_marked(p: float, options: dict[str, Any]) -> None:
    queue = dual(**options)
    queue.probability = p
    for _ in range(500):
        queue.offer(0, packet(NOT_ECT))
    left = [queue.take(12 * MS) for _ in range(500)]
    assert all(one.ecn == NOT_ECT for one in left if one is not None)
    assert queue.dropped > 0


# PI2 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.4])
def test_pi2_marks_scalable_packets_with_k_p_and_drops_classic_ones_with_p_squared(p: float) -> None:
    queue, count = Pi2(Stream(2, "pi2")), 40_000
    queue.probability = p
    for pn in range(2 * count):
        queue.offer(0, packet(ECT1 if pn % 2 else NOT_ECT))
        if queue.count > 10:
            queue.take(0)
    low, classic = queue.tally_low, queue.tally_classic
    assert low.marked_coupled / low.sent == pytest.approx(2 * p, abs=5 * math.sqrt(2 * p / count))
    dropped = classic.dropped_early / (classic.sent + classic.dropped_early)
    assert dropped == pytest.approx(p * p, abs=5 * p / math.sqrt(count))


def test_pi2_takes_only_settings_of_one_queue() -> None:
    with pytest.raises(ValueError, match=r"PI2 has no setting 'step_thresh'; known: limit, memlimit, target"):
        Pi2(Stream(1, "pi2"), step_thresh=MS)
    queue = Pi2(Stream(1, "pi2"), limit_packets=9, max_rtt=60 * MS)
    assert (queue.limit_packets, queue.settings.target) == (9, 10 * MS)
    queue.configure(0, target=4 * MS)
    assert queue.settings.target == 4 * MS
