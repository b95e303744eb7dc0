"""Drawing: each function takes rows, files or a table and returns a matplotlib figure (never shown, only written)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from lanecast.errors import ResultError
from lanecast.experiments.statistics import Estimate, mean_interval
from lanecast.experiments.tables import CELL, grouped, seed_means
from lanecast.transport.recorder import TAKE
from lanecast.transport.tokens.metrics import STALL_THRESHOLD
from lanecast.transport.units import MS, NEVER, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from lanecast.experiments.plot import Loaded
    from lanecast.experiments.results import Columns, Row
    from lanecast.experiments.tables import Table

# Okabe and Ito (2008): blue, vermillion, bluish green, orange, sky blue, reddish purple, black, yellow.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#000000", "#F0E442")
MARKERS = ("o", "s", "D", "^", "v", "P", "*", "X")
DASHES = ("-", "--", "-.", ":")
STALL_SHADE = "#BBBBBB"
WIDTH_IN = 7.0  # assumption: the text width of a two-column paper, inches
ROW_IN = 2.2
LEGEND_COLUMNS = 6
MOST_NUMBERS = 120  # cells of a heat map that still have room for their number
MAX_SEQUENCES = 4  # more panels than this are no longer read
BIN = 100 * MS  # throughput is drawn in steps of this length
PERCENT = 100.0

mpl.use("Agg")
mpl.rcParams.update(
    {
        "font.size": 8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
        "svg.hashsalt": "lanecast",  # equal figures have equal bytes
        "pdf.fonttype": 42,  # editable text
    }
)


def style(place: int) -> dict[str, Any]:
    """Return colour and dash of series number `place`; the pair repeats after 32 series."""
    return {"color": COLOURS[place % len(COLOURS)], "linestyle": DASHES[place // len(COLOURS) % len(DASHES)]}


def panels(rows: int = 1, columns: int = 1, *, height: float = ROW_IN, **options: Any) -> tuple[Figure, Any]:
    """Return a figure of the text's width with (rows, columns) axes."""
    figure = Figure(figsize=(WIDTH_IN, height * rows + 0.4))
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def sequence(loaded: Sequence[Loaded]) -> Figure:
    """Tokens over time: when each was generated and when it was shown; stalls are shaded."""
    by_scheme = {entry.row["scheme"]: entry for entry in reversed(loaded)}
    chosen = list(reversed(by_scheme.values()))[:MAX_SEQUENCES]
    figure, axes = panels(len(chosen), sharex=True, height=1.6)
    for place, (axis, entry) in enumerate(zip(axes[:, 0], chosen, strict=True)):
        born, shown = entry.columns["generation_ns"], entry.columns["render_ns"]
        seen = shown < NEVER
        index = np.arange(1, len(born) + 1)
        for start, stop in zip(shown[seen][:-1], shown[seen][1:], strict=True):
            if stop - start > STALL_THRESHOLD:
                axis.axvspan((start + STALL_THRESHOLD) / SECOND, stop / SECOND, color=STALL_SHADE, lw=0)
        axis.step(born / SECOND, index, where="post", color="#000000", lw=0.7, ls=":", label="generated")
        axis.step(shown[seen] / SECOND, index[seen], where="post", lw=1.2, label="shown", **style(place))
        ratio = entry.row["sr200"] * PERCENT
        axis.set_title(f"{entry.row['scheme']}: stalled {ratio:.1f} % of the time", loc="left", fontsize=8)
        axis.set_ylabel("tokens")
    axes[0, 0].legend(loc="upper left")
    axes[-1, 0].set_xlabel("time since the request (s); shaded: stalls beyond 200 ms")
    figure.suptitle(_conditions(chosen[0].row), fontsize=8)
    return figure


def _conditions(row: Row) -> str:
    return f"channel {row['channel']}, RTT {row['rtt_ms']:g} ms, a token every {row['gap_ms']:g} ms, seed {row['seed']}"


def cdf(loaded: Sequence[Loaded]) -> Figure:
    """Render delay of every token, by scheme, as 1 - CDF on a logarithmic axis."""
    delays: dict[str, list[Any]] = {}
    for entry in loaded:
        seen = entry.columns["render_ns"] < NEVER
        delay = (entry.columns["render_ns"] - entry.columns["generation_ns"])[seen]
        delays.setdefault(entry.row["scheme"], []).append(delay / MS)
    figure, axes = panels(1, 2)
    for place, (scheme, parts) in enumerate(delays.items()):
        values = np.sort(np.concatenate(parts))
        share = np.arange(1, len(values) + 1) / len(values)
        axes[0, 0].step(values, share, where="post", lw=1, label=scheme, **style(place))
        axes[0, 1].step(values, 1 - share, where="post", lw=1, **style(place))
    for axis in axes[0]:
        axis.set_xscale("log")
        axis.set_xlabel("render delay (ms)")
    axes[0, 0].set_ylabel("share of tokens at or below")
    axes[0, 1].set_ylabel("share of tokens above")
    axes[0, 1].set_yscale("log")
    _legend_below(figure, axes[0, 0])
    return figure


