"""docs/assumptions.md lists what the code calls an assumption, and is current."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("assumptions", ROOT / "scripts" / "assumptions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def passages(script: ModuleType, tmp_path: Path, source: str) -> list[str]:
    path = tmp_path / "x.py"
    path.write_text(source)
    found: list[str] = script.passages(path)
    return found


def test_list_of_assumptions_is_current(script: ModuleType) -> None:
    current: str = script.document()
    assert (ROOT / "docs" / "assumptions.md").read_text() == current, "run python scripts/assumptions.py"


def test_check_notices_a_stale_list(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "assumptions.md"
    monkeypatch.setattr(script, "TARGET", target)
    main: Any = script.main
    assert main(["--check"]) == 1
    assert main([]) == 0
    assert main(["--check"]) == 0
    target.write_text(target.read_text() + "| `x.py` | one more |\n")
    assert main(["--check"]) == 1


def test_constant_comes_with_its_comment(script: ModuleType, tmp_path: Path) -> None:
    source = "A = 1\nLIMIT = 3  # assumption: enough\nB = 2\n"
    assert passages(script, tmp_path, source) == ["LIMIT = 3 # assumption: enough"]


def test_sentence_is_taken_whole_over_several_lines(script: ModuleType, tmp_path: Path) -> None:
    source = '"""Title.\n\nBefore it. \nThe rate is 5\n(an assumption\nof ours). \nAfter it.\n"""\nX = 1\n'
    assert passages(script, tmp_path, source) == ["The rate is 5 (an assumption of ours)."]


def test_comment_block_is_one_passage(script: ModuleType, tmp_path: Path) -> None:
    source = "x = 1\n# Ten are enough: an assumption,\n# never measured.\ny = 2\n"
    assert passages(script, tmp_path, source) == ["Ten are enough: an assumption, never measured."]


def test_text_below_a_constant_brings_the_constant(script: ModuleType, tmp_path: Path) -> None:
    source = 'FIRST = 1\n_SURE = 0.5\n"""Below this a name is needed (assumption)."""\nLAST = 2\n'
    assert passages(script, tmp_path, source) == ["_SURE = 0.5 Below this a name is needed (assumption)."]


def test_code_without_the_word_gives_nothing(script: ModuleType, tmp_path: Path) -> None:
    assert passages(script, tmp_path, "LIMIT = 3  # RFC 9002 6.1\n") == []
