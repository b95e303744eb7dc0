"""The claims about token streaming: what the plans `eloquent` and `do-no-harm` show.

Stall ratios are SR200 (the part of each gap beyond 200 ms, over the rendering time). A reduction is
1 - mean(ours) / mean(base) over cells on equal seeds. *Lossy* cells are those of independent and two-state loss without
full outages; *outage* cells have on/off outages, made or measured. The paper's grid, token rates and timers are
unknown: a match is one of direction and size, not a replication.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.errors import RunFailed
from lanecast.experiments.claims import Claim, ClaimOptions, Goal, at_least, at_most
from lanecast.experiments.points import load_plan
from lanecast.experiments.statistics import (
    Estimate,
    Floats,
    closed,
    mean_interval,
    ratio,
    reduction,
    table_of,
    worst_difference,
)
from lanecast.experiments.sweep import SweepOptions, run_sweep
from lanecast.experiments.tables import CELL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lanecast.experiments.results import Row

PAPER = "arXiv 2401.12961 abstract"
COMPARABLE = "arXiv 2401.12961: comparable data overhead; the bound is our reading"
OURS = "goal of this project"
RETRANSMISSION, OLDER, DUPLICATION, ELOQUENT, ADAPTIVE, RICH, ORACLE = (
    "rack-tlp", "dup-ack", "duplicate", "eloquent", "adaptive", "adaptive-rich", "oracle",
)  # fmt: skip
PLAIN_RTT_PER_GAP = 4  # overhead is claimed comparable while at most four tokens are in flight
FAST = ("run.seed=1..6", "app.gap_ms=50")
FAST_HARM = ("run.seed=1..3",)


@dataclass(slots=True)
class Grid:
    """Rows of the grid as tables (cells, seeds) by scheme and column, cells in one order for all schemes."""

    rows: list[Row]
    kinds: dict[str, str]
    _tables: dict[tuple[str, str], tuple[Floats, list[tuple[Any, ...]]]] = field(default_factory=dict)

    def table(self, scheme: str, column: str = "sr200", *, kind: str = "") -> Floats:
        """Return one scheme's values in the cells of a kind ("lossy", "outage", "" for all): (cells, seeds)."""
        if (scheme, column) not in self._tables:
            own = [row for row in self.rows if row["scheme"] == scheme]
            values, cells, _ = table_of(own, column, CELL)
            self._tables[scheme, column] = values, cells
        values, cells = self._tables[scheme, column]
        wanted = [place for place, cell in enumerate(cells) if not kind or self.kinds[cell[0]] == kind]
        return values[wanted]

    def cells(self, scheme: str) -> list[tuple[Any, ...]]:
        """Return the cells in the order of the tables."""
        self.table(scheme)
        return self._tables[scheme, "sr200"][1]


def eloquent(options: ClaimOptions) -> list[Claim]:
    """Run both plans and return the claims."""
    command = _command(options)
    begun = time.monotonic()
    rows, plan = _run("eloquent", options, FAST)
    grid = Grid(rows, _kinds(plan.channel))
    spent = time.monotonic() - begun
    claims = [_claim(*entry, spent, command) for entry in _published(grid) + _beyond(grid)]
    begun = time.monotonic()
    shared, _ = _run("do-no-harm", options, FAST_HARM)
    spent = time.monotonic() - begun
    return claims + [_claim(*entry, spent, command) for entry in _harmless(shared)]


def _claim(text: str, anchor: str, goal: Goal, estimate: Estimate, seconds: float, command: str) -> Claim:
    status = goal.status(estimate)
    return Claim(
        text, anchor, str(goal), estimate.value, (estimate.low, estimate.high), status, seconds, command
    )


def _command(options: ClaimOptions) -> str:
    words = ["lanecast", "reproduce", "eloquent"]
    words += ["--fast"] if options.fast else []
    words += ["--seed", options.seed] if options.seed else []
    words += ["--data", options.data] if options.data else []
    return shlex.join(words)


def _run(name: str, options: ClaimOptions, fast: Sequence[str]) -> tuple[list[Row], Any]:
    """Run a plan that ships and return its rows and first point.

    Raises:
        RunFailed: a run failed, or the sweep was interrupted: claims need every run.
    """
    settings = list(fast) if options.fast else []
    settings += [f"run.seed={options.seed}"] if options.seed else []
    sweep = load_plan(name, settings=settings)
    folder = Path(options.out or "results") / (f"{name}-fast" if options.fast else name)
    result = run_sweep(sweep, SweepOptions(folder, jobs=options.jobs, data=options.data, shown=options.shown))
    if result.interrupted:
        raise KeyboardInterrupt
    if result.failed:
        first = next(row for row in result.rows if row["status"] != "ok")
        raise RunFailed(
            f"{name}: {result.failed} of {result.total} runs failed, the first with: {first['error']}"
        )
    return result.rows, sweep.first


def _kinds(channels: dict[str, Any]) -> dict[str, str]:
    """Return for every channel whether it is lossy, an outage channel, or traced."""
    kinds = {}
    for name, channel in channels.items():
        outage = getattr(channel, "loss_bad", 0.0) == 1.0
        kinds[name] = "traced" if hasattr(channel, "synthetic") else "outage" if outage else "lossy"
    return kinds


