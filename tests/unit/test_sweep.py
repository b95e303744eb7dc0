"""Sweeps: order, failures, resume, interruption, and the same bits on every back end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lanecast.errors import CapabilityError, UsageError
from lanecast.experiments.points import Sweep, make_sweep
from lanecast.experiments.results import journal_rows, load_run, read_summary, sweep_digest
from lanecast.experiments.run import run_task
from lanecast.experiments.sweep import Interrupts, SweepOptions, SweepResult, run_sweep

PLAN: dict[str, Any] = {
    "run": {"kind": "tokens", "seed": "1..3", "save": "first"},
    "path": {"channel": "loss", "rtt_ms": [40, 80]},
    "app": {"scheme": ["rack-tlp", "eloquent"], "gap_ms": 20, "tokens": 40},
    "channel": {"loss": {"kind": "iid", "loss": 0.1}},
}


def small(**changes: Any) -> Sweep:
    """Return a sweep of 12 short runs."""
    return make_sweep("small.toml", PLAN | changes)


def run(sweep: Sweep, folder: Path, **options: Any) -> SweepResult:
    """Run quietly in this process unless told otherwise."""
    chosen: dict[str, Any] = {"backend": "sequential", "shown": False} | options
    return run_sweep(sweep, SweepOptions(folder, **chosen))


def test_rows_stand_in_sweep_order(tmp_path: Path) -> None:
    result = run(small(), tmp_path, backend="loky", jobs=2)
    found = [(row["seed"], row["rtt_ms"], row["scheme"]) for row in result.rows]
    assert found == [(s, r, c) for s in (1, 2, 3) for r in (40, 80) for c in ("rack-tlp", "eloquent")]
    assert [row["key"] for row in read_summary(tmp_path)] == [row["key"] for row in result.rows]


def test_serial_and_process_pool_give_the_same_digest(tmp_path: Path) -> None:
    serial = run(small(), tmp_path / "serial")
    pool = run(small(), tmp_path / "pool", backend="loky", jobs=2)
    assert sweep_digest(serial.rows) == sweep_digest(pool.rows)
    assert serial.failed == 0
    volatile = ("cpu_s", "code")  # the code of a reused worker process is that of its start
    for one, other in zip(serial.rows, pool.rows, strict=True):
        assert {k: v for k, v in one.items() if k not in volatile} == {
            k: v for k, v in other.items() if k not in volatile
        }


def test_files_are_kept_of_the_first_seed_only(tmp_path: Path) -> None:
    result = run(small(), tmp_path)
    assert [bool(row.get("file")) for row in result.rows] == [row["seed"] == 1 for row in result.rows]
    columns, header = load_run(tmp_path / result.rows[0]["file"])
    assert header["plan"]["app"]["scheme"] == "rack-tlp"
    assert header["seed"] == 1
    assert header["digest"] == result.rows[0]["digest"]
    assert len(columns["render_ns"]) == 40


def test_a_second_start_runs_nothing_again(tmp_path: Path) -> None:
    first = run(small(), tmp_path)
    second = run(small(), tmp_path, must_resume=True)
    assert (second.resumed, second.total) == (12, 12)
    assert second.rows == first.rows


def test_a_wider_sweep_runs_only_what_is_new(tmp_path: Path) -> None:
    run(small(), tmp_path)
    wider = run(small(run=PLAN["run"] | {"seed": "1..4"}), tmp_path)
    assert (wider.resumed, wider.total) == (12, 16)


def test_rows_of_other_code_are_not_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(small(), tmp_path)
    monkeypatch.setattr("lanecast.experiments.sweep.code_digest", lambda: "another")
    with pytest.raises(UsageError, match="--resume"):
        run(small(), tmp_path, must_resume=True)


def test_a_fresh_start_discards_what_was_there(tmp_path: Path) -> None:
    run(small(), tmp_path)
    assert run(small(), tmp_path, fresh=True).resumed == 0


def test_a_failed_run_is_a_row_and_the_sweep_goes_on(tmp_path: Path) -> None:
    broken = PLAN | {"app": PLAN["app"] | {"scheme": ["no-such-scheme", "eloquent"]}}
    result = run(make_sweep("broken.toml", broken), tmp_path)
    assert (len(result.rows), result.failed) == (12, 6)
    bad = [row for row in result.rows if row["status"] == "failed"]
    assert all(row["scheme"] == "no-such-scheme" and "no-such-scheme" in row["error"] for row in bad)
    assert run(make_sweep("broken.toml", broken), tmp_path).resumed == 6


def test_an_interruption_keeps_the_finished_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def interrupted(task: Any) -> Any:
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append("run")
        return run_task(task)

    monkeypatch.setattr("lanecast.experiments.sweep.run_task", interrupted)
    result = run(small(), tmp_path)
    assert result.interrupted
    assert len(result.rows) == 5
    assert len(read_summary(tmp_path)) == 5
    monkeypatch.undo()
    rest = run(small(), tmp_path)
    assert (rest.resumed, len(rest.rows)) == (5, 12)


def test_swept_fields_become_columns(tmp_path: Path) -> None:
    swept = PLAN | {"run": {"kind": "tokens"}, "channel": PLAN["channel"]}
    swept["sweep"] = {"channel.loss.loss": [0.0, 0.3], "app.token_bytes": [3, 12]}
    rows = run(make_sweep("swept.toml", swept), tmp_path).rows
    assert [(row["loss"], row["token_bytes"]) for row in rows[:4]] == [
        (0.0, 3),
        (0.0, 12),
        (0.3, 3),
        (0.3, 12),
    ]


def test_the_folder_describes_the_sweep(tmp_path: Path) -> None:
    run(small(), tmp_path)
    note = json.loads((tmp_path / "sweep.json").read_text())
    assert note["axes"]["path.rtt_ms"] == [40, 80]
    assert note["environment"]["code"]
    assert note["plan"]["app"]["tokens"] == 40


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_missing_cluster_package_is_named_with_its_extra(tmp_path: Path, backend: str) -> None:
    package = {"dask": "distributed", "ray": "ray"}[backend]
    if any((Path(folder) / package).exists() for folder in sys.path):
        pytest.skip(f"{package} is installed")
    with pytest.raises(CapabilityError, match=rf"lanecast\[{backend}\]"):
        run(small(), tmp_path, backend=backend)


def test_a_killed_sweep_loses_no_finished_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = """
import json
import sys
from pathlib import Path
from lanecast.experiments.points import make_sweep
from lanecast.experiments.sweep import SweepOptions, run_sweep
plan = json.loads(sys.argv[1])
run_sweep(make_sweep("small.toml", plan), SweepOptions(Path(sys.argv[2]), backend="sequential", shown=False))
"""
    quick = PLAN["run"] | {"save": "none"}
    long = PLAN | {"run": quick | {"seed": "1..4000"}}
    child = subprocess.Popen([sys.executable, "-c", program, json.dumps(long), str(tmp_path)])
    try:
        deadline = time.monotonic() + 60
        finished = 0
        while finished < 20 and time.monotonic() < deadline:
            time.sleep(0.02)
            finished = sum(path.read_bytes().count(b"\n") for path in tmp_path.glob("journal/*.jsonl"))
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    rows = list(journal_rows(tmp_path / "journal"))
    finished = len({row["key"] for row in rows})
    assert finished >= 20
    monkeypatch.setattr("lanecast.experiments.sweep.code_digest", lambda: rows[0]["code"])
    assert run(small(run=quick), tmp_path).resumed == min(12, finished)


def test_an_interrupt_that_was_swallowed_is_raised_again() -> None:
    before = signal.getsignal(signal.SIGINT)  # ignored where the suite runs in the background
    with Interrupts() as interrupts:
        interrupts.check()
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    assert signal.getsignal(signal.SIGINT) is before
