"""Profiles, derived settings and refusals of DualPI2; thresholds of step, CoDel and FQ-CoDel."""

from __future__ import annotations

from typing import Any

import pytest

from lanecast.errors import UsageError
from lanecast.l4s.codel import CoDel
from lanecast.l4s.dualpi2 import DualPi2
from lanecast.l4s.dualpi2_profiles import NAMES, PROFILES, Settings, gains, gains_of_tc, settings_of
from lanecast.l4s.fq_codel import FqCoDel
from lanecast.l4s.queue import Queue
from lanecast.l4s.registry import make_queue
from lanecast.l4s.step import Step
from lanecast.transport.rng import Stream
from lanecast.transport.stage import CE, DATA, ECT0, ECT1, NOT_ECT, Packet, make_packet
from lanecast.transport.units import MS


def packet(ecn: int, size: int = 1500) -> Packet:
    return make_packet(0, DATA, size, ecn, 0, 0, 0)


def test_the_defaults_are_those_of_linux() -> None:
    linux = Settings()
    assert PROFILES["linux"] == linux
    assert (linux.limit, linux.memory, linux.target, linux.tupdate) == (10_000, 30_000_000, 15 * MS, 16 * MS)
    assert (linux.alpha, linux.beta, linux.coupling_factor) == (0.16015625, 3.19921875, 2.0)
    assert (linux.step_thresh, linux.step_packets, linux.min_qlen_step) == (MS, 0, 0)
    assert (linux.classic_protection, linux.scheduler, linux.ecn_mask) == (10.0, "credit", "l4s_ect")
    assert (linux.drop_on_overload, linux.drop_enqueue, linux.dice) == (True, False, "random")


def test_the_profile_of_the_rfc_has_its_appendix_values() -> None:
    rfc = PROFILES["rfc9332"]
    assert (rfc.target, rfc.tupdate, rfc.step_thresh, rfc.ramp_range) == (15 * MS, 15 * MS, 800_000, 400_000)
    assert [rfc.alpha, rfc.beta] == pytest.approx([0.15, 3.0], rel=1e-12)
    assert (rfc.classic_protection, rfc.scheduler, rfc.dice) == (6.25, "wrr", "recur")
    assert settings_of("rfc9332", link_bps=40_000_000).memory == 1_250_000, "250 ms"


def test_other_profiles_have_the_values_of_their_sources() -> None:
    ns3, early = PROFILES["ns-3"], PROFILES["linux-early"]
    assert (ns3.alpha, ns3.beta, ns3.tupdate, ns3.tshift, ns3.memory) == (
        0.15,
        3.0,
        15 * MS,
        50 * MS,
        1_562_500,
    )
    assert (ns3.step_thresh, ns3.pi_input, ns3.scheduler) == (475_000, "classic", "tsfifo")
    assert (early.target, early.tupdate, early.alpha, early.beta) == (20 * MS, 32 * MS, 80 / 256, 800 / 256)
    assert early.classic_protection == pytest.approx(100 / 17), "16 to 1"
    assert PROFILES["linux-2020"].min_qlen_step == 2


@pytest.mark.parametrize(
    ("given", "target", "tupdate", "alpha", "beta"),
    [
        ({"max_rtt": 100 * MS, "typical_rtt": 15 * MS}, 15 * MS, 15 * MS, 38, 768),
        ({"max_rtt": 60 * MS}, 10 * MS, 10 * MS, 71, 1280),
        ({"typical_rtt": 20 * MS}, 20 * MS, 20 * MS, 35, 640),
        ({"max_rtt": 30 * MS, "typical_rtt": 30 * MS}, 30 * MS, 10 * MS, 284, 2560),
    ],
)
def test_round_trip_times_set_the_controller_as_tc_does(
    given: dict[str, Any], target: int, tupdate: int, alpha: int, beta: int
) -> None:
    found = settings_of("linux", **given)
    assert (found.target, found.tupdate) == (target, tupdate)
    assert (found.alpha * 256, found.beta * 256) == (alpha, beta), "cut to 1/256 Hz"


def test_a_setting_given_itself_counts_more_than_a_derived_one() -> None:
    found = settings_of("linux", max_rtt=60 * MS, target=7 * MS)
    assert (found.target, found.tupdate) == (7 * MS, 10 * MS)


