"""Token points become runs: closed forms on clean channels, common random numbers, oracles, sources."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lanecast.errors import PlanError
from lanecast.experiments.build import turned
from lanecast.experiments.build_tokens import build_tokens, token_scheme, token_stream
from lanecast.experiments.config import TokenPlan
from lanecast.experiments.measure import Outcome
from lanecast.experiments.oracles import OracleRun
from lanecast.experiments.points import checked
from lanecast.experiments.run import simulate
from lanecast.traces.trace import Opportunities, Trace
from lanecast.transport.rng import Streams
from lanecast.transport.tokens.eloquent import EloquentTimes
from lanecast.transport.units import MS, SECOND

RAW: dict[str, Any] = {
    "run": {"kind": "tokens", "seed": 5},
    "path": {"channel": "clean", "rtt_ms": 100, "jitter_ms": 0},
    "app": {"scheme": "eloquent", "gap_ms": 50, "tokens": 100},
    "channel": {
        "clean": {"kind": "iid", "loss": 0.0},
        "lossy": {"kind": "iid", "loss": 0.1},
        "bursts": {
            "kind": "gilbert",
            "mean_good_ms": 500,
            "mean_bad_ms": 200,
            "loss_good": 0.01,
            "loss_bad": 1.0,
        },
        "lte": {"kind": "trace", "synthetic": "lte-driving-down", "load": 0.7},
    },
}
DATAGRAM = ("rack-tlp", "dup-ack", "eloquent", "eloquent-probes", "fec")


def point(**changes: dict[str, Any]) -> TokenPlan:
    """Return a point with some tables' fields changed."""
    raw = RAW | {table: RAW.get(table, {}) | fields for table, fields in changes.items()}
    plan = checked("plan.toml", raw)
    assert isinstance(plan, TokenPlan)
    return plan


def run(**changes: dict[str, Any]) -> Outcome:
    """Simulate a point."""
    return simulate(point(**changes))


@pytest.mark.parametrize("scheme", DATAGRAM)
def test_a_clean_channel_shows_every_token_after_half_a_round_trip(scheme: str) -> None:
    found = run(app={"scheme": scheme})
    delays = found.columns["render_ns"] - found.columns["generation_ns"]
    assert (delays == 50 * MS).all()
    assert found.metrics["sr200"] == 0
    assert found.metrics["packets_per_token"] == 1


def test_plain_retransmission_costs_45_bytes_a_token() -> None:
    # IPv4 20 + UDP 8 + own header 12 + length 1 + text 4.
    assert run(app={"scheme": "rack-tlp"}).metrics["bytes_per_token"] == 45


def test_duplication_sends_two_packets_a_token() -> None:
    found = run(app={"scheme": "duplicate"}).metrics
    assert (found["packets_per_token"], found["bytes_per_token"]) == (2, 90)


def test_eloquent_carries_what_is_unacknowledged() -> None:
    # Token i is acknowledged at g_i + RTT, just before token i + RTT/gap is sent: RTT/gap - 1 older tokens ride along.
    assert run().metrics["bytes_per_token"] == (45 + 99 * 50) / 100
    assert run(path={"rtt_ms": 200}).metrics["bytes_per_token"] == (45 + 50 + 55 + 97 * 60) / 100


def test_every_scheme_meets_the_same_channel() -> None:
    one, two = (
        build_tokens(point(path={"channel": "bursts"}, app={"scheme": scheme}))
        for scheme in ("eloquent", "fec")
    )
    fates = [
        [run.down.channel.lost_at(slot, n) for slot in range(3000) for n in range(2)] for run in (one, two)
    ]
    assert fates[0] == fates[1]
    assert 0.1 < np.mean(fates[0]) < 0.6


def test_symmetric_directions_share_their_state_and_independent_ones_do_not() -> None:
    shared = build_tokens(point(path={"channel": "bursts", "coupling": "symmetric"}))
    apart = build_tokens(point(path={"channel": "bursts", "coupling": "independent"}))
    assert not isinstance(shared, OracleRun)
    assert not isinstance(apart, OracleRun)
    bad = [
        [
            built.down.channel.draws.process.at(ms * MS) == built.up.channel.draws.process.at(ms * MS)
            for ms in range(5000)
        ]
        for built in (shared, apart)
    ]
    assert all(bad[0])
    assert not all(bad[1])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first = run(path={"channel": "lossy"})
    again = run(path={"channel": "lossy"})
    other = run(path={"channel": "lossy"}, run={"seed": 6})
    assert all(np.array_equal(first.columns[name], again.columns[name]) for name in first.columns)
    assert not np.array_equal(first.columns["render_ns"], other.columns["render_ns"])


