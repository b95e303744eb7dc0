"""Tables of results: built-in ones for each kind of plan, and those that a plan declares.

A table is headers and rows of plain values; intervals are 95 % bootstrap intervals over seeds. Tables read
results, they never run anything.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.errors import ResultError, UsageError
from lanecast.experiments.statistics import Estimate, mean_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lanecast.experiments.results import Row

CELL = ("channel", "gap_ms", "rtt_ms")
IDENTITY = ("key", "code", "status", "error", "digest", "file", "seed", "cpu_s")
PERCENT = 100.0
WIDEST = 160  # characters; a wider table is printed without its intervals (assumption: a wide terminal)

STATISTICS: dict[str, Callable[[Any], Any]] = {
    "mean": np.mean,
    "median": np.median,
    "max": np.max,
    "sum": np.sum,
}


@dataclass(frozen=True, slots=True)
class Table:
    """Headers and rows; a cell is text, a number, or an `Estimate` with its interval."""

    name: str
    title: str
    headers: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def select(rows: Iterable[Row], where: Sequence[str]) -> list[Row]:
    """Keep the rows that satisfy every COLUMN=VALUE (values with commas: any of them).

    Raises:
        UsageError: a condition has no "=", or names a column that no row has.
    """
    kept = list(rows)
    for condition in where:
        column, equals, wanted = condition.partition("=")
        known = {name for row in kept for name in row}
        if not equals or (kept and column not in known):
            raise UsageError(
                f"--where {condition!r}: expected COLUMN=VALUE with one of {', '.join(sorted(known))}"
            )
        allowed = {_same(value) for value in wanted.split(",")}
        kept = [row for row in kept if _same(row.get(column, "")) in allowed]
    return kept


def _same(value: Any) -> str:
    """Return a value's text such that 100, 100.0 and "100" agree."""
    try:
        return f"{float(value):g}"
    except (TypeError, ValueError):
        return str(value)


def table_names(sweep: dict[str, Any], rows: Sequence[Row]) -> dict[str, str]:
    """Return the names of the tables that these results have, with their meaning."""
    names = {
        name: maker.__doc__.partition("\n")[0] if maker.__doc__ else ""
        for name, maker in _makers(rows).items()
    }
    declared = {name: report["title"] or report["y"] for name, report in _reports(sweep).items()}
    return names | declared


def make_table(name: str, sweep: dict[str, Any], rows: Sequence[Row]) -> Table:
    """Return a table by name.

    Raises:
        UsageError: these results have no such table.
        ResultError: no run succeeded.
    """
    if not rows:
        raise ResultError("no finished run to show (or --where left none)")
    reports = _reports(sweep)
    if name in reports:
        return declared_table(name, reports[name], rows)
    makers = _makers(rows)
    if name not in makers:
        raise UsageError(f"table {name!r} is unknown, expected one of {', '.join([*makers, *reports])}")
    return makers[name](rows)


def declared_tables(sweep: dict[str, Any], rows: Sequence[Row]) -> list[Table]:
    """Return the tables that the plan declares, or the first built-in one."""
    reports = _reports(sweep)
    if reports:
        return [declared_table(name, report, rows) for name, report in reports.items()]
    return [next(iter(_makers(rows).values()))(rows)]


def _reports(sweep: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: report for name, report in sweep["reports"].items() if report["kind"] == "table"}


def _makers(rows: Sequence[Row]) -> dict[str, Callable[[Sequence[Row]], Table]]:
    if rows and "scheme" in rows[0]:
        return {"schemes": schemes_table, "cells": cells_table, "summary": summary_table}
    return {"summary": summary_table}


def schemes_table(rows: Sequence[Row]) -> Table:
    """Every token scheme over all cells: stall ratio, delays, cost."""
    headers = (
        "scheme", "stall ratio %", "stall s", "longest stall ms", "delay p50 ms", "delay p95 ms", "delay p99 ms",
        "TTFT ms", "bytes/token", "packets/token", "runs",
    )  # fmt: skip
    columns = (
        "stall_s", "longest_stall_ms", "delay_p50_ms", "delay_p95_ms", "delay_p99_ms", "ttft_ms", "bytes_per_token",
        "packets_per_token",
    )  # fmt: skip
    body: list[tuple[Any, ...]] = []
    for scheme, group in grouped(rows, ("scheme",)).items():
        stall = seed_means(group, "sr200")
        means = [float(np.mean([row[column] for row in group])) for column in columns]
        body.append((scheme[0], _percent(mean_interval(stall)), *means, len(group)))
    return Table("schemes", "Token schemes over all cells and seeds", headers, body)


def cells_table(rows: Sequence[Row]) -> Table:
    """Stall ratio (%) of every scheme in every cell."""
    schemes = list(dict.fromkeys(row["scheme"] for row in rows))
    body: list[tuple[Any, ...]] = []
    for cell, group in grouped(rows, CELL).items():
        by_scheme = grouped(group, ("scheme",))
        values = [by_scheme.get((scheme,), []) for scheme in schemes]
        body.append(
            (
                *cell,
                *(
                    PERCENT * float(np.mean([row["sr200"] for row in runs])) if runs else ""
                    for runs in values
                ),
            )
        )
    return Table("cells", "Stall ratio (%, 200 ms threshold), mean over seeds", (*CELL, *schemes), body)