def test_gains_follow_the_formula_of_the_rfc() -> None:
    found = gains(200 * MS, 90 * MS)
    assert found["tupdate"] == 66_666_666
    assert found["alpha"] == pytest.approx(0.1 * 0.066666666 / 0.04)
    assert found["beta"] == pytest.approx(1.5)
    with pytest.raises(ValueError, match="max_rtt must be shorter: alpha would be cut to 0"):
        gains_of_tc(10_000 * MS, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "windows"}, "profile must be one of linux, .*, got 'windows'"),
        ({"speed": 3}, "no setting 'speed'; known: limit, memlimit, target"),
        ({"alpha": float("nan")}, "alpha must be > 0 and finite, got nan"),
        ({"beta": float("inf")}, "beta must be > 0 and finite, got inf"),
        ({"limit": -1}, "limit must be > 0"),
        ({"classic_protection": 100.5}, "classic_protection must be a percentage"),
        ({"scheduler": "wrr", "classic_protection": 100}, "above 0 and below 100 with scheduler wrr"),
        ({"scheduler": "lottery"}, "scheduler must be one of credit, wrr, tsfifo, strict, got 'lottery'"),
        ({"step_thresh": -1}, "step_thresh must be >= 0, got -1"),
        ({"max_rtt": 0}, "max_rtt must be > 0, got 0"),
        ({"max_rtt": 10 * MS, "typical_rtt": 11 * MS}, "typical_rtt must be > 0 and at most max_rtt"),
        ({"link_bps": 0}, "link_bps must be > 0"),
        ({"dice": "loaded"}, "dice must be one of random, recur"),
    ],
)
def test_impossible_settings_are_refused_with_a_reason(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DualPi2(Stream(1, "x"), **options)


def test_the_registry_takes_every_setting_and_durations_in_ms() -> None:
    queue = make_queue(
        "dualpi2", stream=Stream(1, "x"), profile="rfc9332", step_thresh_ms=2, tshift_ms=30, limit_kbytes=9
    )
    assert isinstance(queue, DualPi2)
    assert (queue.settings.step_thresh, queue.settings.tshift, queue.limit_bytes) == (2 * MS, 30 * MS, 9000)
    assert set(NAMES) == set(Settings.__dataclass_fields__)
    with pytest.raises(UsageError, match="needs a random stream"):
        make_queue("dualpi2")


# Step -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("held", "marked"), [(64, False), (65, True)])
def test_step_marks_an_arrival_that_finds_k_packets(held: int, marked: bool) -> None:
    queue = Step()
    for _ in range(held):
        queue.offer(0, packet(NOT_ECT))
    last = packet(ECT0)
    queue.offer(0, last)
    assert (last.ecn == CE) == marked


@pytest.mark.parametrize(("waited", "marked"), [(MS - 1, False), (MS, True)])
def test_step_marks_a_departure_that_waited_the_threshold(waited: int, marked: bool) -> None:
    queue = Step(step_thresh=MS)
    queue.offer(0, packet(ECT1))
    taken = queue.take(waited)
    assert taken is not None
    assert (taken.ecn == CE, queue.step_packets) == (marked, 0)


def test_step_drops_what_cannot_be_marked_only_when_asked() -> None:
    for drop, dropped in ((False, 0), (True, 1)):
        arrival = Step(step_packets=1, drop_not_ect=drop)
        departure = Step(step_thresh=MS, drop_not_ect=drop)
        arrival.offer(0, packet(ECT0))
        arrival.offer(0, packet(NOT_ECT))
        departure.offer(0, packet(NOT_ECT))
        assert (departure.take(MS) is None) == drop
        assert (arrival.dropped_early, departure.dropped_early) == (dropped, dropped)


# CoDel's ce_threshold ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [CoDel, FqCoDel])
@pytest.mark.parametrize(("only", "expected"), [(False, [CE, CE, NOT_ECT]), (True, [CE, ECT0, NOT_ECT])])
def test_the_ce_threshold_may_be_for_ect1_alone(make: type[Queue], only: bool, expected: list[int]) -> None:
    queue = make(ce_threshold=MS, ce_threshold_ect1=only)  # type: ignore[call-arg]
    for ecn in (ECT1, ECT0, NOT_ECT):
        queue.offer(0, packet(ecn))
    assert [one.ecn for one in (queue.take(2 * MS) for _ in range(3)) if one is not None] == expected
    queue.offer(2 * MS, packet(ECT1))
    exact = queue.take(3 * MS)
    assert exact is not None
    assert exact.ecn == ECT1, "strict, as Linux"
