"""Text of the user's own as a token source: any UTF-8 text cut into tokens of 1 to 8 bytes.

Cuts fall between bytes, not characters, as byte-level vocabularies may do it: the hard case for rendering. The
lengths (uniform 1 to 8, mean 4.5) are an **assumption**; a real vocabulary needs `predictors.token_model`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from lanecast.errors import TraceError
from lanecast.transport.rng import Stream
from lanecast.transport.tokens.source import TokenStream

LONGEST_TOKEN = 8  # assumption, bytes
MAX_TEXT_BYTES = 16 * 1024 * 1024  # assumption: longer than any answer; bounds the memory


def cut(text: bytes, *, stream: Stream, longest: int = LONGEST_TOKEN) -> tuple[bytes, ...]:
    """Return `text` as tokens of 1 to `longest` bytes, lengths uniform; one draw a token."""
    if longest < 1:
        raise ValueError(f"a token has at least 1 byte, got longest = {longest}")
    tokens: list[bytes] = []
    at = 0
    while at < len(text):
        end = at + 1 + int(stream.next_double() * longest)
        tokens.append(text[at:end])
        at = end
    return tuple(tokens)


def timed(tokens: tuple[bytes, ...], timing: TokenStream, *, name: str = "text") -> TokenStream:
    """Return `tokens` with the generation times of `timing`, which is cut or repeated to their number.

    Raises:
        ValueError: `timing` is empty and there are tokens.
    """
    times = timing.repeated(len(tokens)).times
    sizes = np.array([len(token) for token in tokens], dtype=np.int64)
    return TokenStream(times, sizes, tokens, name)


def load_text(path: str | os.PathLike[str]) -> bytes:
    """Return a text file's bytes, checked to be UTF-8 and at most 16 MiB.

    Raises:
        TraceError: the file cannot be read, is too long, or is not UTF-8 (the message names the byte).
    """
    file = os.fspath(path)
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(MAX_TEXT_BYTES + 1)
    except OSError as error:
        raise TraceError(file, 0, f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_TEXT_BYTES:
        raise TraceError(file, 0, f"longer than {MAX_TEXT_BYTES} bytes, the most this source takes")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TraceError(file, line, f"byte {error.start} is not UTF-8: {error.reason}") from error
    return data
