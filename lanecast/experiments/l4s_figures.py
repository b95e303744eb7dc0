"""Figures of L4S runs: per-packet queueing delay and the AQM's probabilities over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lanecast.errors import ResultError
from lanecast.experiments.figures import panels, style
from lanecast.transport import recorder
from lanecast.transport.units import MS, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure

    from lanecast.experiments.plot import Loaded

MAX_PANELS = 4
PERCENT = 100.0


def delay(loaded: Sequence[Loaded]) -> Figure:
    """Queueing delay of every packet over time, a panel a run, a colour a flow."""
    chosen = loaded[:MAX_PANELS]
    figure, axes = panels(len(chosen), sharex=True)
    for axis, entry in zip(axes[:, 0], chosen, strict=True):
        if "log_event" not in entry.columns:
            raise ResultError("delay needs the per-packet log; run again with --set run.log=true")
        taken = entry.columns["log_event"] == recorder.TAKE
        for flow in np.unique(entry.columns["log_flow"][taken]).tolist():
            own = taken & (entry.columns["log_flow"] == flow)
            times = entry.columns["log_time_ns"][own] / SECOND
            waits = entry.columns["log_value"][own] / MS
            axis.plot(
                times, waits, ".", ms=1, rasterized=True, label=_name(entry, flow), color=style(flow)["color"]
            )
        axis.set_ylabel("queueing delay (ms)")
        axis.set_title(_title(entry), loc="left", fontsize=8)
    axes[0, 0].legend(loc="upper right", markerscale=6)
    axes[-1, 0].set_xlabel("time (s)")
    return figure


def probability(loaded: Sequence[Loaded]) -> Figure:
    """Drop probability of C and mark probability of L over time, a panel a run."""
    chosen = [entry for entry in loaded if "p_low" in entry.columns][:MAX_PANELS]
    if not chosen:
        raise ResultError('probability needs runs through a dual queue, e.g. --where kind="dualpi2"')
    figure, axes = panels(len(chosen), sharex=True)
    for axis, entry in zip(axes[:, 0], chosen, strict=True):
        times = entry.columns["sample_ns"] / SECOND
        for place, (column, label) in enumerate(
            (("p_low", "L: marked (coupled)"), ("p_classic", "C: dropped"))
        ):
            axis.plot(times, entry.columns[column][:, 0] * PERCENT, lw=0.8, label=label, **style(place))
        axis.set_ylabel("probability (%)")
        axis.set_ylim(bottom=0)
        axis.set_title(_title(entry), loc="left", fontsize=8)
    axes[0, 0].legend(loc="upper right")
    axes[-1, 0].set_xlabel("time (s)")
    return figure


def _name(entry: Loaded, flow: int) -> str:
    """Return a flow's controller; cross traffic has none."""
    names = [one["congestion"] for one in entry.header["plan"]["flow"] for _ in range(one["count"])]
    return names[flow] if flow < len(names) else "cross traffic"


def _title(entry: Loaded) -> str:
    plan = entry.header["plan"]
    link = plan["link"] or {}
    rate = f"{link['rate_mbps']:g} Mbit/s" if link.get("rate_mbps") else link.get("channel", "")
    flows = ", ".join(f"{one['congestion']} {one['rtt_ms']:g} ms" for one in plan["flow"])
    return f"{plan['queue']['kind']}, {rate}, {flows}, seed {entry.row['seed']}"


FIGURES: dict[str, Callable[[Sequence[Loaded]], Figure]] = {"delay": delay, "probability": probability}
