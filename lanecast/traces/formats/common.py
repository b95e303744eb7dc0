"""What the format modules share: exact decimal numbers, stamp rules, and building a trace from what was read.

Numbers are decimal text scaled to integers without binary floating point, so that reading what was written
gives the same nanoseconds and bit/s. kbit = 1000 bit, Mbit = 10**6 bit.
"""

from __future__ import annotations

import json
import re
from array import array
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.errors import TraceError
from lanecast.traces.trace import MAX_TIME_NS, UNLIMITED_BIT_S, Labels, Provenance, Rate, Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lanecast.traces.reading import Source
    from lanecast.traces.steps import Steps
    from lanecast.traces.trace import Int64s

MS_EXPONENT = 6
"""1 ms = 10**6 ns, and 1 Mbit/s = 10**6 bit/s."""
S_EXPONENT = 9
KBIT_EXPONENT = 3
INT64_MAX = 2**63 - 1
MAX_STEPS = 1 << 22
"""Steps of one piecewise-constant track (assumption): 48 days of one second."""

_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?", re.ASCII)
_DIGITS = 18  # of any integer below 10**18
_CONTEXT = Context(prec=120, rounding=ROUND_HALF_EVEN)


def scaled(
    source: Source, line: int, value: object, what: str, *, exponent: int, high: int = MAX_TIME_NS
) -> int:
    """Return a decimal number (text or a JSON number) x 10**exponent, rounded to a whole number in 0..high."""
    text = value if isinstance(value, str) else repr(value)
    head, _, tail = text.partition(".")
    plain = text.isascii() and head.isdecimal() and (tail.isdecimal() or not tail)
    if (
        plain and len(tail) <= exponent and len(head) + exponent <= _DIGITS
    ):  # the common case, exact without Decimal
        whole: int = int(head + tail) * 10 ** (exponent - len(tail))
        if whole <= high:
            return whole
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or not _NUMBER.fullmatch(text):
        source.fail(line, f"{what} is {text[:40]!r}, expected a decimal number")
    number = Decimal(text)
    if number.is_signed() and number:
        source.fail(line, f"{what} is {text[:40]}, expected >= 0")
    whole = int(number.scaleb(exponent, _CONTEXT).to_integral_value(ROUND_HALF_EVEN, _CONTEXT))
    if whole > high:
        source.fail(line, f"{what} is {text[:40]}, expected at most {decimal(high, exponent)}")
    return whole


def seconds(source: Source, line: int, value: object, what: str = "time") -> int:
    """Return seconds, or a time of day since 1970, as ns."""
    return scaled(source, line, value, what, exponent=S_EXPONENT, high=INT64_MAX)


def milliseconds(source: Source, line: int, value: object, what: str = "time") -> int:
    """Return milliseconds as ns."""
    return scaled(source, line, value, what, exponent=MS_EXPONENT)


def mbit_s(source: Source, line: int, value: object, what: str = "rate") -> int:
    """Return Mbit/s as bit/s."""
    return scaled(source, line, value, what, exponent=MS_EXPONENT, high=UNLIMITED_BIT_S)


def kbit_s(source: Source, line: int, value: object, what: str = "rate") -> int:
    """Return kbit/s as bit/s."""
    return scaled(source, line, value, what, exponent=KBIT_EXPONENT, high=UNLIMITED_BIT_S)


def probability(source: Source, line: int, value: object, what: str = "loss") -> float:
    """Return a probability in 0..1 as a float."""
    scaled(source, line, value, what, exponent=0, high=1)
    number = float(value)  # type: ignore[arg-type]  # checked just above
    if number > 1:
        source.fail(line, f"{what} is {value}, expected 0..1")
    return number


def whole(source: Source, line: int, text: str, what: str, *, low: int = 0, high: int = MAX_TIME_NS) -> int:
    """Return text of digits as an integer in low..high; a leading minus only where `low` is negative."""
    digits = text[1:] if low < 0 and text.startswith("-") else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(high))):
        source.fail(line, f"{what} is {text[:40]!r}, expected a whole number in {low}..{high}")
    value = int(text)
    if not low <= value <= high:
        source.fail(line, f"{what} is {text}, expected {low}..{high}")
    return value


