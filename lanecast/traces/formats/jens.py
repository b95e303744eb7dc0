"""JENS data-rate pattern (telekom/aml-jens): kbit/s, one whole number a line, at a fixed frequency.

Grammar: `file = comment* value+ ; comment = "#" text LF ; value = int LF`. A comment may hold a setting:
`# :recommended_freqeuncy=10` is values a second (misspelt in the originals: both spellings are read, theirs is
written), `# :th_p99_latency=30,34` a band in ms that a low-latency sender is expected to keep. Default 10 Hz. The
originals were smoothed and their zeros removed.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

from lanecast.traces.formats.common import MAX_STEPS, Written, carried, rate_of, rate_trace, whole
from lanecast.traces.trace import NS_PER_S, UNLIMITED_BIT_S, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lanecast.traces.reading import Source
    from lanecast.traces.trace import Rate

NAME = "jens"
DEFAULT_HZ = 10
"""Values a second where the file does not say (aml-jens)."""
_MAX_HZ = 10_000
_KBIT = 1000
_FREQUENCY = "recommended_freqeuncy"
_SPELLINGS = (_FREQUENCY, "recommended_frequency")


def load(source: Source) -> Trace:
    """Read kbit/s at the file's own frequency; latency bands become notes."""
    rates, notes, hertz = array("q"), list[str](), DEFAULT_HZ
    for number, line in source.lines():
        if line.startswith("#") and not rates:
            key, equals, value = line.lstrip("#").strip().removeprefix(":").partition("=")
            if equals and key in _SPELLINGS:
                hertz = whole(source, number, value.strip(), "frequency", low=1, high=_MAX_HZ)
            elif equals and key.startswith("th_"):
                notes.append(f"{key}={value.strip()}")
            continue
        if len(rates) >= MAX_STEPS:
            source.fail(number, f"more than {MAX_STEPS} steps")
        rates.append(whole(source, number, line, "rate (kbit/s)", high=UNLIMITED_BIT_S // _KBIT) * _KBIT)
    if not rates:
        source.fail(0, "no values")
    marks = np.arange(len(rates) + 1, dtype=np.int64) * NS_PER_S // hertz
    steps = (marks[:-1], np.frombuffer(rates, dtype=np.int64), int(marks[-1]))
    return rate_trace(source, NAME, steps, kind="schedule", notes=notes, step=f"{hertz} Hz")


def dump(trace: Trace, *, hertz: int = 0) -> Written:
    """Write kbit/s at `hertz` (0: the trace's own equal step, or 10), rounding error carried forward."""
    rate = rate_of(trace, NAME)
    hertz = hertz or own_frequency(rate)
    if not 1 <= hertz <= _MAX_HZ or NS_PER_S % hertz:
        raise ValueError(f"frequency is {hertz} Hz, expected a divisor of 10**9 in 1..{_MAX_HZ}")
    step = NS_PER_S // hertz
    grid = trace.to_rate(step).required_rate()
    values, worst = carried(grid, step, _KBIT)
    notes = [f"cumulative bits differ by up to {worst}"]
    if rate.end % step:
        notes.append(f"the end moves from {rate.end} to {sum(units for _, units, _ in values) * step} ns")
    return Written(_lines(trace, hertz, values), tuple(notes))


def own_frequency(rate: Rate) -> int:
    """Return the frequency of equal steps where it is a whole number of Hz, else the default."""
    length = int(rate.lengths[0])
    equal = bool((rate.lengths == length).all()) and NS_PER_S % length == 0
    return NS_PER_S // length if equal and NS_PER_S // length <= _MAX_HZ else DEFAULT_HZ


def _lines(trace: Trace, hertz: int, values: list[tuple[int, int, int]]) -> Iterator[str]:
    yield f"# {trace.name}"
    yield f"# :{_FREQUENCY}={hertz}"
    yield from (f"# :{note}" for note in trace.provenance.notes if note.startswith("th_"))
    for _, units, value in values:
        for _ in range(units):
            yield str(value)
