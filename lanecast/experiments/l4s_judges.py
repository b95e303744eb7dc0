"""How the L4S claims are judged: each entry is a text, an anchor, a goal and a function of one seed's rows by cell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lanecast.experiments.claims import Goal, at_least, at_most
from lanecast.experiments.l4s_scenarios import AGGREGATE_MS, OVERLOADS, PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lanecast.experiments.l4s_cells import Cell
    from lanecast.experiments.results import Row

Rows: TypeAlias = "dict[str, Row]"
Judge: TypeAlias = "Callable[[Rows], float]"
Entry: TypeAlias = "tuple[str, str, Goal, Judge]"

SHARE_ERROR = 0.05  # share of the sum: the spread between the origins' own tables
DELAY_SHARE, DELAY_MS = 0.10, 0.3  # a delay agrees within 10 % or 0.3 ms
LOSS_ERROR = 0.02
L4STEAM = "L4STeam ICCRG-109 logs"
SHARES = "L4STeam RTT independence; heistp/l4s-tests scenario 1"
KERNEL = "delays written by the Linux kernel module (L4STeam)"
UNSAFE = "heistp/l4s-tests scenario 6"
OVERLOAD = "L4STeam overload results"
BURSTS = "heistp/l4s-tests, bursty link"
OURS = "goal of this project"
TARGET_MS, TARGET_ERROR_MS = 15.0, 2.0
QUEUES = ("fq_codel", "pie", "droptail")
VARIANTS: dict[str, dict[str, Any]] = {
    "dualpi2": {},
    "dualpi2-rfc9332": {"profile": "rfc9332"},
    "dualpi2-step5": {"step_thresh_ms": 5, "min_qlen_step": 2},  # for links that deliver in bursts, or slowly
}
VALIDATION: tuple[str, str, Goal] = (
    "the same cells beside a kernel with dualpi2 and Prague agree",
    "needs Linux 6.17 or L4STeam's kernel",
    at_least(0.85),
)


def against(cells: list[Cell]) -> list[Entry]:
    """Return what is compared with measured Linux."""
    alone = [cell for cell in cells if cell.table == "grid" and cell.name.startswith("Prague__")]
    slow = [cell for cell in alone if _rate(cell) <= 100]
    fast = [cell for cell in alone if _rate(cell) > 100]
    pairs = [cell for cell in cells if cell.table in ("rtt", "fairness")]
    unsafe = [cell for cell in cells if cell.table == "unsafe"]
    overload = [cell for cell in cells if cell.table == "overload"]
    return [
        ("Prague alone, 20 and 100 Mbit/s: largest error of goodput", L4STEAM, at_most(0.02, "%"),
         lambda rows: _largest(relative_errors(slow, rows, "_mbps"))),
        ("Prague alone, 20 and 100 Mbit/s: largest error of smoothed RTT (ms)", L4STEAM, at_most(0.3, "ms"),
         lambda rows: _largest(errors(slow, rows, "_srtt_ms"))),
        ("Prague alone, 500 Mbit/s: largest error of goodput", L4STEAM, at_most(0.10, "%"),
         lambda rows: _largest(relative_errors(fast, rows, "_mbps"))),
        ("two flows: cells whose shares agree within 5 percentage points", SHARES, at_least(0.85),
         lambda rows: _share_of(error <= SHARE_ERROR for error in share_errors(pairs, rows))),
        ("queueing delays (p50, p99 by flow) that agree within 10 % or 0.3 ms", KERNEL, at_least(0.80),
         lambda rows: _share_of(agreements(cells, rows))),
        ("one classic-ECN queue: cells whose shares agree within 5 percentage points", UNSAFE, at_least(0.85),
         lambda rows: _share_of(error <= SHARE_ERROR for error in share_errors(unsafe, rows))),
        ("one classic-ECN queue: Prague over the classic flow, median ratio", UNSAFE, Goal(">=", 20.0, 1.0),
         lambda rows: _median(_ratio(rows[cell.name]) for cell in unsafe)),
        ("overload: UDP loss rates that agree within 2 percentage points", OVERLOAD, at_least(0.80),
         lambda rows: _share_of(error <= LOSS_ERROR for error in errors(overload, rows, "_loss"))),
    ]  # fmt: skip


def own() -> list[Entry]:
    """Return what our own scenarios are to show."""
    found: list[Entry] = []
    for profile in PROFILES:
        prefix = f"coexist {profile}"
        found += [
            (f"L queue at 50 and 100 Mbit/s beside Cubic, {profile} profile: largest median delay (ms)",
             "arXiv 2209.01078 abstract: 0.1 to 0.3 ms", at_most(0.3, "ms"),
             _worst(prefix, "flow0_delay_p50_ms")),
            (f"L queue at 50 and 100 Mbit/s beside Cubic, {profile} profile: largest 99th percentile (ms)",
             "arXiv 2209.01078 abstract: below 2 ms; goal of this project", at_most(1.0, "ms"),
             _worst(prefix, "flow0_delay_p99_ms")),
            (f"L queue at 50 and 100 Mbit/s beside Cubic, {profile} profile: share of packets dropped",
             "arXiv 2209.01078 abstract: zero congestion loss", at_most(0.0), _worst(prefix, "flow0_loss")),
        ]  # fmt: skip
    loads = [share for share in OVERLOADS if share >= 1]
    return [
        *found,
        ("four Prague flows, RTT 0.5 to 30 ms, 400 Mbit/s: Jain's index", L4STEAM, Goal(">=", 0.97, 0.25),
         lambda rows: rows["four prague"]["jain"]),
        ("four Cubic flows in one CoDel queue, the same: Jain's index", L4STEAM, Goal("<=", 0.85, 1.0),
         lambda rows: rows["four cubic"]["jain"]),
        ("Prague over Cubic in one classic-ECN queue: the unsafe case shows", UNSAFE, Goal(">=", 10.0, 1.0),
         lambda rows: _ratio(rows["unsafe codel"])),
        ("overload by UDP, 150 and 200 %: L delay beside the 15 ms target, largest difference (ms)", OVERLOAD,
         at_most(TARGET_ERROR_MS, "ms"),
         lambda rows: max(abs(rows[f"overload ect1 {load:g}"]["flow0_delay_mean_ms"] - TARGET_MS)
                          for load in loads if load > 1)),
        ("overload by UDP: what ECT(1) gains in throughput over Not-ECT", OVERLOAD, at_most(0.05, "%"),
         lambda rows: max(_arrived(rows, "ect1", load) / _arrived(rows, "not-ect", load) - 1 for load in loads)),
        (f"aggregates of {AGGREGATE_MS:g} ms: Prague's goodput with the step at 1 ms, as a share of that without",
         BURSTS, at_most(0.65, "%"), lambda rows: _goodput(rows, "burst 1 ms") / _goodput(rows, "burst none")),
        ("the same with the step at 5 ms", BURSTS, at_least(0.80),
         lambda rows: _goodput(rows, "burst 5 ms") / _goodput(rows, "burst none")),
    ]  # fmt: skip


def traced() -> list[Entry]:
    """Return what links of varying capacity show: each variant of the dual queue against its siblings, over classes."""
    found: list[Entry] = []
    for variant in VARIANTS:
        queues = QUEUES if variant == "dualpi2" else QUEUES[:1]
        for queue in queues:
            found += [
                (f"varying links: Prague's p99 queueing delay, {variant} over {queue}, geometric mean of classes",
                 OURS, Goal("<=", 1.0, 1.0), _over_classes(variant, queue, "flow0_delay_p99_ms")),
                (f"varying links: use of the link, {variant} over {queue}, geometric mean of classes",
                 OURS, Goal(">=", 0.95, 0.0), _over_classes(variant, queue, "goodput_mbps")),
            ]  # fmt: skip
        found.append(
            (f"varying links: Prague's share of the goodput beside Cubic, {variant}, least of classes", OURS,
             at_least(0.40), _least_share(variant))
        )  # fmt: skip
    return found


def errors(cells: list[Cell], rows: Rows, suffix: str) -> list[float]:
    """Return |ours - theirs| of every value whose column ends in `suffix`."""
    return [
        abs(rows[cell.name][column] - value)
        for cell in cells
        for column, value in cell.expected.items()
        if column.endswith(suffix)
    ]


def relative_errors(cells: list[Cell], rows: Rows, suffix: str) -> list[float]:
    """Return |ours / theirs - 1| of every value whose column ends in `suffix`."""
    return [
        abs(rows[cell.name][column] / value - 1)
        for cell in cells
        for column, value in cell.expected.items()
        if column.endswith(suffix)
    ]


def share_errors(cells: list[Cell], rows: Rows) -> list[float]:
    """Return, for every cell of two flows, the error of the first flow's share of the sum."""
    found = []
    for cell in cells:
        theirs = [cell.expected[f"flow{place}_mbps"] for place in (0, 1)]
        ours = [rows[cell.name][f"flow{place}_mbps"] for place in (0, 1)]
        found.append(abs(ours[0] / sum(ours) - theirs[0] / sum(theirs)))
    return found