def decimal(value: int, exponent: int) -> str:
    """Return value / 10**exponent in as few digits as are exact."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    head, tail = divmod(value, 10**exponent)
    return f"{sign}{head}.{tail:0{exponent}d}".rstrip("0").rstrip(".") if exponent else f"{sign}{head}"


def json_decimal(value: int, exponent: int) -> int | float:
    """Return value / 10**exponent as an exact JSON number: int where whole, else the nearest float.

    A float keeps 15 digits, so that reading rounds back to `value` while it has no more than that.
    """
    head, tail = divmod(value, 10**exponent)
    return float(decimal(value, exponent)) if tail else head


def fields(source: Source, value: object, what: str, *required: str) -> dict[str, Any]:
    """Return a JSON object that has the required keys."""
    if not isinstance(value, dict):
        source.fail(0, f"{what} is not a JSON object")
    for key in required:
        if key not in value:
            source.fail(0, f"{what} has no {key!r}")
    return value


def items(source: Source, value: object, what: str) -> list[Any]:
    """Return a JSON list that is not empty and has no more than `MAX_STEPS` items."""
    if not isinstance(value, list) or not 0 < len(value) <= MAX_STEPS:
        source.fail(0, f"{what} is not a JSON list of 1..{MAX_STEPS} items")
    return value


@contextmanager
def refusing(source: Source) -> Iterator[None]:
    """Turn what a track's constructor objects to into an error that names the file."""
    try:
        yield
    except ValueError as error:
        raise TraceError(source.name, 0, str(error)) from error


@dataclass(slots=True)
class Stamps:
    """Increasing time stamps as they are read: rebased to the first, equal ones counted and dropped."""

    source: Source
    times: array[int] = field(default_factory=lambda: array("q"))
    first: int = 0
    equal: int = 0

    def accept(self, line: int, time: int) -> bool:
        """Take a stamp (ns); tell whether its value counts. Time that runs back is an error."""
        if not self.times:
            self.first = time
        elif time - self.first == self.times[-1]:
            self.equal += 1
            return False
        elif time - self.first < self.times[-1]:
            self.source.fail(line, f"time runs back from {self.times[-1] + self.first} to {time} ns")
        if len(self.times) >= MAX_STEPS:
            self.source.fail(line, f"more than {MAX_STEPS} steps")
        self.times.append(time - self.first)
        return True

    def starts(self) -> Int64s:
        """Return the stamps, ns from the first; an empty file is an error."""
        if not self.times:
            self.source.fail(0, "no values")
        return np.frombuffer(self.times, dtype=np.int64)

    def notes(self) -> list[str]:
        """Return what was dropped or moved."""
        notes = [f"rebased from {self.first} ns"] if self.first else []
        return [*notes, f"{self.equal} equal stamps dropped"] if self.equal else notes


