"""Streams on a shared bottleneck: shares add up, and a scheme that does not back off is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lanecast.experiments.build_shared import build_shared, extra_packets, rate_between
from lanecast.experiments.config import TokenPlan
from lanecast.experiments.measure import Outcome
from lanecast.experiments.points import checked
from lanecast.experiments.run import simulate
from lanecast.transport.units import SECOND

RAW: dict[str, Any] = {
    "run": {"kind": "tokens", "seed": 2},
    "path": {"channel": "shared", "rtt_ms": 50},
    "app": {"scheme": "eloquent", "gap_ms": 50, "tokens": 300},
    "channel": {
        "shared": {
            "kind": "bottleneck",
            "rate_mbps": 2,
            "buffer_ms": 250,
            "other_streams": 7,
            "long_flows": 1,
        }
    },
}


def point(scheme: str = "eloquent", **channel: Any) -> TokenPlan:
    """Return a point with some fields of the bottleneck changed."""
    raw = RAW | {
        "app": RAW["app"] | {"scheme": scheme},
        "channel": {"shared": RAW["channel"]["shared"] | channel},
    }
    plan = checked("plan.toml", raw)
    assert isinstance(plan, TokenPlan)
    return plan


def run(scheme: str = "eloquent", **channel: Any) -> Outcome:
    """Simulate such a point."""
    return simulate(point(scheme, **channel))


def test_alone_on_the_link_plain_streams_send_no_redundancy() -> None:
    found = run("rack-tlp", long_flows=0).metrics
    assert found["redundancy_share"] == 0
    # 8 streams of 45 bytes every 50 ms on 2 Mbit/s, counted to the last token of the last stream.
    assert found["token_share"] == pytest.approx(8 * 45 * 8 / 0.05 / 2e6, rel=0.01)
    assert found["sr200"] == 0


def test_duplication_takes_its_second_copy() -> None:
    plain, double = run("rack-tlp", long_flows=0).metrics, run("duplicate", long_flows=0).metrics
    assert double["redundancy_share"] == pytest.approx(plain["token_share"], rel=0.01)


def test_a_long_flow_fills_what_is_left() -> None:
    found = run("rack-tlp").metrics
    assert found["token_share"] + found["long_goodput_mbps"] / 2 == pytest.approx(1, abs=0.1)
    assert found["delay_p50_ms"] > 100, "the buffer is full: 250 ms of queue"


def test_an_ecn_queue_marks_instead_of_dropping() -> None:
    options = {
        "queue": "codel",
        "queue_options": {"limit_packets": 100, "ecn": True},
        "buffer_ms": 0,
        "ecn": True,
    }
    found = run("eloquent", **options).metrics
    assert found["queue_marks"] > 0
    assert found["delay_p50_ms"] < 100


def test_a_scheme_that_never_backs_off_is_seen() -> None:
    found = run("eloquent-times", access={"kind": "iid", "loss": 0.02}, long_start_s=5).metrics
    assert found["extra_before_per_s"] == pytest.approx(8 * 20, rel=0.1)
    assert found["extra_after_per_s"] > 0.7 * found["extra_before_per_s"]
    assert found["backoff_rtts"] > 2


def test_nothing_to_back_off_counts_as_done() -> None:
    assert run("rack-tlp", long_start_s=5).metrics["backoff_rtts"] == 0
    assert run("eloquent", long_flows=0, long_start_s=5).metrics["backoff_rtts"] == 0


def test_long_flows_wait_for_their_start() -> None:
    found = run("rack-tlp", long_start_s=5)
    times, backlog = found.columns["sample_ns"], found.columns["backlog_bytes"][:, 0]
    early = backlog[times < 5 * SECOND]
    assert early.max() < 2000
    assert backlog.max() > 20_000


def test_extra_packets_are_those_without_a_new_token() -> None:
    built = build_shared(point("eloquent-times", long_flows=0))
    built.run()
    for sender in built.senders:
        assert len(extra_packets(sender)) == sender.ledger.next_pn - 300


def test_rates_count_events_in_half_open_windows() -> None:
    times = np.array([0, SECOND, 2 * SECOND], dtype=np.int64)
    assert rate_between(times, 0, 2 * SECOND) == 1.0
    assert rate_between(times, 3 * SECOND, 4 * SECOND) == 0.0


def test_each_stream_has_its_own_bad_times() -> None:
    access = {"kind": "gilbert", "mean_good_ms": 500, "mean_bad_ms": 500, "loss_good": 0, "loss_bad": 1}
    built = build_shared(point("eloquent", access=access, long_flows=0))
    built.run()
    shown = np.array([receiver.arrivals[:300] for receiver in built.receivers])
    late = shown - np.array([stream.times for stream in built.streams]) > SECOND // 10
    assert 0.1 < late.mean() < 0.9
    assert not (late == late[0]).all()