def agreements(cells: list[Cell], rows: Rows) -> list[bool]:
    """Return for every measured percentile of a queueing delay whether ours agrees."""
    return [
        abs(rows[cell.name].get(column, math.inf) - value) <= max(DELAY_SHARE * value, DELAY_MS)
        for cell in cells
        for column, value in cell.expected.items()
        if "_delay_p" in column
    ]


def _rate(cell: Cell) -> float:
    link = cell.plan.link
    return link.rate_mbps or 0.0 if link is not None else 0.0


def _worst(prefix: str, column: str) -> Judge:
    return lambda rows: max(row[column] for name, row in rows.items() if name.startswith(prefix))


def _over_classes(variant: str, queue: str, column: str) -> Judge:
    def judge(rows: Rows) -> float:
        ratios = [
            rows[f"{link} {variant}"][column] / rows[f"{link} {queue}"][column] for link in _links(rows)
        ]
        return float(np.exp(np.mean(np.log(ratios))))

    return judge


def _least_share(variant: str) -> Judge:
    def judge(rows: Rows) -> float:
        shares = [_ratio(rows[f"{link} {variant}"]) for link in _links(rows)]
        return min(ratio / (1 + ratio) for ratio in shares)

    return judge


def _links(rows: Rows) -> list[str]:
    return [name.removesuffix(" dualpi2") for name in rows if name.endswith(" dualpi2")]


def _arrived(rows: Rows, label: str, load: float) -> float:
    """Return the share of the UDP packets that came through; they are flow 10."""
    return 1 - float(rows[f"overload {label} {load:g}"]["flow10_loss"])


def _goodput(rows: Rows, name: str) -> float:
    return float(rows[name]["goodput_mbps"])


def _ratio(row: Row) -> float:
    return float(row["flow0_mbps"]) / float(row["flow1_mbps"])


def _largest(values: list[float]) -> float:
    return max(values, default=math.nan)


def _share_of(hits: Iterable[bool]) -> float:
    found = list(hits)
    return sum(found) / len(found) if found else math.nan


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return float(np.median(found)) if found else math.nan
