"""Token sources: when each token of an answer is generated, and how many bytes of text it has.

A `TokenStream` is three columns (time, size, optionally text); time zero is the user's request. Makers for
synthetic processes stand here; streams read from files are in `recorded.py`, text cut into tokens in `text.py`.

Sources of the numbers: 4 text bytes a token, 600 tokens an answer, the gap laws (burst sizes, pauses of 1 to
5 s with probability 0.2 % a token, gamma gaps of shape 4 around a request's mean) are **assumptions**: no
public set of single-token arrival times is known, only per-request means. Random makers draw from one named
`Stream` and use exactly the number of draws that their docstring states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import log

import numpy as np
import numpy.typing as npt

from lanecast.transport.rng import Stream
from lanecast.transport.units import MS, SECOND, Ns
from lanecast.transport.wire import token_sizes

Column = npt.NDArray[np.int64]

TEXT_BYTES = 4  # assumption: mean text bytes of an English token, 5 on the wire with the length byte
COUNT = 600  # assumption: tokens of one answer in the token grid
PAUSE_PROBABILITY = 0.002  # assumption: share of tokens preceded by a thinking pause
PAUSE_SHORTEST = 1 * SECOND  # assumption
PAUSE_LONGEST = 5 * SECOND  # assumption
GAMMA_SHAPE = 4  # assumption: coefficient of variation 0.5 of the gaps inside one answer


@dataclass(frozen=True, slots=True)
class TokenStream:
    """One answer of a language model: columns of equal length, index 0 first, checked when made.

    `times` (n,) int64, ns since the request, never falling; `sizes` (n,) int64, text bytes of each token;
    `tokens` the n texts when they are known (their lengths are then `sizes`). Columns are read-only.
    """

    times: Column
    sizes: Column
    tokens: tuple[bytes, ...] | None = None
    name: str = "tokens"
    boundaries: npt.NDArray[np.bool_] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        times = _frozen(self.times, "times")
        sizes = _frozen(self.sizes, "sizes")
        if len(times) != len(sizes):
            raise ValueError(f"{self.name}: {len(times)} times but {len(sizes)} sizes")
        if len(times) and (times[0] < 0 or bool(np.any(np.diff(times) < 0))):
            raise ValueError(f"{self.name}: times must start at 0 or later and never fall")
        if len(sizes) and int(sizes.min()) < 0:
            raise ValueError(f"{self.name}: sizes must be >= 0 bytes, got {int(sizes.min())}")
        if self.tokens is not None and [len(token) for token in self.tokens] != sizes.tolist():
            raise ValueError(f"{self.name}: sizes differ from the lengths of the token texts")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "sizes", sizes)
        object.__setattr__(self, "boundaries", _boundaries(self.tokens, len(times)))

    def __len__(self) -> int:
        return len(self.times)

    @property
    def wire_sizes(self) -> Column:
        """Return the bytes of each token in a DATA body, its varint length included: (n,) int64."""
        return token_sizes(self.sizes)

    @property
    def gaps(self) -> Column:
        """Return the times between generations: (n - 1,) int64, ns (empty for fewer than two tokens)."""
        return np.diff(self.times)

    @property
    def text(self) -> bytes:
        """Return the whole text.

        Raises:
            ValueError: the stream carries sizes only.
        """
        if self.tokens is None:
            raise ValueError(f"{self.name}: this stream has sizes but no text")
        return b"".join(self.tokens)

    def payload(self, index: int) -> bytes:
        """Return token `index` as bytes: its text, or as many spaces where only the size is known."""
        return self.tokens[index] if self.tokens is not None else b" " * int(self.sizes[index])

    def head(self, count: int) -> TokenStream:
        """Return the first `count` tokens (all of them when there are fewer)."""
        tokens = None if self.tokens is None else self.tokens[:count]
        return TokenStream(self.times[:count], self.sizes[:count], tokens, self.name)

    def repeated(self, count: int) -> TokenStream:
        """Return `count` tokens by running the answer again and again, one mean gap between two runs.

        Raises:
            ValueError: the stream is empty and `count` is not.
        """
        n = len(self)
        if count <= n:
            return self.head(count)
        if n == 0:
            raise ValueError(f"{self.name}: cannot repeat an empty stream to {count} tokens")
        mean_gap = int(self.times[-1] - self.times[0]) // max(n - 1, 1)
        period = int(self.times[-1] - self.times[0]) + mean_gap
        index = np.arange(count)
        times = self.times[index % n] + index // n * period
        tokens = None if self.tokens is None else tuple(self.tokens[i % n] for i in range(count))
        return TokenStream(times, self.sizes[index % n], tokens, self.name)

    def grouped(self, size: int) -> TokenStream:
        """Return the stream with tokens handed over `size` at a time: each waits for its group's last token."""
        if size < 1:
            raise ValueError(f"a group has at least 1 token, got {size}")
        last = np.minimum((np.arange(len(self)) // size + 1) * size, len(self)) - 1
        return replace(self, times=self.times[last])

    def delayed(self, by: Ns) -> TokenStream:
        """Return the stream with every token generated `by` ns later (`by` may be negative down to 0)."""
        return replace(self, times=self.times + by)


def constant_gap(gap: Ns, count: int = COUNT, size: int = TEXT_BYTES, *, start: Ns = 0) -> TokenStream:
    """Return `count` tokens of `size` text bytes at `start`, `start + gap`, ... (ns)."""
    return _stream(start + gap * np.arange(count, dtype=np.int64), size, f"constant {_ms(gap)}")


def constant_rate(tokens_per_s: float, count: int = COUNT, size: int = TEXT_BYTES) -> TokenStream:
    """Return tokens at a constant rate; token i is generated at i / rate, rounded to the nearest ns."""
    if not tokens_per_s > 0:
        raise ValueError(f"the rate must be above 0 tokens/s, got {tokens_per_s}")
    times = np.rint(np.arange(count) * (SECOND / tokens_per_s)).astype(np.int64)
    return _stream(times, size, f"constant {tokens_per_s:g} tokens/s")


def bursts(gap: Ns, count: int = COUNT, size: int = TEXT_BYTES, *, each: int = 4) -> TokenStream:
    """Return tokens in bursts: `each` at one instant, every `each` gaps (speculative decoding, batching)."""
    if each < 1:
        raise ValueError(f"a burst has at least 1 token, got {each}")
    times = gap * (np.arange(count, dtype=np.int64) // each * each)
    return _stream(times, size, f"burst {each} x {_ms(gap)}")


def pauses(
    gap: Ns,
    count: int = COUNT,
    size: int = TEXT_BYTES,
    *,
    stream: Stream,
    probability: float = PAUSE_PROBABILITY,
    shortest: Ns = PAUSE_SHORTEST,
    longest: Ns = PAUSE_LONGEST,
) -> TokenStream:
    """Return a constant gap with uniform thinking pauses before some tokens; two draws a token but the first."""
    gaps = np.full(max(count - 1, 0), gap, dtype=np.int64)
    for i in range(len(gaps)):
        hit, length = stream.next_double(), stream.next_double()
        if hit < probability:
            gaps[i] += shortest + int((longest - shortest) * length)
    return _stream(_from_gaps(0, gaps, count), size, f"pauses {_ms(gap)}")


def gamma_gaps(
    mean_gap: Ns, count: int = COUNT, size: int = TEXT_BYTES, *, stream: Stream, shape: int = GAMMA_SHAPE
) -> TokenStream:
    """Return gamma gaps of this mean and whole-number shape, first token at 0; `shape` draws a gap."""
    return _stream(
        _from_gaps(0, _erlang(mean_gap, max(count - 1, 0), stream, shape), count),
        size,
        f"gamma {_ms(mean_gap)}",
    )


def hosted(
    ttft: Ns,
    itl: Ns,
    count: int = COUNT,
    size: int = TEXT_BYTES,
    *,
    stream: Stream,
    shape: int = GAMMA_SHAPE,
) -> TokenStream:
    """Return an answer of a hosted endpoint: first token at `ttft`, then gamma gaps of mean `itl` (ns).

    `ttft` and `itl` come from one measured request; the law of the single gaps is an **assumption**.
    """
    gaps = _erlang(itl, max(count - 1, 0), stream, shape)
    return _stream(_from_gaps(ttft, gaps, count), size, f"hosted {_ms(ttft)} + {_ms(itl)}")


def _erlang(mean: Ns, count: int, stream: Stream, shape: int) -> Column:
    if shape < 1:
        raise ValueError(f"the gamma shape is a whole number >= 1, got {shape}")
    out = np.empty(count, dtype=np.int64)
    for i in range(count):
        product = 1.0
        for _ in range(shape):
            product *= 1.0 - stream.next_double()
        out[i] = int(-log(product) * mean / shape + 0.5)
    return out


def _from_gaps(first: Ns, gaps: Column, count: int) -> Column:
    times = np.zeros(count, dtype=np.int64)
    times[1:] = np.cumsum(gaps)
    return times + first


def _stream(times: Column, size: int, name: str) -> TokenStream:
    return TokenStream(times, np.full(len(times), size, dtype=np.int64), None, name)


def _ms(t: Ns) -> str:
    return f"{t / MS:g} ms"


def _frozen(values: Sequence[int] | Column, name: str) -> Column:
    column = np.array(values, dtype=np.int64)
    if column.ndim != 1:
        raise ValueError(f"{name} must be one column, got shape {column.shape}")
    column.setflags(write=False)
    return column


def _boundaries(tokens: tuple[bytes, ...] | None, count: int) -> npt.NDArray[np.bool_]:
    """Tell for each token whether the text up to and with it ends at a UTF-8 character's end."""
    out = np.ones(count, dtype=np.bool_)
    if tokens is not None:
        tail = b""
        for i, token in enumerate(tokens):
            tail = (tail + token)[-4:]
            out[i] = incomplete_tail(tail) == 0
    out.setflags(write=False)
    return out


def incomplete_tail(data: bytes) -> int:
    """Return how many trailing bytes (0 to 3) begin a UTF-8 character that is not complete (RFC 3629 3)."""
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            length = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if length > back and byte < 0xF5 else 0
    return 0


Maker = Callable[..., TokenStream]
MAKERS: dict[str, Maker] = {
    "constant": constant_gap,
    "rate": constant_rate,
    "burst": bursts,
    "pause": pauses,
    "gamma": gamma_gaps,
    "hosted": hosted,
}