def median_gap(starts: Int64s) -> int:
    """Return the lower median gap between stamps, ns: how long a step without an end lasts (assumption)."""
    gaps = np.sort(np.diff(starts))
    return int(gaps[(gaps.size - 1) // 2]) if gaps.size else 10**S_EXPONENT


def provenance(
    source: Source, format_name: str, kind: str, notes: Iterable[str] = (), step: str = ""
) -> Provenance:
    """Return the provenance of a file that has been read to its end."""
    name = source.name.replace("\\", "/").rpartition("/")[2]
    chain = (f"read {format_name}" + (f" ({step})" if step else ""),)
    return Provenance(name, source.set_name, source.sha256, format_name, kind, chain, tuple(notes))


def rate_trace(
    source: Source,
    format_name: str,
    steps: tuple[Sequence[int] | Int64s, Sequence[int] | Int64s, int],
    *,
    kind: str = "unknown",
    notes: Iterable[str] = (),
    step: str = "",
    **tracks: Any,
) -> Trace:
    """Return a form B trace from (starts ns, rates bit/s, end ns) and other tracks."""
    with refusing(source):
        starts, rates, end = steps
        rate = Rate(np.asarray(starts, dtype=np.int64), np.asarray(rates, dtype=np.int64), end)
        return Trace(rate, provenance=provenance(source, format_name, kind, notes, step), **tracks)


def from_durations(source: Source, durations: Sequence[int]) -> tuple[Int64s, int]:
    """Return (starts, end) in ns of steps that follow each other; an empty list is an error."""
    if not durations:
        source.fail(0, "no steps")
    ends = np.cumsum(np.array(durations, dtype=object))
    if ends[-1] > MAX_TIME_NS:
        source.fail(0, f"lasts {ends[-1]} ns, expected at most {MAX_TIME_NS}")
    return np.concatenate([[0], ends[:-1]]).astype(np.int64), int(ends[-1])


@dataclass(frozen=True, slots=True)
class Written:
    """Lines of a file to write, without LF, and what the writer must report."""

    lines: Iterable[str]
    notes: tuple[str, ...] = ()


def rate_of(trace: Trace, format_name: str) -> Rate:
    """Return the form B capacity that a rate format needs, or refuse naming the way out."""
    if not isinstance(trace.capacity, Rate):
        has = "opportunities (choose a bin and use to_rate first)" if trace.capacity else "no capacity"
        raise TraceError(trace.name, 0, f"{format_name} holds rates, the trace has {has}")
    return trace.capacity


def step_values(track: Steps | None, starts: Int64s, default: Any) -> list[Any]:
    """Return a track's value at each start, held past its end; a missing track gives the default."""
    if track is None:
        return [default] * starts.size
    values: list[Any] = track.values[np.searchsorted(track.starts, starts, side="right") - 1].tolist()
    return values


def all_starts(*tracks: Steps | None) -> Int64s:
    """Return every start of some tracks, increasing."""
    return np.unique(np.concatenate([track.starts for track in tracks if track is not None]))


def label_track(starts: Int64s, texts: Sequence[str], end: int) -> Labels:
    """Return labels with equal neighbours merged."""
    values = np.array(texts, dtype=object)
    keep = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    return Labels(starts[keep], values[keep], end)


def list_lines(objects: Iterable[Any], opening: str, closing: str) -> Iterator[str]:
    """Yield a JSON list, one object a line, between an opening and a closing line."""
    yield opening
    held = ""
    for item in objects:
        if held:
            yield held + ","
        held = json.dumps(item)
    yield held
    yield closing


def carried(rate: Rate, time_unit: int, rate_unit: int) -> tuple[list[tuple[int, int, int]], int]:
    """Round steps to whole units with the error carried forward.

    Returns [(step index, length in time units, rate in rate units)] and the largest error of cumulative bits, in
    bits. Steps that would get no time are merged into a neighbour; their bits are not lost.
    """
    steps: list[tuple[int, int, int]] = []
    wanted = written = worst = position = start = 0  # bit-ns, bit-ns, bit-ns, time units, ns
    for index, (length, bits_per_s) in enumerate(
        zip(rate.lengths.tolist(), rate.rates.tolist(), strict=True)
    ):
        start += length
        wanted += length * bits_per_s
        units = (2 * start + time_unit) // (2 * time_unit) - position
        if units == 0:
            continue
        span = units * time_unit
        value = max(0, (2 * (wanted - written) + span * rate_unit) // (2 * span * rate_unit))
        steps.append((index, units, value))
        position += units
        written += span * value * rate_unit
        worst = max(worst, abs(wanted - written))
    if steps:  # what a last step without time had to give goes to the one before it
        index, units, value = steps[-1]
        unit = units * time_unit * rate_unit
        steps[-1] = (index, units, max(0, value + (2 * (wanted - written) + unit) // (2 * unit)))
        worst = max(worst, abs(wanted - written + (value - steps[-1][2]) * unit))
    return steps, -(-worst // 10**S_EXPONENT)
