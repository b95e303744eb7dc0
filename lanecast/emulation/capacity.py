"""What a link can send over time, as exact integer arithmetic.

A `Capacity` answers one question: a packet of so many bytes whose service begins now, when is its last bit
out? Work is counted in bit-nanoseconds (rate in bit/s times ns, 1e-9 bit), so nothing is ever rounded but the
answer, which is rounded up to a whole ns. What the last ns offered beyond the packet is carried to the next
packet of the same busy period: departures equal ceil(C^-1(W)) of the cumulative curve C for any
number of packets and rate changes. A service that begins after idle time (`fresh`) has no carry: the link
cannot use capacity from before the arrival.

Bounds that keep products within 64 bits: packets up to 1.15 GB, rates from 1 bit/s.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import gcd

import cython

from lanecast.transport.units import NEVER, SECOND, Int, Ns

_NEVER = NEVER
_BIT_NS = SECOND  # bit-ns in one bit


class Capacity:
    """A constant rate in bit/s; the base of other laws."""

    def __init__(self, rate_bps: int) -> None:
        if rate_bps <= 0:
            raise ValueError(f"capacity must be > 0 bit/s, got {rate_bps}")
        self.rate_bps = rate_bps
        self._carry = 0  # bit-ns left over in the ns that ended the last service
        shared = gcd(rate_bps, 8 * _BIT_NS)  # work and rate without their common factor: mostly small numbers
        self._per_byte = 8 * _BIT_NS // shared
        self._rate = rate_bps // shared

    def finish(self, now: Ns, size: Int, fresh: cython.bint) -> Ns:
        """Return when `size` bytes begun at `now` are sent; NEVER on a dead link."""
        need: cython.longlong = size * self._per_byte
        if not fresh:
            need -= self._carry
        spent: cython.longlong = -(-need // self._rate)
        self._carry = spent * self._rate - need
        return now + spent


class RateCapacity(Capacity):
    """Piecewise-constant rates: `rates_bps[i]` from `starts[i]` (ns, first 0, increasing) to the next start or `end`.

    `after` says what follows `end`: "loop" (repeat), "hold" (last rate for ever) or "stop" (dead link).
    A rate of 0 is an outage: service waits for the next positive segment.
    """

    def __init__(
        self, starts: Sequence[int], rates_bps: Sequence[int], end: int, *, after: str = "loop"
    ) -> None:
        _check_segments(starts, rates_bps, end, after)
        super().__init__(max(rates_bps))
        self._starts = [int(start) for start in starts]
        self._rates = [int(rate) for rate in rates_bps]
        self._end = end
        self._loop = after == "loop"
        self._hold = after == "hold"
        self._place = 0  # current segment
        self._base = 0  # start of the current round
        self._enter(0)

    def finish(self, now: Ns, size: Int, fresh: cython.bint) -> Ns:
        """Return when `size` bytes begun at `now` are sent, over as many segments as that takes."""
        need: cython.longlong = size * 8 * _BIT_NS
        time: cython.longlong = now
        spent: cython.longlong
        if not fresh:
            need -= self._carry
        self._seek(now)
        while True:
            if self.rate_bps > 0:
                spent = -(-need // self.rate_bps)
                if spent <= self._until - time:
                    self._carry = spent * self.rate_bps - need
                    return time + spent
                need -= (self._until - time) * self.rate_bps
            if self._until == _NEVER:
                return _NEVER
            time = self._until
            self._enter(self._place + 1)

    def _seek(self, now: Ns) -> None:
        """Make the segment that holds `now` the current one."""
        rounds: cython.longlong
        if now < self._until:
            return
        if self._loop and now >= self._base + self._end:
            rounds = (now - self._base) // self._end
            self._base += rounds * self._end
            self._enter(0)
        if now >= self._until:
            self._enter(
                bisect_right(self._starts, now - self._base) - 1 if now - self._base < self._end else -1
            )

    def _enter(self, place: Int) -> None:
        """Go to a segment; the one past the last is the next round, the last rate, or nothing."""
        count: cython.Py_ssize_t = len(self._rates)
        if 0 <= place < count:
            self._place = place
        elif self._loop:
            self._base += self._end
            self._place = 0
        else:
            self._place = count - 1
            self._until = _NEVER
            self.rate_bps = self._rates[count - 1] if self._hold else 0
            return
        self.rate_bps = self._rates[self._place]
        self._until = self._base + (self._starts[self._place + 1] if self._place + 1 < count else self._end)


def _check_segments(starts: Sequence[int], rates_bps: Sequence[int], end: int, after: str) -> None:
    if after not in ("loop", "hold", "stop"):
        raise ValueError(f"after must be loop, hold or stop, got {after!r}")
    if len(starts) == 0 or len(starts) != len(rates_bps):
        raise ValueError(
            f"need as many starts as rates, at least one; got {len(starts)} and {len(rates_bps)}"
        )
    if starts[0] != 0 or end <= starts[-1] or any(b <= a for a, b in zip(starts, starts[1:], strict=False)):
        raise ValueError("segment starts must begin at 0, increase, and lie before the end")
    if min(rates_bps) < 0 or max(rates_bps) == 0:
        raise ValueError("rates must be >= 0 bit/s with at least one above 0")
