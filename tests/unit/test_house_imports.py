"""The import contracts hold, and each of them would notice a breach."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
# contract (start of its name) -> a module that breaks it and the lines that do
BREACHES = {
    "floors": {"lanecast/transport/planted_floor.py": "import lanecast.emulation.link\n"},
    "models are told the time": {"lanecast/l4s/planted_clock.py": "import time\n"},
    "torch stays in predictors": {"lanecast/emulation/planted_torch.py": "import torch\n"},
    "other heavy packages": {"lanecast/traces/planted_plot.py": "import matplotlib\n"},
    "inside transport": {"lanecast/transport/rtt.py": "import lanecast.transport.sender\n"},
    "no cycles": {
        "lanecast/abr/planted_a.py": "import lanecast.abr.planted_b\n",
        "lanecast/abr/planted_b.py": "import lanecast.abr.planted_a\n",
    },
}


def lint(root: Path) -> tuple[int, str]:
    """Run the contracts of `root` on the package in it."""
    command = [sys.executable, "-c", LINT, "--no-cache"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scratch copy of the package's sources and of its contracts."""
    root = tmp_path_factory.mktemp("copy")
    keep = shutil.ignore_patterns("__pycache__", "*.so", "*.c", "*.pxd", "*.npz", "*.json")
    shutil.copytree(ROOT / "lanecast", root / "lanecast", ignore=keep)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


@pytest.fixture(scope="module")
def planted(copy: Path) -> str:
    """What the contracts say when each is broken once."""
    for files in BREACHES.values():
        for name, lines in files.items():
            (copy / name).write_text(lines)
    code, text = lint(copy)
    assert code == 1
    return text


def contracts() -> list[str]:
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return [one["name"] for one in found]


def test_contracts_hold() -> None:
    code, text = lint(ROOT)
    assert code == 0, text
    assert f"{len(contracts())} kept, 0 broken" in text


def test_every_contract_has_a_planted_breach() -> None:
    without = [name for name in contracts() if not any(name.startswith(start) for start in BREACHES)]
    assert without == []


@pytest.mark.parametrize("start", list(BREACHES))
def test_planted_breach_is_noticed(planted: str, start: str) -> None:
    assert re.search(rf"^{re.escape(start)}.* BROKEN", planted, re.MULTILINE), planted
    for name in BREACHES[start]:
        assert Path(name).stem in planted
