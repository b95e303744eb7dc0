"""The command line: the frozen set of verbs and options, exit codes, and what stderr says."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

import lanecast
from lanecast.errors import CapabilityError, ClaimShort, PlanError, ResultError, RunFailed, TraceError
from lanecast.experiments import claims, run_cli
from lanecast.experiments.claims import Claim
from lanecast.experiments.claims_cli import BENCHMARKS
from lanecast.experiments.cli import main, make_parser

# A change here is a change of the interface: say so in CHANGELOG.
VERBS: dict[str, list[str]] = {
    "": ["--debug", "--help", "--version"],
    "run": [
        "--address", "--backend", "--cc", "--data", "--fresh", "--help", "--jobs", "--json", "--out", "--queue",
        "--resume", "--seed",
        "--set", "PLAN",
    ],
    "table": ["--help", "--json", "--markdown", "--where", "NAME", "RESULTS"],
    "plot": ["--help", "--json", "--list", "--output", "--where", "NAME", "RESULTS"],
    "reproduce": ["--data", "--fast", "--help", "--jobs", "--json", "--out", "--seed", "--strict", "NAME"],
    "check": ["--help", "--json", "MODULE:NAME"],
    "bench": ["--fast", "--help", "--json", "NAME"],
    "info": ["--help", "--json"],
}  # fmt: skip
TRACE_VERBS = ["check", "convert", "fit", "info", "list", "make", "plot", "verify"]

PLAN = """
[run]
kind = "tokens"
seed = "1..2"
[path]
channel = "loss"
rtt_ms = 40
[app]
scheme = ["rack-tlp", "eloquent"]
gap_ms = 20
tokens = 40
[channel.loss]
kind = "iid"
loss = 0.1
"""


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    """Return the long names of a parser's options and the metavars of its arguments."""
    names = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            continue
        names.append(action.option_strings[-1] if action.option_strings else str(action.metavar))
    return sorted(names)


