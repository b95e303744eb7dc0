"""`lanecast table` and `lanecast plot`: look at results without running anything."""

from __future__ import annotations

import argparse
from typing import Any

TABLE_EXAMPLE = """\
examples:
  lanecast table results/demo                    the names of its tables
  lanecast table results/demo schemes
  lanecast table results/demo cells --where channel=iid5 --json
"""
PLOT_EXAMPLE = """\
examples:
  lanecast plot --list
  lanecast plot results/demo sequence -o sequence.svg --where scheme=eloquent
  lanecast plot results/demo cdf -o cdf.pdf
"""


def add_parsers(verbs: Any) -> None:
    """Add both verbs."""
    table = verbs.add_parser(
        "table",
        help="print a table of results",
        epilog=TABLE_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    table.add_argument("results", metavar="RESULTS", help="the --out folder of a run")
    table.add_argument("name", metavar="NAME", nargs="?", help="which table; without it, their names")
    _add_where(table)
    table.add_argument("--json", action="store_true", help="one JSON object a row")
    table.add_argument("--markdown", action="store_true", help="a Markdown table")
    table.set_defaults(command=show_table)
    plot = verbs.add_parser(
        "plot",
        help="draw a figure of results",
        epilog=PLOT_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    plot.add_argument("results", metavar="RESULTS", nargs="?", help="the --out folder of a run")
    plot.add_argument("name", metavar="NAME", nargs="?", help="which figure")
    plot.add_argument("-o", "--output", metavar="FILE", help="pdf, svg or png (default: RESULTS/NAME.svg)")
    plot.add_argument("--list", action="store_true", dest="listed", help="names and meanings of the figures")
    _add_where(plot)
    plot.add_argument("--json", action="store_true", help="say what was drawn as one JSON object")
    plot.set_defaults(command=draw)


def _add_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="keep these rows (commas: any of)",
    )


def show_table(options: argparse.Namespace) -> int:
    """Print one table, or the names of all."""
    from pathlib import Path

    from lanecast.experiments.results import read_summary, read_sweep
    from lanecast.experiments.tables import as_json, make_table, render, select, table_names

    results = Path(options.results)
    sweep = read_sweep(results)
    rows = select([row for row in read_summary(results) if row["status"] == "ok"], options.where)
    if options.name is None:
        for name, meaning in table_names(sweep, rows).items():
            print(f"{name:12} {meaning}")
        return 0
    table = make_table(options.name, sweep, rows)
    if options.json:
        print("\n".join(as_json(table)))
    else:
        print(render(table, markdown=options.markdown))
    return 0


def draw(options: argparse.Namespace) -> int:
    """Draw one figure, or list them."""
    import json
    from pathlib import Path

    from lanecast.errors import UsageError
    from lanecast.experiments.plot import FIGURES, draw_figure

    if options.listed:
        for name, meaning in FIGURES.items():
            print(f"{name:12} {meaning}")
        return 0
    if options.results is None or options.name is None:
        raise UsageError("plot needs RESULTS and NAME, or --list")
    results = Path(options.results)
    output = Path(options.output) if options.output else results / f"{options.name}.svg"
    drawn = draw_figure(results, options.name, output, where=options.where)
    print(
        json.dumps(drawn) if options.json else f"{drawn['figure']} ({drawn['runs']} runs) in {drawn['file']}"
    )
    return 0
