"""Progress of a sweep on stderr: runs done, rate, time left. Silent when stderr is not a terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self, TextIO

if TYPE_CHECKING:
    from types import TracebackType

REFRESH_S = 0.2  # assumption: five updates a second are enough for an eye


class Progress:
    """Counts finished runs; with `rich` a bar, without it one line that rewrites itself."""

    def __init__(
        self, total: int, label: str, *, stream: TextIO | None = None, shown: bool | None = None
    ) -> None:
        self.total = total
        self.label = label
        self.done = 0
        self.failed = 0
        self.stream = sys.stderr if stream is None else stream
        self.shown = self.stream.isatty() if shown is None else shown
        self._start = time.monotonic()
        self._last = -REFRESH_S
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if self.shown and self.total:
            self._bar = _rich_bar(self.stream)
            if self._bar is not None:
                self._bar.start()
                self._task = self._bar.add_task(self.label, total=self.total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self.shown and self.total:
            self.stream.write("\r" + self.line() + "\n")
            self.stream.flush()

    def step(self, *, failed: bool = False) -> None:
        """Count one finished run."""
        self.done += 1
        self.failed += failed
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, description=self._description())
        elif self.shown and time.monotonic() - self._last >= REFRESH_S:
            self._last = time.monotonic()
            self.stream.write("\r" + self.line())
            self.stream.flush()

    def line(self) -> str:
        """Return the state in words: done, rate, time left."""
        passed = max(time.monotonic() - self._start, 1e-9)
        rate = self.done / passed
        left = (self.total - self.done) / rate if rate > 0 else float("inf")
        remaining = f"{left:.0f} s left" if left < float("inf") else "time left unknown"
        return f"{self._description()}: {self.done}/{self.total} runs, {rate:.1f}/s, {remaining}"

    def _description(self) -> str:
        return f"{self.label} ({self.failed} failed)" if self.failed else self.label


def _rich_bar(stream: TextIO) -> Any:
    """Return a rich progress bar, or None where rich is not installed."""
    try:
        from rich import progress as widgets  # noqa: PLC0415
        from rich.console import Console  # noqa: PLC0415 - optional and slow to import
        from rich.text import Text  # noqa: PLC0415
    except ImportError:
        return None

    class Rate(widgets.TextColumn):
        """Runs per second so far."""

        def render(self, task: Any) -> Text:
            speed = task.finished_speed or task.speed or 0.0
            return Text(f"{speed:.1f} runs/s")

    return widgets.Progress(
        widgets.TextColumn("{task.description}"),
        widgets.BarColumn(),
        widgets.MofNCompleteColumn(),
        Rate(""),
        widgets.TimeRemainingColumn(),
        console=Console(file=stream),
    )
