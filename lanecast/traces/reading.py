"""Bounded reading of trace files: plain or gzip (by magic bytes), streamed, hashed, with stated limits.

A hostile file costs bounded memory: unpacked bytes, lines, line length and document size each have a limit,
and passing one is a `TraceError` that names the file and the line. The SHA-256 is of the unpacked bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import math
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from lanecast.errors import TraceError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

GZIP_MAGIC = b"\x1f\x8b"
_BLOCK_BYTES = 1 << 18
_INTEGER_DIGITS = 20
"""Digits of 2**64: no format has longer integers."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost. Defaults (assumptions): an hour of 100 Mbit/s opportunities passes."""

    unpacked_bytes: int = 1 << 29
    lines: int = 1 << 25
    line_bytes: int = 1 << 16
    document_bytes: int = 1 << 25
    """A JSON document is parsed at once, so it has a smaller limit of its own."""


DEFAULT_LIMITS = Limits()


class Source:
    """One trace file, read once, from the start to the end."""

    def __init__(
        self, stream: io.BufferedIOBase, name: str, *, set_name: str = "", limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.name = name
        self.set_name = set_name
        self.limits = limits
        self._closing = ExitStack()
        raw = io.BufferedReader(self._closing.enter_context(stream))
        packed = raw.peek(len(GZIP_MAGIC))[: len(GZIP_MAGIC)] == GZIP_MAGIC
        self._stream = self._closing.enter_context(gzip.GzipFile(fileobj=raw)) if packed else raw
        self._hash = hashlib.sha256()
        self._bytes = 0

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "bytes", limits: Limits = DEFAULT_LIMITS) -> Source:
        """Return a source over bytes in memory, packed or not."""
        return cls(io.BytesIO(data), name, limits=limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    @property
    def sha256(self) -> str:
        """Hash of the unpacked bytes read so far: of the whole file once a reader is done."""
        return self._hash.hexdigest()

    def fail(self, line: int, message: str) -> NoReturn:
        """Raise the error that names this file and a line (0: none)."""
        raise TraceError(self.name, line, message)

    def _read(self, line: int, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise TraceError(self.name, line, f"cannot be read: {error}") from error
        self._bytes += len(data)
        if self._bytes > self.limits.unpacked_bytes:
            self.fail(line, f"more than {self.limits.unpacked_bytes} bytes when unpacked")
        self._hash.update(data)
        return data

    def head(self, size: int) -> bytes:
        """Return the first bytes, for recognition; the source is used up."""
        return self._read(0, size)

    def blocks(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield (number of the first line, some lines without LF or CRLF)."""
        number, rest = 1, b""
        while True:
            data = self._read(number, _BLOCK_BYTES)
            lines = (rest + data).split(b"\n")
            rest = lines.pop() if data else b""
            if not data and lines[-1] == b"":  # nothing after the last LF
                lines.pop()
            longest = max(map(len, [*lines, rest]))
            if longest > self.limits.line_bytes:
                late = next((i for i, line in enumerate(lines) if len(line) == longest), len(lines))
                self.fail(number + late, f"a line of more than {self.limits.line_bytes} bytes")
            if number + len(lines) > self.limits.lines + 1:
                self.fail(self.limits.lines + 1, f"more than {self.limits.lines} lines")
            if lines:
                yield number, [line.removesuffix(b"\r") for line in lines]
            number += len(lines)
            if not data:
                return

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield (line number from 1, line) as UTF-8 text without LF or CRLF."""
        for first, block in self.blocks():
            for number, line in enumerate(block, first):
                try:
                    yield number, line.decode()
                except UnicodeDecodeError:
                    self.fail(number, "not UTF-8 text")

    def document(self) -> bytes:
        """Return the whole file, within the document limit."""
        data = self._read(0, self.limits.document_bytes + 1)
        if len(data) > self.limits.document_bytes:
            self.fail(0, f"a document of more than {self.limits.document_bytes} bytes")
        return data

    def json(self) -> Any:
        """Return the file as a JSON value; NaN, infinities and endless integers are refused."""
        return self.parse_json(self.document())

    def parse_json(self, data: bytes | str, line: int = 0) -> Any:
        """Return JSON text (from `line`) as a value; see `json`."""
        try:
            return json.loads(
                data, parse_constant=self._constant, parse_float=self._float, parse_int=self._integer
            )
        except json.JSONDecodeError as error:
            raise TraceError(self.name, line or error.lineno, f"not JSON: {error.msg}") from error
        except UnicodeDecodeError as error:
            raise TraceError(self.name, line, "not UTF-8 text") from error
        except RecursionError as error:
            raise TraceError(self.name, line, "JSON nested too deeply") from error

    def _constant(self, text: str) -> float:
        self.fail(0, f"the number {text} is not allowed")

    def _float(self, text: str) -> float:
        value = float(text)
        return value if math.isfinite(value) else self._constant(text[:_INTEGER_DIGITS])

    def _integer(self, text: str) -> int:
        if len(text) > _INTEGER_DIGITS:
            self.fail(0, f"the number {text[:_INTEGER_DIGITS]}... is not allowed")
        return int(text)


def open_source(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Source:
    """Open a trace file; its folder's name stands for the set."""
    file = Path(path)
    try:
        stream = file.open("rb")
    except OSError as error:
        raise TraceError(str(file), 0, f"cannot be opened: {error.strerror}") from error
    return Source(stream, str(file), set_name=file.absolute().parent.name, limits=limits)
