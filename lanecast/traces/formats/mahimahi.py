"""Packet-delivery opportunities: one whole millisecond a line, each a chance to send 1500 bytes.

Grammar: `file = line+ ; line = int LF`. As mahimahi's link_queue.cc reads it: an empty line, a decreasing value,
no lines, or a last value of 0 (the period would be 0) is an error; equal values are legal. Within a millisecond the
format says nothing: `spacing="burst"` puts all at the mark, "even" puts the n lines of ms t at t + i/n ms.

Extension: `# key=value` lines at the top are read, and written only when asked for (mahimahi refuses them).
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

from lanecast.errors import TraceError
from lanecast.traces.curve import ServiceCurve
from lanecast.traces.formats.common import Written, decimal, provenance, refusing
from lanecast.traces.reading import DEFAULT_LIMITS
from lanecast.traces.steps import BITS_PER_BYTE, PACKET_BYTES
from lanecast.traces.trace import Int64s, Opportunities, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lanecast.traces.reading import Source

NAME = "mahimahi"
_MS = 1_000_000
_DIGITS = 12
"""10**12 ms is the longest time a track may have."""
_PACKET_BITS = PACKET_BYTES * BITS_PER_BYTE


def load(source: Source, *, spacing: str = "burst") -> Trace:
    """Read opportunities; `spacing` is "burst" (mahimahi) or "even"."""
    if spacing not in ("burst", "even"):
        raise ValueError(f"spacing is {spacing!r}, expected burst or even")
    marks, notes = read_marks(source)
    times = marks * _MS
    end = int(times[-1])
    if spacing == "even":
        times = spread(times, end)
    with refusing(source):
        capacity = Opportunities(times, PACKET_BYTES, end)
        return Trace(capacity, provenance=provenance(source, NAME, "offered", notes, f"spacing={spacing}"))


def read_marks(source: Source) -> tuple[Int64s, list[str]]:
    """Return the milliseconds, (n,) int64, and the comment lines at the top."""
    marks, notes, previous = array("q"), list[str](), 0
    for first, lines in source.blocks():
        skip = 0
        while not marks and skip < len(lines) and lines[skip].startswith(b"#"):
            notes.append(lines[skip][1:].decode(errors="replace").strip())
            skip += 1
        values = _block_values(source, first + skip, lines[skip:])
        if values.size == 0:
            continue
        falls = np.flatnonzero(np.diff(values, prepend=previous) < 0)
        if falls.size:
            at = int(falls[0])
            before = int(values[at - 1]) if at else previous
            source.fail(first + skip + at, f"{values[at]} ms is before {before} ms: times must not decrease")
        marks.frombytes(values.tobytes())
        previous = int(values[-1])
    if not marks:
        source.fail(0, "no opportunities")
    if previous == 0:
        source.fail(len(marks) + len(notes), "the last value is 0: the period would be zero")
    return np.frombuffer(marks, dtype=np.int64), notes


def _block_values(source: Source, first: int, lines: Sequence[bytes]) -> Int64s:
    """Return lines of plain digits as int64; the first other line is named."""
    if not all(map(bytes.isdigit, lines)) or (lines and max(map(len, lines)) > _DIGITS):
        for number, line in enumerate(lines, first):
            if not line.isdigit() or len(line) > _DIGITS:
                shown = line[:40].decode(errors="replace")
                source.fail(number, f"{shown!r} is not a whole number of milliseconds below 10**{_DIGITS}")
    return np.array(list(map(int, lines)), dtype=np.int64)


def spread(times: Int64s, period: int) -> Int64s:
    """Put the n opportunities of one millisecond at t + i/n ms; what passes the period wraps to the start."""
    _, index, counts = np.unique(times, return_index=True, return_counts=True)
    rank = np.arange(times.size, dtype=np.int64) - np.repeat(index, counts)
    moved = times + rank * _MS // np.repeat(counts, counts)
    return np.sort(np.where(moved > period, moved - period, moved))


def dump(trace: Trace, *, header: bool = False, end: str = "exact") -> Written:
    """Write opportunities, or turn a rate into them: a line where cumulative bits reach n x 12,000.

    A period ends with the last line: `end="cut"` drops a pause after it, "exact" refuses such a trace.
    """
    if end not in ("exact", "cut"):
        raise ValueError(f"end is {end!r}, expected exact or cut")
    marks, notes = _marks(trace, cut=end == "cut")
    if marks[-1] == 0:
        raise TraceError(trace.name, 0, "the last opportunity would be at 0 ms: the period would be zero")
    achieved = marks.size * _PACKET_BITS * 1000 / int(marks[-1])
    notes.append(f"mean as written {achieved:.0f} bit/s, the trace's {trace.mean_bit_s:.0f} bit/s")
    comments = [f"# {key}={value}" for key, value in trace.provenance.as_dict().items()] if header else []
    return Written(_lines(comments, marks), tuple(notes))


def _lines(comments: list[str], marks: Int64s) -> Iterator[str]:
    yield from comments
    for mark in marks.tolist():
        yield str(mark)


def _marks(trace: Trace, *, cut: bool) -> tuple[Int64s, list[str]]:
    """Return the milliseconds to write, rounded up, and what the rounding cost."""
    capacity, notes = trace.capacity, list[str]()
    if capacity is None:
        raise TraceError(trace.name, 0, "mahimahi holds capacity, the trace has none")
    if isinstance(capacity, Opportunities):
        if capacity.bytes_each != PACKET_BYTES:
            raise TraceError(
                trace.name, 0, f"opportunities of {capacity.bytes_each} B, mahimahi's are of 1500 B"
            )
        if -(-capacity.end // _MS) != -(-int(capacity.times[-1]) // _MS):
            late = decimal(capacity.end - int(capacity.times[-1]), 9)
            if not cut:
                raise TraceError(
                    trace.name,
                    0,
                    f"ends {late} s after its last opportunity, which mahimahi cannot say: drop it with end=cut",
                )
            notes.append(f"the pause of {late} s after the last opportunity is dropped")
        marks = -(-capacity.times // _MS)
        worst = int((marks * _MS - capacity.times).max())
        return marks, [*notes, f"opportunities moved by up to {worst} ns"] if worst else notes
    count = capacity.total_bits // _PACKET_BITS
    if not 0 < count <= DEFAULT_LIMITS.lines:
        raise TraceError(trace.name, 0, f"would give {count} lines, expected 1..{DEFAULT_LIMITS.lines}")
    wanted = _PACKET_BITS * np.arange(1, count + 1, dtype=np.int64)
    marks = -(-ServiceCurve(capacity, end="stop").times_at_many(wanted) // _MS)
    return marks, [f"{capacity.total_bits - count * _PACKET_BITS} bits at the end fill no packet"]
