"""Integer service curve of a piecewise-constant rate: bits by a time, and the time of a bit, exact to 1 ns.

Theory of operation. Work in bit-ns (rate x ns = 1e-9 bit). A plain 64-bit product overflows early (1 Gbit/s
fills 2**63 bit-ns in 9.2 s), so each step keeps the whole bits before it and the remainder in bit-ns, and a
product rate x length is formed in two limbs of the rate: with rate < 2**40 and length split into seconds and
ns < 2**30, every partial product stays below 2**63.

C(t) = whole bits offered in [0, t), rounded down. The inverse T(b) is the first time at which C reaches b: a
division rounded up to whole ns, taken in three steps of 1000 for the same reason. An outage has C flat, so T
jumps to where the next positive step has earned the bit. A looped curve adds whole periods with remainder.

`bits_at` and `time_at` use Python integers of any size; `bits_at_many` and `times_at_many` use int64 arrays.
Both give the same numbers (property test).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

import numpy as np

from lanecast.traces.steps import NS_PER_S

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lanecast.traces.steps import Int64s
    from lanecast.traces.tracks import Rate

_LIMB_BITS = 20
_LIMB_MASK = (1 << _LIMB_BITS) - 1
_THOUSAND_STEPS = 3
"""1e9 = 1000**3."""


def product_bits(rate: Int64s, length: Int64s, carry: Int64s) -> tuple[Int64s, Int64s]:
    """Return (rate x length + carry) as (whole bits, remainder in bit-ns).

    Args:
        rate: bit/s, 0 <= rate < 2**40.
        length: ns, such that the result stays below 2**62 bits.
        carry: bit-ns, 0 <= carry < 1e9.

    """
    seconds, rest = np.divmod(length, NS_PER_S)
    high, low = rate >> _LIMB_BITS, rate & _LIMB_MASK
    high_bits, high_rest = np.divmod(high * rest, NS_PER_S)
    low_bits, remainder = np.divmod((high_rest << _LIMB_BITS) + low * rest + carry, NS_PER_S)
    bits: Int64s = rate * seconds + (high_bits << _LIMB_BITS) + low_bits
    return bits, remainder


def wait_ns(bits: Int64s, carry: Int64s, rate: Int64s) -> Int64s:
    """Return the least ns in which `rate` (bit/s > 0) offers `bits` less `carry` bit-ns (of either sign)."""
    result, rest = np.divmod(bits, rate)
    for _ in range(_THOUSAND_STEPS):
        more, rest = np.divmod(rest * 1000, rate)
        result = result * 1000 + more
    wait: Int64s = result - (carry - rest) // rate
    return wait


class ServiceCurve:
    """Cumulative capacity of a `Rate`.

    After `rate.end` it starts again (`end="loop"`), keeps the last rate ("hold"), or offers nothing ("stop").
    """

    def __init__(self, rate: Rate, *, end: str = "loop") -> None:
        if not rate.rates.any():
            raise ValueError("capacity is zero throughout: it has no service curve to invert")
        self.loop = end == "loop"
        self.bounded = end == "stop" or (end == "hold" and rate.rates[-1] == 0)
        self.period = rate.end
        self.starts = rate.starts
        self.rates = rate.rates
        self.bits, self.carry = _cumulative(rate)
        self.period_bits = int(self.bits[-1])
        self.period_carry = int(self.carry[-1])
        self._live = np.flatnonzero(rate.rates)  # outages offer nothing: the inverse never stops there
        self._starts_list: list[int] = [*rate.starts.tolist(), rate.end]
        self._rates_list: list[int] = rate.rates.tolist()
        self._offered: list[int] = [
            b * NS_PER_S + c for b, c in zip(self.bits.tolist(), self.carry.tolist(), strict=True)
        ]

    def bits_at(self, time: int) -> int:
        """Return the whole bits offered in [0, time)."""
        rounds, within = divmod(time, self.period) if self.loop else (0, time)
        within = min(within, self.period) if self.bounded else within
        step = min(bisect_right(self._starts_list, within) - 1, len(self._rates_list) - 1)
        offered = self._offered[step] + self._rates_list[step] * (within - self._starts_list[step])
        return (offered + rounds * self._offered[-1]) // NS_PER_S

    def time_at(self, bits: int) -> int:
        """Return the first time (ns) by which `bits` bits have been offered.

        Raises ValueError when an unlooped curve never offers so many.
        """
        if bits <= 0:
            return 0
        wanted, period = bits * NS_PER_S, self._offered[-1]
        rounds = (wanted - 1) // period if self.loop else 0
        if wanted > period and self.bounded:
            raise ValueError(f"the trace offers {period // NS_PER_S} bits, {bits} were asked for")
        wanted -= rounds * period
        step = min(bisect_left(self._offered, wanted), len(self._rates_list)) - 1
        wait = -((self._offered[step] - wanted) // self._rates_list[step])
        return rounds * self.period + self._starts_list[step] + wait

    def bits_at_many(self, times: ArrayLike) -> Int64s:
        """Return `bits_at` of every time, (n,) int64."""
        given = np.asarray(times, dtype=np.int64)
        rounds, within = np.divmod(given, self.period) if self.loop else (np.zeros_like(given), given)
        within = np.minimum(within, self.period) if self.bounded else within
        step = np.searchsorted(self.starts, within, side="right") - 1
        bits, carry = product_bits(self.rates[step], within - self.starts[step], self.carry[step])
        whole, rest = np.divmod(rounds * self.period_carry, NS_PER_S)
        offered: Int64s = (
            self.bits[step] + bits + rounds * self.period_bits + whole + (carry + rest) // NS_PER_S
        )
        return offered

    def times_at_many(self, bits: ArrayLike) -> Int64s:
        """Return `time_at` of every bit count, (n,) int64."""
        wanted = np.asarray(bits, dtype=np.int64)
        rounds, need, rest = self._split(wanted)
        live = self._live
        step = np.searchsorted(self.bits[live], need, side="left")
        while True:  # equal whole bits, smaller remainder: only where a step offers less than one bit
            here = live[np.minimum(step, live.size - 1)]
            more = (step < live.size) & (self.bits[here] == need) & (self.carry[here] < rest)
            if not more.any():
                break
            step += more
        step = live[np.maximum(step - 1, 0)]
        wait = wait_ns(need - self.bits[step], self.carry[step] - rest, self.rates[step])
        return np.where(wanted <= 0, 0, rounds * self.period + self.starts[step] + wait)

    def _split(self, wanted: Int64s) -> tuple[Int64s, Int64s, Int64s]:
        """Return (rounds, bits, rest): `wanted` = rounds x period + bits + rest bit-ns, in (0, period]."""
        rounds = np.zeros_like(wanted)
        if wanted.size == 0 or int(wanted.max()) <= self.period_bits:
            return rounds, wanted, rounds
        if self.bounded:
            raise ValueError(f"the trace offers {self.period_bits} bits, {int(wanted.max())} were asked for")
        if not self.loop:
            return rounds, wanted, rounds
        total = self._offered[-1]
        exact = [max(0, (b * NS_PER_S - 1) // total) for b in wanted.ravel().tolist()]
        rounds = np.array(exact, dtype=np.int64).reshape(wanted.shape)
        borrowed, rest = np.divmod(-rounds * self.period_carry, NS_PER_S)
        return rounds, wanted - rounds * self.period_bits + borrowed, rest


def _cumulative(rate: Rate) -> tuple[Int64s, Int64s]:
    """Return whole bits and remainder (bit-ns) before each step and at the end, n + 1 values each."""
    zeros = np.zeros(rate.rates.size, dtype=np.int64)
    bits, rests = product_bits(rate.rates, rate.lengths, zeros)
    carried = np.cumsum(rests.astype(object))  # remainders may sum past 2**63: Python integers
    whole = np.array([int(c) // NS_PER_S for c in carried], dtype=np.int64)
    carry = np.array([int(c) % NS_PER_S for c in carried], dtype=np.int64)
    return np.concatenate([[0], np.cumsum(bits) + whole]), np.concatenate([[0], carry])
