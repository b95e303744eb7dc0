"""Tables: built-in ones, those that plans declare, and how numbers look."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lanecast.errors import ResultError, UsageError
from lanecast.experiments.statistics import Estimate
from lanecast.experiments.tables import (
    Table,
    as_json,
    declared_table,
    declared_tables,
    make_table,
    render,
    select,
    show,
    table_names,
)

METRICS = (
    "stall_s", "longest_stall_ms", "delay_p50_ms", "delay_p95_ms", "delay_p99_ms", "ttft_ms", "bytes_per_token",
    "packets_per_token",
)  # fmt: skip
REPORT: dict[str, Any] = {
    "kind": "table", "y": "sr200", "x": "channel", "group": "scheme", "title": "", "statistic": "mean", "where": {},
}  # fmt: skip


def rows() -> list[dict[str, Any]]:
    """Return rows of two schemes, two channels and three seeds; the stall ratio is known."""
    return [
        {
            "key": "k", "code": "c", "status": "ok", "error": "", "digest": "d", "cpu_s": 0.1,
            "channel": channel, "gap_ms": 50.0, "rtt_ms": 100.0, "scheme": scheme, "seed": seed,
            "sr200": 0.1 * seed * weight, **dict.fromkeys(METRICS, 2.0),
        }
        for channel, weight in (("a", 1), ("b", 2))
        for scheme in ("x", "y")
        for seed in (1, 2, 3)
    ]  # fmt: skip


def sweep(**reports: Any) -> dict[str, Any]:
    """Return what `sweep.json` holds, as far as tables look."""
    return {"reports": reports}


def test_the_schemes_table_means_over_cells_and_seeds() -> None:
    table = make_table("schemes", sweep(), rows())
    assert [row[0] for row in table.rows] == ["x", "y"]
    stall = table.rows[0][1]
    assert stall.value == pytest.approx(100 * 0.1 * 2 * 1.5)
    assert stall.low < stall.value < stall.high
    assert table.rows[0][-1] == 6


def test_the_cells_table_has_a_row_a_cell_and_a_column_a_scheme() -> None:
    table = make_table("cells", sweep(), rows())
    assert table.headers == ("channel", "gap_ms", "rtt_ms", "x", "y")
    assert [row[3] for row in table.rows] == pytest.approx([20.0, 40.0])


def test_a_missing_scheme_leaves_its_cell_empty() -> None:
    some = [row for row in rows() if not (row["channel"] == "b" and row["scheme"] == "y")]
    assert make_table("cells", sweep(), some).rows[1][4] == ""


def test_the_summary_keeps_names_apart_from_metrics() -> None:
    table = make_table("summary", sweep(), rows())
    assert table.headers[:4] == ("channel", "scheme", "gap_ms", "rtt_ms")
    assert "sr200" in table.headers
    assert "cpu_s" not in table.headers
    assert len(table.rows) == 4


def test_a_declared_table_follows_its_report() -> None:
    table = declared_table("stall", REPORT, rows())
    assert table.headers == ("channel", "x", "y")
    assert table.rows[1][1].value == pytest.approx(0.4)
    largest = declared_table("stall", REPORT | {"statistic": "max", "where": {"channel": ["b"]}}, rows())
    assert largest.rows == [("b", pytest.approx(0.6), pytest.approx(0.6))]


def test_a_report_without_groups_has_one_column() -> None:
    table = declared_table("all", REPORT | {"x": "", "group": ""}, rows())
    assert table.headers == ("", "sr200")
    assert table.rows[0][0] == "all"


def test_a_report_of_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(ResultError, match="'speed'"):
        declared_table("stall", REPORT | {"y": "speed"}, rows())
    with pytest.raises(ResultError, match="no row is left"):
        declared_table("stall", REPORT | {"where": {"channel": "z"}}, rows())


def test_declared_tables_come_before_built_in_ones() -> None:
    assert [table.name for table in declared_tables(sweep(stall=REPORT), rows())] == ["stall"]
    assert [table.name for table in declared_tables(sweep(), rows())] == ["schemes"]
    assert list(table_names(sweep(stall=REPORT), rows())) == ["schemes", "cells", "summary", "stall"]


def test_unknown_tables_and_empty_results_are_refused() -> None:
    with pytest.raises(UsageError, match="schemes"):
        make_table("nonsense", sweep(), rows())
    with pytest.raises(ResultError):
        make_table("schemes", sweep(), [])


def test_rows_are_chosen_by_column_and_values() -> None:
    assert len(select(rows(), ["channel=a", "seed=1,2"])) == 4
    assert len(select(rows(), ["rtt_ms=100"])) == 12
    with pytest.raises(UsageError, match="channel"):
        select(rows(), ["speed=1"])
    with pytest.raises(UsageError, match="COLUMN=VALUE"):
        select(rows(), ["channel"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (3.0, "3"),
        (0.12345, "0.123"),
        (12.345, "12.3"),
        (1234.5, "1234"),
        (float("nan"), "n/a"),
        (float("inf"), "n/a"),
        (2.5e7, "2.5e+07"),
        ("x", "x"),
        (7, "7"),
        (Estimate(1.5, 1.0, 2.0), "1.50 [1, 2]"),
        (Estimate(1.5, 1.5, 1.5), "1.50"),
    ],
)
def test_numbers_look_like_three_digits(value: Any, text: str) -> None:
    assert show(value) == text


def test_text_stands_left_and_numbers_right() -> None:
    table = Table("t", "Title", ("name", "n"), [("a", 1), ("long", 20)])
    assert render(table).splitlines() == ["Title", "name   n", "----  --", "a      1", "long  20"]
    assert render(table, markdown=True).splitlines()[2:4] == ["| name |  n |", "|---|---:|"]


def test_json_rows_carry_intervals() -> None:
    table = Table("t", "Title", ("name", "y"), [("a", Estimate(1.0, 0.5, 2.0))])
    assert json.loads(as_json(table)[0]) == {"name": "a", "y": 1.0, "y_low": 0.5, "y_high": 2.0}


def test_a_table_that_is_too_wide_leaves_out_its_intervals() -> None:
    wide = Estimate(0.123, 0.111, 0.135)
    headers = ("name", *(f"column {place}" for place in range(12)))
    text = render(Table("t", "Title", headers, [("a", *[wide] * 12)]))
    assert "[" not in text
    assert "0.123" in text
    assert "[" in render(Table("t", "Title", headers[:3], [("a", wide, wide)]))
