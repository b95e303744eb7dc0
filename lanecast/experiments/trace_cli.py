"""The arguments of `lanecast trace info | convert | make | fit | check | plot | list | verify`."""

from __future__ import annotations

import argparse
from typing import Any

from lanecast.experiments import trace_verbs_cli as verbs_of

DEFAULT_DATA = "../shared/data/traces"

EXAMPLES = """\
examples:
  lanecast trace info walk.down                        what a trace holds, by numbers
  lanecast trace convert walk.down walk.json --to sabre --bin 1
  lanecast trace make lte-walking --duration 300 --seed 7 -o lte.txt --to pensieve
  lanecast trace fit drives/ -o drive.json             a class from your own recordings
  lanecast trace check train/ --against test/          duplicates and overlaps
  lanecast trace plot walk.down -o walk.svg
  lanecast trace list                                  sets, formats, classes
  lanecast trace verify ../shared/data/traces          hashes against MANIFEST.csv
"""
INFO = "examples:\n  lanecast trace info walk.down\n  lanecast trace info ../shared/data/traces/ghent-4g --json\n"
CONVERT = """\
examples:
  lanecast trace convert walk.down walk.txt --to pensieve --bin 0.1
  lanecast trace convert fcc.txt fcc.trace --to mahimahi --scale-rate 4 --cut 0:120
  lanecast trace convert drive.txt drive.json.gz --to sabre --write integers=true

Opportunities become rates only with a bin (default 1 s), which loses what happens inside it. Operations are
carried out in the order: --cut, --offset, --scale-time, --scale-rate, --clip, --concat, --bin.
"""
MAKE = """\
examples:
  lanecast trace make 5g-mmwave-walking --duration 600 --seed 1 -o mmwave.txt
  lanecast trace make square --duration 60 --set low_mbps=6 --set high_mbps=24 -o square.trace --to mahimahi
  lanecast trace make lte-walking --set form=opportunities -o walk.down --to mahimahi --write end=cut
  lanecast trace make drive.json --duration 600 -o drive.txt     a class that `trace fit` wrote
  lanecast trace list --classes
"""
FIT = """\
examples:
  lanecast trace fit drives/ -o drive.json --title "LTE, my commute"
  lanecast trace make lte-walking --set form=opportunities -o walk.down --to mahimahi --write end=cut
  lanecast trace make drive.json --duration 600 --seed 1 -o made.txt
  lanecast trace fit *.down -o cell.json --bin 1 --json

Traces of fewer than 12 bins are left out. Fewer than 15 traces give a picture of these, not of a population.
Of the recordings only quantiles and rates of events are kept. A plan takes the file too: synthetic = "drive.json".
"""
CHECK = """\
examples:
  lanecast trace check traces/                    does each load; duplicates within
  lanecast trace check train/ --against test/     duplicates and overlaps between two sets
  lanecast trace check train/ --against test/ --strict && ./train

With --strict the exit code is 5 when a file is refused or an overlap is found.
"""
PLOT = """\
examples:
  lanecast trace plot walk.down -o walk.svg
  lanecast trace plot real/ made.txt --what cdf -o cdf.pdf
  lanecast trace plot made/ --against real/ --what acf -o acf.pdf     two groups, a colour each
"""
LIST = "examples:\n  lanecast trace list\n  lanecast trace list --formats --json\n"
VERIFY = "examples:\n  lanecast trace verify\n  lanecast trace verify ../shared/data/traces --json\n"


def add_parser(verbs: Any) -> None:
    """Add the verb with its own verbs; each sets `command`, a function of the parsed arguments to an exit code."""
    parser = _parser(verbs, "trace", "look at, convert, make, check and plot traces", EXAMPLES)
    inner = parser.add_subparsers(dest="trace_verb", metavar="VERB", required=True)
    _add_info(inner)
    _add_convert(inner)
    _add_make(inner)
    _add_fit(inner)
    _add_check(inner)
    _add_plot(inner)
    listed = _parser(inner, "list", "known sets, formats and synthetic classes", LIST)
    listed.add_argument("--sets", action="store_true", help="only the published sets")
    listed.add_argument("--formats", action="store_true", help="only the file formats")
    listed.add_argument("--classes", action="store_true", help="only what `trace make` can make")
    _add_json(listed)
    listed.set_defaults(command=verbs_of.list_known)
    verify = _parser(inner, "verify", "compare files with the hashes of a manifest", VERIFY)
    verify.add_argument(
        "folder", metavar="DIR", nargs="?", default=DEFAULT_DATA, help="folder with MANIFEST.csv"
    )
    _add_json(verify)
    verify.set_defaults(command=verbs_of.verify_files)


def _parser(verbs: Any, name: str, text: str, examples: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=text,
        description=text,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds > 0")
    return value


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="source_format", metavar="FORMAT", help="format (default: recognised)")
    parser.add_argument(
        "--read",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="option of the reader, such as hold=backward",
    )


