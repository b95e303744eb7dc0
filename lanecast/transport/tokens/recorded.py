"""Token streams in files: recorded answers (JSON lines) and measured requests of hosted endpoints (llmperf).

A recorded answer has one JSON object a line: `t_ms`, the time since the request in milliseconds, and one of
`text` (the token as text), `bytes` (hexadecimal, for a token cut inside a character) or `size` (text bytes
only, when the text is private). A first line with the key `format` is a header: free-form provenance.

The llmperf files (ray-project/llmperf-leaderboard, Apache-2.0) hold one record a request with its time to first
token and its **mean** inter-token latency; single-token times are not in them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np

from lanecast.errors import TraceError
from lanecast.transport.rng import Stream
from lanecast.transport.tokens.source import TEXT_BYTES, TokenStream, hosted
from lanecast.transport.units import MS, Ns, seconds

FORMAT = "lanecast tokens 1"
DEFAULT_RECORDING = "smollm2-135m.jsonl"
MAX_TOKENS = 1_000_000  # assumption: two hours at 140 tokens/s; bounds the memory
MAX_LINE_BYTES = 1 << 20  # assumption: 8 times the longest token as hexadecimal
MAX_TIME_MS = 1e9  # assumption: 11 days
MAX_FILE_BYTES = 64 * 1024 * 1024  # assumption for llmperf files; the largest published has 65 kB
_BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # what msgspec raises on hostile bytes


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    t_ms: float
    text: str | None = None
    bytes: str | None = None
    size: int | None = None


class _Request(msgspec.Struct):
    inter_token_latency_s: float | None = None
    ttft_s: float | None = None
    number_output_tokens: int | None = None
    error_code: Any = None


@dataclass(frozen=True, slots=True)
class HostedRequest:
    """One measured request of a hosted endpoint: times in ns, `itl` the mean of its inter-token latencies."""

    ttft: Ns
    itl: Ns
    tokens: int


def default_recording() -> TokenStream:
    """Return the recorded answer that ships with the package: a real SmolLM2-135M on one CPU thread."""
    return load_recorded(str(files("lanecast.transport.tokens").joinpath("data", DEFAULT_RECORDING)))


def load_recorded(path: str | os.PathLike[str]) -> TokenStream:
    """Read a recorded answer.

    Raises:
        TraceError: the file cannot be read, has no token, or a line is not as the format says.
    """
    file = os.fspath(path)
    times: list[int] = []
    tokens: list[bytes] = []
    sizes: list[int] = []
    for number, raw in _lines(file):
        if len(times) == MAX_TOKENS:
            raise TraceError(file, number, f"more than {MAX_TOKENS} tokens")
        line = _parse_line(file, number, raw)
        times.append(_time(file, number, line.t_ms, times[-1] if times else 0))
        if line.size is None:
            tokens.append(_content(file, number, line))
        sizes.append(len(tokens[-1]) if line.size is None else line.size)
        if len(tokens) not in (0, len(times)):
            raise TraceError(
                file, number, "some lines have text and some only a size: give one kind throughout"
            )
    if not times:
        raise TraceError(file, 0, "holds no token")
    name = Path(file).name.removesuffix(".jsonl")
    return TokenStream(np.array(times), np.array(sizes), tuple(tokens) or None, name)


def dump_recorded(
    stream: TokenStream, path: str | os.PathLike[str], header: Mapping[str, Any] | None = None
) -> None:
    """Write a recorded answer; times keep their nanoseconds. `header` adds provenance to the first line."""
    encode = msgspec.json.encode
    rows = [encode({"format": FORMAT, "name": stream.name, **(header or {})})]
    for i, time in enumerate(stream.times.tolist()):
        row: dict[str, Any] = {"t_ms": time / MS}
        if stream.tokens is None:
            row["size"] = int(stream.sizes[i])
        else:
            row |= _as_json(stream.tokens[i])
        rows.append(encode(row))
    Path(path).write_bytes(b"\n".join(rows) + b"\n")


def load_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the provenance line of a recorded answer, empty when it has none.

    Raises:
        TraceError: the file cannot be read, or its header names another format.
    """
    file = os.fspath(path)
    with _opened(file) as stream:
        return _header(file, stream.readline(MAX_LINE_BYTES)) or {}


