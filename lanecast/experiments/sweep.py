"""Sweeps: many runs on one machine or a cluster, none of them ever lost.

The unit of work is one run. joblib's API carries it: `loky` processes by default, `dask` or `ray` for clusters
(extras), `sequential` in this process. joblib groups short runs into batches of at least 0.2 s by itself. Each
process appends the rows of its finished runs to a journal of its own, so that Ctrl-C, a crash or `kill -9` loses
no finished run; a second start reads the journals and runs only what is missing. A run counts as finished when
its row has the same point (seed included) and was made by the same code.

Rows stand in the order of the sweep, whatever the order of completion; a failed run is a row with its error.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from lanecast.errors import CapabilityError, UsageError
from lanecast.experiments.progress import Progress
from lanecast.experiments.results import (
    FORMAT,
    SUMMARY,
    SWEEP,
    Row,
    append_row,
    code_digest,
    environment,
    journal_rows,
    key_of,
    sync_journals,
    write_summary,
    write_text,
)
from lanecast.experiments.run import Task, identity, run_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lanecast.experiments.config import NetworkPlan, Plan
    from lanecast.experiments.points import Axis, Sweep

BACKENDS = ("loky", "sequential", "dask", "ray")
SYNC_S = 1.0  # assumption: losing power may cost the rows of the last second; a crash costs none
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """How a sweep is run. `jobs` 0 means one a CPU."""

    folder: Path
    jobs: int = 0
    backend: str = "loky"
    address: str = ""
    data: str = ""
    fresh: bool = False
    must_resume: bool = False
    debug: bool = False
    shown: bool | None = None


@dataclass(frozen=True, slots=True)
class Points:
    """Plans that are no product of axes, as something to sweep; each names its `cell`."""

    name: str
    plans: tuple[NetworkPlan, ...]

    @property
    def file(self) -> str:
        """No file: the plans were made by a program."""
        return ""

    @property
    def base(self) -> dict[str, Any]:
        """The first plan."""
        built: dict[str, Any] = msgspec.to_builtins(self.first)
        return built

    @property
    def axes(self) -> tuple[Axis, ...]:
        """No axes."""
        return ()

    @property
    def first(self) -> Plan:
        """The first plan."""
        return self.plans[0]

    def points(self) -> Iterator[Plan]:
        """Yield the plans in order."""
        yield from self.plans


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Rows in sweep order (those that finished), and how many were taken from an earlier start."""

    rows: list[Row]
    total: int
    resumed: int
    wall_s: float
    interrupted: bool = False

    @property
    def failed(self) -> int:
        """How many runs failed."""
        return sum(row["status"] != "ok" for row in self.rows)


def run_sweep(sweep: Sweep | Points, options: SweepOptions) -> SweepResult:
    """Run what is missing of a sweep and write its summary.

    Raises:
        UsageError: `must_resume` and there is nothing to resume, or the folder cannot be written.
        CapabilityError: the back end is not installed.
    """
    begun = time.monotonic()
    _limit_threads()
    finished = _prepare(sweep, options)
    tasks, order = _tasks(sweep, options)
    missing = [task for key, task in zip(order, tasks, strict=True) if key not in finished]
    resumed = len(order) - len(missing)
    interrupted = False
    try:
        with Interrupts() as interrupts, Progress(len(missing), sweep.name, shown=options.shown) as progress:
            synced = begun
            for row in _execute(missing, options):
                finished[row["key"]] = row
                interrupts.check()
                progress.step(failed=row["status"] != "ok")
                if time.monotonic() - synced >= SYNC_S:
                    sync_journals(options.folder / JOURNAL)
                    synced = time.monotonic()
    except KeyboardInterrupt:
        interrupted = True
        finished = _finished(options.folder) | finished
    rows = [finished[key] for key in order if key in finished]
    if rows:
        sync_journals(options.folder / JOURNAL)
        write_summary(options.folder / SUMMARY, rows)
    return SweepResult(rows, len(order), resumed, time.monotonic() - begun, interrupted)