def _add_info(inner: Any) -> None:
    parser = _parser(inner, "info", "what traces hold, by numbers", INFO)
    parser.add_argument("paths", metavar="PATH", nargs="+", help="files, or folders of files")
    parser.add_argument(
        "--bin",
        type=_seconds,
        default=0.0,
        metavar="S",
        help="bin of the statistics, s (default: 1, or 5 for slow sets)",
    )
    _add_reading(parser)
    _add_json(parser)
    parser.set_defaults(command=verbs_of.show_info)


def _add_convert(inner: Any) -> None:
    parser = _parser(inner, "convert", "write a trace in another format", CONVERT)
    parser.add_argument("source", metavar="IN", help="a trace file")
    parser.add_argument("target", metavar="OUT", help="the file to write; .gz packs")
    parser.add_argument("--to", required=True, metavar="FORMAT", help="see `lanecast trace list --formats`")
    parser.add_argument(
        "--write", action="append", default=[], metavar="KEY=VALUE", help="option of the writer"
    )
    _add_reading(parser)
    parser.add_argument("--cut", metavar="A:B", help="keep A to B, s")
    parser.add_argument(
        "--offset", metavar="S|seed:N", help="start elsewhere in the loop: s, or drawn by a seed"
    )
    parser.add_argument("--scale-time", metavar="X", help="multiply every time")
    parser.add_argument("--scale-rate", metavar="X", help="multiply the capacity")
    parser.add_argument("--clip", metavar="LOW:HIGH", help="bound rates, Mbit/s")
    parser.add_argument("--concat", action="append", default=[], metavar="FILE", help="append another trace")
    parser.add_argument(
        "--bin", type=_seconds, metavar="S", help="resample to equal steps, s, keeping the area"
    )
    _add_json(parser)
    parser.set_defaults(command=verbs_of.convert)


def _add_make(inner: Any) -> None:
    parser = _parser(inner, "make", "generate a trace of a class, or a simple shape", MAKE)
    parser.add_argument(
        "name", metavar="NAME", help="see `lanecast trace list --classes`; or a file of `trace fit`"
    )
    parser.add_argument("--duration", type=_seconds, default=60.0, metavar="S", help="length, s (default 60)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed (default 1)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings", help="option of a shape"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the file to write; .gz packs")
    parser.add_argument("--to", default="pensieve", metavar="FORMAT", help="format (default pensieve)")
    parser.add_argument(
        "--write", action="append", default=[], metavar="KEY=VALUE", help="option of the writer"
    )
    _add_json(parser)
    parser.set_defaults(command=verbs_of.make)


def _add_fit(inner: Any) -> None:
    parser = _parser(inner, "fit", "fit a synthetic class to recordings", FIT)
    parser.add_argument("paths", metavar="PATH", nargs="+", help="files, or folders of files")
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the class file to write, NAME.json"
    )
    parser.add_argument("--title", default="", metavar="TEXT", help="what the class is (default: NAME)")
    parser.add_argument(
        "--kind",
        choices=("offered", "achieved"),
        default="",
        help="what was measured (default: as the files say)",
    )
    parser.add_argument(
        "--bin", type=_seconds, default=0.0, metavar="S", help="bin, s (default: 1, or 5 for slow sets)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the fit (default 0)")
    _add_reading(parser)
    _add_json(parser)
    parser.set_defaults(command=verbs_of.fit)


def _add_check(inner: Any) -> None:
    parser = _parser(inner, "check", "does every file load; which traces repeat one another", CHECK)
    parser.add_argument("paths", metavar="PATH", nargs="+", help="files, or folders of files")
    parser.add_argument(
        "--against", action="append", default=[], metavar="DIR", help="compare with these instead"
    )
    parser.add_argument("--from", dest="source_format", metavar="FORMAT", help="format (default: recognised)")
    parser.add_argument("--strict", action="store_true", help="exit 5 on a refused file or an overlap")
    _add_json(parser)
    parser.set_defaults(command=verbs_of.check)


def _add_plot(inner: Any) -> None:
    parser = _parser(inner, "plot", "draw traces", PLOT)
    parser.add_argument("paths", metavar="PATH", nargs="+", help="files, or folders of files")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="pdf, svg or png")
    parser.add_argument(
        "--what",
        choices=("time", "cdf", "acf", "idc", "delay"),
        default="time",
        help="which figure (default time)",
    )
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="PATH",
        help="a second group, in a colour of its own",
    )
    parser.add_argument("--bin", type=_seconds, default=1.0, metavar="S", help="bin of rates, s (default 1)")
    _add_reading(parser)
    _add_json(parser)
    parser.set_defaults(command=verbs_of.plot)
