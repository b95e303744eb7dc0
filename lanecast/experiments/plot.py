"""Figures of results: which exist, how a file is chosen and written. `figures.py` draws.

Figures are made from result files alone. matplotlib is imported late and without a display; colours are those of
Okabe and Ito (2008, "Color Universal Design"), told apart by readers with any colour vision; line styles and
hatches repeat the distinction. Every axis has its unit.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

from lanecast.errors import CapabilityError, ResultError, UsageError
from lanecast.experiments.results import load_run, read_summary, read_sweep
from lanecast.experiments.tables import declared_table, select

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from lanecast.experiments.results import Columns, Row

SUFFIXES = (".svg", ".pdf", ".png")
PNG_DPI = 200  # assumption: sharp on paper at column width


@dataclass(frozen=True, slots=True)
class Loaded:
    """A result file with its row."""

    row: Row
    columns: Columns
    header: dict[str, Any]


FIGURES: dict[str, str] = {
    "sequence": "time-sequence of tokens, generated and shown, stalls shaded (one panel a scheme)",
    "cdf": "distribution of render delays by scheme",
    "bars": "stall ratio by scheme with 95 % intervals, and its cost in bytes",
    "heatmap": "stall ratio by cell and scheme",
    "tradeoff": "stall ratio against bytes a token, every scheme a point",
    "threshold": "stall ratio against the stall threshold, by scheme",
    "capacity": "what the link offered and what was sent, over time",
    "queue": "queue over time",
    "goodput": "goodput of each flow over time",
    "delay": "queueing delay of every packet over time, by flow",
    "probability": "drop and mark probabilities of a dual queue over time",
}
OF_FILES = frozenset({"sequence", "cdf", "capacity", "queue", "goodput", "delay", "probability"})
"""Figures that need result files; the others need only the summary."""


def draw_figure(results: Path, name: str, output: Path, *, where: Sequence[str] = ()) -> dict[str, Any]:
    """Draw one figure of a sweep into a file; return what was drawn.

    Raises:
        UsageError: there is no such figure, or the file's suffix is unknown.
        ResultError: the results lack what the figure needs.
        CapabilityError: matplotlib is not installed.
    """
    sweep = read_sweep(results)
    declared = {key: report for key, report in sweep["reports"].items() if report["kind"] != "table"}
    if name not in FIGURES and name not in declared:
        raise UsageError(f"figure {name!r} is unknown, expected one of {', '.join([*FIGURES, *declared])}")
    if output.suffix not in SUFFIXES:
        raise UsageError(f"-o {output}: expected a name that ends in {', '.join(SUFFIXES)}")
    rows = select([row for row in read_summary(results) if row["status"] == "ok"], where)
    if not rows:
        raise ResultError(f"{results}: no finished run to draw (or --where left none)")
    figures, reports = _figures()
    used: Sequence[Any] = rows
    if name in declared:
        report = declared[name]
        drawn = reports[report["kind"]](declared_table(name, report, rows), report)
    else:
        used = load_files(results, rows) if name in OF_FILES else rows
        drawn = figures[name](used)
    write_figure(drawn, output)
    return {"figure": name, "file": str(output), "runs": len(used)}


def load_files(results: Path, rows: Sequence[Row]) -> list[Loaded]:
    """Load the result files of some rows.

    Raises:
        ResultError: no row has a file.
    """
    loaded = [Loaded(row, *load_run(results / row["file"])) for row in rows if row.get("file")]
    if not loaded:
        raise ResultError(f'{results}: these runs kept no result file; run again with --set run.save="all"')
    return loaded


def write_figure(figure: Figure, output: Path) -> None:
    """Write a figure, whole or not at all; the same results give the same bytes.

    Raises:
        ResultError: the file cannot be written.
    """
    metadata: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(output.suffix, {})
    drawn = BytesIO()
    figure.savefig(drawn, format=output.suffix[1:], dpi=PNG_DPI, metadata=metadata)
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(drawn.getbuffer())
        part.replace(output)
    except OSError as error:
        raise ResultError(f"{output}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):  # it may never have been made
            part.unlink()


def _figures() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the functions that draw figures by name, and those that draw declared reports by kind."""
    try:
        common = import_module("lanecast.experiments.figures")
    except ImportError:
        raise CapabilityError("matplotlib", "pip install 'lanecast[plot]'") from None
    l4s = import_module("lanecast.experiments.l4s_figures")
    return common.FIGURES | l4s.FIGURES, common.REPORTS
