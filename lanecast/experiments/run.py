"""One run: a point is built, run in virtual time, measured, and becomes a row and (if asked) a result file."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from lanecast.errors import LanecastError
from lanecast.experiments.config import Bottleneck, TokenPlan
from lanecast.experiments.results import Row, code_digest, digest_of, environment, key_of, save_run

if TYPE_CHECKING:
    from lanecast.experiments.config import Plan
    from lanecast.experiments.measure import Outcome

RUNS = "runs"


class Scenario(Protocol):
    """A wired point."""

    def run(self) -> Outcome:
        """Run it to its end and measure."""


@dataclass(frozen=True, slots=True)
class Task:
    """One unit of work of a sweep: the point, how its row is named, whether its file is kept, where data lies."""

    point: Plan
    labels: Row
    folder: str
    save: bool
    data: str = ""
    debug: bool = False


def identity(point: Plan) -> Row:
    """Return the columns that say what a row is about."""
    if isinstance(point, TokenPlan):
        app, path = point.app, point.path
        return {
            "channel": path.channel,
            "gap_ms": app.gap_ms,
            "rtt_ms": path.rtt_ms,
            "scheme": app.scheme,
            "seed": point.run.seed,
        }
    return ({"cell": point.cell} if point.cell else {}) | {"seed": point.run.seed}


def build(point: Plan, data: str = "") -> Scenario:
    """Wire a point; one kind of run does not import what the others need."""
    if isinstance(point, TokenPlan) and isinstance(point.channel[point.path.channel], Bottleneck):
        from lanecast.experiments.build_shared import build_shared  # noqa: PLC0415

        return build_shared(point)
    if isinstance(point, TokenPlan):
        from lanecast.experiments.build_tokens import build_tokens  # noqa: PLC0415

        return build_tokens(point, data)
    from lanecast.experiments.build_network import build_network  # noqa: PLC0415

    return build_network(point, data)


def simulate(point: Plan, data: str = "") -> Outcome:
    """Wire a point and run it; the caller handles errors."""
    return build(point, data).run()


def run_task(task: Task) -> Row:
    """Run one task and return its row; a failed run is a row with its error."""
    begun = time.process_time()
    row: Row = {"key": key_of(task.point), "code": code_digest(), "status": "ok", "error": "", "digest": ""}
    row |= identity(task.point) | task.labels
    try:
        outcome = simulate(task.point, task.data)
    except Exception as error:  # noqa: BLE001 - the edge of a run: whatever happens inside must not end the sweep
        if task.debug:
            traceback.print_exc()
        text = str(error) if isinstance(error, LanecastError) else f"{type(error).__name__}: {error}"
        return row | {"status": "failed", "error": text, "cpu_s": time.process_time() - begun}
    row["digest"] = digest_of(outcome.columns)
    row |= outcome.metrics
    row["cpu_s"] = time.process_time() - begun
    if task.save:
        row["file"] = f"{RUNS}/{row['key']}.npz"
        _save(task, row, outcome)
    return row


def _save(task: Task, row: Row, outcome: Outcome) -> None:
    header = {
        "plan": msgspec.to_builtins(task.point),
        "seed": task.point.run.seed,
        "environment": environment(),
        "driver": "virtual",
        "status": row["status"],
        "cpu_s": row["cpu_s"],
        "drops": outcome.drops,
        "row": {name: value for name, value in row.items() if name != "file"},
        **outcome.notes,
    }
    save_run(Path(task.folder) / row["file"], outcome.columns, header)