@pytest.mark.parametrize("channel", ["lossy", "bursts", "lte"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_scheme_shows_a_token_before_the_oracle(channel: str, seed: int) -> None:
    common: dict[str, dict[str, Any]] = {"path": {"channel": channel, "jitter_ms": 3}, "run": {"seed": seed}}
    best = run(app={"scheme": "oracle"}, **common).columns["render_ns"]
    for scheme in ("rack-tlp", "eloquent", "eloquent-probes", "duplicate"):
        shown = run(app={"scheme": scheme}, **common).columns["render_ns"]
        assert (shown >= best).all(), scheme


def test_a_budgeted_oracle_keeps_its_budget_and_is_no_better() -> None:
    common: dict[str, dict[str, Any]] = {"path": {"channel": "bursts"}}
    free = run(app={"scheme": "oracle"}, **common)
    tight = {"half": {"base": "oracle-budget", "options": {"bytes_per_token": 25}}}
    bound = run(app={"scheme": "half"}, scheme=tight, **common)
    assert bound.metrics["bytes_per_token"] <= 25
    assert (bound.columns["render_ns"] >= free.columns["render_ns"]).all()


def test_a_traced_link_delays_by_its_capacity_and_keeps_the_trace() -> None:
    found = run(path={"channel": "lte"})
    assert found.columns["capacity_bps"].min() >= 0
    assert {"down queue", "up queue", "down lost", "up lost"} == set(found.drops)
    delays = found.columns["render_ns"] - found.columns["generation_ns"]
    assert (delays > 50 * MS).all()


def test_the_log_is_kept_when_asked_for() -> None:
    found = run(run={"log": True, "seed": 2}, path={"channel": "lossy"})
    events = found.columns["log_event"]
    assert "receiver" in found.notes["stages"]
    delivered = found.notes["stages"].index("receiver")
    sent = len(found.columns["sent_ns"])
    assert (
        int((found.columns["log_stage"][events == 6] == delivered).sum()) == sent - found.drops["down lost"]
    )


def test_loss_is_what_the_plan_says() -> None:
    found = run(app={"tokens": 4000, "gap_ms": 2}, path={"channel": "lossy"})
    packets = len(found.columns["sent_ns"])
    # Six standard deviations of a binomial count; acknowledgements clock out about one packet a token.
    assert packets > 3000
    assert abs(found.drops["down lost"] - 0.1 * packets) < 6 * np.sqrt(packets * 0.1 * 0.9)


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("constant", {}),
        ("rate", {}),
        ("burst", {"each": 4}),
        ("pause", {"probability": 0.5, "shortest_ms": 1000, "longest_ms": 1000}),
        ("gamma", {"shape": 2}),
        ("hosted", {"ttft_ms": 300}),
        ("recorded", {}),
    ],
)
def test_every_source_makes_an_answer(source: str, options: dict[str, Any]) -> None:
    plan = point(app={"source": source, "source_options": options})
    stream = token_stream(plan.app, Streams(1))
    assert len(stream) == 100
    assert (np.diff(stream.times) >= 0).all()
    if source == "hosted":
        assert stream.times[0] == 300 * MS
    if source == "burst":
        assert stream.times[3] == 0
        assert stream.times[4] == 200 * MS


def test_text_of_ones_own_is_streamed(tmp_path: Any) -> None:
    path = tmp_path / "answer.txt"
    path.write_text("Grüße, 世界! " * 40, encoding="utf-8")
    plan = point(app={"source": "text", "source_options": {"file": str(path)}})
    stream = token_stream(plan.app, Streams(1))
    assert stream.text == path.read_bytes()[: len(stream.text)]


def test_a_group_waits_for_its_last_token() -> None:
    stream = token_stream(point(app={"group": 5}).app, Streams(1))
    assert stream.times[:6].tolist() == [200 * MS] * 5 + [450 * MS]


@pytest.mark.parametrize(
    ("app", "where"),
    [
        ({"source": "oracle"}, "app.source"),
        ({"source_options": {"speed": 3}}, "app.source_options"),
        ({"source": "text"}, "app.source_options"),
    ],
)
def test_an_unknown_source_or_option_is_refused(app: dict[str, Any], where: str) -> None:
    with pytest.raises(PlanError) as caught:
        token_stream(point(app=app).app, Streams(1))
    assert caught.value.where == where


def test_a_scheme_table_gives_options_their_units() -> None:
    table = {"mine": {"base": "eloquent-probes", "options": {"spacing_ms": 20}}}
    scheme: Any = token_scheme(point(app={"scheme": "mine"}, scheme=table))
    assert scheme.spacing == 20 * MS
    thrice = {"x3": {"base": "eloquent-times", "options": {"times": 3}}}
    assert isinstance(token_scheme(point(app={"scheme": "x3"}, scheme=thrice)), EloquentTimes)


def test_an_unknown_scheme_or_option_is_refused_by_its_place() -> None:
    with pytest.raises(PlanError, match=r"app\.scheme.*eloquent"):
        token_scheme(point(app={"scheme": "telepathy"}))
    table = {"mine": {"base": "eloquent", "options": {"speed": 1}}}
    with pytest.raises(PlanError, match=r"scheme\.mine"):
        token_scheme(point(app={"scheme": "mine"}, scheme=table))


def test_a_cold_start_waits_longer_for_what_is_lost_first() -> None:
    # Everything is lost for the first 300 ms or so; no round trip has been measured when the timers are set.
    outage = {
        "out": {"kind": "gilbert", "mean_good_ms": 300, "mean_bad_ms": 300, "loss_good": 0, "loss_bad": 1}
    }
    app = {"scheme": "rack-tlp", "tokens": 3}
    sent = []
    for warm in (True, False):
        path = {"channel": "out", "warm": warm}
        sent.append(
            [
                run(path=path, app=app, channel=outage, run={"seed": seed}).columns["sent_ns"]
                for seed in range(8)
            ]
        )
    assert any(not np.array_equal(one, other) for one, other in zip(*sent, strict=True))


def test_a_stretch_that_offers_nothing_goes_on_to_the_end_of_the_outage() -> None:
    trace = Trace(capacity=Opportunities(np.array([1, 60, 100]) * SECOND, 1500, 100 * SECOND))
    stretch = turned(trace, 0.02, 10 * SECOND)  # from 2 s on: the next chance comes 58 s later
    assert isinstance(stretch.capacity, Opportunities)
    assert stretch.capacity.times.tolist() == [58 * SECOND]
    assert turned(trace, 0.5, 20 * SECOND).period_ns == 20 * SECOND
