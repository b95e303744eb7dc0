"""Claims: when a goal is met, what is told of it, and that the token claims are computed from the right cells."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from lanecast.errors import RunFailed
from lanecast.experiments import claims_tokens
from lanecast.experiments.claims import CLAIMS, Claim, ClaimOptions, Goal, at_least, at_most, claim_line
from lanecast.experiments.claims_tokens import Grid, _kinds
from lanecast.experiments.points import load_plan
from lanecast.experiments.statistics import Estimate

CELLS = [("loss", 50.0, 100.0), ("loss", 50.0, 200.0), ("outage", 50.0, 100.0), ("lte", 50.0, 100.0)]
KINDS = {"loss": "lossy", "outage": "outage", "lte": "traced"}
# Mean stall ratio of each scheme in lossy, outage and traced cells; every seed scales all schemes alike.
STALL = {
    "rack-tlp": (0.20, 0.10, 0.05),
    "dup-ack": (0.40, 0.20, 0.10),
    "duplicate": (0.10, 0.09, 0.05),
    "eloquent": (0.04, 0.07, 0.04),
    "adaptive": (0.01, 0.0515, 0.04),
    "adaptive-rich": (0.005, 0.051, 0.04),
    "oracle": (0.00, 0.05, 0.03),
}
COST = {
    "rack-tlp": 50.0,
    "dup-ack": 48.0,
    "duplicate": 95.0,
    "eloquent": 60.0,
    "adaptive": 66.0,
    "adaptive-rich": 90.0,
    "oracle": 45.0,
}


def grid_rows() -> list[dict[str, Any]]:
    """Return rows with known reductions."""
    place = {"loss": 0, "outage": 1, "lte": 2}
    return [
        {
            "scheme": scheme, "channel": channel, "gap_ms": gap, "rtt_ms": rtt, "seed": seed,
            "sr200": STALL[scheme][place[channel]] * (1 + 0.1 * seed), "bytes_per_token": COST[scheme],
        }
        for scheme in STALL
        for channel, gap, rtt in CELLS
        for seed in range(6)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("goal", "estimate", "status"),
    [
        (at_least(0.7), (0.8, 0.75, 0.85), "met"),
        (at_least(0.7), (0.7, 0.7, 0.7), "met"),
        (at_least(0.7), (0.75, 0.65, 0.85), "direction"),
        (at_least(0.7), (0.3, 0.1, 0.5), "direction"),
        (at_least(0.7), (0.3, -0.1, 0.5), "short"),
        (at_least(0.7), (float("nan"), float("nan"), float("nan")), "short"),
        (at_most(1.25), (1.1, 1.0, 1.2), "met"),
        (at_most(1.25), (1.2, 1.1, 1.3), "short"),
        (at_most(0.0), (0.0, 0.0, 0.0), "met"),
        (Goal("<=", 1.0, 2.0), (1.5, 1.4, 1.6), "direction"),
    ],
)
def test_a_goal_is_judged_by_the_whole_interval(
    goal: Goal, estimate: tuple[float, float, float], status: str
) -> None:
    assert goal.status(Estimate(*estimate)) == status


def test_goals_read_as_they_are_meant() -> None:
    assert str(at_least(0.71)) == ">= 71 %"
    assert str(at_most(1.25)) == "<= 1.25"
    assert str(at_most(2.0, "RTT")) == "<= 2 RTT"
    assert str(at_most(0.1, "%")) == "<= 10 %"


def test_a_claim_is_one_json_object_with_null_for_nan() -> None:
    claim = Claim("a", "b", ">= 1", float("nan"), (float("nan"), 2.0), "short", 1.5, "lanecast")
    told = json.loads(claim.as_json())
    assert told == {
        "claim": "a", "anchor": "b", "goal": ">= 1", "ours": None, "ci": [None, 2.0], "status": "short",
        "seconds": 1.5, "command": "lanecast",
    }  # fmt: skip
    assert "n/a" in claim_line(claim)


def test_every_registered_set_can_be_loaded() -> None:
    for claims in CLAIMS.values():
        assert callable(claims.load())
        assert claims.meaning


def test_published_reductions_come_from_lossy_cells() -> None:
    found = claims_tokens._published(Grid(grid_rows(), KINDS))
    values = {text: estimate.value for text, _, _, estimate in found}
    assert values[
        "Eloquent cuts the stall ratio against RACK-TLP retransmission, lossy cells"
    ] == pytest.approx(0.8)
    assert values[
        "Eloquent cuts the stall ratio against dup-ACK retransmission, lossy cells"
    ] == pytest.approx(0.9)
    assert values["Eloquent cuts the stall ratio against duplication, lossy cells"] == pytest.approx(0.6)
    # All four cells: 1 - (2 * 0.04 + 0.07 + 0.04) / (2 * 0.2 + 0.1 + 0.05).
    assert values["the same against RACK-TLP, all cells"] == pytest.approx(1 - 0.19 / 0.55)
    assert found[-1][3].value == pytest.approx(60 / 50)


def test_our_scheme_is_held_against_each_base() -> None:
    found = [entry[2:] for entry in claims_tokens._beyond(Grid(grid_rows(), KINDS))]
    values = [estimate.value for _, estimate in found]
    assert values[0] == pytest.approx(0.95)
    assert values[1] == pytest.approx((0.10 - 0.0515) / (0.10 - 0.05))
    assert values[2] == pytest.approx(0.75)
    assert values[3] == pytest.approx(1.1)
    assert values[4] == 0.0
    assert values[8] == pytest.approx(1.5)
    statuses = [goal.status(estimate) for goal, estimate in found]
    assert statuses == ["met", "met", "met", "met", "met", "met", "met", "met", "short", "met"]


def test_one_worse_cell_is_found_and_named() -> None:
    rows = grid_rows()
    for row in rows:
        if row["scheme"] == "adaptive" and row["channel"] == "lte":
            row["sr200"] *= 1.5
    text, _, goal, estimate = claims_tokens._beyond(Grid(rows, KINDS))[4]
    assert "lte, gap 50 ms, RTT 100 ms" in text
    assert estimate.value > 0
    assert goal.status(estimate) == "short"


def test_cells_are_told_apart_by_their_channel() -> None:
    first = load_plan("eloquent").first
    kinds = _kinds(first.channel)
    assert {name for name, kind in kinds.items() if kind == "lossy"} == {
        "iid1",
        "iid5",
        "iid10",
        "ge5",
        "ge10",
        "ge13",
    }
    assert {name for name, kind in kinds.items() if kind == "outage"} == {"outage10"}
    assert {name for name, kind in kinds.items() if kind == "traced"} == {"lte", "5g", "starlink", "wifi"}


def shared_rows(keep: float) -> list[dict[str, Any]]:
    """Return do-no-harm rows of two bottlenecks; the second is the worse."""
    return [
        {
            "scheme": scheme, "channel": channel, "gap_ms": 50.0, "rtt_ms": 50.0, "seed": seed,
            "redundancy_share": 0.05 * worse, "backoff_rtts": 0.5 * worse,
            "long_goodput_mbps": 1.2 * (1 if scheme == "rack-tlp" else keep),
        }
        for scheme in ("rack-tlp", "adaptive")
        for worse, channel in ((1, "droptail"), (2, "codel"))
        for seed in range(4)
    ]  # fmt: skip


def test_harm_is_judged_in_the_worst_bottleneck() -> None:
    found = claims_tokens._harmless(shared_rows(0.97))
    assert [estimate.value for *_, estimate in found] == pytest.approx([0.10, 1.0, 0.97])
    assert [goal.status(estimate) for _, _, goal, estimate in found] == ["met", "met", "met"]
    poor = claims_tokens._harmless(shared_rows(0.9))
    assert poor[2][2].status(poor[2][3]) == "direction"


def test_a_command_says_how_it_was_run() -> None:
    options = ClaimOptions(fast=True, seed="1..3", data="../my data")
    assert (
        claims_tokens._command(options)
        == "lanecast reproduce eloquent --fast --seed 1..3 --data '../my data'"
    )


def test_a_whole_reproduction_at_its_smallest(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    small = ("app.tokens=200", "path.rtt_ms=100", "app.gap_ms=50", 'path.channel=["ge10", "outage10"]')
    monkeypatch.setattr(claims_tokens, "FAST", small)
    harm = ("app.tokens=80", "channel.droptail.long_start_s=1", "channel.codel-ecn.long_start_s=1")
    monkeypatch.setattr(claims_tokens, "FAST_HARM", harm)
    options = ClaimOptions(fast=True, seed="1..2", jobs=1, out=str(tmp_path), shown=False)
    claims = CLAIMS["eloquent"].load()(options)
    assert len(claims) == 19
    assert all(claim.status in ("met", "direction", "short") for claim in claims)
    assert all(math.isfinite(claim.ours) for claim in claims)
    again = CLAIMS["eloquent"].load()(options)
    assert [(claim.ours, claim.ci) for claim in again] == [(claim.ours, claim.ci) for claim in claims]


def test_a_claim_needs_every_run(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims_tokens, "FAST", ('app.scheme="nonsense"', "path.channel=iid1", "run.seed=1"))
    with pytest.raises(RunFailed, match="nonsense"):
        claims_tokens._run(
            "eloquent", ClaimOptions(fast=True, jobs=1, out=str(tmp_path), shown=False), claims_tokens.FAST
        )


def test_tables_of_one_grid_share_their_cells() -> None:
    grid = Grid(grid_rows(), KINDS)
    assert grid.cells("eloquent") == grid.cells("oracle") == CELLS
    assert grid.table("eloquent", kind="traced").shape == (1, 6)
    assert np.array_equal(grid.table("eloquent")[2:3], grid.table("eloquent", kind="outage"))
