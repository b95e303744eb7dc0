"""Two-column text: Pensieve's seconds and Mbit/s, and Oboe's pairs of milliseconds and kbit/s.

Grammar of both: `line = num ws num LF`. Stamps need not start at 0 (they are rebased); of equal stamps the first
counts and the rest are counted; time running back is an error; a rate may be 0.

Pensieve has no end stamp: the last step lasts the median gap (assumption). A writer keeps the area by one extra
stamp in the last step, or, where that step is shorter than the median, by a first line `# end_s=...`.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

from lanecast.traces.formats.common import (
    KBIT_EXPONENT,
    MS_EXPONENT,
    S_EXPONENT,
    Stamps,
    Written,
    decimal,
    kbit_s,
    mbit_s,
    median_gap,
    milliseconds,
    rate_of,
    rate_trace,
    seconds,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lanecast.traces.reading import Source
    from lanecast.traces.trace import Int64s, Trace

PENSIEVE = "pensieve"
OBOE = "oboe"
_COMMENT, _END = "#", "end_s="


def _pairs(source: Source) -> Iterator[tuple[int, str, str]]:
    """Yield (line number, first column, second column)."""
    for number, line in source.lines():
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if len(words) != 2:
            source.fail(number, f"expected two numbers, got {line[:60]!r}")
        yield number, words[0], words[1]


def load_pensieve(source: Source, *, hold: str = "forward") -> Trace:
    """Read seconds and Mbit/s.

    Args:
        source: the file.
        hold: "forward": a rate holds from its stamp; "backward": it is of the interval that ends there, as
            Pensieve's players read it (the first interval starts at 0, or one median gap before).

    """
    if hold not in ("forward", "backward"):
        raise ValueError(f"hold is {hold!r}, expected forward or backward")
    stamps, rates, end = Stamps(source), array("q"), None
    for number, first, second in _pairs(source):
        if number == 1 and first == _COMMENT and second.startswith(_END):
            end = seconds(source, number, second.removeprefix(_END), "end")
        elif stamps.accept(number, seconds(source, number, first)):
            rates.append(mbit_s(source, number, second))
    starts, step = stamps.starts(), f"hold={hold}"
    values = np.frombuffer(rates, dtype=np.int64)
    if hold == "backward":
        lead = stamps.first or median_gap(starts)
        return rate_trace(
            source,
            PENSIEVE,
            (_shifted(starts, lead), values, int(starts[-1]) + lead),
            notes=stamps.notes(),
            step=step,
        )
    last = int(starts[-1])
    end = last + median_gap(starts) if end is None else end - stamps.first
    return rate_trace(source, PENSIEVE, (starts, values, end), notes=stamps.notes(), step=step)


def _shifted(ends: Int64s, lead: int) -> Int64s:
    """Return starts of intervals that end at `ends` + lead."""
    return np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1] + lead])


def dump_pensieve(trace: Trace, *, hold: str = "forward", comment: bool = True) -> Written:
    """Write seconds and Mbit/s with every stamp and bit kept; `comment=False` never writes an end line."""
    rate = rate_of(trace, PENSIEVE)
    starts, rates, end = rate.starts.tolist(), rate.rates.tolist(), rate.end
    head: list[str] = []
    notes: list[str] = []
    if hold == "backward":
        starts = [*starts[1:], end]
    elif (gap := end - starts[-1]) != (median := median_gap(rate.starts)):
        extra = end - median
        if extra > starts[-1] and median_gap(np.array([*starts, extra])) == median:
            starts, rates = [*starts, extra], [*rates, rates[-1]]
            notes.append("one stamp added in the last step, so that it ends a median gap later")
        elif comment:
            head = [f"{_COMMENT} {_END}{decimal(end, S_EXPONENT)}"]
            notes.append("the first line is a comment with the end: the last step is no median gap")
        else:
            notes.append(f"the last step lasts {gap} ns, a reader will take the median gap, {median} ns")
    lines = (
        f"{decimal(start, S_EXPONENT)}\t{decimal(value, MS_EXPONENT)}"
        for start, value in zip(starts, rates, strict=True)
    )
    return Written((line for part in (head, lines) for line in part), tuple(notes))


def load_oboe(source: Source, *, gap: str = "hold") -> Trace:
    """Read pairs of lines (start and end of a chunk) with one rate, in ms and kbit/s.

    Args:
        source: the file.
        gap: between a pair's end and the next start the rate is held ("hold"), the mean of both neighbours
            ("linear", which keeps a linear ramp's area), or zero ("zero"); an assumption of each user.

    A file with an odd line count, or unequal rates inside a pair, is read line by line, held forward.
    """
    if gap not in ("hold", "linear", "zero"):
        raise ValueError(f"gap is {gap!r}, expected hold, linear or zero")
    times, rates, previous = array("q"), array("q"), -1
    for number, first, second in _pairs(source):
        time = milliseconds(source, number, first)
        if time < previous:
            source.fail(number, f"time runs back from {previous} to {time} ns")
        previous = time
        times.append(time)
        rates.append(kbit_s(source, number, second))
    paired = len(times) % 2 == 0 and rates[::2] == rates[1::2]
    if paired and len(times):
        starts, values, end = _chunks(times, rates, gap)
        notes = [f"rebased from {times[0]} ns"] if times[0] else []
        return rate_trace(
            source, OBOE, (starts, values, end), kind="achieved", notes=notes, step=f"gap={gap}"
        )
    stamps, kept = Stamps(source), array("q")
    for time, value in zip(times, rates, strict=True):
        if stamps.accept(0, time):
            kept.append(value)
    starts = stamps.starts()
    notes = [*stamps.notes(), "not in pairs: held forward"]
    steps = (starts, np.frombuffer(kept, dtype=np.int64), int(starts[-1]) + median_gap(starts))
    return rate_trace(source, OBOE, steps, kind="achieved", notes=notes, step="held forward")


def _chunks(times: array[int], rates: array[int], gap: str) -> tuple[Int64s, Int64s, int]:
    """Return the steps of chunks and of the gaps between them; empty chunks and gaps vanish."""
    origin, starts, values = times[0], array("q"), array("q")
    for i in range(0, len(times), 2):
        if i and times[i] > times[i - 1] and gap != "hold":
            starts.append(times[i - 1] - origin)
            values.append((rates[i - 1] + rates[i]) // 2 if gap == "linear" else 0)
        if times[i + 1] > times[i]:
            starts.append(times[i] - origin)
            values.append(rates[i])
    return np.array(starts, dtype=np.int64), np.array(values, dtype=np.int64), times[-1] - origin


def dump_oboe(trace: Trace) -> Written:
    """Write two lines a step, in ms and kbit/s, with every stamp and bit kept."""
    rate = rate_of(trace, OBOE)
    starts = rate.starts.tolist()
    steps = zip(starts, [*starts[1:], rate.end], rate.rates.tolist(), strict=True)
    return Written(
        f"{decimal(time, MS_EXPONENT)} {decimal(value, KBIT_EXPONENT)}"
        for start, end, value in steps
        for time in (start, end)
    )
