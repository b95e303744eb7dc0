"""The task-level judge of the generators: Kendall's tau by hand, failed runs left out, a run of both worlds."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from lanecast.traces import synthetic
from lanecast.traces.files import dump_trace


@pytest.fixture(scope="module")
def task(benchmark_program: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_program("generators_task")


@pytest.mark.parametrize(
    ("first", "second", "tau"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3, 4], [1, 2, 4, 3], 4 / 6),  # five pairs agree, one does not
        ([1, 1, 2], [1, 2, 3], 2 / math.sqrt(2 * 3)),  # one tie on the left: 2 agree, sqrt(2 x 3)
        ([1, 1, 2], [5, 5, 9], 1.0),
    ],
)
def test_tau_b_by_hand(task: ModuleType, first: list[float], second: list[float], tau: float) -> None:
    assert task.tau_b(first, second) == pytest.approx(tau)
    assert task.tau_b(second, first) == pytest.approx(tau)


def test_tau_of_a_side_that_ties_throughout_is_not_a_number(task: ModuleType) -> None:
    assert math.isnan(task.tau_b([1, 1], [1, 2]))


def test_nearly_equal_values_are_ties(task: ModuleType) -> None:
    assert task.tau_b([0.1, 0.1005, 0.3], [1, 1, 2], same=1e-3) == pytest.approx(1.0)


def test_seeds_with_a_failed_run_are_left_out_and_counted(task: ModuleType) -> None:
    real = np.array([[0.1, np.nan, 0.3, 0.1], [0.2, 0.2, 0.4, 0.2]])
    made = np.array([[0.1, 0.1, 0.1, 0.1], [0.4, 0.4, 0.4, 0.4]])
    found = task.compare("x", real, made)
    assert found.excluded == 1
    assert found.real == pytest.approx([0.5 / 3, 0.8 / 3])
    assert found.tau == 1.0
    assert found.gap == pytest.approx(0.4 - 0.8 / 3)


def test_a_sweep_over_recordings_fills_the_table(task: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "traces" / "norway-3g-hsdpa"
    folder.mkdir(parents=True)
    for index in range(3):
        trace = synthetic.make("3g-hsdpa", duration_s=600, seed=1, index=index)
        dump_trace(trace, folder / f"report.{index}", "pensieve")
    real = task.stall_ratios(["3g-hsdpa"], str(tmp_path), 2, 20, 1)["3g-hsdpa"]
    assert real.shape == (len(task.SCHEMES), 2)
    assert np.isfinite(real).all()
    assert task.compare("3g-hsdpa", real, real).gap == 0.0
