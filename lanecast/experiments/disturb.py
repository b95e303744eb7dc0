"""Disturbances of a process, for conformance checks: clocks that jump, global generators that were used."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

SECONDS = ("time", "monotonic", "perf_counter", "process_time", "thread_time")
CLOCKS = (*SECONDS, *(f"{name}_ns" for name in SECONDS))
JUMP_NS = 3_600_000_000_000  # an hour between two readings


@contextmanager
def skewed_clocks(modules: Sequence[str], skew: int) -> Iterator[None]:
    """Replace every clock of `time`, and what these modules imported from it, by ones that jump."""
    readings = [skew]

    def jump() -> int:
        readings[0] += skew * JUMP_NS + readings[0] % 1009
        return readings[0]

    fakes: dict[object, Callable[[], float]] = {}
    for name in CLOCKS:
        fakes[getattr(time, name)] = jump if name.endswith("_ns") else lambda: jump() / 1e9
    patched = []
    for module in [time, *(sys.modules[name] for name in modules)]:
        for name, value in list(vars(module).items()):
            if callable(value) and getattr(value, "__module__", "") == "time" and value in fakes:
                patched.append((module, name, value))
    try:
        for module, name, value in patched:
            setattr(module, name, fakes[value])
        yield
    finally:
        for module, name, value in patched:
            setattr(module, name, value)


@contextmanager
def other_chance() -> Iterator[Callable[[int], None]]:
    """Hand out a function that seeds the global generators of Python and numpy; restore them afterwards."""
    python_state = random.getstate()
    numpy_state = np.random.get_state()  # noqa: NPY002, TID251 - the global generator is what is disturbed

    def seed_all(seed: int) -> None:
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002, TID251

    try:
        yield seed_all
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002, TID251
