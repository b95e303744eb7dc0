"""Every example runs as its own text says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=EXAMPLES, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("plugin", ["my_queue:StepQueue", "my_congestion:Careful", "my_scheme:LastThree"])
def test_the_plug_ins_keep_the_rules_of_their_families(plugin: str) -> None:
    done = run("-m", "lanecast", "check", plugin)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        ("dumbbell", 'queue.kind="my_queue:StepQueue"', "run.duration_s=0.5", "run.warmup_s=0.1"),
        ("dumbbell", 'flow.0.congestion="my_congestion:Careful"', "run.duration_s=0.5", "run.warmup_s=0.1"),
        ("demo", 'app.scheme=["eloquent", "my_scheme:LastThree"]', "run.seed=1", "app.tokens=60"),
    ],
)
def test_the_plug_ins_run_from_a_plan(words: tuple[str, ...], tmp_path: Path) -> None:
    settings = [word for setting in words[1:] for word in ("--set", setting)]
    done = run(
        "-m", "lanecast", "run", words[0], *settings, "--out", str(tmp_path), "--backend", "sequential"
    )
    assert done.returncode == 0, done.stderr


def test_short_options_put_plug_ins_into_a_plan(tmp_path: Path) -> None:
    chosen = ("--cc", "my_congestion:Careful", "--queue", "my_queue:StepQueue")
    short = (
        "--set",
        "run.duration_s=0.3",
        "--set",
        "run.warmup_s=0.1",
        "--set",
        "link.rate_mbps=20",
        "--seed",
        "1",
    )
    where = ("--out", str(tmp_path), "--backend", "sequential", "--json")
    done = run("-m", "lanecast", "run", "l4s", *chosen, *short, *where)
    assert done.returncode == 0, done.stderr
    assert "my_queue:StepQueue" in (tmp_path / "sweep.json").read_text()


def test_a_path_driven_by_hand_is_exact() -> None:
    done = run("path_by_hand.py")
    assert done.stdout.splitlines() == [f"packet {pn} came out at {11 + pn}.000 ms" for pn in range(3)]
