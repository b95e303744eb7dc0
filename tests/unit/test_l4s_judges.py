"""L4S rows are judged against what was measured: errors, shares, delays, and the interval over seeds."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import Any

import pytest

from lanecast.experiments.build_network import build_network
from lanecast.experiments.claims_l4s import Ran, _absent, _traced
from lanecast.experiments.config import Flow, Link, NetworkPlan, Run
from lanecast.experiments.l4s_cells import Cell
from lanecast.experiments.l4s_judges import (
    QUEUES,
    VALIDATION,
    VARIANTS,
    against,
    agreements,
    errors,
    own,
    relative_errors,
    share_errors,
    traced,
)
from lanecast.experiments.l4s_scenarios import scenarios


def cell(table: str, name: str, *, rate: float = 100, **expected: float) -> Cell:
    plan = NetworkPlan(Run("network"), link=Link(rate_mbps=rate), flow=[Flow()], cell=name)
    return Cell(table, name, plan, dict(expected))


def test_errors_are_absolute_or_relative_and_by_column() -> None:
    cells = [cell("grid", "a", flow0_mbps=50.0, flow0_srtt_ms=20.0)]
    rows = {"a": {"flow0_mbps": 45.0, "flow0_srtt_ms": 20.5}}
    assert errors(cells, rows, "_srtt_ms") == [0.5]
    assert relative_errors(cells, rows, "_mbps") == [pytest.approx(0.1)]


def test_shares_are_compared_not_sums() -> None:
    cells = [cell("rtt", "a", flow0_mbps=60.0, flow1_mbps=40.0)]
    assert share_errors(cells, {"a": {"flow0_mbps": 6.0, "flow1_mbps": 4.0}}) == [pytest.approx(0)]
    assert share_errors(cells, {"a": {"flow0_mbps": 50.0, "flow1_mbps": 50.0}}) == [pytest.approx(0.1)]


@pytest.mark.parametrize(("ours", "agrees"), [(20.0, True), (21.9, True), (22.1, False), (17.9, False)])
def test_a_long_delay_agrees_within_ten_percent(ours: float, agrees: bool) -> None:
    cells = [cell("overload", "a", flow0_delay_p50_ms=20.0)]
    assert agreements(cells, {"a": {"flow0_delay_p50_ms": ours}}) == [agrees]


def test_a_short_delay_agrees_within_300_us_and_a_missing_one_does_not() -> None:
    cells = [cell("overload", "a", flow0_delay_p50_ms=0.1, flow1_delay_p99_ms=1.0)]
    assert agreements(cells, {"a": {"flow0_delay_p50_ms": 0.39}}) == [True, False]


def test_each_claim_looks_at_its_own_cells() -> None:
    cells = [
        cell("grid", "Prague__20_5", rate=20, flow0_mbps=19.0, flow0_srtt_ms=6.0),
        cell("grid", "Prague__500_5", rate=500, flow0_mbps=400.0, flow0_srtt_ms=6.0),
        cell("grid", "Cubic__20_5", rate=20, flow0_mbps=1.0, flow0_srtt_ms=1.0),
        cell("rtt", "pair", flow0_mbps=50.0, flow1_mbps=50.0),
        cell("unsafe", "classic", flow0_mbps=48.0, flow1_mbps=2.0),
        cell("overload", "flood", flow2_loss=0.5),
    ]
    rows: dict[str, dict[str, Any]] = {
        "Prague__20_5": {"flow0_mbps": 19.19, "flow0_srtt_ms": 6.2},
        "Prague__500_5": {"flow0_mbps": 420.0, "flow0_srtt_ms": 9.0},
        "Cubic__20_5": {"flow0_mbps": 9.0, "flow0_srtt_ms": 9.0},
        "pair": {"flow0_mbps": 40.0, "flow1_mbps": 60.0},
        "classic": {"flow0_mbps": 30.0, "flow1_mbps": 1.0},
        "flood": {"flow2_loss": 0.51},
    }
    found = [judge(rows) for _, _, _, judge in against(cells)]
    assert found[:4] == pytest.approx([0.01, 0.2, 0.05, 0.0])
    assert math.isnan(found[4])  # no delay was measured
    assert found[5:] == pytest.approx([1.0, 30.0, 1.0])


def test_without_cells_nothing_is_judged_as_met() -> None:
    for _, _, goal, judge in against([]):
        value = judge({})
        assert math.isnan(value)
        assert str(goal)


def test_the_mean_over_seeds_is_judged_and_the_interval_covers_it() -> None:
    seeds = [{"a": {"x": float(value), "text": "no number"}} for value in (1, 2, 3, 4, 5)]
    found = Ran(seeds, 0.0).estimate(lambda rows: rows["a"]["x"] ** 2)
    assert found.value == pytest.approx(9.0)
    assert 1 < found.low < 9 < found.high < 25


def test_links_are_compared_class_by_class() -> None:
    rows = {
        f"{link} {queue}": {"flow0_delay_p99_ms": delay, "goodput_mbps": 1.0, "flow0_mbps": prague, "flow1_mbps": 1.0}
        for link, prague in (("lte", 1.0), ("wifi", 0.25))
        for queue, delay in (
            ("dualpi2", 1.0), ("dualpi2-rfc9332", 2.0), ("dualpi2-step5", 5.0), ("fq_codel", 4.0), ("pie", 4.0),
            ("droptail", 16.0),
        )
    }  # fmt: skip
    rows["wifi fq_codel"]["flow0_delay_p99_ms"] = 1.0
    found = {text: judge(rows) for text, _, _, judge in traced()}

    def named(*words: str) -> float:
        return next(value for text, value in found.items() if all(word in text for word in words))

    assert named("delay, dualpi2 over fq_codel") == pytest.approx(0.5)
    assert named("delay, dualpi2 over droptail") == pytest.approx(1 / 16)
    assert named("delay, dualpi2-step5 over fq_codel") == pytest.approx(2.5)
    assert named("share of the goodput beside Cubic, dualpi2, ") == pytest.approx(0.2)


def test_every_own_claim_names_its_source() -> None:
    assert all(text and anchor for text, anchor, _, _ in own())


def test_every_class_meets_every_queue_and_every_variant_of_the_dual_queue() -> None:
    plans = _traced()
    names = [plan.cell for plan in plans]
    assert len(set(names)) == len(names) == 5 * (len(VARIANTS) + len(QUEUES))
    step = next(plan for plan in plans if plan.cell == "wifi dualpi2-step5")
    assert (step.queue.kind, step.queue.options["step_thresh_ms"]) == ("dualpi2", 5)


def test_scenarios_have_names_of_their_own_and_can_be_built() -> None:
    plans = scenarios()
    assert len({plan.cell for plan in plans}) == len(plans)
    for plan in plans:
        assert build_network(plan).flows


def test_own_claims_ask_for_rows_that_the_scenarios_give() -> None:
    row: Any = defaultdict(lambda: 0.5)
    rows = {plan.cell: row for plan in scenarios()}
    assert all(math.isfinite(judge(rows)) for _, _, _, judge in own())


def test_what_is_not_run_is_said() -> None:
    claim = _absent("text", "anchor", VALIDATION[2], command="lanecast reproduce l4s")
    assert claim.status == "not attempted"
    assert json.loads(claim.as_json())["ours"] is None
