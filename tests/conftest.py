"""Settings shared by all tests."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

# No deadline: run times vary by a factor of ten between the compiled and the plain form.
settings.register_profile("default", deadline=None, max_examples=40, print_blob=True)
settings.register_profile("thorough", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes the golden tables again instead of comparing."""
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden tables again; read the diff"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a table with `tests/golden/NAME.txt`, or write it under `--update-golden`."""

    def compare(name: str, table: str) -> None:
        path = Path(__file__).parent / "golden" / f"{name}.txt"
        if request.config.getoption("--update-golden"):
            path.write_text(table)
        assert table == path.read_text(), (
            f"{path.name} differs: a change of results; see the file's first line"
        )

    return compare


@pytest.fixture(scope="session")
def benchmark_program() -> Callable[[str], ModuleType]:
    """Load `benchmarks/NAME.py` as a module."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(
            f"benchmark_{name}", Path(__file__).parents[1] / "benchmarks" / f"{name}.py"
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    return load
