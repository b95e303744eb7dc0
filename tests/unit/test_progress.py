"""Progress is seen on a terminal only, and counts right."""

from __future__ import annotations

import builtins
import io
from typing import Any

import pytest

from lanecast.experiments.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_nothing_is_written_when_the_stream_is_no_terminal() -> None:
    stream = io.StringIO()
    with Progress(3, "demo", stream=stream) as progress:
        for _ in range(3):
            progress.step()
    assert stream.getvalue() == ""
    assert progress.done == 3


def test_a_terminal_sees_runs_and_rate() -> None:
    stream = Terminal()
    with Progress(2, "demo", stream=stream) as progress:
        progress.step()
        progress.step(failed=True)
    assert "demo" in stream.getvalue()
    assert "2/2" in stream.getvalue()
    assert progress.failed == 1


def test_without_rich_one_line_rewrites_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_rich(name: str, *rest: Any, **options: Any) -> Any:
        if name.startswith("rich"):
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without_rich)
    stream = Terminal()
    with Progress(4, "demo", stream=stream) as progress:
        progress.step()
    assert stream.getvalue().startswith("\rdemo: 1/4 runs")
    assert stream.getvalue().endswith("s left\n")


def test_the_time_left_is_unknown_before_the_first_run() -> None:
    assert "time left unknown" in Progress(5, "demo", stream=io.StringIO()).line()


def test_failures_are_said() -> None:
    progress = Progress(2, "demo", stream=io.StringIO())
    progress.step(failed=True)
    assert "(1 failed)" in progress.line()


def test_an_empty_sweep_shows_nothing() -> None:
    stream = Terminal()
    with Progress(0, "demo", stream=stream):
        pass
    assert stream.getvalue() == ""
