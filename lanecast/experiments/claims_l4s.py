"""The claims about L4S: against measured Linux, against the laws, and on links of varying capacity.

With `--data DIR` the cells of DIR/l4s-reference are run and each value is compared with the origin's; without it these
claims are not attempted. Our own scenarios run in any case. What is judged is the mean over seeds; the interval is over
seeds.
The origins differ among themselves: one cell (100 Mbit/s, 20 ms, Prague beside Cubic) reads 61/35, 67/28 and 71/24
Mbit/s in three of their tables, so a single run of theirs is known to about 5 percentage points.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from lanecast.errors import RunFailed
from lanecast.experiments.claims import Claim, ClaimOptions
from lanecast.experiments.config import NetworkPlan
from lanecast.experiments.l4s_cells import FOLDER, read_cells
from lanecast.experiments.l4s_judges import VALIDATION, VARIANTS, Entry, Judge, Rows, against, own, traced
from lanecast.experiments.l4s_laws import laws
from lanecast.experiments.l4s_scenarios import scenarios
from lanecast.experiments.points import expand_range, load_plan
from lanecast.experiments.statistics import Estimate, Floats, interval, weights
from lanecast.experiments.sweep import Points, SweepOptions, run_sweep

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lanecast.experiments.claims import Goal

SEEDS, FAST_SEEDS = "1..5", "1..2"
RESAMPLES = 200  # of five seeds there are only 126 different ones


@dataclass(frozen=True, slots=True)
class Ran:
    """A set of runs: rows by seed and cell, and the time they took."""

    seeds: list[Rows]
    seconds: float

    def estimate(self, judge: Judge) -> Estimate:
        """Return a judgement of the means over seeds, and its percentile interval over resampled seeds."""
        value = judge(self._mean(np.full(len(self.seeds), 1 / len(self.seeds))))
        drawn = [judge(self._mean(shares)) for shares in weights(len(self.seeds), RESAMPLES)]
        return Estimate(value, *interval(np.array(drawn)))

    def _mean(self, shares: Floats) -> Rows:
        """Return the weighted mean of every numeric column, by cell."""
        rows: Rows = {}
        for name, first in self.seeds[0].items():
            columns = [column for column, value in first.items() if isinstance(value, int | float)]
            table = np.array([[seed[name].get(column, np.nan) for column in columns] for seed in self.seeds])
            rows[name] = dict(zip(columns, (shares @ table).tolist(), strict=True))
        return rows


def l4s(options: ClaimOptions) -> list[Claim]:
    """Run everything and return the claims."""
    command = _command(options)
    begun = time.monotonic()
    checked = laws()
    spent = time.monotonic() - begun
    found = [_claim(*law, seconds=spent, command=command) for law in checked]
    if options.data and (Path(options.data) / FOLDER).is_dir():
        cells = read_cells(options.data)
        ran = _run("l4s-cells", [cell.plan for cell in cells], options)
        found += _judged(ran, against(cells), command)
    else:
        found += [_absent(*entry[:3], command=command) for entry in against([])]
    found += _judged(_run("l4s-scenarios", scenarios(), options), own(), command)
    found += _judged(_run("l4s-traces", _traced(), options), traced(), command)
    return [*found, _absent(*VALIDATION, command=command)]


def _traced() -> list[NetworkPlan]:
    """Return the first seed's points of the shipped plan, each with a name; dual queues in every variant."""
    sweep = load_plan("l4s-traces", settings=["run.seed=1"])
    found = []
    for point in sweep.points():
        assert isinstance(point, NetworkPlan), "the plan is one of kind network"
        assert point.link is not None, "with one link"
        variants = VARIANTS if point.queue.kind == "dualpi2" else {point.queue.kind: {}}
        for name, options in variants.items():
            queue = msgspec.structs.replace(point.queue, options=options)
            found.append(msgspec.structs.replace(point, cell=f"{point.link.channel} {name}", queue=queue))
    return found


def _claim(text: str, anchor: str, goal: Goal, estimate: Estimate, seconds: float, command: str) -> Claim:
    bounds = (estimate.low, estimate.high)
    return Claim(text, anchor, str(goal), estimate.value, bounds, goal.status(estimate), seconds, command)


def _absent(text: str, anchor: str, goal: Goal, command: str) -> Claim:
    nothing = float("nan")
    return Claim(text, anchor, str(goal), nothing, (nothing, nothing), "not attempted", 0.0, command)


def _judged(ran: Ran, entries: Iterable[Entry], command: str) -> list[Claim]:
    return [
        _claim(text, anchor, goal, ran.estimate(judge), ran.seconds, command)
        for text, anchor, goal, judge in entries
    ]


def _command(options: ClaimOptions) -> str:
    words = ["lanecast", "reproduce", "l4s"]
    words += ["--fast"] if options.fast else []
    words += ["--data", options.data] if options.data else []
    return shlex.join(words)


def _run(name: str, plans: list[NetworkPlan], options: ClaimOptions) -> Ran:
    """Run plans for every seed.

    Raises:
        RunFailed: a run failed: claims need every run.
    """
    begun = time.monotonic()
    seeds = expand_range(options.seed or (FAST_SEEDS if options.fast else SEEDS))
    points = tuple(
        msgspec.structs.replace(plan, run=msgspec.structs.replace(plan.run, seed=seed))
        for seed in seeds
        for plan in plans
    )
    folder = Path(options.out or "results") / (f"{name}-fast" if options.fast else name)
    result = run_sweep(
        Points(name, points), SweepOptions(folder, jobs=options.jobs, data=options.data, shown=options.shown)
    )
    if result.interrupted:
        raise KeyboardInterrupt
    if result.failed:
        first = next(row for row in result.rows if row["status"] != "ok")
        raise RunFailed(f"{name}: {result.failed} runs failed, {first['cell']} with: {first['error']}")
    by_seed: dict[int, Rows] = {}
    for row in result.rows:
        by_seed.setdefault(row["seed"], {})[row["cell"]] = row
    return Ran(list(by_seed.values()), time.monotonic() - begun)
