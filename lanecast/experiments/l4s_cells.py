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

from lanecast.errors import UsageError
from lanecast.experiments.config import Cross, Flow, Impairment, Link, NetworkPlan, QueueChoice, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

Rows = list[dict[str, str]]

FOLDER = "l4s-reference"
FRAMING = 14  # bytes: Ethernet header; 1448 of 1514 bytes are the 95.6 % of the origins' goodputs
HOST_MS = (
    0.1  # measured: srtt less base, queue and serialisation is 0.06 to 0.15 ms in the origins' one-flow runs
)
BEFORE_S = 60.0  # assumption: the origin says only that the counted time ends 2 s before the end of the test
START_SPREAD_MS = (
    100.0  # assumption: starts differ a little between seeds, as between an origin's repetitions
)
FORWARD_MS = 0.05  # how the base RTT is split: the bottleneck is next to the sender
PACING: dict[str, Literal["off", "prague"]] = {
    "prague": "prague",
    "dctcp": "off",
}  # the others as Linux TCP paces
WINDOW_KBYTES = (
    3145.728  # Linux: half of the 6 MiB of tcp_rmem; the one 500 Mbit/s, 80 ms Cubic cell shows it
)
CUBIC_ECN: Literal["not-ect", "ect0"] = "not-ect"  # what the L4STeam logs say of the coexistence run: ECN off
UDP_FRAME = 1380  # bytes on the wire: packets a second of the origin's UDP flows at their rate

# Linux of 2020: step 1 ms, target 15 ms, 10 % for the classic queue, as today.
DUAL = QueueChoice("dualpi2", options={"profile": "linux-2020"})
ONE_CODEL = QueueChoice("codel", limit_packets=10240, options={"ecn": True})
NAMED = {
    "dualpi2": DUAL,
    "fq_codel_tst": ONE_CODEL,
    "fq_codel": QueueChoice("fq_codel"),
    "fq_codel(1q)": ONE_CODEL,
    "pie": QueueChoice("pie", limit_packets=1000, options={"ecn": True}),
}
PARAMETRISED = re.compile(r"(fq_codel\(1q,|pfifo\(|pie\(|red\()(\d+)(?:ms|p|b)?(?:/(\d+)ms)?\)")
RED_AVERAGE = 1000  # bytes; tc-red(8): avpkt
LAWS = {"cubic": "linux_cubic"}


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
    grid = list(_grid(_table(folder / "iperf_grid.csv")))
    overload = list(_overload(_table(folder / "overload_grid.csv")))
    _add_delays({cell.name: cell for cell in grid + overload}, _table(folder / "qdelay_summary.csv"))
    return [
        *grid,
        *_rtt_sweep(_table(folder / "rtt_independence.csv")),
        *_pairs("fairness", _table(folder / "fairness_rtt.csv"), length_s=60),
        *_pairs("unsafe", _table(folder / "fairness_rfc3168.csv"), length_s=40),
        *overload,
    ]


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
    options = {"ecn": True, "target_ms": first, "interval_ms": second}
    return QueueChoice("codel", limit_packets=10240, options=options)


def _table(path: Path) -> Rows:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(line for line in file if not line.startswith("#")))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def _plan(
    name: str,
    queue: QueueChoice,
    rate: float,
    flows: list[Flow],
    *,
    duration_s: float,
    warmup_s: float,
    cross: list[Cross] | None = None,
) -> NetworkPlan:
    return NetworkPlan(
        cell=name,
        run=Run("network", duration_s=duration_s, warmup_s=warmup_s, delays=True, save="none"),
        link=Link(rate_mbps=rate, delay_ms=FORWARD_MS, overhead_bytes=FRAMING),
        queue=queue,
        impair=Impairment(jitter_ms=HOST_MS),
        flow=flows,
        cross=cross or [],
    )


def _flow(cc: str, rtt_ms: float, *, scaling: str = "", ecn: str = "", start_s: float = 0.0) -> Flow:
    law, _, suffix = cc.partition("-")
    label: Literal["", "not-ect", "ect0", "ect1"] = ""
    if law in ("cubic", "reno"):
        label = "ect0" if ecn == "classic ECN" or suffix == "ecn" else CUBIC_ECN
    options: dict[str, float | str] = {}
    if law == "dctcp":
        label = "ect1"  # its delays in the origin's log are those of the L queue
    if scaling and law == "prague":
        mode, _, target = scaling.partition(", target ")
        options["rtt_scaling"] = mode
        if target:
            options["rtt_target_ms"] = float(target.removesuffix(" ms"))
    return Flow(
        LAWS.get(law, law),
        rtt_ms=rtt_ms,
        ecn=label,
        recovery="rack-tlp",
        handshake=True,
        window_kbytes=WINDOW_KBYTES,
        pacing=PACING.get(law, "linux"),
        start_s=start_s,
        start_spread_ms=START_SPREAD_MS,
        options=options,
    )


