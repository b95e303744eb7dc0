"""The floors hold for `cimport` lines too, which import-linter does not see."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CIMPORT = re.compile(
    r"^\s*(?:from\s+lanecast\.(?P<source>[\w.]+)\s+cimport|cimport\s+lanecast\.(?P<direct>[\w.]+))",
    re.MULTILINE,
)


def floors() -> dict[str, int]:
    """Return the height of each room (0 = lowest), from the contract that import-linter checks."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(
        one["layers"]
        for one in contracts
        if one.get("containers") == ["lanecast"] and one["type"] == "layers"
    )
    return {
        room: height for height, layer in enumerate(reversed(layers)) for room in re.split(r"\s*\|\s*", layer)
    }


def breaches(package: Path) -> list[str]:
    """Return every cimport that goes up, or sideways into another room of the same floor."""
    height = floors()
    found = []
    for pxd in sorted(package.rglob("*.pxd")):
        parts = pxd.relative_to(package).with_suffix("").parts
        room = parts[0]
        for match in CIMPORT.finditer(pxd.read_text()):
            target = (match["source"] or match["direct"]).split(".")[0]
            if target != room and height[target] >= height[room]:
                found.append(f"{'/'.join(parts)}.pxd cimports lanecast.{target}")
    return found


def planted(tmp_path: Path, room: str, line: str) -> list[str]:
    (tmp_path / room).mkdir(parents=True)
    (tmp_path / room / "x.pxd").write_text(f"cimport cython\n{line}\n")
    return breaches(tmp_path)


def test_every_room_has_a_floor() -> None:
    rooms = {path.parent.name for path in (ROOT / "lanecast").glob("*/__init__.py")}
    assert rooms <= set(floors())


def test_no_cimport_goes_up_or_sideways() -> None:
    assert breaches(ROOT / "lanecast") == []


def test_the_pxd_files_are_really_read() -> None:
    files = list((ROOT / "lanecast").rglob("*.pxd"))
    assert sum(len(CIMPORT.findall(one.read_text())) for one in files) > 10


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("transport", "from lanecast.emulation.link cimport Link"),
        ("transport", "from lanecast.traces.curve cimport Curve"),
        ("l4s", "    from lanecast.abr.player cimport Player"),
        ("emulation", "cimport lanecast.experiments.run"),
    ],
)
def test_planted_breach_is_found(tmp_path: Path, room: str, line: str) -> None:
    assert planted(tmp_path, room, line) == [
        f"{room}/x.pxd cimports lanecast.{line.split('lanecast.')[1].split('.', maxsplit=1)[0]}"
    ]


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("emulation", "from lanecast.l4s.queue cimport Queue"),
        ("transport", "from lanecast.transport.stage cimport Stage"),
        ("transport", "from libc.stdlib cimport free"),
        ("transport", "# see lanecast.emulation.link"),
    ],
)
def test_downward_and_own_cimports_are_no_breach(tmp_path: Path, room: str, line: str) -> None:
    assert planted(tmp_path, room, line) == []
