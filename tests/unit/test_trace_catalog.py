"""The catalogue, and manifests that catch a single altered byte."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from lanecast.errors import TraceError
from lanecast.traces.catalog import SETS, Finding, kind_of, read_manifest, trace_files, verify
from lanecast.traces.trace import KINDS

HEADER = "set,file,bytes,raw_bytes,sha256_raw,origin_repo,origin_path\n"


def line(set_name: str, file: str, raw: bytes) -> str:
    return f"{set_name},{file},0,{len(raw)},{hashlib.sha256(raw).hexdigest()},o/r,p\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One plain, one packed file, one that its origin published packed."""
    folder = tmp_path / "oboe"
    folder.mkdir()
    packed = gzip.compress(b"7 8\n")
    (folder / "a").write_bytes(b"1 2\n3 4\n")
    (folder / "b.gz").write_bytes(gzip.compress(b"5 6\n"))
    (folder / "c.gz").write_bytes(packed)
    (folder / "README.md").write_text("words")
    rows = line("oboe", "a", b"1 2\n3 4\n") + line("oboe", "b.gz", b"5 6\n") + line("oboe", "c.gz", packed)
    (tmp_path / "MANIFEST.csv").write_text(HEADER + rows)
    return tmp_path


def test_untouched_files_agree(tree: Path) -> None:
    assert list(verify(tree)) == []


@pytest.mark.parametrize("at", range(8))
def test_one_flipped_bit_is_found(tree: Path, at: int) -> None:
    path = tree / "oboe" / "a"
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))
    assert [found.file for found in verify(tree)] == ["oboe/a"]


def test_missing_and_damaged_packed_files_are_found(tree: Path) -> None:
    (tree / "oboe" / "a").unlink()
    path = tree / "oboe" / "b.gz"
    path.write_bytes(path.read_bytes()[:-4])
    problems = {found.file: found.problem for found in verify(tree)}
    assert problems["oboe/a"] == "missing"
    assert "cannot be read" in problems["oboe/b.gz"]


@pytest.mark.parametrize(
    "text",
    ["", "set,file\n", HEADER + "oboe,a,0,x,00,o,p\n", HEADER + "oboe,a,0\n", HEADER + "\xff" * 70_000],
    ids=["empty", "columns missing", "no number", "short row", "long line"],
)
def test_a_broken_manifest_is_a_trace_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "MANIFEST.csv").write_text(text)
    with pytest.raises(TraceError):
        read_manifest(tmp_path)


def test_files_of_a_tree_leave_out_readme_and_manifest(tree: Path) -> None:
    assert [path.name for path in trace_files(tree)] == ["a", "b.gz", "c.gz"]


def test_every_set_states_what_it_measured_its_licence_and_a_trap() -> None:
    for info in SETS.values():
        assert info.kind in {*KINDS, "requests", "sizes", "packets"}
        assert all((info.title, info.direction, info.units, info.step, info.licence, info.cite, info.trap))


def test_throughput_of_somebody_elses_flow_is_achieved() -> None:
    for name in ("fcc-broadband", "puffer", "oboe", "norway-3g-hsdpa", "ghent-4g"):
        assert kind_of(name, "unknown") == "achieved"


def test_the_readers_word_wins_but_for_schedules() -> None:
    assert kind_of("nowhere", "unknown") == "unknown"
    assert kind_of("5g-ireland", "offered") == "offered"
    assert kind_of("pantheon-calibrated", "offered") == "schedule"
    assert kind_of("video-sizes", "unknown") == "unknown"


def test_findings_read_as_sentences() -> None:
    assert Finding("a", "missing").problem == "missing"
