"""The cells of the public Linux measurements of L4S, as runs: which flows, which link, which queue, which numbers.

The tables are read from a folder (`l4s-reference/` under the data folder; their README names the origins: L4STeam
logs of IETF 109, heistp/l4s-tests). A row of a table becomes a `Cell`: a plan without a seed, and the values that
the origin measured, under the names of the columns of our own results. Nothing here depends on a particular row, so
more rows of the same layout are run the same way.

What the origins do not say is fixed once for all cells: see the constants.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from lanecast.errors import UsageError
from lanecast.experiments.config import Cross, QueueChoice
from lanecast.experiments.l4s_scenarios import FRAMING, ONE_CODEL, Label, dual, flow, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lanecast.experiments.config import Flow, NetworkPlan

Rows = list[dict[str, str]]

FOLDER = "l4s-reference"
BEFORE_S = 60.0  # assumption: the origin says only that the counted time ends 2 s before the end of the test
# half of the 6 MiB of Linux's tcp_rmem; the one 500 Mbit/s, 80 ms Cubic cell shows it
WINDOW_KBYTES = 3145.728
CUBIC_LABEL: Label = "not-ect"  # what the L4STeam logs say of the coexistence run: ECN off
UDP_FRAME = 1380  # bytes on the wire: packets a second of the origin's UDP flows at their rate
LAWS = {"cubic": "linux_cubic"}

# Linux of 2020: step 1 ms, target 15 ms, 10 % for the classic queue, as today.
DUAL = dual("linux-2020")
NAMED = {
    "dualpi2": DUAL,
    "fq_codel_tst": ONE_CODEL,
    "fq_codel": QueueChoice("fq_codel"),
    "fq_codel(1q)": ONE_CODEL,
    "pie": QueueChoice("pie", limit_packets=1000, options={"ecn": True}),
}
PARAMETRISED = re.compile(r"(fq_codel\(1q,|pfifo\(|pie\(|red\()(\d+)(?:ms|p|b)?(?:/(\d+)ms)?\)")
RED_AVERAGE = 1000  # bytes; tc-red(8): avpkt


@dataclass(slots=True)
class Cell:
    """One measured run."""

    table: str
    name: str
    plan: NetworkPlan
    expected: dict[str, float] = field(default_factory=dict)
    """What the origin measured, by our column: `flow0_mbps`, `flow0_srtt_ms`, `flow0_delay_p99_ms`, ..."""


def read_cells(data: str) -> list[Cell]:
    """Return every cell of the tables in DATA/l4s-reference.

    Raises:
        UsageError: a table is missing or has a row that cannot be understood.
    """
    folder = Path(data) / FOLDER
    grid = _cells(folder / "iperf_grid.csv", _grid)
    overload = _cells(folder / "overload_grid.csv", _overload)
    known = {cell.name: cell for cell in grid + overload}
    _cells(folder / "qdelay_summary.csv", lambda rows: _add_delays(known, rows))
    return [
        *grid,
        *_cells(folder / "rtt_independence.csv", _rtt_sweep),
        *_cells(folder / "fairness_rtt.csv", lambda rows: _pairs("fairness", rows, length_s=60)),
        *_cells(folder / "fairness_rfc3168.csv", lambda rows: _pairs("unsafe", rows, length_s=40)),
        *overload,
    ]


def _cells(path: Path, read: Callable[[Rows], Iterable[Cell]]) -> list[Cell]:
    """Return what a reader makes of a table; faults name the table."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(read(list(csv.DictReader(line for line in file if not line.startswith("#")))))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except (KeyError, ValueError, IndexError) as error:
        raise UsageError(f"{path}: a row cannot be understood: {error!r}") from None


def queue_named(name: str) -> QueueChoice | None:
    """Return the queue that a table names, None for one that we do not have."""
    if name in NAMED:
        return NAMED[name]
    match = PARAMETRISED.fullmatch(name)
    if match is None:
        return None
    kind, first, second = match[1], int(match[2]), int(match[3] or 0)
    if kind == "pfifo(":
        return QueueChoice("droptail", limit_packets=first)
    if kind == "pie(":
        return QueueChoice("pie", limit_packets=first, options={"ecn": True, "target_ms": second})
    if kind == "red(":
        # assumption: the origin gave a limit alone; tc-red(8) then takes a quarter of it, and a third of that
        most = first / 4 / RED_AVERAGE
        return QueueChoice(
            "red",
            limit_kbytes=first / 1000,
            options={"ecn": True, "min_packets": most / 3, "max_packets": most},
        )
    options = ONE_CODEL.options | {"target_ms": first, "interval_ms": second}
    return msgspec.structs.replace(ONE_CODEL, options=options)


def _flow(cc: str, rtt_ms: float, *, scaling: str = "", ecn: str = "") -> Flow:
    """Return a flow of a table; `cc` may say after a hyphen whether it uses ECN."""
    law, _, suffix = cc.partition("-")
    label: Label = ""
    if law in ("cubic", "reno"):
        label = "ect0" if ecn == "classic ECN" or suffix == "ecn" else CUBIC_LABEL
    if law == "dctcp":
        label = "ect1"  # its delays in the origin's log are those of the L queue
    options: dict[str, float | str] = {}
    if scaling and law == "prague":
        mode, _, target = scaling.partition(", target ")
        options["rtt_scaling"] = mode
        if target:
            options["rtt_target_ms"] = float(target.removesuffix(" ms"))
    return flow(LAWS.get(law, law), rtt_ms, ecn=label, window_kbytes=WINDOW_KBYTES, options=options)


