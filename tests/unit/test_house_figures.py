"""scripts/house.py measures what it says it measures."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def house() -> Any:
    spec = importlib.util.spec_from_file_location("lanecast_house_script", ROOT / "scripts" / "house.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def function(source: str) -> ast.FunctionDef:
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def f():\n    return 1\n", 1),
        ('def f():\n    """Text.\n\n    More.\n    """\n    a = 1\n\n    return a\n', 3),
        ('def f():\n    """Only text."""\n', 1),
    ],
)
def test_length_counts_the_body_without_its_docstring(house: Any, source: str, lines: int) -> None:
    assert house.length(function(source)) == lines


@pytest.mark.parametrize(
    ("source", "annotated"),
    [
        ("def f(self, a: int) -> int: ...", True),
        ("def f(self, a) -> int: ...", False),
        ("def f(a: int): ...", False),
        ("def f(*, a) -> None: ...", False),
        ("def __init__(self, a: int): ...", True),
    ],
)
def test_annotation_is_asked_of_every_argument_and_the_result(
    house: Any, source: str, *, annotated: bool
) -> None:
    assert house.is_annotated(function(source)) is annotated


def test_quantiles_are_values_of_the_list(house: Any) -> None:
    values = list(range(1, 11))
    assert (house.quantile(values, 0.5), house.quantile(values, 0.9), house.quantile([], 0.5)) == (6, 10, 0)


def test_missed_target_is_named_and_fails_a_strict_run(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = [house.Figure("length", 41, "<= 40", met=False, remark="x.f")]
    monkeypatch.setattr(house, "figures", lambda: figures)
    assert "MISSED" in str(figures[0])
    assert (house.main([]), house.main(["--strict"])) == (0, 1)


def test_figures_cover_files_functions_annotations_and_tests(house: Any) -> None:
    names = {one.name for one in house.figures()}
    assert {"median file, lines", "p90 file, lines", "longest function, lines", "tests : source"} <= names


def test_every_function_of_the_package_is_annotated(house: Any) -> None:
    share = next(one for one in house.figures() if one.name == "functions annotated, %")
    assert share.met, share.remark