def _grid(rows: Rows) -> Iterator[Cell]:
    """One flow, or several that share the link: 40 s, of which the last 20 s count."""
    runs: dict[str, Rows] = {}
    for row in rows:
        runs.setdefault(row["run"], []).append(row)
    for name, own in runs.items():
        first = own[0]
        flows = [_flow(row["cc"], float(row["base_rtt_ms"]), ecn=row["ecn"]) for row in own]
        rate = float(first["rate_mbps"])
        plan = _plan(name, NAMED[first["aqm"]], rate, flows, duration_s=40, warmup_s=20)
        cell = Cell("grid", name, plan)
        for place, row in enumerate(own):
            cell.expected[f"flow{place}_mbps"] = float(row["goodput_mbps"])
            cell.expected[f"flow{place}_srtt_ms"] = float(row["srtt_mean_ms"])
        yield cell


def _rtt_sweep(rows: Rows) -> Iterator[Cell]:
    """Two flows at 100 Mbit/s: 98 s, of which the last 58 s count."""
    for row in rows:
        name = f"{row['test']} {row['rtt1_ms']}/{row['rtt2_ms']} ms"
        flows = [_flow(row[f"cc{k}"], float(row[f"rtt{k}_ms"]), scaling=row[f"scaling{k}"]) for k in (1, 2)]
        plan = _plan(name, DUAL, 100, flows, duration_s=98, warmup_s=40)
        yield Cell("rtt", name, plan, _goodputs(row))


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
        plan = _plan(name, queue, float(row["rate_mbps"]), flows, duration_s=duration, warmup_s=BEFORE_S)
        yield Cell(table, name, plan, _goodputs(row))


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
        queue = QueueChoice(
            "dualpi2", options={"profile": "linux-2020", "classic_protection": int(protection)}
        )
        cross = [_udp(float(each), kind) for kind in kinds]
        flows = [_flow("prague", 20), _flow("cubic", 20)]
        plan = _plan(name, queue, 100, flows, duration_s=20, warmup_s=10, cross=cross)
        cell = Cell("overload", name, plan)
        for row in own:
            number = _overload_flow(row["flow"], kinds)
            if number < len(flows):
                cell.expected[f"flow{number}_mbps"] = float(row["goodput_mbps"])
                cell.expected[f"flow{number}_srtt_ms"] = float(row["srtt_mean_ms"])
            else:
                cell.expected[f"flow{number}_loss"] = float(row["udp_loss_pct"]) / 100
        yield cell


def _udp(rate: float, kind: str) -> Cross:
    share = (UDP_FRAME - FRAMING) / UDP_FRAME
    label: Literal["not-ect", "ect0", "ect1"] = kind  # type: ignore[assignment]
    return Cross("constant", rate_mbps=rate * share, packet_bytes=UDP_FRAME - FRAMING, ecn=label)


def _overload_flow(flow: str, kinds: list[str]) -> int:
    """Return the number that a flow of an overload run has here."""
    if flow in ("prague", "cubic"):
        return ("prague", "cubic").index(flow)
    return 2 + kinds.index(flow.removeprefix("udp-") if flow != "udp" else "not-ect")


def _add_delays(cells: dict[str, Cell], rows: Rows) -> None:
    """Add the kernel's own per-packet queueing delays to the cells of the same run."""
    for row in rows:
        overload = row["experiment"] == "overload"
        cell = cells.get(row["run"] if overload else row["run"].split()[-1])
        if cell is None:
            continue
        kinds = row["run"].split()[3].split("+") if overload else []
        number = _overload_flow(row["flow"], kinds) if overload else _grid_flow(cell, row)
        for percent in (50, 99):
            cell.expected[f"flow{number}_delay_p{percent}_ms"] = float(row[f"p{percent}_ms"])


def _grid_flow(cell: Cell, row: dict[str, str]) -> int:
    law = LAWS.get(row["flow"], row["flow"])
    return next(place for place, flow in enumerate(cell.plan.flow) if flow.congestion == law)
