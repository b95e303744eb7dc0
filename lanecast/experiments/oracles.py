"""Oracle runs: what a sender that knew the channel's future would reach, on the same realisation.

`oracle` sends whatever helps, `oracle-budget` at most so many wire bytes a token (default: one copy of each token in a
packet of its own, what plain retransmission spends without a loss). On a traced link a lone smallest packet into
an empty queue stands for the best any scheme can do; the draws of the wire are those of the ms in which it leaves
the link. Exact for answers whose tokens are generated on whole ms; else a token may be up to 1 ms late.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lanecast.experiments.measure import Outcome, stall_row
from lanecast.traces.trace import Opportunities
from lanecast.transport.tokens.ledger import HEADER_BYTES
from lanecast.transport.tokens.metrics import stall_metrics
from lanecast.transport.tokens.oracle import SLOT, Draws, budgeted, clairvoyant

if TYPE_CHECKING:
    from collections.abc import Callable

    from lanecast.experiments.build import Direction
    from lanecast.traces.trace import Trace
    from lanecast.transport.tokens.source import TokenStream

CLAIRVOYANT, BUDGETED = "oracle", "oracle-budget"
ORACLES = (CLAIRVOYANT, BUDGETED)
BITS_PER_BYTE = 8


class LinkDraws:
    """A traced link and its wire as one channel: when the packet of a slot arrives, and whether."""

    def __init__(self, direction: Direction, smallest: int) -> None:
        if direction.trace is None:
            raise ValueError("LinkDraws needs a direction with a trace")
        self.wire = direction.channel
        self.delay = self.wire.delay
        self._departure = departures(direction.trace, smallest)
        self._excess = direction.excess
        self._known: dict[int, int] = {}

    def leaves(self, slot: int) -> int:
        """Return when a lone packet sent at the start of a slot has left the link and its traced delay, ns."""
        if slot not in self._known:
            left = self._departure(slot * SLOT)
            self._known[slot] = left + (self._excess.at(left) if self._excess is not None else 0)
        return self._known[slot]

    def lost_at(self, slot: int, n: int) -> bool:
        """Tell whether the wire loses the n-th packet of the ms in which the link lets it go."""
        return bool(self.wire.lost_at(self.leaves(slot) // SLOT, n))

    def delay_at(self, slot: int, n: int) -> int:
        """Return the time from the start of the slot to the arrival, ns."""
        left = self.leaves(slot)
        return left - slot * SLOT + int(self.wire.delay_at(left // SLOT, n))


def departures(trace: Trace, size: int) -> Callable[[int], int]:
    """Return the function that tells when `size` bytes, alone on the link from `now` on, are sent."""
    capacity = trace.required_capacity()
    if isinstance(capacity, Opportunities):
        times, period = capacity.times.tolist(), capacity.end

        def at_opportunity(now: int) -> int:
            rounds, within = divmod(now, period)
            place = bisect_right(times, within)  # strictly later than the arrival
            return int(
                rounds * period + times[place] if place < len(times) else (rounds + 1) * period + times[0]
            )

        return at_opportunity
    curve = trace.curve()
    return lambda now: max(now, curve.time_at(curve.bits_at(now) + size * BITS_PER_BYTE))


@dataclass(slots=True)
class OracleRun:
    """One answer and a sender that knows the channel."""

    name: str
    stream: TokenStream
    down: Direction
    bytes_per_token: float = 0.0

    def run(self) -> Outcome:
        """Compute the best render times and measure them."""
        sizes = self.stream.wire_sizes
        smallest = HEADER_BYTES + int(sizes.min(initial=0))
        channel: Draws = self.down.channel if self.down.trace is None else LinkDraws(self.down, smallest)
        plain = HEADER_BYTES + float(sizes.mean())
        cost = plain
        if self.name == CLAIRVOYANT:
            shown = clairvoyant(channel, self.stream.times)
        else:
            shown, cost = budgeted(channel, self.stream.times, sizes, self.bytes_per_token or plain)
        row = stall_row(stall_metrics(self.stream.times, shown))
        row |= {"bytes_per_token": cost, "packets_per_token": cost / plain, "ack_bytes_per_token": 0.0}
        columns = {"generation_ns": np.array(self.stream.times), "arrival_ns": shown, "render_ns": shown}
        return Outcome(row, columns)
