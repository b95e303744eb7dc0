"""Rows of the public L4S tables become runs: which flows, which queue, which numbers are compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from lanecast.errors import UsageError
from lanecast.experiments.build_network import build_network
from lanecast.experiments.l4s_cells import FOLDER, Cell, queue_named, read_cells
from lanecast.experiments.l4s_scenarios import HOST_MS

TABLES = {
    "iperf_grid.csv": (
        "run,aqm,rate_mbps,base_rtt_ms,flow,cc,ecn,goodput_mbps,srtt_mean_ms\n"
        'Prague__20_5,dualpi2,20,5.0,1,prague,"accurate ECN, ECT(1)",19.14,6.55\n'
        "Mix,fq_codel_tst,100,20.0,1,cubic,classic ECN,3.67,29.96\n"
        "Mix,fq_codel_tst,100,20.0,2,prague,ECT(1),91.98,26.07\n"
    ),
    "rtt_independence.csv": (
        "test,rtt1_ms,rtt2_ms,cc1,scaling1,cc2,scaling2,goodput1_mbps,goodput2_mbps\n"
        'A,10,15,prague,"rate, target 15 ms",prague,none,42.41,53.23\n'
    ),
    "fairness_rtt.csv": (
        "rate_mbps,qdisc,cc1,rtt1_ms,goodput1_mbps,cc2,rtt2_ms,goodput2_mbps,jain\n"
        "10,pfifo(200),cubic,20,3.1,cubic,10,6.34,0.895\n"
        "10,cnq_codel_af,cubic,20,3.1,cubic,10,6.34,0.895\n"
    ),
    "fairness_rfc3168.csv": (
        "rate_mbps,qdisc,cc1,rtt1_ms,goodput1_mbps,cc2,rtt2_ms,goodput2_mbps,ratio\n"
        "50,pie,prague,20,46.67,reno-noecn,20,0.96,48\n"
    ),
    "overload_grid.csv": (
        "classic_protection_pct,udp_marking,udp_each_mbps,udp_total_mbps,flow,queue,goodput_mbps,srtt_mean_ms,"
        "srtt_p99_ms,retransmits,udp_loss_pct\n"
        "25,not-ect+ect1,10,20,prague,L,54.8,20.3,20.4,0,\n"
        "25,not-ect+ect1,10,20,udp-ect1,L,9.6,,,,1.5\n"
    ),
    "qdelay_summary.csv": (
        "experiment,run,rate_mbps,base_rtt_ms,flow,queue,p50_ms,p99_ms\n"
        "grid,dualpi2 Prague__20_5,20,5,prague,L,0.917,1.835\n"
        "overload,protection 25% load not-ect+ect1 10M,100,20,udp,C,14.3,18.4\n"
        "overload,protection 0% load of no run 10M,100,20,udp,C,14.3,18.4\n"
    ),
}


@pytest.fixture
def cells(tmp_path: Path) -> dict[str, Cell]:
    """The cells of small tables of the same layout."""
    (tmp_path / FOLDER).mkdir()
    for name, text in TABLES.items():
        (tmp_path / FOLDER / name).write_text("# source: made up\n" + text)
    return {cell.name: cell for cell in read_cells(str(tmp_path))}


def test_every_row_whose_queue_is_known_becomes_a_cell(cells: dict[str, Cell]) -> None:
    assert [cell.table for cell in cells.values()] == [
        "grid",
        "grid",
        "rtt",
        "fairness",
        "unsafe",
        "overload",
    ]


def test_values_stand_under_our_columns(cells: dict[str, Cell]) -> None:
    assert cells["Prague__20_5"].expected == {
        "flow0_mbps": 19.14, "flow0_srtt_ms": 6.55, "flow0_delay_p50_ms": 0.917, "flow0_delay_p99_ms": 1.835,
    }  # fmt: skip
    assert cells["Mix"].expected["flow1_mbps"] == 91.98
    overload = cells["protection 25% load not-ect+ect1 10M"].expected
    assert overload["flow3_loss"] == pytest.approx(0.015)  # UDP flows follow Prague and Cubic
    assert overload["flow2_delay_p50_ms"] == 14.3


def test_flows_and_queues_are_those_of_the_row(cells: dict[str, Cell]) -> None:
    first, second = cells["A 10/15 ms"].plan.flow
    assert (first.options, second.options) == (
        {"rtt_scaling": "rate", "rtt_target_ms": 15.0}, {"rtt_scaling": "none"},
    )  # fmt: skip
    assert (first.rtt_ms, second.rtt_ms) == (10, 15)
    prague, reno = cells["unsafe pie 50 prague@20 reno-noecn@20"].plan.flow
    assert (prague.ecn, reno.ecn) == ("", "not-ect")
    mixed = cells["Mix"].plan
    assert (mixed.queue.kind, mixed.flow[0].ecn) == ("codel", "ect0")
    overload = cells["protection 25% load not-ect+ect1 10M"].plan
    assert overload.queue.options["classic_protection"] == 25
    assert [cross.ecn for cross in overload.cross] == ["not-ect", "ect1"]


def test_host_time_is_random_with_one_mean_for_all(cells: dict[str, Cell]) -> None:
    assert {cell.plan.impair.jitter_ms for cell in cells.values()} == {HOST_MS}


def test_cells_can_be_built(cells: dict[str, Cell]) -> None:
    for cell in cells.values():
        built = build_network(cell.plan)
        assert len(built.flows) == len(cell.plan.flow)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"iperf_grid\.csv: cannot be read"):
        read_cells(str(tmp_path))


def test_a_row_that_makes_no_sense_is_named_with_its_table(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    for name, text in TABLES.items():
        (tmp_path / FOLDER / name).write_text(text.replace("10,15,prague", "ten,15,prague"))
    with pytest.raises(UsageError, match=r"rtt_independence\.csv: .*'ten'"):
        read_cells(str(tmp_path))


@pytest.mark.data
def test_all_public_tables_become_cells() -> None:
    data = Path(__file__).parents[3] / "shared" / "data"
    if not (data / FOLDER).is_dir():
        pytest.skip(f"no {data / FOLDER}")
    found = read_cells(str(data))
    assert len({cell.name for cell in found}) == len(found) > 200
    assert sum("_delay_p" in column for cell in found for column in cell.expected) > 300


@pytest.mark.parametrize(
    ("name", "kind", "limit", "options"),
    [
        ("pfifo(200)", "droptail", 200, {}),
        ("pie(100p/5ms)", "pie", 100, {"ecn": True, "target_ms": 5}),
        ("fq_codel(1q,1ms/20ms)", "codel", 10240, {"ecn": True, "target_ms": 1, "interval_ms": 20}),
        ("red(400000b)", "red", 0, {"ecn": True, "min_packets": 100 / 3, "max_packets": 100.0}),
    ],
)
def test_queues_with_parameters_are_read(
    name: str, kind: str, limit: int, options: dict[str, object]
) -> None:
    found = queue_named(name)
    assert found is not None
    assert (found.kind, found.limit_packets, found.options) == (kind, limit, options)


@pytest.mark.parametrize("name", ["cnq_codel_af", "pfifo", "pie(x)", ""])
def test_unknown_queues_are_none(name: str) -> None:
    assert queue_named(name) is None
