"""Network points become flows over hops: who gets what, where packets wait, and what is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanecast.errors import LanecastError
from lanecast.experiments.build_network import build_network
from lanecast.experiments.config import NetworkPlan
from lanecast.experiments.measure import Outcome
from lanecast.experiments.network_run import jain_index
from lanecast.experiments.points import checked
from lanecast.experiments.run import simulate

RAW: dict[str, Any] = {
    "run": {"kind": "network", "duration_s": 4, "warmup_s": 1, "seed": 3},
    "link": {"rate_mbps": 10, "delay_ms": 10},
    "queue": {"kind": "droptail", "limit_packets": 50},
    "flow": [{"congestion": "cubic", "count": 2}],
}


def run(**tables: Any) -> Outcome:
    """Simulate a point with some tables replaced (run: fields changed)."""
    raw = RAW | tables
    raw["run"] = RAW["run"] | tables.get("run", {})
    plan = checked("plan.toml", {key: value for key, value in raw.items() if value is not None})
    assert isinstance(plan, NetworkPlan)
    return simulate(plan)


def test_two_flows_fill_the_link_and_share_it() -> None:
    found = run(run={"duration_s": 12, "warmup_s": 2}).metrics
    # 1448 of 1500 bytes are data.
    assert 0.97 * 10 * 1448 / 1500 < found["goodput_mbps"] <= 10
    assert 0.97 < found["utilisation"] <= 1.0001
    assert found["jain"] > 0.8
    assert found["flow0_mbps"] + found["flow1_mbps"] == pytest.approx(found["goodput_mbps"])


def test_the_queue_never_exceeds_its_limit() -> None:
    found = run()
    assert found.columns["backlog_bytes"].max() <= 50 * 1500
    assert found.drops["hop 0 queue"] > 0


def test_an_aqm_keeps_the_queue_short() -> None:
    tail = run().metrics["queue_p95_ms"]
    codel = run(queue={"kind": "codel", "limit_packets": 1000}).metrics["queue_p95_ms"]
    assert codel < tail / 2


@pytest.mark.parametrize("kind", ["infinite", "droptail", "drophead", "codel", "pie", "red", "fq_codel"])
def test_every_queue_runs(kind: str) -> None:
    assert run(queue={"kind": kind}, run={"duration_s": 1, "warmup_s": 0}).metrics["goodput_mbps"] > 3


def test_the_same_point_gives_the_same_columns() -> None:
    one, two = run(), run()
    assert all(np.array_equal(one.columns[name], two.columns[name]) for name in one.columns)


def test_a_longer_path_gets_less_on_a_parking_lot() -> None:
    hop = {"link": {"rate_mbps": 10, "delay_ms": 5}, "queue": {"kind": "droptail", "limit_packets": 30}}
    flows = [{}, {"last_hop": 0}, {"first_hop": 1, "last_hop": 1}]
    found = run(
        link=None, queue={}, hop=[hop, hop], flow=flows, run={"duration_s": 15, "warmup_s": 3}
    ).metrics
    assert found["flow0_mbps"] < found["flow1_mbps"]
    assert found["flow0_mbps"] < found["flow2_mbps"]
    assert found["utilisation_hop0"] > 0.9
    assert found["utilisation_hop1"] > 0.9


@pytest.mark.parametrize("pattern", ["constant", "poisson", "on-off", "pareto"])
def test_cross_traffic_takes_its_rate(pattern: str) -> None:
    cross = [{"pattern": pattern, "rate_mbps": 4, "on_ms": 20, "off_ms": 20}]
    found = run(flow=[], cross=cross, run={"duration_s": 30, "warmup_s": 0}).metrics
    mean = 4 if pattern in ("constant", "poisson") else 2
    assert found["utilisation"] == pytest.approx(mean / 10, rel=0.25)


def test_recorded_cross_traffic_is_replayed(tmp_path: Path) -> None:
    path = tmp_path / "cross.txt"
    path.write_text("0.1 1000\n0.2 500\n")
    found = run(flow=[], cross=[{"pattern": "replay", "file": str(path)}])
    assert found.columns["link_bytes"][-1, 0] == 1500
    path.write_text("0.1 many\n")
    with pytest.raises(LanecastError, match=r"cross\.txt"):
        run(flow=[], cross=[{"pattern": "replay", "file": str(path)}])


def test_loss_on_the_wire_lowers_goodput() -> None:
    clean, lossy = run(), run(impair={"loss": 0.05})
    assert lossy.metrics["goodput_mbps"] < 0.9 * clean.metrics["goodput_mbps"]
    assert lossy.metrics["retransmitted"] > clean.metrics["retransmitted"] / 10


def test_a_channel_decides_loss_by_name() -> None:
    outage = {"kind": "gilbert", "mean_good_ms": 300, "mean_bad_ms": 300, "loss_good": 0, "loss_bad": 1}
    found = run(impair={"channel": "outage"}, channel={"outage": outage})
    assert found.metrics["goodput_mbps"] < 8


@pytest.mark.parametrize("impair", [{"duplicate": 0.2}, {"reorder": 0.1, "reorder_ms": 5}, {"jitter_ms": 2}])
def test_other_impairments_leave_the_transfer_alive(impair: dict[str, float]) -> None:
    assert run(impair=impair).metrics["goodput_mbps"] > 2


def test_a_short_flow_ends() -> None:
    found = run(flow=[{"kbytes": 100}], run={"warmup_s": 0})
    received = found.columns["goodput_bytes"][:, 0]
    assert 100_000 <= received[-1] < 102_000
    assert received[200] == received[-1]


def test_a_flow_starts_when_the_plan_says() -> None:
    found = run(flow=[{"start_s": 2}], run={"warmup_s": 0})
    times, received = found.columns["sample_ns"], found.columns["goodput_bytes"][:, 0]
    assert received[times <= 2_000_000_000].max() == 0
    assert received[-1] > 0


def test_a_synthetic_class_is_a_link() -> None:
    found = run(link={"synthetic": "wifi-office", "delay_ms": 5})
    assert 0 < found.metrics["utilisation"] < 2


def test_a_trace_file_is_a_link(tmp_path: Path) -> None:
    path = tmp_path / "steady.down"
    path.write_text("".join(f"{ms}\n" for ms in range(1, 2001)))  # 12 Mbit/s
    found = run(link={"trace": str(path), "delay_ms": 5})
    assert found.columns["capacity_mean_bps"][0] == 12e6
    assert found.metrics["goodput_mbps"] == pytest.approx(12 * 1448 / 1500, rel=0.05)


def test_the_log_holds_every_packet_of_the_queue() -> None:
    found = run(run={"log": True, "duration_s": 1, "warmup_s": 0})
    events = found.columns["log_event"]
    taken, enqueued = int((events == 2).sum()), int((events == 1).sum())
    assert 0 < taken <= enqueued
    assert int((events == 4).sum()) == found.drops["hop 0 queue"]


def test_unknown_controllers_and_queues_are_refused() -> None:
    with pytest.raises(LanecastError, match="cubic"):
        run(flow=[{"congestion": "magic"}])
    with pytest.raises(LanecastError, match="droptail"):
        run(queue={"kind": "magic"})
    with pytest.raises(LanecastError, match="speed"):
        run(queue={"kind": "codel", "options": {"speed": 3}})


def test_jains_index_is_one_for_equal_shares_and_one_nth_for_one() -> None:
    assert jain_index(np.array([2.0, 2.0, 2.0])) == pytest.approx(1)
    assert jain_index(np.array([5.0, 0.0, 0.0, 0.0])) == pytest.approx(0.25)
    assert np.isnan(jain_index(np.zeros(3)))


def test_flows_count_up_over_their_tables() -> None:
    plan = checked("plan.toml", RAW | {"flow": [{"count": 2}, {"congestion": "reno"}]})
    assert isinstance(plan, NetworkPlan)
    built = build_network(plan)
    assert [flow.congestion for flow, _ in built.flows] == ["cubic", "cubic", "reno"]
