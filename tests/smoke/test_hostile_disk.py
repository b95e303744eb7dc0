"""A disk that fills up, folders that are files: one line that names the file, exit 2, nothing half written."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lanecast.errors import ResultError, TraceError, UsageError
from lanecast.experiments.cli import main
from lanecast.experiments.plot import draw_figure
from lanecast.experiments.points import make_sweep
from lanecast.experiments.sweep import SweepOptions, run_sweep
from lanecast.traces import synthetic
from lanecast.traces.classfile import dump_class
from lanecast.traces.files import dump_trace, load_trace

PLAN: dict[str, Any] = {
    "run": {"kind": "tokens", "seed": "1..2", "save": "all"},
    "path": {"channel": "loss", "rtt_ms": 40},
    "app": {"scheme": ["rack-tlp", "eloquent"], "gap_ms": 20, "tokens": 40},
    "channel": {"loss": {"kind": "iid", "loss": 0.1}},
}


@contextmanager
def disk_of(limit_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: writing fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    run_sweep(make_sweep("p.toml", PLAN), SweepOptions(folder, backend="sequential", shown=False))
    return folder


@pytest.mark.parametrize("name", ["long.txt", "long.txt.gz"])
def test_a_trace_that_does_not_fit_leaves_the_old_file_and_no_part(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    short, long = (synthetic.make("lte-ghent", duration_s=s, seed=1) for s in (10, 20_000))
    dump_trace(short, path, "pensieve")
    before = path.read_bytes()
    with disk_of(4096), pytest.raises(TraceError, match=rf"{name}: cannot be written: File too large"):
        dump_trace(long, path, "pensieve")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert load_trace(path).same_tracks(load_trace(path))


def test_a_class_file_that_does_not_fit_is_not_begun(tmp_path: Path) -> None:
    with disk_of(100), pytest.raises(TraceError, match=r"c\.json: cannot be written: File too large"):
        dump_class(synthetic.parameters_of("lte-ghent"), tmp_path / "c.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_figure_that_does_not_fit_is_told_by_name(results: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"bars{suffix}"
    with disk_of(100), pytest.raises(ResultError, match=rf"bars{suffix}: cannot be written: File too large"):
        draw_figure(results, "bars", target)
    assert list(tmp_path.iterdir()) == []


def test_a_figure_below_a_file_is_told_by_name(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "bars.png"
    assert main(["plot", str(results), "bars", "-o", str(target)]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert f"lanecast: {target}: cannot be written: " in told.err


def test_a_trace_figure_that_does_not_fit_is_told_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dump_trace(synthetic.make("lte-ghent", duration_s=60, seed=1), tmp_path / "a.txt", "pensieve")
    with disk_of(100):
        code = main(["trace", "plot", str(tmp_path / "a.txt"), "-o", str(tmp_path / "a.png")])
    assert code == 2
    assert "a.png: cannot be written: File too large" in capsys.readouterr().err


def test_results_below_a_file_are_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"--out .*file/x: cannot be written: Not a directory"):
        run_sweep(make_sweep("p.toml", PLAN), SweepOptions(tmp_path / "file" / "x", backend="sequential"))