class Interrupts:
    """Remembers Ctrl-C: a KeyboardInterrupt that was raised where exceptions are ignored is raised again."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self.asked:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: object) -> None:
        self.asked = True
        raise KeyboardInterrupt


def _limit_threads() -> None:
    """Ask numerical libraries for one thread in this process and those it starts."""
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")


def _prepare(sweep: Sweep | Points, options: SweepOptions) -> dict[str, Row]:
    """Make the folder, note the sweep in it, and return the finished runs of earlier starts."""
    folder = options.folder
    if options.fresh:
        for name in (JOURNAL, "runs"):
            shutil.rmtree(folder / name, ignore_errors=True)
    finished = _finished(folder)
    if options.must_resume and not finished:
        raise UsageError(f"--resume: {folder} holds no finished run of this code; start without --resume")
    note = {
        "format": FORMAT,
        "name": sweep.name,
        "file": sweep.file,
        "plan": sweep.base,
        "axes": {axis.name: list(axis.values) for axis in sweep.axes},
        "reports": msgspec.to_builtins(sweep.first.report),
        "data": options.data,
        "environment": environment(),
    }
    try:
        write_text(folder / SWEEP, json.dumps(note, indent=1, default=str))
    except OSError as error:
        raise UsageError(f"--out {folder}: cannot be written: {error.strerror}") from None
    return finished


def _finished(folder: Path) -> dict[str, Row]:
    """Return the rows of the runs that succeeded under this code, by key."""
    code = code_digest()
    kept = (
        row for row in journal_rows(folder / JOURNAL) if row.get("code") == code and row.get("status") == "ok"
    )
    return {row["key"]: row for row in kept}


def _tasks(sweep: Sweep | Points, options: SweepOptions) -> tuple[list[Task], list[str]]:
    """Return one task a point, in sweep order, and their keys."""
    names = _label_names(sweep)
    first_seed = next(
        (axis.values[0] for axis in sweep.axes if axis.name == "run.seed"), sweep.first.run.seed
    )
    tasks, order = [], []
    for point in sweep.points():
        save = point.run.save == "all" or (point.run.save == "first" and point.run.seed == first_seed)
        raw = msgspec.to_builtins(point)
        labels = {name: _at(raw, axis) for name, axis in names.items()}
        tasks.append(Task(point, labels, str(options.folder), save, options.data, options.debug))
        order.append(key_of(point))
    return tasks, order


def _label_names(sweep: Sweep | Points) -> dict[str, Axis]:
    """Name the swept fields that a row does not carry anyway: the last part of the key path if that is unique."""
    known = identity(sweep.first)
    extra = [axis for axis in sweep.axes if axis.path[-1] not in known]
    last = [str(axis.path[-1]) for axis in extra]
    return {axis.name if last.count(name) > 1 else name: axis for name, axis in zip(last, extra, strict=True)}


def _at(raw: Any, axis: Axis) -> Any:
    for key in axis.path:
        raw = raw[key]
    return raw if isinstance(raw, str | int | float) else json.dumps(raw)


def journaled(task: Task) -> Row:
    """Run a task and append its row to the journal of this process."""
    row = run_task(task)
    append_row(Path(task.folder) / JOURNAL, row)
    return row


def _execute(tasks: list[Task], options: SweepOptions) -> Iterator[Row]:
    """Yield rows as runs finish."""
    if not tasks:
        return
    if options.backend == "sequential":
        yield from map(journaled, tasks)
        return
    import joblib  # noqa: PLC0415 - slow to import, and not needed in sequence

    jobs = options.jobs or os.cpu_count() or 1
    settings: dict[str, Any] = {"backend": options.backend, "n_jobs": jobs}
    if options.backend == "loky":
        settings["inner_max_num_threads"] = 1
    else:
        _connect(options)
    # ray's joblib back end cannot stream results; the others can.
    streaming = "list" if options.backend == "ray" else "generator_unordered"
    with joblib.parallel_config(**settings):
        rows: Iterable[Row] = joblib.Parallel(return_as=streaming)(
            joblib.delayed(journaled)(task) for task in tasks
        )
        yield from rows


def _connect(options: SweepOptions) -> None:
    """Reach the cluster of a dask or ray back end."""
    extra = f"pip install 'lanecast[{options.backend}]'"
    try:
        if options.backend == "dask":
            import distributed  # noqa: PLC0415

            distributed.Client(options.address or None)
            return
        import ray  # noqa: PLC0415
        from ray.util.joblib import register_ray  # noqa: PLC0415
    except ImportError:
        raise CapabilityError(f"back end {options.backend}", extra) from None
    ray.init(address=options.address or None, log_to_driver=False)
    register_ray()