def _published(grid: Grid) -> list[tuple[str, str, Goal, Estimate]]:
    """Return what the paper claims, and its cost."""
    base, ours = grid.table(RETRANSMISSION, kind="lossy"), grid.table(ELOQUENT, kind="lossy")
    older, double = grid.table(OLDER, kind="lossy"), grid.table(DUPLICATION, kind="lossy")
    retransmission, duplication = at_least(0.71), at_least(0.316)
    cheap = [
        place for place, (_, gap, rtt) in enumerate(grid.cells(ELOQUENT)) if rtt <= PLAIN_RTT_PER_GAP * gap
    ]
    cost = ratio(
        grid.table(ELOQUENT, "bytes_per_token")[cheap], grid.table(RETRANSMISSION, "bytes_per_token")[cheap]
    )
    whole = grid.table(ELOQUENT)
    return [
        ("Eloquent cuts the stall ratio against RACK-TLP retransmission, lossy cells", PAPER, retransmission,
         reduction(base, ours)),
        ("Eloquent cuts the stall ratio against dup-ACK retransmission, lossy cells", PAPER, retransmission,
         reduction(older, ours)),
        ("Eloquent cuts the stall ratio against duplication, lossy cells", PAPER, duplication,
         reduction(double, ours)),
        ("the same against RACK-TLP, all cells", PAPER, retransmission,
         reduction(grid.table(RETRANSMISSION), whole)),
        ("the same against duplication, all cells", PAPER, duplication,
         reduction(grid.table(DUPLICATION), whole)),
        ("Eloquent's bytes a token, as a multiple of RACK-TLP's where RTT <= 4 gaps", COMPARABLE,
         at_most(1.6), cost),
    ]  # fmt: skip


def _beyond(grid: Grid) -> list[tuple[str, str, Goal, Estimate]]:
    """Return what our own scheme is to reach, in its usual and in its richer setting."""
    found: list[tuple[str, str, Goal, Estimate]] = []
    for scheme in (ADAPTIVE, RICH):
        cost = [grid.table(name, "bytes_per_token", kind="lossy") for name in (scheme, ELOQUENT)]
        lossy = {name: grid.table(name, kind="lossy") for name in (RETRANSMISSION, ELOQUENT, scheme)}
        outage = [grid.table(name, kind="outage") for name in (RETRANSMISSION, scheme, ORACLE)]
        found += [
            (f"{scheme} cuts the stall ratio against RACK-TLP, lossy cells", OURS, at_least(0.95),
             reduction(lossy[RETRANSMISSION], lossy[scheme])),
            (f"{scheme} closes the reducible stall (RACK-TLP to the oracle), outage cells", OURS, at_least(0.97),
             closed(*outage)),
            (f"{scheme} cuts the stall ratio against Eloquent, lossy cells", OURS, at_least(0.60),
             reduction(lossy[ELOQUENT], lossy[scheme])),
            (f"{scheme}'s bytes a token, as a multiple of Eloquent's, lossy cells", OURS, at_most(1.25),
             ratio(*cost)),
            _never_worse(grid, scheme),
        ]  # fmt: skip
    return found


def _never_worse(grid: Grid, scheme: str) -> tuple[str, str, Goal, Estimate]:
    """Return the cell in which a scheme is most surely worse than Eloquent; worse is: the whole interval above zero."""
    place, worst = worst_difference(grid.table(scheme), grid.table(ELOQUENT))
    channel, gap, rtt = grid.cells(scheme)[place]
    cell = f"{channel}, gap {gap:g} ms, RTT {rtt:g} ms"
    text = f"{scheme} is never worse than Eloquent: lower bound of the difference in the worst cell ({cell})"
    return text, OURS, at_most(0.0), Estimate(worst.low, worst.low, worst.low)


def _harmless(rows: list[Row]) -> list[tuple[str, str, Goal, Estimate]]:
    """Return the do-no-harm rows: worst bottleneck of the plan for each."""

    def worst(column: str, choose: Callable[[list[Estimate]], Estimate]) -> Estimate:
        own = [row for row in rows if row["scheme"] == ADAPTIVE]
        channels = list(dict.fromkeys(row["channel"] for row in own))
        return choose(
            [mean_interval([row[column] for row in own if row["channel"] == channel]) for channel in channels]
        )

    def highest(estimates: list[Estimate]) -> Estimate:
        return max(estimates, key=lambda one: one.high)

    return [
        ("adaptive's redundancy as a share of the shared link (32 streams, one Cubic flow, 2 Mbit/s)", OURS,
         at_most(0.10, "%"), worst("redundancy_share", highest)),
        ("adaptive halves its redundancy after marks or queue growth, in round trips", OURS,
         at_most(2.0, "RTT"), worst("backoff_rtts", highest)),
        ("the Cubic flow keeps its goodput, as a share of that beside RACK-TLP streams", OURS,
         at_least(0.95), _kept(rows)),
    ]  # fmt: skip


def _kept(rows: list[Row]) -> Estimate:
    """Return the long flow's goodput beside our streams over that beside plain ones, in the worst bottleneck."""
    shares = []
    for channel in dict.fromkeys(row["channel"] for row in rows):
        own = [row for row in rows if row["channel"] == channel]
        ours, _, _ = table_of([row for row in own if row["scheme"] == ADAPTIVE], "long_goodput_mbps", CELL)
        plain, _, _ = table_of(
            [row for row in own if row["scheme"] == RETRANSMISSION], "long_goodput_mbps", CELL
        )
        shares.append(ratio(np.asarray(ours), np.asarray(plain)))
    return min(shares, key=lambda one: one.low)
