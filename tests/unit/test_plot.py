"""Figures: every one can be drawn, has units on its axes, and the same results give the same bytes."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from lanecast.errors import CapabilityError, ResultError, UsageError
from lanecast.experiments import plot
from lanecast.experiments.plot import FIGURES, draw_figure, load_files
from lanecast.experiments.points import make_sweep
from lanecast.experiments.results import read_summary
from lanecast.experiments.sweep import SweepOptions, run_sweep

figures = pytest.importorskip("lanecast.experiments.figures")

TOKENS: dict[str, Any] = {
    "run": {"kind": "tokens", "seed": "1..2", "save": "all", "log": True},
    "path": {"channel": ["loss", "lte"], "rtt_ms": [40, 120]},
    "app": {"scheme": ["rack-tlp", "eloquent"], "gap_ms": 20, "tokens": 60},
    "channel": {
        "loss": {"kind": "iid", "loss": 0.2},
        "lte": {"kind": "trace", "synthetic": "lte-driving-down", "load": 0.5},
    },
    "report": {
        "how": {"kind": "bars", "x": "scheme", "y": "sr200", "group": "channel", "title": "Stall ratio"},
        "grid": {"kind": "heatmap", "x": "scheme", "y": "sr200", "group": "channel"},
        "rtt": {"kind": "lines", "x": "rtt_ms", "y": "delay_p99_ms", "group": "scheme"},
    },
}
NETWORK: dict[str, Any] = {
    "run": {"kind": "network", "duration_s": 0.5, "save": "all"},
    "link": {"rate_mbps": 10, "delay_ms": 5},
    "flow": [{"count": 2}],
}
OF_TOKENS = ("sequence", "cdf", "bars", "heatmap", "tradeoff", "threshold", "queue", "how", "grid", "rtt")
UNITS = ("ms", "s)", "%", "B)", "tokens", "scheme", "channel", "Mbit/s", "share")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small token sweep."""
    folder = tmp_path_factory.mktemp("tokens")
    found = run_sweep(
        make_sweep("tokens.toml", TOKENS), SweepOptions(folder, backend="sequential", shown=False)
    )
    assert found.failed == 0
    return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small network sweep."""
    folder = tmp_path_factory.mktemp("network")
    found = run_sweep(
        make_sweep("network.toml", NETWORK), SweepOptions(folder, backend="sequential", shown=False)
    )
    assert found.failed == 0
    return folder


@pytest.mark.parametrize("name", OF_TOKENS)
def test_every_figure_of_token_streams_is_drawn(name: str, results: Path, tmp_path: Path) -> None:
    told = draw_figure(results, name, tmp_path / f"{name}.svg")
    assert told["runs"] > 0
    assert (tmp_path / f"{name}.svg").read_text().startswith("<?xml")


def test_capacity_is_drawn_for_a_traced_channel_only(results: Path, tmp_path: Path) -> None:
    assert draw_figure(results, "capacity", tmp_path / "a.svg", where=["channel=lte"])["runs"] == 8
    with pytest.raises(ResultError, match="capacity"):
        draw_figure(results, "capacity", tmp_path / "b.svg", where=["channel=loss"])


@pytest.mark.parametrize("name", ["capacity", "queue", "goodput"])
def test_every_figure_of_networks_is_drawn(name: str, network: Path, tmp_path: Path) -> None:
    assert draw_figure(network, name, tmp_path / f"{name}.pdf")["runs"] == 1
    assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_a_png_is_written_for_its_suffix(results: Path, tmp_path: Path) -> None:
    draw_figure(results, "bars", tmp_path / "bars.png")
    assert (tmp_path / "bars.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_results_give_the_same_bytes(results: Path, tmp_path: Path) -> None:
    figure = figures.FIGURES["bars"](read_summary(results))
    for suffix in plot.SUFFIXES:
        for name in ("one", "two"):
            plot.write_figure(figure, tmp_path / f"{name}{suffix}")
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_every_axis_says_what_it_shows(results: Path) -> None:
    rows = read_summary(results)
    for name in ("sequence", "cdf", "bars", "tradeoff", "threshold", "queue"):
        given = load_files(results, rows) if name in plot.OF_FILES else rows
        figure = figures.FIGURES[name](given)
        labels = [axis.get_xlabel() for axis in figure.axes] + [axis.get_ylabel() for axis in figure.axes]
        labelled = [label for label in labels if label]
        assert len(labelled) >= 2
        assert all(any(unit in label for unit in UNITS) for label in labelled), (name, labelled)


def test_stalls_are_shaded_where_they_are(results: Path) -> None:
    rows = [row for row in read_summary(results) if row["channel"] == "loss" and row["rtt_ms"] == 120]
    stalled = [row for row in rows if row["stalls"] > 0][:1]
    assert stalled, "with 20 % loss somebody stalls"
    (axis,) = figures.sequence(load_files(results, stalled)).axes
    assert len(axis.patches) == stalled[0]["stalls"]


def test_small_heat_maps_carry_their_numbers(results: Path) -> None:
    rows = read_summary(results)
    texts = [text.get_text() for text in figures.FIGURES["heatmap"](rows).axes[0].texts]
    cells = {(row["channel"], row["rtt_ms"], row["scheme"]) for row in rows}
    assert len(texts) == len(cells) == 8
    loss = [
        100 * row["sr200"] for row in rows if (row["channel"], row["rtt_ms"], row["scheme"]) == min(cells)
    ]
    assert f"{sum(loss) / len(loss):.2g}" in texts


def test_rates_of_a_network_add_up_to_what_was_carried(network: Path) -> None:
    (entry,) = load_files(network, read_summary(network))
    (axis,) = figures.goodput([entry]).axes
    drawn = sum(float(step.get_data().values.sum()) for step in axis.patches)
    received = int(entry.columns["goodput_bytes"][-1].sum()) * 8 / 1e6
    assert drawn * figures.BIN / 1e9 == pytest.approx(received, rel=1e-9)
    (axis,) = figures.capacity([entry]).axes
    carried = float(axis.patches[0].get_data().values.sum()) * figures.BIN / 1e9
    assert carried == pytest.approx(int(entry.columns["link_bytes"][-1, 0]) * 8 / 1e6, rel=1e-9)
    assert axis.get_ylim()[0] == 0


@pytest.mark.parametrize(("labels", "columns"), [(3, 3), (6, 6), (7, 4), (15, 5)])
def test_legends_are_cut_into_even_lines(labels: int, columns: int) -> None:
    figure, axes = figures.panels()
    for place in range(labels):
        axes[0, 0].plot([0, 1], label=str(place), **figures.style(place))
    figures._legend_below(figure, axes[0, 0])
    assert figure.legends[0]._ncols == columns


def test_every_listed_figure_has_a_drawer() -> None:
    drawers, reports = plot._figures()
    assert set(FIGURES) == set(drawers)
    assert set(reports) == {"bars", "lines", "heatmap"}
    assert set(FIGURES) >= plot.OF_FILES


def test_colours_are_told_apart() -> None:
    assert len(set(figures.COLOURS)) == len(figures.COLOURS)
    styles = [
        tuple(figures.style(place).items()) for place in range(len(figures.COLOURS) * len(figures.DASHES))
    ]
    assert len(set(styles)) == len(styles)


def test_what_cannot_be_drawn_is_refused(results: Path, network: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sequence"):
        draw_figure(results, "nonsense", tmp_path / "a.svg")
    with pytest.raises(UsageError, match=r"\.svg"):
        draw_figure(results, "bars", tmp_path / "a.gif")
    with pytest.raises(ResultError, match="long flows"):
        draw_figure(results, "goodput", tmp_path / "a.svg")
    with pytest.raises(ResultError, match="no finished run"):
        draw_figure(results, "bars", tmp_path / "a.svg", where=["scheme=nobody"])
    rows = [{**row, "file": ""} for row in read_summary(network)]
    with pytest.raises(ResultError, match=r"run\.save"):
        load_files(network, rows)


def test_a_missing_matplotlib_names_the_extra(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def without(name: str, *rest: Any) -> Any:
        if name.endswith("figures"):
            raise ImportError("no matplotlib")
        return import_module(name, *rest)

    monkeypatch.setattr("lanecast.experiments.plot.import_module", without)
    with pytest.raises(CapabilityError, match=r"lanecast\[plot\]"):
        draw_figure(results, "bars", tmp_path / "a.svg")
