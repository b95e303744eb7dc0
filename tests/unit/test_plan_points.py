"""Sweeps: lists and ranges in place, `[sweep]` by key path, `--set`, and the order of points."""

from __future__ import annotations

from typing import Any

import pytest

from lanecast.errors import PlanError
from lanecast.experiments.config import NetworkPlan, TokenPlan
from lanecast.experiments.points import expand_range, make_sweep, put

BASE: dict[str, Any] = {
    "run": {"kind": "tokens", "seed": "1..3"},
    "path": {"channel": ["a", "b"], "rtt_ms": 100},
    "app": {"scheme": "eloquent", "gap_ms": [20, 50]},
    "channel": {"a": {"kind": "iid", "loss": 0.1}, "b": {"kind": "iid", "loss": 0.2}},
}


def points(raw: dict[str, Any], **options: Any) -> list[TokenPlan]:
    """Return all points of a token plan."""
    found = list(make_sweep("plan.toml", raw, **options).points())
    assert all(isinstance(point, TokenPlan) for point in found)
    return found  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1..4", (1, 2, 3, 4)),
        ("10..50 step 20", (10, 30, 50)),
        ("0..1 step 0.25", (0, 0.25, 0.5, 0.75, 1)),
        ("-2..0", (-2, -1, 0)),
        (" 5 .. 5 ", (5,)),
        ("3..1", ()),
        ("1..2 step 0", ()),
        ("1-3", ()),
        ("eloquent", ()),
        ("1..9999999999", ()),
    ],
)
def test_ranges_include_both_ends(text: str, values: tuple[float, ...]) -> None:
    assert expand_range(text) == values


def test_decimal_steps_do_not_drift() -> None:
    assert expand_range("0..1 step 0.1")[3] == 0.3


def test_points_come_in_file_order_with_the_last_axis_fastest() -> None:
    found = [(point.run.seed, point.path.channel, point.app.gap_ms) for point in points(BASE)]
    assert len(found) == 12
    assert found[:4] == [(1, "a", 20), (1, "a", 50), (1, "b", 20), (1, "b", 50)]
    assert found[-1] == (3, "b", 50)


def test_a_list_field_is_not_a_sweep() -> None:
    raw = {
        "run": {"kind": "network"},
        "link": {"rate_mbps": [1, 2]},
        "flow": [{"congestion": "cubic", "count": [1, 2]}, {"congestion": "reno"}],
    }
    sweep = make_sweep("plan.toml", raw)
    assert [axis.name for axis in sweep.axes] == ["link.rate_mbps", "flow.0.count"]
    last = list(sweep.points())[-1]
    assert isinstance(last, NetworkPlan)
    assert (last.flow[0].count, last.flow[1].congestion) == (2, "reno")


def test_a_list_inside_a_channel_table_is_refused() -> None:
    raw = BASE | {"channel": {"a": {"kind": "iid", "loss": [0.1, 0.2]}, "b": {"kind": "iid", "loss": 0.1}}}
    with pytest.raises(PlanError) as caught:
        make_sweep("plan.toml", raw)
    assert "array" in caught.value.message


def test_the_sweep_table_adds_axes_by_key_path() -> None:
    raw = BASE | {"run": {"kind": "tokens", "seed": 1}, "sweep": {"path.rtt_ms": "10..30 step 10"}}
    assert [point.path.rtt_ms for point in points(raw)][:3] == [10, 20, 30]


def test_a_sweep_entry_that_is_no_list_is_refused() -> None:
    with pytest.raises(PlanError, match=r"sweep\.path\.rtt_ms"):
        make_sweep("plan.toml", BASE | {"sweep": {"path.rtt_ms": "many"}})


def test_set_overrides_one_field_and_may_sweep() -> None:
    found = points(BASE, settings=["run.seed=9", "path.channel=b", "app.gap_ms=[100, 200]"])
    assert [(point.run.seed, point.path.channel, point.app.gap_ms) for point in found] == [
        (9, "b", 100),
        (9, "b", 200),
    ]


def test_set_reaches_into_arrays_of_tables() -> None:
    raw = {"run": {"kind": "network"}, "link": {"rate_mbps": 1}, "flow": [{"congestion": "cubic"}]}
    sweep = make_sweep("plan.toml", raw, settings=["flow.0.congestion=reno"])
    assert isinstance(sweep.first, NetworkPlan)
    assert sweep.first.flow[0].congestion == "reno"
    with pytest.raises(PlanError, match=r"flow\.1"):
        make_sweep("plan.toml", raw, settings=["flow.1.congestion=reno"])


@pytest.mark.parametrize("setting", ["app.gap_ms", "=3"])
def test_a_setting_without_key_and_value_is_refused(setting: str) -> None:
    with pytest.raises(PlanError):
        make_sweep("plan.toml", BASE, settings=[setting])


def test_set_through_a_value_is_refused() -> None:
    with pytest.raises(PlanError, match=r"app\.scheme"):
        make_sweep("plan.toml", BASE, settings=["app.scheme.name=3"])


def test_put_copies_only_what_it_changes() -> None:
    raw: dict[str, Any] = {"a": {"b": 1}, "c": {"d": 2}}
    after = put(raw, ("a", "b"), 5)
    assert raw["a"]["b"] == 1
    assert after["a"]["b"] == 5
    assert after["c"] is raw["c"]


def test_the_order_of_points_does_not_depend_on_the_call() -> None:
    sweep = make_sweep("plan.toml", BASE)
    assert list(sweep.points()) == list(sweep.points())
    assert len(list(sweep.points())) == len(sweep)


def test_a_point_holds_only_what_touches_its_run() -> None:
    raw = BASE | {"title": "x", "report": {"t": {"kind": "table", "y": "sr200"}}}
    raw["scheme"] = {"mine": {"base": "eloquent"}, "eloquent": {"base": "fec"}}
    point = points(raw)[0]
    assert list(point.channel) == ["a"]
    assert list(point.scheme) == ["eloquent"]
    assert (point.title, point.report) == ("", {})
    assert point == points(raw | {"title": "y", "report": {}})[0]


def test_samples_show_every_value_once_but_only_one_seed() -> None:
    found = list(make_sweep("plan.toml", BASE).samples())
    assert len(found) == 3
    assert {point.run.seed for point in found} == {1}
    assert {point.path.channel for point in found if isinstance(point, TokenPlan)} == {"a", "b"}
