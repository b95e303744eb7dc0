"""Bounded reading: limits, packing, truncation, bombs; memory does not follow the file's size."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
from pathlib import Path

import pytest

from lanecast.errors import TraceError
from lanecast.traces.files import load_trace
from lanecast.traces.reading import Limits, Source, open_source

SMALL = Limits(unpacked_bytes=1 << 20, lines=1000, line_bytes=64, document_bytes=1 << 16)


def lines_of(data: bytes, limits: Limits = SMALL) -> list[tuple[int, str]]:
    with Source.from_bytes(data, "f", limits) as source:
        return list(source.lines())


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"a\r\nb\n", ["a", "b"]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"a\rb\n", ["a\rb"]),
    ],
)
def test_lines_end_with_lf_or_crlf_and_the_last_may_lack_it(data: bytes, lines: list[str]) -> None:
    for form in (data, gzip.compress(data)):
        assert lines_of(form) == list(enumerate(lines, 1))


def test_lines_across_blocks_are_whole() -> None:
    data = b"".join(b"%d\n" % i for i in range(200_000))
    assert [int(line) for _, line in lines_of(data, Limits())] == list(range(200_000))


def test_hash_is_of_the_unpacked_bytes() -> None:
    for form in (b"1\n2\n", gzip.compress(b"1\n2\n")):
        with Source.from_bytes(form) as source:
            list(source.lines())
            assert source.sha256 == hashlib.sha256(b"1\n2\n").hexdigest()


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"1\n" * 1001, 1001, "more than 1000 lines"),
        (b"1\n2\n" + b"3" * 65 + b"\n", 3, "more than 64 bytes"),
        (b"1\n" + b"3" * 100_000, 2, "more than 64 bytes"),
        (gzip.compress(b"1\n2\n")[:-5], 1, "cannot be read"),
        (gzip.compress(b"1\n")[:-8] + b"x" * 8, 1, "cannot be read"),
        (b"\x1f\x8bnonsense", 1, "cannot be read"),
        (b"1\n\xff\xfe\n", 2, "not UTF-8"),
    ],
)
def test_hostile_files_name_the_line(data: bytes, line: int, message: str) -> None:
    with pytest.raises(TraceError, match=message) as caught:
        lines_of(data)
    assert (caught.value.file, caught.value.line) == ("f", line)


def test_unpacked_bytes_have_a_limit_whatever_the_lines() -> None:
    limits = Limits(unpacked_bytes=1000, lines=1 << 20, line_bytes=1 << 10, document_bytes=1 << 20)
    data = b"1\n" * 501
    assert len(lines_of(data[:1000], limits)) == 500
    for form in (data, gzip.compress(data)):
        with pytest.raises(TraceError, match="more than 1000 bytes"):
            lines_of(form, limits)


def test_documents_have_a_limit_of_their_own() -> None:
    with (
        Source.from_bytes(b"[" + b" " * (1 << 16) + b"]", "f", SMALL) as source,
        pytest.raises(TraceError, match="65536"),
    ):
        source.json()


@pytest.fixture
def bomb(tmp_path: Path) -> Path:
    """About 64 MiB of empty lines or ones in some 64 kB."""
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb") as stream:
        for _ in range(64):
            stream.write(b"1\n" * (1 << 19))
    return path


@pytest.mark.parametrize(
    "name", ["mahimahi", "pensieve", "jens", "leocc-delay", "theaterq", "irtt", "ping", "sabre", "flent"]
)
def test_a_gzip_bomb_costs_bounded_memory(bomb: Path, name: str) -> None:
    limits = Limits(unpacked_bytes=1 << 22, lines=1 << 15, line_bytes=1 << 12, document_bytes=1 << 18)
    tracemalloc.start()
    with pytest.raises(TraceError):
        load_trace(bomb, name, limits=limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 25  # 64 MiB unpacked as Python objects would be gigabytes


def test_one_endless_line_costs_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "line.gz"
    with gzip.open(path, "wb") as stream:
        for _ in range(64):
            stream.write(b"1" * (1 << 20))
    tracemalloc.start()
    with pytest.raises(TraceError, match=":1: a line of more"):
        load_trace(path, "mahimahi")
    assert tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()


def test_files_are_closed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1\n")
    with open_source(path) as source:
        list(source.lines())
    with pytest.raises(ValueError, match="closed"):
        source.head(1)
