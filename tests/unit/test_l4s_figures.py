"""Figures of L4S runs show flows by controller, units on every axis, and say what they lack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lanecast.errors import ResultError
from lanecast.experiments.l4s_figures import delay, probability
from lanecast.experiments.plot import Loaded, draw_figure, load_files
from lanecast.experiments.points import make_sweep
from lanecast.experiments.results import read_summary
from lanecast.experiments.sweep import SweepOptions, run_sweep

PLAN: dict[str, Any] = {
    "run": {"kind": "network", "duration_s": 1.0, "warmup_s": 0.2, "log": True},
    "link": {"rate_mbps": 20, "delay_ms": 5},
    "queue": {"kind": ["dualpi2", "codel"]},
    "flow": [{"congestion": "prague"}, {"congestion": "cubic"}],
    "cross": [{"pattern": "constant", "rate_mbps": 1}],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One short run through a dual queue and one through CoDel, with logs."""
    folder = tmp_path_factory.mktemp("results")
    run_sweep(make_sweep("pair", PLAN), SweepOptions(folder, backend="sequential", shown=False))
    return folder


@pytest.fixture
def loaded(results: Path) -> list[Loaded]:
    """The two result files."""
    return load_files(results, read_summary(results))


def test_every_flow_has_its_name_and_every_axis_its_unit(loaded: list[Loaded]) -> None:
    figure = delay(loaded)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    labels = {text.get_text() for text in legend.get_texts()}
    assert labels == {"prague", "cubic", "cross traffic"}
    assert figure.axes[0].get_ylabel() == "queueing delay (ms)"
    assert figure.axes[-1].get_xlabel() == "time (s)"


def test_titles_tell_queue_link_flows_and_seed(loaded: list[Loaded]) -> None:
    titles = [axis.get_title(loc="left") for axis in delay(loaded).axes]
    assert titles[0] == "dualpi2, 20 Mbit/s, prague 0 ms, cubic 0 ms, seed 1"
    assert titles[1].startswith("codel")


def test_only_dual_queues_have_probabilities(loaded: list[Loaded]) -> None:
    assert len(probability(loaded).axes) == 1
    with pytest.raises(ResultError, match="needs runs through a dual queue"):
        probability(loaded[1:])


def test_a_run_without_a_log_is_refused_with_what_to_do(loaded: list[Loaded]) -> None:
    bare = {name: column for name, column in loaded[0].columns.items() if not name.startswith("log_")}
    with pytest.raises(ResultError, match=r"--set run\.log=true"):
        delay([Loaded(loaded[0].row, bare, loaded[0].header)])


@pytest.mark.parametrize("name", ["delay", "probability"])
def test_both_are_drawn_by_name(results: Path, tmp_path: Path, name: str) -> None:
    told = draw_figure(results, name, tmp_path / f"{name}.svg")
    assert told["runs"] == 2
    assert (tmp_path / f"{name}.svg").stat().st_size > 5000