def load_llmperf(path: str | os.PathLike[str]) -> list[HostedRequest]:
    """Read an llmperf file; records with an error code, and those with one output token only, are left out.

    Raises:
        TraceError: the file cannot be read, is not such a list, a number is out of range, or none is usable.
    """
    file = os.fspath(path)
    with _opened(file) as stream:
        raw = stream.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise TraceError(file, 0, f"longer than {MAX_FILE_BYTES} bytes")
    try:
        records = msgspec.json.decode(raw, type=list[_Request])
    except _BAD_JSON as error:
        raise TraceError(file, 0, f"not a list of llmperf records: {error}") from error
    found = [_request(file, i, record) for i, record in enumerate(records) if record.error_code is None]
    usable = [request for request in found if request.tokens > 1]
    if not usable:
        raise TraceError(file, 0, f"none of {len(records)} records is usable")
    return usable


def from_llmperf(
    requests: Sequence[HostedRequest], *, stream: Stream, count: int | None = None, size: int = TEXT_BYTES
) -> TokenStream:
    """Return the answer to one request drawn from `requests` (one draw, then the gaps' draws).

    `count` defaults to the request's own number of output tokens.
    """
    request = requests[int(stream.next_double() * len(requests))]
    count = request.tokens if count is None else count
    return hosted(request.ttft, request.itl, count, size, stream=stream)


def _request(file: str, index: int, record: _Request) -> HostedRequest:
    ttft, itl, tokens = record.ttft_s, record.inter_token_latency_s, record.number_output_tokens
    if ttft is None or itl is None or tokens is None:
        raise TraceError(
            file, 0, f"record {index} lacks ttft_s, inter_token_latency_s or number_output_tokens"
        )
    limit = MAX_TIME_MS / 1000
    if not (0 <= ttft <= limit and 0 <= itl <= limit and 0 <= tokens <= MAX_TOKENS):
        raise TraceError(
            file, 0, f"record {index} is out of range: ttft {ttft} s, gap {itl} s, {tokens} tokens"
        )
    return HostedRequest(seconds(ttft), seconds(itl), tokens)


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    try:
        with Path(file).open("rb") as stream:
            yield stream
    except OSError as error:
        raise TraceError(file, 0, f"cannot be read: {error.strerror}") from error


def _lines(file: str) -> Iterator[tuple[int, bytes]]:
    with _opened(file) as stream:
        for number, raw in enumerate(iter(lambda: stream.readline(MAX_LINE_BYTES + 1), b""), 1):
            if len(raw) > MAX_LINE_BYTES:
                raise TraceError(file, number, f"longer than {MAX_LINE_BYTES} bytes")
            if raw.strip() and not (number == 1 and _header(file, raw)):
                yield number, raw


def _header(file: str, raw: bytes) -> dict[str, Any] | None:
    try:
        first = msgspec.json.decode(raw)
    except _BAD_JSON:
        return None
    if not isinstance(first, dict) or "format" not in first:
        return None
    if first["format"] != FORMAT:
        raise TraceError(file, 1, f"format {first['format']!r} is unknown, expected {FORMAT!r}")
    return first


def _parse_line(file: str, number: int, raw: bytes) -> _Line:
    try:
        line = msgspec.json.decode(raw, type=_Line)
    except _BAD_JSON as error:
        raise TraceError(file, number, f"not a token line: {error}") from error
    if sum(value is not None for value in (line.text, line.bytes, line.size)) != 1:
        raise TraceError(file, number, "give exactly one of text, bytes (hexadecimal) and size")
    if line.size is not None and not 0 <= line.size <= MAX_LINE_BYTES:
        raise TraceError(file, number, f"size must be 0 to {MAX_LINE_BYTES} bytes, got {line.size}")
    return line


def _time(file: str, number: int, t_ms: float, before: Ns) -> Ns:
    if not 0 <= t_ms <= MAX_TIME_MS:
        raise TraceError(file, number, f"t_ms must be 0 to {MAX_TIME_MS:g}, got {t_ms}")
    time = round(t_ms * MS)
    if time < before:
        raise TraceError(file, number, f"time runs back: {t_ms} ms after {before / MS} ms")
    return time


def _content(file: str, number: int, line: _Line) -> bytes:
    if line.text is not None:
        return line.text.encode()
    try:
        return bytes.fromhex(line.bytes or "")
    except ValueError as error:
        raise TraceError(file, number, f"bytes is not hexadecimal: {error}") from error


def _as_json(token: bytes) -> dict[str, str]:
    try:
        return {"text": token.decode()}
    except UnicodeDecodeError:
        return {"bytes": token.hex()}
