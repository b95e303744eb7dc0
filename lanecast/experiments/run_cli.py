"""`lanecast run`: a plan becomes results."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from lanecast.errors import RunFailed

if TYPE_CHECKING:
    from pathlib import Path

    from lanecast.experiments.sweep import SweepResult

EXAMPLE = """\
examples:
  lanecast run demo --out results/demo
  lanecast run eloquent --data ../shared/data --jobs 2
  lanecast run my.toml --seed 1..10 --set path.rtt_ms=50
  lanecast run l4s --cc my_congestion:MyControl --queue my_queue:StepQueue
  lanecast run my.toml --backend dask --address tcp://10.0.0.1:8786

A second start with the same --out runs only what is missing. PLAN is a file or the name of one that ships:
demo, eloquent, do-no-harm, dumbbell, parking-lot, l4s, l4s-traces.
"""
DEFAULT_OUT = "results"


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "run",
        help="run a plan and write its results",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("plan", metavar="PLAN", help="a TOML file, or the name of a plan that ships")
    parser.add_argument("--seed", metavar="N", help='seed, or seeds as "1..30"; overrides the plan')
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="processes (default: one a CPU)")
    parser.add_argument("--out", metavar="DIR", help="folder of the results (default: results/PLAN)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="override a field of the plan",
    )
    parser.add_argument(
        "--cc", metavar="NAME", help="congestion control of the first [[flow]], or module:Class"
    )
    parser.add_argument("--queue", metavar="NAME", help="queue of the link, or module:Class")
    parser.add_argument(
        "--resume", action="store_true", help="insist on finished runs to take up (exit 2 if none)"
    )
    parser.add_argument("--fresh", action="store_true", help="discard finished runs of an earlier start")
    parser.add_argument(
        "--data", metavar="DIR", default="", help="folder with traces/ (default: synthetic traces)"
    )
    parser.add_argument("--backend", default="loky", metavar="NAME", help="loky, sequential, dask or ray")
    parser.add_argument("--address", default="", metavar="URL", help="cluster of the dask or ray back end")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the plan, then print its tables (or a JSON object) and where the results are."""
    from pathlib import Path

    from lanecast.errors import UsageError
    from lanecast.experiments.points import load_plan
    from lanecast.experiments.run import build
    from lanecast.experiments.sweep import BACKENDS, SweepOptions, run_sweep

    if options.backend not in BACKENDS:
        raise UsageError(f"--backend is {options.backend!r}, expected one of {', '.join(BACKENDS)}")
    if options.jobs < 0:
        raise UsageError(f"--jobs is {options.jobs}, expected 0 (one a CPU) or more")
    settings = list(options.settings)
    if options.seed is not None:
        settings.append(f"run.seed={options.seed}")
    for value, field in ((options.cc, "flow.0.congestion"), (options.queue, "queue.kind")):
        if value is not None:
            settings.append(f"{field}={value}")
    sweep = load_plan(options.plan, settings=settings)
    for point in sweep.samples():  # what cannot be wired is said now, not as thousands of failed runs
        build(point, options.data)
    folder = Path(options.out) if options.out else Path(DEFAULT_OUT) / sweep.name
    chosen = SweepOptions(
        folder,
        jobs=options.jobs,
        backend=options.backend,
        address=options.address,
        data=options.data,
        fresh=options.fresh,
        must_resume=options.resume,
        debug=options.debug,
    )
    return _tell(run_sweep(sweep, chosen), folder, as_json=options.json)


def _tell(result: SweepResult, folder: Path, *, as_json: bool) -> int:
    from lanecast.experiments.results import sweep_digest

    digest = sweep_digest(result.rows)
    if as_json:
        told = {
            "folder": str(folder),
            "runs": result.total,
            "finished": len(result.rows),
            "failed": result.failed,
            "resumed": result.resumed,
            "seconds": round(result.wall_s, 3),
            "digest": digest,
        }
        print(json.dumps(told))
    else:
        _print_tables(folder)
        print(
            f"{len(result.rows)} of {result.total} runs in {result.wall_s:.1f} s"
            f" ({result.resumed} from an earlier start, {result.failed} failed); digest {digest[:16]}; in {folder}"
        )
    if result.interrupted:
        print("lanecast: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    if result.failed:
        first = next(row for row in result.rows if row["status"] != "ok")
        raise RunFailed(f"{result.failed} of {result.total} runs failed, the first with: {first['error']}")
    return 0


def _print_tables(folder: Path) -> None:
    from lanecast.experiments.results import read_summary, read_sweep
    from lanecast.experiments.tables import declared_tables, render

    rows = [row for row in read_summary(folder) if row["status"] == "ok"]
    if not rows:
        return
    for table in declared_tables(read_sweep(folder), rows):
        print(render(table) + "\n")
