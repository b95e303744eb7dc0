"""Figures of traces: rate over time, distribution, autocorrelation, dispersion of opportunities, delay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.errors import CapabilityError, TraceError
from lanecast.traces.statistics import autocorrelation, bins, index_of_dispersion
from lanecast.traces.trace import NS_PER_S, Opportunities

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lanecast.traces.trace import Trace

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442")
"""Colours told apart by most colour-blind readers (Okabe and Ito, Color Universal Design, 2008)."""
_MBIT = 1e6
_MS = 1e6
_MAX_LAG_S = 40
_WINDOWS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_GROUP = "group: "  # no folder's name begins so
_LEGEND_MAX = 12
"""More traces than this are drawn thin, with a colour and a name a set."""


def draw(
    traces: Sequence[Trace], what: str, target: Path, *, bin_s: float = 1.0, against: Sequence[Trace] = ()
) -> None:
    """Draw one figure and write it as pdf, svg or png, by the target's suffix.

    Traces `against` which the first are held (recordings beside generated ones) get a colour of their own.

    Raises:
        CapabilityError: matplotlib is not installed.
        ValueError: no trace has what the figure shows, or the suffix is unknown.

    """
    if target.suffix not in (".pdf", ".svg", ".png"):
        raise ValueError(f"{target} is not .pdf, .svg or .png")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - optional, heavy
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise CapabilityError("drawing", "pip install lanecast[plot]") from error
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if against:
        traces = [*_grouped(traces, "these"), *_grouped(against, "against")]
    drawn = _DRAWINGS[what](axes, traces, bin_s)
    if not drawn:
        raise ValueError(f"no trace has what the {what} figure shows")
    axes.legend(fontsize="small", frameon=False)
    axes.grid(visible=True, alpha=0.3)
    try:
        figure.savefig(target, dpi=200)
    except OSError as error:
        raise TraceError(str(target), 0, f"cannot be written: {error.strerror}") from error


def _styles(traces: Sequence[Trace]) -> list[dict[str, Any]]:
    """Return how to draw each trace: a colour each with its name, or, of many, a colour a set with the set's name."""
    grouped = any(trace.provenance.set.startswith(_GROUP) for trace in traces)
    if len(traces) <= _LEGEND_MAX and not grouped:
        dashes = ("-", "--")
        return [
            {
                "color": OKABE_ITO[i % len(OKABE_ITO)],
                "linewidth": 1.0,
                "linestyle": dashes[i // len(OKABE_ITO) % 2],
                "label": trace.name,
            }
            for i, trace in enumerate(traces)
        ]
    names = list(dict.fromkeys(_set_of(trace) for trace in traces))
    styles: list[dict[str, Any]] = []
    told: set[str] = set()
    for trace in traces:
        name = _set_of(trace)
        label = "_" if name in told else name  # matplotlib leaves names that begin with _ out of the legend
        styles.append(
            {
                "color": OKABE_ITO[names.index(name) % len(OKABE_ITO)],
                "linewidth": 0.5,
                "alpha": 0.5,
                "label": label,
            }
        )
        told.add(name)
    return styles


def _grouped(traces: Sequence[Trace], name: str) -> list[Trace]:
    """Return the traces as members of one set, so that they share a colour."""
    label = f"{_GROUP}{name} ({len(traces)} traces)"
    return [replace(trace, provenance=replace(trace.provenance, set=label)) for trace in traces]


def _set_of(trace: Trace) -> str:
    return trace.provenance.set.removeprefix(_GROUP) or "no set"


def _with_capacity(traces: Sequence[Trace]) -> list[Trace]:
    return [trace for trace in traces if trace.capacity is not None]


def _time(axes: Any, traces: Sequence[Trace], bin_s: float) -> int:
    shown = _with_capacity(traces)
    for trace, style in zip(shown, _styles(shown), strict=True):
        rates = bins(trace, round(bin_s * NS_PER_S)) / _MBIT
        axes.stairs(rates, bin_s * np.arange(rates.size + 1), baseline=None, **style)
    axes.set(xlabel="time (s)", ylabel=f"capacity (Mbit/s, bins of {bin_s:g} s)", ylim=(0, None))
    return len(shown)


def _cdf(axes: Any, traces: Sequence[Trace], bin_s: float) -> int:
    shown = _with_capacity(traces)
    for trace, style in zip(shown, _styles(shown), strict=True):
        rates = np.sort(bins(trace, round(bin_s * NS_PER_S))) / _MBIT
        share = np.arange(1, rates.size + 1) / max(1, rates.size)
        axes.step(rates, share, where="post", **style)
    axes.set(
        xlabel=f"capacity (Mbit/s, bins of {bin_s:g} s)", ylabel="share of bins at or below", ylim=(0, 1)
    )
    return len(shown)


def _acf(axes: Any, traces: Sequence[Trace], bin_s: float) -> int:
    shown = _with_capacity(traces)
    for trace, style in zip(shown, _styles(shown), strict=True):
        rates = bins(trace, round(bin_s * NS_PER_S))
        lags = np.arange(1, int(_MAX_LAG_S / bin_s) + 1)
        values = [autocorrelation(rates, int(lag)) for lag in lags]
        axes.plot(lags * bin_s, values, **style)
    axes.set(xlabel="lag (s)", ylabel="autocorrelation of capacity")
    return len(shown)


def _idc(axes: Any, traces: Sequence[Trace], _: float) -> int:
    shown = [trace for trace in traces if isinstance(trace.capacity, Opportunities)]
    for trace, style in zip(shown, _styles(shown), strict=True):
        capacity = trace.capacity
        assert isinstance(capacity, Opportunities), "chosen above"
        values = [index_of_dispersion(capacity.times, round(w * _MS)) for w in _WINDOWS_MS]
        axes.plot(_WINDOWS_MS, values, marker="o", markersize=3, **style)
    axes.set(
        xlabel="window (ms)",
        ylabel="dispersion of opportunities (1: Poisson)",
        xscale="log",
        yscale="log",
    )
    return len(shown)


def _delay(axes: Any, traces: Sequence[Trace], _: float) -> int:
    shown = [trace for trace in traces if trace.delay is not None]
    for trace, style in zip(shown, _styles(shown), strict=True):
        delay = trace.delay
        assert delay is not None, "chosen above"
        edges = np.append(delay.starts, delay.end) / NS_PER_S
        label = style.pop("label")
        label = label if label == "_" else f"{label} ({delay.measured})"
        axes.stairs(delay.delays / _MS, edges, baseline=None, label=label, **style)
    axes.set(xlabel="time (s)", ylabel="delay (ms)", ylim=(0, None))
    return len(shown)


_DRAWINGS: dict[str, Callable[[Any, Sequence[Trace], float], int]] = {
    "time": _time, "cdf": _cdf, "acf": _acf, "idc": _idc, "delay": _delay,
}  # fmt: skip
