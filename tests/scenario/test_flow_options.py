"""What a plan may say of a flow and of the wire has its effect on the wire."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lanecast.errors import LanecastError, PlanError
from lanecast.experiments.measure import Outcome
from lanecast.experiments.points import checked
from lanecast.experiments.run import simulate


def run(flow: list[dict[str, Any]], **tables: Any) -> Outcome:
    """Run two seconds at 20 Mbit/s through DualPI2, with delays measured."""
    raw = {
        "run": {"kind": "network", "duration_s": 2, "warmup_s": 0.5, "delays": True} | tables.pop("run", {}),
        "link": {"rate_mbps": 20, "delay_ms": 5},
        "queue": {"kind": "dualpi2"},
        "flow": flow,
    } | tables
    return simulate(checked("plan.toml", raw))


def test_a_controller_labels_its_packets_and_the_plan_may_say_otherwise() -> None:
    marked = {}
    for label in ("", "not-ect"):
        found = run([{"congestion": "prague", "ecn": label}]).metrics
        marked[label] = found["marks"]
    assert marked[""] > 0
    assert marked["not-ect"] == 0


def test_a_base_rtt_is_met_wherever_the_delay_lies() -> None:
    one = run([{"rtt_ms": 40, "congestion": "prague"}]).metrics["flow0_srtt_ms"]
    assert 40 < one < 44
    with pytest.raises(LanecastError, match="flow 0: rtt_ms = 4 is less than the delay of its links"):
        run([{"rtt_ms": 4}])


def test_a_receive_window_bounds_the_rate() -> None:
    found = run([{"congestion": "cubic", "rtt_ms": 50, "window_kbytes": 50}]).metrics
    assert found["goodput_mbps"] == pytest.approx(50 * 8 / 50, rel=0.08)


def test_a_handshake_paces_the_first_window() -> None:
    peaks = {}
    for known in (False, True):
        found = run([{"congestion": "prague", "pacing": "prague", "handshake": known, "rtt_ms": 80}],
                    run={"log": True, "duration_s": 0.1, "warmup_s": 0.0})  # fmt: skip
        taken = found.columns["log_event"] == 2
        peaks[known] = int(found.columns["log_value"][taken].max())
    assert peaks[True] < peaks[False] / 3


@pytest.mark.parametrize("feedback", ["exact", "accecn"])
def test_accurate_feedback_of_either_form_keeps_the_queue_short(feedback: str) -> None:
    found = run([{"congestion": "prague", "feedback": feedback, "rtt_ms": 20}]).metrics
    assert found["flow0_delay_p50_ms"] < 2
    assert found["goodput_mbps"] > 17


def test_bleaching_and_lost_marks_leave_prague_blind() -> None:
    clean = run([{"congestion": "prague"}]).metrics
    bleached = run([{"congestion": "prague"}], impair={"ecn": "bleach"}).metrics
    assert bleached["marks"] == 0
    assert bleached["flow0_delay_p99_ms"] > 3 * clean["flow0_delay_p99_ms"]


def test_aggregates_meet_the_step_and_cost_prague_goodput() -> None:
    flow = [{"congestion": "prague", "pacing": "prague"}]
    clean = run(flow).metrics["goodput_mbps"]
    assert run(flow, impair={"aggregate_ms": 4}).metrics["goodput_mbps"] < 0.8 * clean


@pytest.mark.parametrize(("source", "rate"), [("video", 2.5), ("voice", 0.0688)])
def test_application_limited_flows_send_their_own_rate(source: str, rate: float) -> None:
    found = run([{"congestion": "cubic", "source": source}], run={"duration_s": 8, "warmup_s": 1}).metrics
    assert found["goodput_mbps"] == pytest.approx(rate, rel=0.15)


def test_starts_are_spread_by_the_seed() -> None:
    firsts = []
    for seed in (1, 2):
        found = run(
            [{"start_spread_ms": 100}], run={"seed": seed, "log": True, "duration_s": 0.6, "warmup_s": 0.1}
        )
        firsts.append(int(found.columns["log_time_ns"][0]))
    assert firsts[0] != firsts[1]
    assert all(0 <= first < 100_000_000 + 1 for first in firsts)


def test_unresponsive_traffic_can_wear_ect1() -> None:
    cross = [{"pattern": "constant", "rate_mbps": 5, "ecn": "ect1"}]
    found = run([{"congestion": "prague"}], cross=cross).metrics
    assert found["flow1_delay_p50_ms"] < 2
    assert found["flow1_loss"] == 0


def test_a_dual_queue_tells_its_probabilities_over_time() -> None:
    flows = [{"congestion": "prague"}, {"congestion": "cubic"}]
    columns = run(flows, run={"duration_s": 4, "warmup_s": 1}).columns
    assert columns["p_low"].shape == columns["p_classic"].shape == (400, 1)
    np.testing.assert_allclose(columns["p_classic"], (columns["p_low"] / 2) ** 2, atol=1e-12)
    assert columns["p_low"].max() > 0


def test_a_channel_of_a_link_must_be_a_trace() -> None:
    channel = {"radio": {"kind": "iid", "loss": 0.1}}
    with pytest.raises(PlanError, match="link.channel.*is 'radio', expected one of none"):
        run([{}], link={"channel": "radio"}, channel=channel)


def test_a_link_has_one_source_of_capacity() -> None:
    with pytest.raises(PlanError, match="exactly one of rate_mbps, trace, synthetic, channel"):
        run([{}], link={"rate_mbps": 5, "synthetic": "starlink"})


def test_a_channel_gives_each_seed_its_own_capacity() -> None:
    channel = {"sat": {"kind": "trace", "synthetic": "starlink"}}
    sums = [
        run([{}], link={"channel": "sat"}, channel=channel, run={"seed": seed}).metrics["goodput_mbps"]
        for seed in (1, 2)
    ]
    assert sums[0] != sums[1]
