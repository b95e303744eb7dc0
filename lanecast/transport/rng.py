"""Named random streams: one PCG64DXSM generator for each stochastic component of a run.

A stream's seed is the run's seed plus its own name, so that adding a component or a flow leaves all other
streams as they were. Models draw only `next_double()` and derive the rest by their own formulas; the
compiled and the plain form then consume a stream equally. Blocks of 256 doubles are drawn ahead, which
gives the same values as single draws (numpy documents `random` as one 53-bit double a draw).

`uniform_at` is different: a pure function of (key, a, b), for channels whose fate must be the same for
every scheme that meets them (common random numbers).
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import cython
import numpy as np

from lanecast.transport.units import Int

BLOCK = 256
_GOLDEN = 0x9E3779B97F4A7C15  # SplitMix64's increment
_FIRST = 0xBF58476D1CE4E5B9  # SplitMix64's two multipliers
_SECOND = 0x94D049BB133111EB
_STRIDE = 0xD1342543DE82EF95  # odd, so that distinct b stay distinct
_MASK = 0xFFFFFFFFFFFFFFFF  # 64-bit wrap-around, which the compiled form has by itself
_UNIT = 2.0**-53


class Stream:
    """Uniform doubles in [0, 1) of one component."""

    def __init__(self, entropy: int, name: str, index: int = 0) -> None:
        self.name = name
        sequence = np.random.SeedSequence(entropy=entropy, spawn_key=(crc32(name.encode()), index))
        self.generator = np.random.Generator(np.random.PCG64DXSM(sequence))
        self._place = BLOCK
        self._block: Any = None  # memoryview of doubles, or list in plain form

    def next_double(self) -> float:
        """Return the next uniform double in [0, 1)."""
        if self._place == BLOCK:
            drawn = self.generator.random(BLOCK)
            self._block = drawn if cython.compiled else drawn.tolist()
            self._place = 0
        self._place += 1
        return self._block[self._place - 1]  # type: ignore[no-any-return]


class Streams:
    """All streams of one run; a second request for the same (name, index) is an error."""

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise ValueError(f"seed must be >= 0, got {seed}")
        self.seed = seed
        self._taken: dict[tuple[int, int], str] = {}

    def stream(self, name: str, index: int = 0) -> Stream:
        """Return the stream of component `name`, number `index`.

        Raises:
            ValueError: the stream was handed out already, or another name has the same CRC-32.
        """
        self._claim(name, index)
        return Stream(self.seed, name, index)

    def key(self, name: str, index: int = 0) -> int:
        """Return a 63-bit key for `uniform_at`, own to (seed, name, index)."""
        self._claim(name, index)
        sequence = np.random.SeedSequence(entropy=self.seed, spawn_key=(crc32(name.encode()), index))
        return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))

    def _claim(self, name: str, index: int) -> None:
        place = (crc32(name.encode()), index)
        if place in self._taken:
            raise ValueError(f"random stream {name!r}[{index}] clashes with {self._taken[place]!r}[{index}]")
        self._taken[place] = name


def uniform_at(key: Int, a: Int, b: Int) -> float:
    """Return a uniform double in [0, 1) that depends on (key, a, b) only.

    SplitMix64's finaliser (Steele, Lea, Flood 2014) over three rounds; all arguments are within 0..2^64 - 1.
    """
    mixed: cython.ulonglong = _mix((key + _GOLDEN) & _MASK)
    mixed = _mix(mixed ^ a)
    mixed = _mix(mixed ^ (b * _STRIDE & _MASK))
    return (mixed >> 11) * _UNIT


def _mix(value: Int) -> Int:
    z: cython.ulonglong = value
    z = (z ^ (z >> 30)) * _FIRST & _MASK
    z = (z ^ (z >> 27)) * _SECOND & _MASK
    return z ^ (z >> 31)
