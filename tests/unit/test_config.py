"""What a plan may say, and how an impossible one is refused."""

from __future__ import annotations

from typing import Any

import pytest

from lanecast.errors import PlanError
from lanecast.experiments.config import Gilbert, TokenPlan
from lanecast.experiments.points import checked, load_plan, make_sweep, shipped_plans

TOKENS: dict[str, Any] = {
    "run": {"kind": "tokens", "seed": 3},
    "app": {"scheme": "eloquent", "gap_ms": 50},
    "path": {"channel": "loss", "rtt_ms": 100},
    "channel": {"loss": {"kind": "iid", "loss": 0.1}},
}
NETWORK: dict[str, Any] = {
    "run": {"kind": "network", "duration_s": 2},
    "link": {"rate_mbps": 10, "delay_ms": 5},
    "flow": [{"congestion": "cubic"}],
}


def changed(base: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a deep enough copy with one field set."""
    keys = path.split(".")
    copy = dict(base)
    node = copy
    for key in keys[:-1]:
        node[key] = dict(node.get(key, {}))
        node = node[key]
    node[keys[-1]] = value
    return copy


def refusal(raw: dict[str, Any]) -> PlanError:
    """Return the error with which a plan is refused."""
    with pytest.raises(PlanError) as caught:
        checked("plan.toml", raw)
    return caught.value


def test_a_plan_becomes_frozen_structures() -> None:
    plan = checked("plan.toml", TOKENS)
    assert isinstance(plan, TokenPlan)
    assert plan.app.tokens == 600
    with pytest.raises(AttributeError):
        plan.app.tokens = 3  # type: ignore[misc]


def test_a_channel_is_told_by_its_kind() -> None:
    gilbert = {"kind": "gilbert", "mean_good_ms": 100, "mean_bad_ms": 10, "loss_good": 0, "loss_bad": 1}
    plan = checked("plan.toml", changed(TOKENS, "channel.loss", gilbert))
    assert isinstance(plan, TokenPlan)
    assert plan.channel["loss"] == Gilbert(mean_good_ms=100, mean_bad_ms=10, loss_good=0, loss_bad=1)


def test_an_error_names_file_key_path_value_and_expectation() -> None:
    error = refusal(changed(TOKENS, "path.rtt_ms", -3))
    assert (error.file, error.where) == ("plan.toml", "path.rtt_ms")
    assert "-3" in str(error)
    assert ">= 0" in str(error)
    assert error.exit_code == 2


def test_an_unknown_field_is_refused_with_the_known_ones() -> None:
    error = refusal(changed(TOKENS, "app.gap", 50))
    assert error.where == "app"
    assert "`gap`" in error.message
    assert "gap_ms" in error.message


def test_an_unknown_field_of_a_channel_lists_that_kinds_fields() -> None:
    error = refusal(changed(TOKENS, "channel.loss", {"kind": "iid", "loss": 0.1, "mean_bad_ms": 3}))
    assert error.where == "channel.loss" or error.where.startswith("channel")
    assert "mean_bad_ms" in error.message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("run.seed", -1),
        ("run.kind", "video"),
        ("app.tokens", 1),
        ("app.gap_ms", 0),
        ("path.coupling", "both"),
        ("channel.loss", {"kind": "iid", "loss": 1.5}),
        ("channel.loss", {"kind": "sometimes"}),
    ],
)
def test_values_out_of_bounds_are_refused(path: str, value: Any) -> None:
    assert refusal(changed(TOKENS, path, value)).message


def test_a_channel_that_is_not_there_is_named_with_those_that_are() -> None:
    error = refusal(changed(TOKENS, "path.channel", "wifi"))
    assert error.where == "path.channel"
    assert "'wifi'" in error.message
    assert "loss" in error.message


def test_a_network_plan_needs_one_kind_of_topology() -> None:
    both = changed(NETWORK, "hop", [{"link": {"rate_mbps": 1}}])
    assert refusal(both).where == "link"
    none = {key: value for key, value in NETWORK.items() if key != "link"}
    assert refusal(none).where == "link"


def test_a_link_has_exactly_one_source_of_capacity() -> None:
    assert refusal(changed(NETWORK, "link", {"delay_ms": 1})).where == "link"
    assert refusal(changed(NETWORK, "link", {"rate_mbps": 1, "trace": "x"})).where == "link"


def test_a_flow_must_cross_hops_that_exist() -> None:
    row = {key: value for key, value in NETWORK.items() if key != "link"}
    row["hop"] = [{"link": {"rate_mbps": 1}}, {"link": {"rate_mbps": 2}}]
    assert refusal(row | {"flow": [{"last_hop": 2}]}).where == "flow.0"
    assert refusal(row | {"flow": [{"first_hop": 1, "last_hop": 0}]}).where == "flow.0"
    assert checked("plan.toml", row | {"flow": [{"first_hop": 1}]})


def test_a_plan_that_sends_nothing_is_refused() -> None:
    assert refusal(changed(NETWORK, "flow", [])).where == "flow"


def test_warm_up_must_end_before_the_run() -> None:
    assert refusal(changed(NETWORK, "run.warmup_s", 2)).where == "run.warmup_s"


def test_cross_traffic_needs_a_file_only_to_replay() -> None:
    error = refusal(NETWORK | {"cross": [{"pattern": "replay"}]})
    assert error.where == "cross.0.file"


@pytest.mark.parametrize("name", shipped_plans())
def test_every_plan_that_ships_is_valid_at_every_point(name: str) -> None:
    sweep = load_plan(name)
    seeds = {axis.name for axis in sweep.axes}
    count = 0
    for _ in load_plan(name, settings=["run.seed=1"] if "run.seed" in seeds else []).points():
        count += 1
    assert count >= 1


def test_a_missing_plan_lists_those_that_ship() -> None:
    with pytest.raises(PlanError, match="eloquent"):
        load_plan("no-such-plan")


def test_text_that_is_not_toml_is_refused_with_its_place(tmp_path: Any) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[run\n")
    with pytest.raises(PlanError, match="line 1") as caught:
        load_plan(path)
    assert str(path) in str(caught.value)


def test_bytes_that_are_not_text_are_refused(tmp_path: Any) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match="UTF-8"):
        load_plan(path)


def test_the_first_value_of_every_axis_is_checked_at_once() -> None:
    with pytest.raises(PlanError, match=r"path\.rtt_ms"):
        make_sweep("plan.toml", changed(TOKENS, "path.rtt_ms", [-1, 5]))