def summary_table(rows: Sequence[Row]) -> Table:
    """Mean of every metric over seeds, one row a scenario."""
    numbers = [
        name
        for name in rows[0]
        if name not in IDENTITY and all(isinstance(row.get(name), int | float) for row in rows)
    ]
    texts = [name for name in rows[0] if name not in IDENTITY and name not in numbers]
    swept = [name for name in numbers if name in CELL]
    keys = (*texts, *swept)
    metrics = [name for name in numbers if name not in swept]
    body = [
        (*key, *(float(np.mean([row[name] for row in group])) for name in metrics))
        for key, group in grouped(rows, keys).items()
    ]
    return Table("summary", "Means over seeds", (*keys, *metrics), body)


def declared_table(name: str, report: dict[str, Any], rows: Sequence[Row]) -> Table:
    """Return a `[report.NAME]` table: rows by `x`, one column for each value of `group`.

    `x` or `group` may have been fixed to one value by `--set`; it is no column then, and the title says so.

    Raises:
        ResultError: the measure that the report names is not in the results, or no row is left.
    """
    kept = [
        row for row in rows if all(_matches(row, column, value) for column, value in report["where"].items())
    ]
    y = report["y"]
    if not kept or y not in kept[0]:
        raise ResultError(f"report {name}: there is no column {y!r} in the results (or no row is left)")
    fixed = [column for column in (report["x"], report["group"]) if column and column not in kept[0]]
    x, group = ("" if column in fixed else column for column in (report["x"], report["group"]))
    series = list(dict.fromkeys(row[group] for row in kept)) if group else [y]
    body = []
    for place, here in (grouped(kept, (x,)) if x else {("all",): kept}).items():
        cells = [[row for row in here if not group or row[group] == value] for value in series]
        body.append((*place, *(_statistic(report["statistic"], runs, y) if runs else "" for runs in cells)))
    title = (report["title"] or f"{report['statistic']} of {y}") + "".join(
        f"; one {column}" for column in fixed
    )
    return Table(name, title, (x or "", *map(str, series)), body)


def _matches(row: Row, column: str, value: Any) -> bool:
    allowed = value if isinstance(value, list) else [value]
    return _same(row.get(column, "")) in {_same(entry) for entry in allowed}


def _statistic(name: str, rows: Sequence[Row], column: str) -> Any:
    if name == "mean":
        return mean_interval(seed_means(rows, column))
    return float(STATISTICS[name]([row[column] for row in rows]))


def grouped(rows: Iterable[Row], columns: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    """Return rows by the values of some columns, in order of appearance."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(column, "") for column in columns), []).append(row)
    return groups


def seed_means(rows: Iterable[Row], column: str) -> list[float]:
    """Return the mean over cells for each seed: what a bootstrap over seeds draws from."""
    return [float(np.mean([row[column] for row in group])) for group in grouped(rows, ("seed",)).values()]


def _percent(estimate: Estimate) -> Estimate:
    return Estimate(*(PERCENT * value for value in estimate))


def render(table: Table, *, markdown: bool = False) -> str:
    """Return a table as aligned text (intervals left out where it would be too wide) or Markdown."""
    cells, widths = _laid_out(table, intervals=True)
    if sum(widths) > WIDEST and not markdown:
        cells, widths = _laid_out(table, intervals=False)
    texts = {
        place
        for place, _ in enumerate(table.headers)
        if any(isinstance(row[place], str) for row in table.rows)
    }

    def line(values: Sequence[str], gap: str) -> str:
        padded = (
            value.ljust(width) if place in texts else value.rjust(width)
            for place, (value, width) in enumerate(zip(values, widths, strict=True))
        )
        return gap.join(padded).rstrip()

    if markdown:
        rule = "|".join("---" if place in texts else "---:" for place in range(len(widths)))
        body = [f"| {line(row, ' | ')} |" for row in cells]
        return "\n".join([f"**{table.title}**", "", f"| {line(table.headers, ' | ')} |", f"|{rule}|", *body])
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([table.title, line(table.headers, "  "), rule, *(line(row, "  ") for row in cells)])


def _laid_out(table: Table, *, intervals: bool) -> tuple[list[list[str]], list[int]]:
    cells = [[show(value, intervals=intervals) for value in row] for row in table.rows]
    widths = [
        max([len(head), *(len(row[place]) for row in cells)]) for place, head in enumerate(table.headers)
    ]
    return cells, widths


def show(value: Any, *, intervals: bool = True) -> str:
    """Return a cell as text: three significant digits or so, an interval in brackets."""
    if isinstance(value, Estimate):
        if value.low == value.high or not intervals:
            return _number(value.value)
        return f"{_number(value.value)} [{_number(value.low)}, {_number(value.high)}]"
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "n/a"
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    digits = max(0, 3 - math.ceil(math.log10(abs(value))))
    return f"{value:.{min(digits, 6)}f}" if abs(value) < 1e6 else f"{value:.4g}"


def as_json(table: Table) -> list[str]:
    """Return one JSON object a row; an interval becomes `NAME_low` and `NAME_high`."""
    lines = []
    for row in table.rows:
        told: dict[str, Any] = {}
        for head, value in zip(table.headers, row, strict=True):
            if isinstance(value, Estimate):
                told |= {head: value.value, f"{head}_low": value.low, f"{head}_high": value.high}
            else:
                told[head] = value
        lines.append(json.dumps(told))
    return lines
