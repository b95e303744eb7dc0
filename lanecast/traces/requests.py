"""Logs of requests to language models: arrival times, token counts, and mean speeds.

No public log holds single token times: llmperf gives the time to the first token and the mean gap of each request.
Rows with an error are left out and counted, since their times are nonsense.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lanecast.traces.formats.common import MAX_STEPS, fields, items, scaled
from lanecast.traces.formats.logs import civil_seconds
from lanecast.traces.reading import Source, open_source
from lanecast.traces.trace import NS_PER_S, Float64s, Int64s

if TYPE_CHECKING:
    import os

_AZURE_HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
_AZURE_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?", re.ASCII)
_MAX_TOKENS = 10**9
_MAX_S = 10**6
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Speeds:
    """Streaming speed of one endpoint: (n, 3) float64 of ttft_s, itl_s, output_tokens; `excluded` error rows."""

    values: Float64s
    excluded: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests in order of arrival: ns from the first, tokens in and out; `blocks` are prefix-cache hashes."""

    arrivals: Int64s
    input_tokens: Int64s
    output_tokens: Int64s
    blocks: tuple[tuple[int, ...], ...]
    sha256: str


def load_llmperf(path: str | os.PathLike[str]) -> Float64s:
    """Return (n, 3) float64: time to first token (s), mean gap between tokens (s), output tokens of each request."""
    return read_llmperf(path).values


def read_llmperf(path: str | os.PathLike[str]) -> Speeds:
    """Read an llmperf JSON list; rows with an `error_code` are counted, not returned."""
    with open_source(path) as source:
        speeds, excluded = array("d"), 0
        names = ("error_code", "ttft_s", "inter_token_latency_s", "number_output_tokens")
        for i, item in enumerate(items(source, source.json(), "the file")):
            row = fields(source, item, f"item {i}", *names)
            if row["error_code"] is not None:
                excluded += 1
                continue
            for name in names[1:]:
                high = _MAX_TOKENS if name == names[-1] else _MAX_S
                scaled(source, 0, row[name], f"item {i} {name}", exponent=0, high=high)
                speeds.append(float(row[name]))
        if not speeds:
            source.fail(0, "no request without an error")
        return Speeds(np.array(speeds).reshape(-1, 3), excluded, source.sha256)


def load_azure(path: str | os.PathLike[str]) -> Requests:
    """Read `TIMESTAMP,ContextTokens,GeneratedTokens` (7 fractional digits of a second)."""
    with open_source(path) as source:
        columns = (array("q"), array("q"), array("q"))
        for number, line in source.lines():
            if number == 1:
                if line != _AZURE_HEADER:
                    source.fail(1, f"the header is not {_AZURE_HEADER!r}")
                continue
            words = line.split(",")
            match = _AZURE_STAMP.fullmatch(words[0])
            if len(words) != 3 or match is None or number > MAX_STEPS:
                source.fail(
                    number, f"expected date and time, two counts, at most {MAX_STEPS} rows; got {line[:60]!r}"
                )
            year, month, day, hour, minute, second = map(int, match.groups()[:6])
            whole_s = civil_seconds(source, number, (year, month, day, hour, minute, second))
            columns[0].append(whole_s * NS_PER_S + int((match[7] or "").ljust(9, "0")))
            for column, word, name in zip(
                columns[1:], words[1:], ("ContextTokens", "GeneratedTokens"), strict=True
            ):
                column.append(scaled(source, number, word, name, exponent=0, high=_MAX_TOKENS))
        return _requests(source, columns, ())


def load_mooncake(path: str | os.PathLike[str]) -> Requests:
    """Read JSON lines of `timestamp` (ms), `input_length`, `output_length`, `hash_ids` (one a 512-token block)."""
    with open_source(path) as source:
        columns, blocks = (array("q"), array("q"), array("q")), list[tuple[int, ...]]()
        names = ("timestamp", "input_length", "output_length")
        for number, line in source.lines():
            row = source.parse_json(line, number)
            if not isinstance(row, dict) or not {*names, "hash_ids"} <= row.keys() or number > MAX_STEPS:
                source.fail(number, f"expected {', '.join(names)}, hash_ids, at most {MAX_STEPS} rows")
            columns[0].append(
                _MS * scaled(source, number, row[names[0]], names[0], exponent=0, high=_MAX_TOKENS)
            )
            for column, name in zip(columns[1:], names[1:], strict=True):
                column.append(scaled(source, number, row[name], name, exponent=0, high=_MAX_TOKENS))
            hashes = row["hash_ids"]
            if not isinstance(hashes, list) or not all(
                isinstance(h, int) and not isinstance(h, bool) for h in hashes
            ):
                source.fail(number, "hash_ids is not a list of whole numbers")
            blocks.append(tuple(hashes))
        return _requests(source, columns, tuple(blocks))


def _requests(
    source: Source, columns: tuple[array[int], array[int], array[int]], blocks: tuple[tuple[int, ...], ...]
) -> Requests:
    """Return requests rebased to the first arrival; arrivals that run back are an error."""
    arrivals, tokens_in, tokens_out = (np.array(column, dtype=np.int64) for column in columns)
    if arrivals.size == 0:
        source.fail(0, "no requests")
    falls = np.flatnonzero(np.diff(arrivals) < 0)
    if falls.size:
        source.fail(0, f"arrival {int(falls[0]) + 1} is before the one ahead of it")
    return Requests(arrivals - arrivals[0], tokens_in, tokens_out, blocks, source.sha256)
