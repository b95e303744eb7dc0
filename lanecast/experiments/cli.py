"""The `lanecast` command: parsing, error handling and exit codes; what a verb does stands in its own `*_cli.py`.

Exit codes: 0 done; 2 usage, plan, trace or result file; 3 something optional is missing; 4 a run failed;
5 a check or a claim missed its bound; 130 interrupted. Errors are one line on stderr; `--debug` shows where they
arose. Nothing heavy is imported to answer `--help`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import lanecast
from lanecast.errors import LanecastError
from lanecast.experiments import claims_cli, run_cli, view_cli

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_INTERRUPTED = 130  # 128 + SIGINT, the shell's convention
EXAMPLES = """\
examples:
  lanecast run demo --out results/demo          stream tokens over a synthetic LTE link
  lanecast table results/demo schemes           the table
  lanecast plot results/demo sequence -o t.svg  the figure
  lanecast reproduce eloquent --fast            the published claims, at reduced size
"""


def make_parser(*, verb: str = "") -> argparse.ArgumentParser:
    """Return the parser; the options of `trace` are loaded only when `verb` asks for them ("*": all)."""
    parser = argparse.ArgumentParser(
        prog="lanecast",
        description="Trace-driven network transport and packet-scheduling emulator.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lanecast {lanecast.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    run_cli.add_parser(verbs)
    view_cli.add_parsers(verbs)
    if verb in ("trace", "*"):
        from lanecast.experiments.trace_cli import add_parser as add_trace

        add_trace(verbs)
    else:
        verbs.add_parser("trace", help="look at, convert, make, check and plot traces", add_help=False)
    claims_cli.add_parsers(verbs)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # a plug-in beside the user, `my_queue:StepQueue`, is found
    verb = next((word for word in words if not word.startswith("-")), "")
    options = make_parser(verb=verb).parse_args(words)
    try:
        code = int(options.command(options))
        sys.stdout.flush()
    except LanecastError as error:
        return _report(error, error.exit_code, debug=options.debug)
    except KeyboardInterrupt:
        print("lanecast: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`lanecast ... | head`): not an error. Keep the interpreter from flushing again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:  # a full disk, a folder that went away: what was finished is kept
        print(f"lanecast: {error}", file=sys.stderr)
        return LanecastError.exit_code
    return code


def _report(error: LanecastError, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    print(f"lanecast: {error}", file=sys.stderr)
    return code