def _grid(rows: Rows) -> Iterator[Cell]:
    """One flow, or several that share the link: 40 s, of which the last 20 s count."""
    runs: dict[str, Rows] = {}
    for row in rows:
        runs.setdefault(row["run"], []).append(row)
    for name, own in runs.items():
        queue = queue_named(own[0]["aqm"])
        if queue is None:
            continue
        flows = [_flow(row["cc"], float(row["base_rtt_ms"]), ecn=row["ecn"]) for row in own]
        rate = float(own[0]["rate_mbps"])
        made = plan(name, rate, queue, flows, duration_s=40, warmup_s=20)
        cell = Cell("grid", name, made)
        for place, row in enumerate(own):
            cell.expected[f"flow{place}_mbps"] = float(row["goodput_mbps"])
            cell.expected[f"flow{place}_srtt_ms"] = float(row["srtt_mean_ms"])
        yield cell


def _rtt_sweep(rows: Rows) -> Iterator[Cell]:
    """Two flows at 100 Mbit/s: 98 s, of which the last 58 s count."""
    for row in rows:
        name = f"{row['test']} {row['rtt1_ms']}/{row['rtt2_ms']} ms"
        flows = [_flow(row[f"cc{k}"], float(row[f"rtt{k}_ms"]), scaling=row[f"scaling{k}"]) for k in (1, 2)]
        made = plan(name, 100, DUAL, flows, duration_s=98, warmup_s=40)
        yield Cell("rtt", name, made, _goodputs(row))


def _pairs(table: str, rows: Rows, *, length_s: float) -> Iterator[Cell]:
    """Two flows, of which the last `length_s` seconds count; queues that we do not have are left out."""
    for row in rows:
        queue = queue_named(row["qdisc"])
        if queue is None:
            continue
        names = [f"{row[f'cc{k}']}@{row[f'rtt{k}_ms']}" for k in (1, 2)]
        name = f"{table} {row['qdisc']} {row['rate_mbps']} {' '.join(names)}"
        flows = [_flow(row[f"cc{k}"], float(row[f"rtt{k}_ms"]), scaling="none") for k in (1, 2)]
        duration = BEFORE_S + length_s
        made = plan(name, float(row["rate_mbps"]), queue, flows, duration_s=duration, warmup_s=BEFORE_S)
        yield Cell(table, name, made, _goodputs(row))


def _goodputs(row: dict[str, str]) -> dict[str, float]:
    return {f"flow{k - 1}_mbps": float(row[f"goodput{k}_mbps"]) for k in (1, 2)}


def _overload(rows: Rows) -> Iterator[Cell]:
    """Prague and Cubic beside unresponsive UDP: 20 s, of which the last 10 s count."""
    runs: dict[tuple[str, str, str], Rows] = {}
    for row in rows:
        key = (row["classic_protection_pct"], row["udp_marking"], row["udp_each_mbps"])
        runs.setdefault(key, []).append(row)
    for (protection, marking, each), own in runs.items():
        name = f"protection {protection}% load {marking} {each}M"
        kinds = marking.split("+")
        queue = dual("linux-2020", classic_protection=int(protection))
        cross = [_udp(float(each), kind) for kind in kinds]
        flows = [_flow("prague", 20), _flow("cubic", 20)]
        made = plan(name, 100, queue, flows, duration_s=20, warmup_s=10, cross=cross)
        cell = Cell("overload", name, made)
        for row in own:
            number = _overload_flow(row["flow"], kinds)
            if number < len(flows):
                cell.expected[f"flow{number}_mbps"] = float(row["goodput_mbps"])
                cell.expected[f"flow{number}_srtt_ms"] = float(row["srtt_mean_ms"])
            else:
                cell.expected[f"flow{number}_loss"] = float(row["udp_loss_pct"]) / 100
        yield cell


def _udp(rate: float, kind: str) -> Cross:
    size = UDP_FRAME - FRAMING
    label: Literal["not-ect", "ect0", "ect1"] = kind  # type: ignore[assignment]
    return Cross("constant", rate_mbps=rate * (size / UDP_FRAME), packet_bytes=size, ecn=label)


def _overload_flow(flow: str, kinds: list[str]) -> int:
    """Return the number that a flow of an overload run has here."""
    if flow in ("prague", "cubic"):
        return ("prague", "cubic").index(flow)
    return 2 + kinds.index(flow.removeprefix("udp-") if flow != "udp" else "not-ect")


def _add_delays(cells: dict[str, Cell], rows: Rows) -> Iterator[Cell]:
    """Add the kernel's own per-packet queueing delays to the cells of the same run; yield those cells."""
    for row in rows:
        overload = row["experiment"] == "overload"
        cell = cells.get(row["run"] if overload else row["run"].split()[-1])
        if cell is None:
            continue
        kinds = row["run"].split()[3].split("+") if overload else []
        number = _overload_flow(row["flow"], kinds) if overload else _grid_flow(cell, row)
        for percent in (50, 99):
            cell.expected[f"flow{number}_delay_p{percent}_ms"] = float(row[f"p{percent}_ms"])
        yield cell


def _grid_flow(cell: Cell, row: dict[str, str]) -> int:
    law = LAWS.get(row["flow"], row["flow"])
    return [one.congestion for one in cell.plan.flow].index(law)
