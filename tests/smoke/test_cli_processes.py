"""The command in processes of its own: nothing heavy for help, clean ends, shipped plans for a moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lanecast.experiments.points import shipped_plans

COMMAND = [sys.executable, "-m", "lanecast"]
HEAVY = (
    "numpy", "matplotlib", "pandas", "joblib", "msgspec", "rich", "torch", "transformers", "scapy", "aioquic", "dask",
    "distributed", "ray", "pyarrow",
)  # fmt: skip
HELP_LIMIT_S = 0.2
# Every plan that ships, cut down to a moment.
SHORT = {
    "demo": ["app.tokens=30", "run.seed=1"],
    "eloquent": ["app.tokens=20", "run.seed=1", "app.gap_ms=20", "path.rtt_ms=30"],
    "do-no-harm": [
        "app.tokens=60",
        "run.seed=1",
        "channel.droptail.long_start_s=1",
        "channel.codel-ecn.long_start_s=1",
    ],
    "dumbbell": ["run.duration_s=0.5", "run.warmup_s=0.1", "run.seed=1"],
    "l4s": ["run.duration_s=0.5", "run.warmup_s=0.1", "run.seed=1", "link.rate_mbps=20"],
    "l4s-traces": ["run.duration_s=0.5", "run.warmup_s=0.1", "run.seed=1"],
    "parking-lot": ["run.duration_s=0.5", "run.warmup_s=0.1", "run.seed=1"],
}


def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process and check its exit code."""
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    return done


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["plot", "--help"], ["trace", "--help"], ["info", "-h"]]
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    program = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise ImportError(f"{{name}} was imported")
sys.meta_path.insert(0, Refuse())
from lanecast.experiments.cli import main
main({words!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage: lanecast" in done.stdout


def test_help_answers_at_once() -> None:
    program = "import os, sys\nfrom lanecast.experiments.cli import main\nmain(['--help'])"
    spent = []
    for _ in range(5):  # the least CPU time of five starts: the machine may be busy
        before = os.times()
        subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, timeout=60, check=False)
        after = os.times()
        spent.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    assert min(spent) < HELP_LIMIT_S


def test_every_plan_that_ships_is_tried_here() -> None:
    assert set(SHORT) == set(shipped_plans())


@pytest.mark.parametrize("name", sorted(SHORT))
def test_a_shipped_plan_runs(name: str, tmp_path: Path) -> None:
    settings = [word for setting in SHORT[name] for word in ("--set", setting)]
    done = run("run", name, "--out", str(tmp_path), "--backend", "sequential", "--json", *settings)
    told = json.loads(done.stdout)
    assert told["failed"] == 0
    assert told["finished"] == told["runs"] >= 2


def test_nothing_is_written_to_stderr_when_it_is_no_terminal(tmp_path: Path) -> None:
    words = ["run", "demo", "--out", str(tmp_path), "--jobs", "2", "--seed", "1"]
    done = run(*words, "--set", "app.tokens=20", "--set", 'app.scheme=["eloquent", "duplicate"]')
    assert done.stderr == ""


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    settings = [word for setting in SHORT["demo"] for word in ("--set", setting)]
    run("run", "demo", "--out", str(tmp_path), "--backend", "sequential", *settings)
    words = [*COMMAND, "table", str(tmp_path), "summary", "--json"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    errors = child.stderr.read()
    child.stderr.close()
    assert child.wait(timeout=60) == 128 + signal.SIGPIPE
    assert errors == ""


def test_ctrl_c_keeps_finished_runs_and_exits_130(tmp_path: Path) -> None:
    words = [
        *COMMAND,
        "run",
        "eloquent",
        "--out",
        str(tmp_path),
        "--backend",
        "sequential",
        "--set",
        "path.channel=ge13",
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                time.sleep(0.05)
                if sum(path.read_bytes().count(b"\n") for path in tmp_path.glob("journal/*.jsonl")) >= 3:
                    break
            child.send_signal(signal.SIGINT)
            _, errors = child.communicate(timeout=30)
        finally:
            child.kill()
    assert child.returncode == 130
    assert "goes on from here" in errors
    rows = (tmp_path / "summary.csv").read_text().splitlines()
    assert len(rows) >= 4
