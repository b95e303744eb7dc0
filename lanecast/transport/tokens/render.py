"""Rendering: tokens arrive in any order, any number of times, and are shown in order as whole characters.

`in_order` turns a column of arrival times into render times; `Slots` keeps one arrival time per token and
tells what an ACK must say; `Renderer` adds the text: it shows only complete UTF-8 characters and keeps an
incomplete tail (at most 3 bytes) until its rest arrives, so that a replacement character can only come from
the source's own bytes, never from transport. All are told the time; none of them sends or waits.
"""

from __future__ import annotations

import codecs

import msgspec
import numpy as np
import numpy.typing as npt

from lanecast.transport.units import NEVER, Ns
from lanecast.transport.wire import MAX_RANGES, Piece, Range

WINDOW = 65_536  # assumption: how far beyond the next token an index is believed; bounds the memory
MAX_WAITING_BYTES = 64 * 1024 * 1024  # assumption: a thousand of the longest tokens (64 KiB)


def in_order(arrivals: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return render times (n,) int64 ns: a token is shown once it and all earlier ones are held.

    A token that never arrived (NEVER) keeps itself and all later ones from being shown.
    """
    return np.maximum.accumulate(arrivals)


class Slots:
    """One arrival time per token of one stream.

    Every token below `next_index` is held; a second copy changes nothing but `duplicates`.
    """

    __slots__ = ("_times", "duplicates", "held", "next_index")

    def __init__(self) -> None:
        self._times: list[Ns] = []
        self.next_index = 0  # cumulative index of an ACK
        self.held = 0
        self.duplicates = 0

    @property
    def stop(self) -> int:
        """Return one above the highest index held."""
        return len(self._times)

    def arrive(self, now: Ns, index: int) -> bool:
        """Note that token `index` arrived; return whether it is the first copy."""
        times = self._times
        if index >= len(times):
            times.extend([NEVER] * (index + 1 - len(times)))
        if times[index] != NEVER:
            self.duplicates += 1
            return False
        times[index] = now
        self.held += 1
        while self.next_index < len(times) and times[self.next_index] != NEVER:
            self.next_index += 1
        return True

    def has(self, index: int) -> bool:
        """Return whether token `index` is held."""
        return index < len(self._times) and self._times[index] != NEVER

    def ranges(self, limit: int = MAX_RANGES) -> tuple[Range, ...]:
        """Return the lowest `limit` ranges [start, stop) held beyond `next_index`."""
        if self.held == self.next_index:
            return ()
        held = self.arrivals()[self.next_index :] != NEVER
        edges = np.flatnonzero(np.diff(held, prepend=False, append=False)) + self.next_index
        return tuple((int(a), int(b)) for a, b in edges.reshape(-1, 2)[:limit])

    def arrivals(self, count: int | None = None) -> npt.NDArray[np.int64]:
        """Return arrival times of the first `count` tokens (default: up to the highest held), NEVER if missing."""
        column = np.full(self.stop if count is None else count, NEVER, dtype=np.int64)
        known = self._times[: len(column)]
        column[: len(known)] = known
        return column

    def renders(self, count: int | None = None) -> npt.NDArray[np.int64]:
        """Return render times of the first `count` tokens, NEVER where something is missing before."""
        return in_order(self.arrivals(count))


class RendererState(msgspec.Struct, frozen=True):
    """All that a restarted receiver must find again, since nothing acknowledged may be forgotten.

    `arrivals` has the time of every token held, `waiting` the texts of those not yet shown, `tail` the bytes
    of an incomplete character, `end` the length of the stream when known.
    """

    arrivals: dict[int, Ns]
    waiting: dict[int, bytes]
    tail: bytes
    duplicates: int
    end: int | None


class Renderer:
    """The text of one stream, shown as far as it is whole and in order.

    `text` is all that has been shown; it only ever grows at its end, and never ends inside a character. What is
    not credible is counted in `refused` and changes nothing else: an index beyond the end or 65,536 tokens
    ahead, pieces that contradict each other, an end below tokens already held, more than 64 MiB waiting.
    """

    def __init__(self) -> None:
        self.slots = Slots()
        self.end: int | None = None  # length of the stream, known from FIN
        self.refused = 0
        self._waiting: dict[int, bytes] = {}
        self._pieces: dict[int, tuple[int, dict[int, bytes]]] = {}
        self._waiting_bytes = 0
        self._shown: list[str] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def text(self) -> str:
        """Return everything shown so far."""
        return "".join(self._shown)

    @property
    def done(self) -> bool:
        """Return whether the end is known and every token has been shown."""
        return self.end is not None and self.slots.next_index >= self.end

    def arrive(self, now: Ns, index: int, text: bytes) -> str:
        """Take token `index`; return the text that became visible (often empty, sometimes of many tokens).

        A copy of a token held already changes nothing.
        """
        if not self._accepts(index, len(text)):
            return ""
        before = self.slots.next_index
        if self.slots.arrive(now, index):
            self._waiting[index] = text
            self._waiting_bytes += len(text)
        return self._show(before)

    def arrive_piece(self, now: Ns, index: int, piece: Piece) -> str:
        """Take one piece of a long token; the token arrives with its last missing piece."""
        if self.slots.has(index):
            self.slots.duplicates += 1
            return ""
        pieces, parts = self._pieces.get(index, (piece.pieces, {}))
        if piece.pieces != pieces:
            self.refused += 1
            return ""
        if piece.piece in parts or not self._accepts(index, len(piece.data)):
            return ""
        self._pieces[index] = pieces, parts
        parts[piece.piece] = piece.data
        self._waiting_bytes += len(piece.data)
        if len(parts) < pieces:
            return ""
        del self._pieces[index]
        self._waiting_bytes -= sum(map(len, parts.values()))
        return self.arrive(now, index, b"".join(parts[i] for i in range(pieces)))

    def finish(self, end: int) -> str:
        """Note that the stream has `end` tokens; return text that became visible through it."""
        if end != self.end:
            if self.end is not None or end < self.slots.stop:
                self.refused += 1
                return ""
            self.end = end
        return self._show(self.slots.next_index)

    def close(self) -> str:
        """End the stream where it is (connection lost): an incomplete character is shown as U+FFFD."""
        self.end = self.slots.next_index
        return self._show(self.end)

    def state(self) -> RendererState:
        """Return what a restarted receiver needs, as plain data that msgspec can store."""
        held = {i: int(time) for i, time in enumerate(self.slots.arrivals()) if time != NEVER}
        tail = self._decoder.getstate()[0]
        return RendererState(held, dict(self._waiting), tail, self.slots.duplicates, self.end)

    @classmethod
    def restarted(cls, state: RendererState) -> Renderer:
        """Return a renderer that goes on from `state`; its `text` starts empty, where the old one stopped."""
        renderer = cls()
        for index, time in sorted(state.arrivals.items()):
            renderer.slots.arrive(time, index)
        renderer.slots.duplicates = state.duplicates
        renderer._waiting = dict(state.waiting)
        renderer._waiting_bytes = sum(map(len, state.waiting.values()))
        renderer._decoder.decode(state.tail)
        renderer.end = state.end
        return renderer

    def _accepts(self, index: int, size: int) -> bool:
        limit = self.slots.next_index + WINDOW if self.end is None else self.end
        credible = 0 <= index < limit and self._waiting_bytes + size <= MAX_WAITING_BYTES
        self.refused += not credible
        return credible

    def _show(self, before: int) -> str:
        """Show the tokens from `before` on that are now in order, and at the end what is left of a character."""
        fresh = b"".join(self._waiting.pop(i) for i in range(before, self.slots.next_index))
        self._waiting_bytes -= len(fresh)
        text = self._decoder.decode(fresh, self.done)
        if text:
            self._shown.append(text)
        return text