def verbs_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the sub-parsers by verb."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """Return a plan of four short runs."""
    path = tmp_path / "small.toml"
    path.write_text(PLAN)
    return path


def call(*words: Any) -> int:
    """Run a command line in this process."""
    return main([str(word) for word in words])


def test_verbs_and_options_are_frozen() -> None:
    parser = make_parser(verb="*")
    found = {verb: options_of(sub) for verb, sub in verbs_of(parser).items() if verb != "trace"}
    assert {"": options_of(parser), **found} == VERBS
    assert sorted(verbs_of(verbs_of(parser)["trace"])) == TRACE_VERBS


def test_every_verb_explains_itself_with_an_example() -> None:
    for verb, parser in verbs_of(make_parser(verb="*")).items():
        assert "example" in parser.format_help(), verb
        assert f"lanecast {verb}" in parser.format_help(), verb


def test_every_verb_that_tells_numbers_has_json() -> None:
    assert all("--json" in options for verb, options in VERBS.items() if verb)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        call("--version")
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"lanecast {lanecast.__version__}\n"


@pytest.mark.parametrize("words", [["no-such-verb"], [], ["run"], ["run", "demo", "--jobs", "many"]])
def test_a_wrong_command_line_exits_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        call(*words)
    assert stop.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_plan_runs_and_its_table_is_printed(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", plan, "--out", tmp_path / "out", "--backend", "sequential") == 0
    told = capsys.readouterr()
    assert "eloquent" in told.out
    assert "4 of 4 runs" in told.out
    assert told.err == ""


def test_run_tells_machines_one_object(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", plan, "--out", tmp_path / "out", "--backend", "sequential", "--json", "--seed", "1..3"]
    assert call(*words, "--set", "app.scheme=eloquent") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["runs"], told["finished"], told["failed"]) == (3, 3, 0)
    assert call(*words, "--set", "app.scheme=eloquent", "--resume") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["resumed"] == 3
    assert again["digest"] == told["digest"]


def test_a_failed_run_exits_4_and_says_why(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_scheme.py").write_text(
        "from lanecast.transport.tokens.scheme import TokenScheme\n"
        "class Broken(TokenScheme):\n"
        "    def carry(self, ledger, now):\n"
        "        raise RuntimeError('out of ink')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    words = ["run", plan, "--out", tmp_path / "out", "--backend", "sequential"]
    assert call(*words, "--set", "app.scheme=own_scheme:Broken") == RunFailed.exit_code == 4
    assert "RuntimeError: out of ink" in capsys.readouterr().err


def test_what_cannot_be_wired_is_said_before_anything_runs(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", plan, "--out", tmp_path / "out", "--set", 'app.scheme=["eloquent", "nonsense"]']
    assert call(*words) == 2
    assert "nonsense" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "missing.toml") == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("lanecast: missing.toml: ")
    assert told.err.count("\n") == 1


def test_debug_shows_where_an_error_arose(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--debug", "run", "missing.toml") == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PlanError("f", "a.b", "text"), 2),
        (TraceError("f", 3, "text"), 2),
        (ResultError("text"), 2),
        (CapabilityError("thing", "how"), 3),
        (RunFailed("text"), 4),
        (ClaimShort("text"), 5),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(_: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(run_cli, "run", raising)
    assert call("run", "demo") == code


@pytest.mark.parametrize("words", [["--backend", "abacus"], ["--jobs", "-1"], ["--resume"]])
def test_impossible_options_exit_2(
    words: list[str], plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", plan, "--out", tmp_path / "out", *words) == 2
    assert words[0].lstrip("-") in capsys.readouterr().err


def test_tables_are_listed_shown_and_told(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    call("run", plan, "--out", out, "--backend", "sequential")
    capsys.readouterr()
    assert call("table", out) == 0
    assert "schemes" in capsys.readouterr().out
    assert call("table", out, "schemes", "--json", "--where", "scheme=eloquent") == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["scheme"] == "eloquent"
    assert call("table", out, "cells", "--markdown") == 0
    assert "|---" in capsys.readouterr().out
    assert call("table", out, "nonsense") == 2


def test_figures_are_listed_and_drawn(plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    call("run", plan, "--out", out, "--backend", "sequential")
    capsys.readouterr()
    assert call("plot", "--list") == 0
    assert "sequence" in capsys.readouterr().out
    assert call("plot", out, "sequence", "-o", tmp_path / "tokens.svg", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert Path(told["file"]).read_text().startswith("<?xml")
    assert call("plot", out) == 2
    assert call("plot", out, "sequence", "-o", "tokens.gif") == 2


def test_claims_are_listed_and_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("reproduce") == 0
    assert "eloquent" in capsys.readouterr().out
    assert call("reproduce", "nonsense") == 2
    rows = [
        Claim("a", "paper", ">= 1", 2.0, (1.5, 2.5), "met", 0.1, "lanecast"),
        Claim("b", "paper", ">= 1", 0.5, (float("nan"), 1.0), "short", 0.1, "lanecast"),
    ]
    monkeypatch.setitem(claims.CLAIMS, "test", claims.ClaimSet("meaning", f"{__name__}:unused"))
    monkeypatch.setattr(claims.ClaimSet, "load", lambda _: lambda _options: rows)
    capsys.readouterr()
    assert call("reproduce", "test", "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert list(told[0]) == ["claim", "anchor", "goal", "ours", "ci", "status", "seconds", "command"]
    assert told[1]["ci"] == [None, 1.0]
    assert call("reproduce", "test", "--strict") == ClaimShort.exit_code == 5


def test_info_tells_versions_and_modules(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("info", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["versions"]["lanecast"] == lanecast.__version__
    assert "lanecast.transport.calendar" in told["compiled"] + told["plain"]
    assert set(told["extras"]) >= {"plot", "dask", "ray"}
    assert call("info") == 0
    assert "core modules" in capsys.readouterr().out


def test_benchmarks_are_listed_and_unknown_ones_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("bench") == 0
    assert capsys.readouterr().out.split() == list(BENCHMARKS)
    assert call("bench", "nonsense") == 2


def test_a_benchmark_tells_its_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(BENCHMARKS, "tiny", "lanecast.experiments.info:tiny")
    monkeypatch.setattr(
        "lanecast.experiments.info.tiny", lambda *, fast: {"fast": fast, "n": 3}, raising=False
    )
    assert call("bench", "tiny", "--json", "--fast") == 0
    assert json.loads(capsys.readouterr().out) == {"benchmark": "tiny", "fast": True, "n": 3}
    assert call("bench", "tiny") == 0
    assert "n" in capsys.readouterr().out


def test_check_tells_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("check", "no.such.module:Thing") == 2
    assert call("check", "lanecast.transport.tokens.eloquent:Eloquent") == 0
    assert "Eloquent" in capsys.readouterr().out
