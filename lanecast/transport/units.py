"""Time and rate arithmetic on integers: the one place where rounding is decided.

Time is a count of nanoseconds (`Ns`), a signed 64-bit integer when compiled. A duration that does not fall
on a whole nanosecond is rounded **up**, so that nothing is ever early.
"""

from __future__ import annotations

from typing import TypeAlias

Ns: TypeAlias = int  # a time or duration, ns
Int: TypeAlias = int  # any other whole number in a core signature: 64 bits when compiled, as its `.pxd` says

NEVER = 9_223_372_036_854_775_807  # 2**63 - 1: "no event pending"
US = 1_000
MS = 1_000_000
SECOND = 1_000_000_000


def ms(value: float) -> Ns:
    """Return a duration given in milliseconds as whole nanoseconds (rounded up)."""
    return -int(-value * MS // 1)


def seconds(value: float) -> Ns:
    """Return a duration given in seconds as whole nanoseconds (rounded up)."""
    return -int(-value * SECOND // 1)


def transmit_time(size: Int, rate_bps: Int) -> Ns:
    """Return the time to send `size` bytes at `rate_bps` bit/s, rounded up.

    `size` up to 1.15 GB and rates from 1 bit/s keep the product within 64 bits.
    """
    return -(-size * 8 * SECOND // rate_bps)


def mbps(value: float) -> int:
    """Return a rate given in Mbit/s (10^6) as whole bit/s (nearest)."""
    return int(value * 1_000_000 + 0.5)
