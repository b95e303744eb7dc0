"""The judge of the generators: bars, splits by recording, rounding."""

from __future__ import annotations

import json
import math
from argparse import Namespace
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from lanecast.traces.synthetic import parameters_of

REAL = {"ks": 0.0, "cov": 0.5, "acf_10s": 0.4, "outage_share": 0.10, "outage_mean_s": 4.0, "acf_1s": 0.9}


@pytest.fixture(scope="module")
def judge(benchmark_program: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_program("generators")


@pytest.mark.parametrize(
    ("change", "criterion"),
    [
        ({"ks": 0.0801}, "ks"),
        ({"cov": 0.5501}, "cov"),
        ({"cov": 0.4499}, "cov"),
        ({"acf_10s": 0.2999}, "acf_10s"),
        ({"outage_share": 0.1201}, "outage_share"),
        ({"outage_mean_s": 2.999}, "outage_mean_s"),
        ({"outage_mean_s": math.nan}, "outage_mean_s"),
    ],
)
def test_each_bar_fails_just_outside_and_alone(
    judge: ModuleType, change: dict[str, float], criterion: str
) -> None:
    met = judge.passes({**REAL, **change}, REAL, 0.05)
    assert met == {key: key != criterion for key in judge.CRITERIA}


def test_all_bars_are_met_just_inside(judge: ModuleType) -> None:
    near = {"ks": 0.0799, "cov": 0.549, "acf_10s": 0.301, "outage_share": 0.1199, "outage_mean_s": 4.99}
    assert all(judge.passes(near, REAL, 0.05).values())


def test_a_part_without_outages_has_no_bar_on_their_length(judge: ModuleType) -> None:
    assert judge.passes(REAL, {**REAL, "outage_mean_s": math.nan}, 0.0)["outage_mean_s"] is None


def test_folds_divide_recordings_into_disjoint_thirds(judge: ModuleType) -> None:
    names = [f"r{number % 20}" for number in range(60)]
    folds = judge.folds_of(names, 3, 1)
    assert set().union(*folds) == set(names)
    assert sum(len(fold) for fold in folds) == 20
    assert judge.folds_of(names, 1, 1) == folds[:1]
    assert judge.folds_of(names, 3, 2) != folds


def test_small_judged_parts_are_repeated_to_sixty_traces(judge: ModuleType) -> None:
    assert judge.lengths_like(judge.Part([np.zeros(3)] * 25, 1.0)) == [3] * 75
    assert judge.lengths_like(judge.Part([np.zeros(3)] * 70, 1.0)) == [3] * 70


def test_numbers_are_rounded_and_nan_is_null(judge: ModuleType) -> None:
    assert judge.rounded({"a": (1.23456789, math.nan), "b": "text", "c": 3}) == {
        "a": [1.2346, None],
        "b": "text",
        "c": 3,
    }


def test_rows_carry_every_generator_and_are_json(judge: ModuleType) -> None:
    parameters = parameters_of("5g-mmwave-driving")
    part = judge.Part(judge.simulate(parameters, [60] * 30, 5, 30), 1.0)
    rows = judge.judge("5g-mmwave-driving", part, part, parameters, Namespace(sets=2, no_controls=False))
    assert [row["generator"] for row in rows] == ["real", "ours", "one-lag", "copula", "blocks"]
    assert all(rows[0]["met"].values())  # the part itself meets every bar against itself
    assert rows[0]["made"]["ks"] == 0
    for row in rows:
        assert set(json.loads(json.dumps(judge.rounded(row), allow_nan=False))) >= {
            "class",
            "made",
            "real",
            "met",
            "floor",
        }
