"""`lanecast reproduce`, `check`, `bench` and `info`: what is claimed, what holds, how fast, and what is here."""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from typing import Any

REPRODUCE_EXAMPLE = """\
examples:
  lanecast reproduce eloquent --fast
  lanecast reproduce eloquent --data ../shared/data --json --strict
"""
CHECK_EXAMPLE = """\
examples:
  lanecast check mypackage.schemes:MyScheme
  lanecast check lanecast.transport.tokens.eloquent:Eloquent --json

A plug-in is a queue, a congestion control, a token scheme or a controller of a task (abr, kv-level, ...).
"""
BENCH_EXAMPLE = """\
examples:
  lanecast bench engine --json
  lanecast bench                                 the names of the benchmarks
"""
BENCHMARKS: dict[str, str] = {
    "engine": "lanecast.experiments.bench:engine",
    "exactness": "lanecast.experiments.bench_exactness:exactness",
}
"""Name -> "module:function"; the function takes `fast` (bool) and returns a flat dictionary of figures."""


def add_parsers(verbs: Any) -> None:
    """Add the four verbs."""
    reproduce = _verb(verbs, "reproduce", "run the claims of a paper and say which hold", REPRODUCE_EXAMPLE)
    reproduce.add_argument(
        "name", metavar="NAME", nargs="?", help="which set of claims; without it, their names"
    )
    reproduce.add_argument("--fast", action="store_true", help="a reduced grid, for a first look")
    reproduce.add_argument("--seed", metavar="N", help='seeds as "1..30"; overrides the plan')
    reproduce.add_argument("--jobs", type=int, default=0, metavar="N", help="processes (default: one a CPU)")
    reproduce.add_argument(
        "--data", metavar="DIR", default="", help="folder with traces/ (default: synthetic traces)"
    )
    reproduce.add_argument("--out", metavar="DIR", help="folder of the results (default: results/NAME)")
    reproduce.add_argument("--json", action="store_true", help="one JSON object a claim")
    reproduce.add_argument("--strict", action="store_true", help="exit 5 when a claim is short")
    reproduce.set_defaults(command=reproduce_claims)
    check = _verb(verbs, "check", "test a plug-in against the rules of its family", CHECK_EXAMPLE)
    check.add_argument("plugin", metavar="MODULE:NAME", help="the class (or factory) and where it is")
    check.add_argument("--json", action="store_true", help="one JSON object")
    check.set_defaults(command=check_plugin)
    bench = _verb(verbs, "bench", "measure speed as CPU time", BENCH_EXAMPLE)
    bench.add_argument("name", metavar="NAME", nargs="?", help="which benchmark; without it, their names")
    bench.add_argument("--fast", action="store_true", help="reduced size")
    bench.add_argument("--json", action="store_true", help="one JSON object")
    bench.set_defaults(command=run_benchmark)
    info = _verb(
        verbs, "info", "versions, compiled modules, optional parts", "example:\n  lanecast info --json\n"
    )
    info.add_argument("--json", action="store_true", help="one JSON object")
    info.set_defaults(command=show_info)


def _verb(verbs: Any, name: str, meaning: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=meaning, epilog=example, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    return parser


def reproduce_claims(options: argparse.Namespace) -> int:
    """Run a set of claims and print a line for each."""
    from lanecast.errors import ClaimShort, UsageError
    from lanecast.experiments.claims import CLAIMS, ClaimOptions, claim_line

    if options.name is None:
        for name, claims in CLAIMS.items():
            print(f"{name:12} {claims.meaning}")
        return 0
    if options.name not in CLAIMS:
        raise UsageError(f"claims {options.name!r} are unknown, expected one of {', '.join(CLAIMS)}")
    chosen = ClaimOptions(
        fast=options.fast, seed=options.seed, jobs=options.jobs, data=options.data, out=options.out or ""
    )
    rows = CLAIMS[options.name].load()(chosen)
    for row in rows:
        print(row.as_json() if options.json else claim_line(row))
    short = [row.claim for row in rows if row.status not in ("met", "not attempted")]
    if options.strict and short:
        raise ClaimShort(f"{len(short)} of {len(rows)} claims are short: {', '.join(short)}")
    return 0


def check_plugin(options: argparse.Namespace) -> int:
    """Test one plug-in and print what was found; a fault is a ClaimShort (exit 5)."""
    from lanecast.errors import ClaimShort
    from lanecast.experiments.check import check

    if not options.json:
        print(check(options.plugin))
        return 0
    try:
        told = {"plugin": options.plugin, "ok": True, "text": str(check(options.plugin))}
    except ClaimShort as fault:
        told = {"plugin": options.plugin, "ok": False, "text": str(fault)}
    print(json.dumps(told))
    return 0 if told["ok"] else ClaimShort.exit_code


def run_benchmark(options: argparse.Namespace) -> int:
    """Run one benchmark and print its figures."""
    from lanecast.errors import UsageError

    if options.name is None:
        print("\n".join(BENCHMARKS))
        return 0
    if options.name not in BENCHMARKS:
        raise UsageError(f"benchmark {options.name!r} is unknown, expected one of {', '.join(BENCHMARKS)}")
    module, _, function = BENCHMARKS[options.name].partition(":")
    figures: dict[str, Any] = getattr(import_module(module), function)(fast=options.fast)
    if options.json:
        print(json.dumps({"benchmark": options.name, **figures}))
    else:
        width = max(map(len, figures))
        print("\n".join(f"{name:{width}}  {value}" for name, value in figures.items()))
    return 0


def show_info(options: argparse.Namespace) -> int:
    """Print versions, compiled modules and optional parts."""
    from lanecast.experiments.info import info_lines, information

    found = information()
    print(json.dumps(found) if options.json else "\n".join(info_lines(found)))
    return 0