def _legend_below(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    lines = math.ceil(len(labels) / LEGEND_COLUMNS)
    figure.legend(handles, labels, loc="outside lower center", ncols=math.ceil(len(labels) / lines))


def bars(rows: Sequence[Row]) -> Figure:
    """Mean stall ratio by scheme over all cells with 95 % intervals; bytes a token beside it."""
    groups = grouped(rows, ("scheme",))
    names = [scheme for (scheme,) in groups]
    stall = [mean_interval(seed_means(group, "sr200")) for group in groups.values()]
    cost = [mean_interval(seed_means(group, "bytes_per_token")) for group in groups.values()]
    figure, axes = panels(1, 2, height=max(ROW_IN, 0.24 * len(names)), sharey=True)
    _bars(axes[0, 0], names, [Estimate(*(PERCENT * value for value in one)) for one in stall])
    _bars(axes[0, 1], names, cost)
    axes[0, 0].invert_yaxis()
    axes[0, 0].set_xlabel("stall ratio (% of the rendering time)")
    axes[0, 1].set_xlabel("bytes a token on the wire (B)")
    return figure


def _bars(axis: Axes, names: Sequence[str], estimates: Sequence[Estimate]) -> None:
    values = np.array([one.value for one in estimates])
    errors = np.abs(np.array([[one.value - one.low, one.high - one.value] for one in estimates]).T)
    axis.barh(
        range(len(names)), values, xerr=errors, color=COLOURS[0], ecolor=COLOURS[6], error_kw={"lw": 0.8}
    )
    axis.set_yticks(range(len(names)), names)


def heatmap(rows: Sequence[Row]) -> Figure:
    """Mean stall ratio of every cell and scheme."""
    cells = grouped(rows, CELL)
    schemes = list(dict.fromkeys(row["scheme"] for row in rows))
    values = np.full((len(cells), len(schemes)), np.nan)
    for line, group in enumerate(cells.values()):
        for (scheme,), runs in grouped(group, ("scheme",)).items():
            values[line, schemes.index(scheme)] = PERCENT * np.mean([row["sr200"] for row in runs])
    names = [f"{channel}, {gap:g} ms, RTT {rtt:g} ms" for channel, gap, rtt in cells]
    return _heatmap(values, names, schemes, "stall ratio (%)", "channel, token gap, RTT", "scheme")


def _heatmap(
    values: Any, lines: Sequence[str], columns: Sequence[str], unit: str, y_label: str, x_label: str
) -> Figure:
    figure, axes = panels(height=max(ROW_IN, 0.14 * len(lines) + 1))
    axis = axes[0, 0]
    # cividis is perceptually even for readers with any colour vision; the root spreads small values.
    image = axis.imshow(np.sqrt(values), aspect="auto", cmap="cividis", interpolation="nearest")
    axis.set_yticks(range(len(lines)), lines, fontsize=5 if len(lines) > 30 else 7)
    axis.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    axis.set_xlabel(x_label)
    axis.set_ylabel(y_label)
    if values.size <= MOST_NUMBERS:
        _numbers(axis, values)
    bar = figure.colorbar(image, ax=axis, label=unit)
    ticks = np.linspace(0, float(np.nanmax(np.sqrt(values))) or 1.0, 6)
    bar.set_ticks(list(ticks), labels=[f"{tick * tick:.2g}" for tick in ticks])
    return figure


def _numbers(axis: Axes, values: Any) -> None:
    """Write each cell's value into it, dark on the bright half of the map and white on the dark one."""
    bright = float(np.sqrt(np.nanmax(values))) / 2
    for (line, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            colour = "#000000" if np.sqrt(value) > bright else "#FFFFFF"
            axis.text(column, line, f"{value:.2g}", ha="center", va="center", color=colour, fontsize=6)


def tradeoff(rows: Sequence[Row]) -> Figure:
    """Draw what each scheme costs and what it gains, over all cells."""
    figure, axes = panels(height=3.0)
    axis = axes[0, 0]
    for place, ((scheme,), group) in enumerate(grouped(rows, ("scheme",)).items()):
        stall = mean_interval(seed_means(group, "sr200"))
        cost = mean_interval(seed_means(group, "bytes_per_token"))
        error = [[PERCENT * (stall.value - stall.low)], [PERCENT * (stall.high - stall.value)]]
        colour = COLOURS[place % len(COLOURS)]
        marker = MARKERS[place // len(COLOURS) % len(MARKERS)]
        spot = (cost.value, PERCENT * stall.value)
        look = {"marker": marker, "ms": 5, "lw": 0.8, "color": colour, "mfc": "none", "clip_on": False}
        axis.errorbar(*spot, yerr=error, label=scheme, **look)
        axis.annotate(
            scheme, spot, xytext=(5, 3 if place % 2 else -9), textcoords="offset points", fontsize=6
        )
    axis.set_xlabel("bytes a token on the wire (B)")
    axis.set_ylabel("stall ratio (% of the rendering time)")
    axis.set_ylim(bottom=0)
    axis.margins(x=0.1)  # room for the names
    return figure


def threshold(rows: Sequence[Row]) -> Figure:
    """Stall ratio as the threshold moves: the conclusion must not hang on 200 ms."""
    limits = sorted(int(name[2:]) for name in rows[0] if name.startswith("sr") and name[2:].isdecimal())
    figure, axes = panels()
    for place, ((scheme,), group) in enumerate(grouped(rows, ("scheme",)).items()):
        values = [PERCENT * float(np.mean([row[f"sr{limit}"] for row in group])) for limit in limits]
        axes[0, 0].plot(limits, values, lw=1, marker="o", ms=3, clip_on=False, label=scheme, **style(place))
    axes[0, 0].set_xlabel("stall threshold (ms)")
    axes[0, 0].set_ylabel("stall ratio (%)")
    axes[0, 0].set_ylim(bottom=0)
    _legend_below(figure, axes[0, 0])
    return figure


def capacity(loaded: Sequence[Loaded]) -> Figure:
    """Draw what the link offered against what was sent on it."""
    entry = loaded[0]
    columns = entry.columns
    figure, axes = panels()
    axis = axes[0, 0]
    if "capacity_bps" in columns:
        offered = columns["capacity_bps"]
        end = int(columns["sent_ns"].max()) + BIN
        edges = np.arange(0, end, BIN)
        sent = np.histogram(columns["sent_ns"], edges, weights=columns["sent_bytes"])[0] * 8 * SECOND / BIN
        looped = offered[np.arange(len(sent)) % len(offered)]
        axis.fill_between(edges[:-1] / SECOND, looped / 1e6, step="post", color=STALL_SHADE, label="capacity")
        axis.step(edges[:-1] / SECOND, sent / 1e6, where="post", lw=0.8, label="sent", **style(0))
        axis.set_yscale("symlog", linthresh=0.01)
    elif "link_bytes" in columns:
        times, carried = _every_bin(columns, "link_bytes")
        used = np.diff(carried[:, 0], prepend=0) * 8 * SECOND / np.diff(times, prepend=0)
        mean = float(columns["capacity_mean_bps"][0])
        axis.axhline(mean / 1e6, color="#000000", lw=0.8, ls=":", label="mean capacity")
        axis.stairs(used / 1e6, np.append(0, times) / SECOND, baseline=None, lw=0.8, label="used", **style(0))
        axis.set_ylim(0, 1.1 * max(mean, float(used.max())) / 1e6)
    else:
        raise ResultError(
            "this channel has no capacity to draw: choose a run over a trace (--where channel=...)"
        )
    axis.set_xlabel("time (s)")
    axis.set_ylabel("rate (Mbit/s)")
    _legend_below(figure, axis)
    return figure


def _every_bin(columns: Columns, name: str) -> tuple[Any, Any]:
    """Return the samples of a counter at every BIN: times, ns, and (times, ...) values."""
    every = max(1, round(BIN / int(columns["sample_ns"][0])))
    return columns["sample_ns"][every - 1 :: every], columns[name][every - 1 :: every]


def queue(loaded: Sequence[Loaded]) -> Figure:
    """Backlog from samples, as its delay at the link's mean rate, or each packet's sojourn time from the log.

    Drawn is the first run that has a queue.
    """
    entry = next((entry for entry in loaded if _has_queue(entry.columns)), None)
    if entry is None:
        raise ResultError('no queue was recorded: run again with --set run.log=true --set run.save="all"')
    columns = entry.columns
    figure, axes = panels()
    axis = axes[0, 0]
    if "backlog_bytes" in columns:
        for hop in range(columns["backlog_bytes"].shape[1]):
            wait = columns["backlog_bytes"][:, hop] * 8 / columns["capacity_mean_bps"][hop] * 1000
            axis.plot(columns["sample_ns"] / SECOND, wait, lw=0.8, label=f"hop {hop}", **style(hop))
        axis.set_ylabel("queueing delay (ms)")
    else:
        for place, stage in enumerate(entry.header["stages"]):
            taken = (columns["log_event"] == TAKE) & (columns["log_stage"] == place)
            if taken.any():
                times, waits = columns["log_time_ns"][taken], columns["log_value"][taken]
                axis.plot(times / SECOND, waits / MS, lw=0.8, label=stage, **style(place))
        axis.set_ylabel("sojourn time (ms)")
    axis.set_ylim(bottom=0)
    axis.set_xlabel("time (s)")
    _legend_below(figure, axis)
    return figure


def _has_queue(columns: Columns) -> bool:
    return "backlog_bytes" in columns or bool((columns.get("log_event", np.zeros(0)) == TAKE).any())


def goodput(loaded: Sequence[Loaded]) -> Figure:
    """Goodput of each flow, in steps of 100 ms."""
    columns = loaded[0].columns
    if "goodput_bytes" not in columns:
        raise ResultError("these runs have no long flows to draw")
    figure, axes = panels()
    times, received = _every_bin(columns, "goodput_bytes")
    for flow in range(received.shape[1]):
        rate = np.diff(received[:, flow], prepend=0) * 8 * SECOND / np.diff(times, prepend=0) / 1e6
        edges = np.append(0, times) / SECOND
        axes[0, 0].stairs(rate, edges, baseline=None, lw=0.8, label=f"flow {flow}", **style(flow))
    axes[0, 0].set_xlabel("time (s)")
    axes[0, 0].set_ylabel("goodput (Mbit/s)")
    axes[0, 0].set_ylim(bottom=0)
    _legend_below(figure, axes[0, 0])
    return figure


def declared_bars(table: Table, report: dict[str, Any]) -> Figure:
    """Bars of a table that the plan declares."""
    names = [str(row[0]) for row in table.rows]
    count = len(table.headers) - 1
    figure, axes = panels(1, count, height=max(ROW_IN, 0.24 * len(names)), sharey=True)
    for place, axis in enumerate(axes[0]):
        _bars(axis, names, [_estimate(row[place + 1]) for row in table.rows])
        axis.set_xlabel(f"{report['y']}" if count == 1 else f"{report['y']} ({table.headers[place + 1]})")
    axes[0, 0].invert_yaxis()
    axes[0, 0].set_ylabel(report["x"])
    figure.suptitle(table.title, fontsize=8)
    return figure


def declared_lines(table: Table, report: dict[str, Any]) -> Figure:
    """Lines with 95 % bands of a table that the plan declares."""
    figure, axes = panels()
    places = [row[0] for row in table.rows]
    for column, name in enumerate(table.headers[1:]):
        estimates = [_estimate(row[column + 1]) for row in table.rows]
        low, high = [one.low for one in estimates], [one.high for one in estimates]
        axes[0, 0].plot(
            places, [one.value for one in estimates], lw=1, marker="o", ms=3, label=name, **style(column)
        )
        axes[0, 0].fill_between(places, low, high, alpha=0.2, color=style(column)["color"], lw=0)
    axes[0, 0].set_xlabel(report["x"])
    axes[0, 0].set_ylabel(f"{report['statistic']} of {report['y']}")
    axes[0, 0].set_title(table.title, loc="left", fontsize=8)
    _legend_below(figure, axes[0, 0])
    return figure


def declared_heatmap(table: Table, report: dict[str, Any]) -> Figure:
    """Heat map of a table that the plan declares."""
    values = np.array([[_estimate(value).value for value in row[1:]] for row in table.rows], dtype=np.float64)
    names = [str(row[0]) for row in table.rows]
    return _heatmap(values, names, table.headers[1:], report["y"], report["x"], report["group"])


def _estimate(value: Any) -> Estimate:
    if isinstance(value, Estimate):
        return value
    number = float(value) if value != "" else float("nan")
    return Estimate(number, number, number)


FIGURES: dict[str, Callable[[Any], Figure]] = {
    "sequence": sequence,
    "cdf": cdf,
    "bars": bars,
    "heatmap": heatmap,
    "tradeoff": tradeoff,
    "threshold": threshold,
    "capacity": capacity,
    "queue": queue,
    "goodput": goodput,
}
REPORTS: dict[str, Callable[[Table, dict[str, Any]], Figure]] = {
    "bars": declared_bars,
    "lines": declared_lines,
    "heatmap": declared_heatmap,
}
