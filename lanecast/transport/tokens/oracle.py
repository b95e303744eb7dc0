"""Oracles: what a sender that knows the channel's every draw could have reached.

`clairvoyant`: each token arrives by the earliest surviving packet that could be sent from its generation on, in
any 1-ms slot, as any of the first `copies` packets of the slot. No scheme on the same channel that sends at most
`copies` packets a slot can show any token earlier: that dominance is exact, token by token. A stall ratio is not
monotone in arrival times (showing a token later, just before an outage, shortens the outage's gap), so for stall
ratios the dominance holds up to such accidents.

`budgeted`: the same knowledge, but at most so many wire bytes per token. A packet that is known to arrive carries
all undelivered tokens, each once, so that bytes buy packets. With a packet for every token it sends each at its
first surviving slot ("greedy"), which minimises every render time; with fewer, dynamic programming over the
greedy packets keeps the first and the last and chooses those that minimise the stall beyond the threshold.
Deliberate holding back of tokens is left out: it would hide any outage behind a playout buffer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lanecast.transport.tokens.ledger import HEADER_BYTES
from lanecast.transport.units import MS, NEVER, Int, Ns

SLOT = MS  # length of a slot of common random numbers
STALL_THRESHOLD = 200 * MS  # arXiv 2401.12961, as quoted by third parties
COPIES = 4  # assumption: packets of one slot that the oracle may choose from
MAX_BODY = 1188  # 1,200 bytes of UDP payload less the 12-byte header

Column = npt.NDArray[np.int64]


class Draws(Protocol):
    """A channel whose realisation can be asked for (`emulation/channel.py`)."""

    delay: int

    def lost_at(self, slot: Int, n: Int) -> bool:
        """Tell whether the n-th packet of a slot is lost."""

    def delay_at(self, slot: Int, n: Int) -> Ns:
        """Return the delay of the n-th packet of a slot, ns."""


def earliest_arrivals(channel: Draws, times: Sequence[Ns] | Column, *, copies: int = COPIES) -> Column:
    """Return when each token could arrive at the earliest, (n,) int64 ns; `times` are generation times, rising.

    Slots are searched from a token's generation up to the next token's, whose own best then takes over, and no
    further than a packet without jitter could still improve: each slot is looked at once.
    """
    generation = [int(t) for t in times]
    found = np.empty(len(generation), dtype=np.int64)
    best = NEVER
    stop = NEVER
    for i in range(len(generation) - 1, -1, -1):
        best = _search(channel, generation[i], stop, best, copies)
        found[i] = best
        stop = generation[i]
    return found


def _search(channel: Draws, start: Ns, stop: Ns, best: Ns, copies: int) -> Ns:
    """Return the earliest arrival of a packet sent in [start, stop), or `best` if that is earlier."""
    slot = start // SLOT
    send = start
    while send < stop and send + channel.delay < best:
        for n in range(copies):
            if not channel.lost_at(slot, n):
                best = min(best, send + channel.delay_at(slot, n))
        slot += 1
        send = slot * SLOT
    return best


def clairvoyant(channel: Draws, times: Sequence[Ns] | Column, *, copies: int = COPIES) -> Column:
    """Return the earliest possible render times, (n,) int64 ns."""
    return np.maximum.accumulate(earliest_arrivals(channel, times, copies=copies))


def budgeted(
    channel: Draws,
    times: Sequence[Ns] | Column,
    sizes: Sequence[int] | Column,
    bytes_per_token: float,
    *,
    copies: int = 1,
    threshold: Ns = STALL_THRESHOLD,
) -> tuple[Column, float]:
    """Return render times (n,) int64 ns of the best sender within the budget, and its bytes per token.

    `sizes` are wire bytes of each token in a packet body.

    Raises:
        ValueError: the budget does not even pay for each token once and two packets.
    """
    render = clairvoyant(channel, times, copies=copies)
    body = np.asarray(sizes, dtype=np.int64)
    total = int(body.sum())
    packets = int((bytes_per_token * len(render) - total) // HEADER_BYTES)
    lasts = np.flatnonzero(np.append(np.diff(render) > 0, True))  # last token of each greedy packet
    needed = sum(-(-int(part.sum()) // MAX_BODY) for part in np.split(body, lasts[:-1] + 1))
    if packets < needed:
        if packets < min(2, len(lasts)):
            raise ValueError(
                f"{bytes_per_token} bytes per token are too few: {total / len(render):.1f} are tokens"
            )
        keep = choose(render[lasts], packets, threshold)
        lasts = lasts[keep]
        render = render[lasts][np.searchsorted(lasts, np.arange(len(render)))]
        needed = len(lasts)
    return render, (total + HEADER_BYTES * needed) / len(render)


def choose(arrivals: Column, packets: int, threshold: Ns = STALL_THRESHOLD) -> npt.NDArray[np.intp]:
    """Return which of the packets (their arrivals, rising) to send, at most `packets` (>= 2, or 1 of one).

    The first and the last are always sent; the sum of max(0, gap - threshold) over the kept ones is least.
    Dynamic programming: cost[k][c] of keeping k packets, the last of them c.
    """
    count = len(arrivals)
    packets = min(packets, count)
    if count == 1:
        return np.zeros(1, dtype=np.intp)
    gaps = np.maximum(arrivals[None, :] - arrivals[:, None] - threshold, 0).astype(np.float64)
    gaps[np.tril_indices(count)] = np.inf
    cost: npt.NDArray[Any] = np.full(count, np.inf)
    cost[0] = 0.0
    parents: list[npt.NDArray[np.intp]] = []
    reached = [float(cost[-1])]
    for _ in range(packets - 1):
        paths = cost[:, None] + gaps
        parents.append(paths.argmin(axis=0))
        cost = paths.min(axis=0)
        reached.append(float(cost[-1]))
    used = int(np.argmin(reached))
    kept = [count - 1]
    for k in range(used - 1, -1, -1):
        kept.append(int(parents[k][kept[-1]]))
    return np.array(kept[::-1], dtype=np.intp)
