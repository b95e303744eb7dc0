"""TheaterQ CSV (cs7org/TheaterQ): one line a step, in the simple and the extended form.

Simple: `KEEP,LATENCY,RATE,LOSS,LIMIT`; extended:
`KEEP,LATENCY,JITTER,RATE,LOSS,LIMIT,DUP_PROB,DUP_DELAY,ROUTE_ID,QUEUE_ID`. KEEP is in us and not 0; LATENCY, JITTER
and DUP_DELAY in ns; RATE in bit/s, -1 for no limit; LOSS and DUP_PROB are u32 with 2**32 - 1 = 100 %; LIMIT counts
packets or bytes. Lines that start with no digit are ignored. Duplication, route and queue are kept as labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.errors import TraceError
from lanecast.traces.formats.common import (
    MAX_STEPS,
    Written,
    all_starts,
    carried,
    from_durations,
    label_track,
    provenance,
    refusing,
    step_values,
    whole,
)
from lanecast.traces.trace import MAX_TIME_NS, UNLIMITED_BIT_S, Delay, Int64s, Limit, Loss, Rate, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lanecast.traces.reading import Source

NAME = "theaterq"
SIMPLE = ("KEEP", "LATENCY", "RATE", "LOSS", "LIMIT")
EXTENDED = (
    "KEEP", "LATENCY", "JITTER", "RATE", "LOSS", "LIMIT", "DUP_PROB", "DUP_DELAY", "ROUTE_ID", "QUEUE_ID",
)  # fmt: skip
PLAYBACK = {"LOOP": "loop", "HOLD": "hold", "CLEAR": "stop"}
_KEPT_AS_LABELS = ("DUP_PROB", "DUP_DELAY", "ROUTE_ID", "QUEUE_ID")
_US = 1000
_CERTAIN = 2**32 - 1
_UNLIMITED = "-1"
_LOW = {"KEEP": 1, "RATE": -1}
_HIGH = {
    "KEEP": MAX_TIME_NS // _US, "RATE": UNLIMITED_BIT_S, "LOSS": _CERTAIN, "LIMIT": _CERTAIN, "DUP_PROB": _CERTAIN,
}  # fmt: skip
DEFAULT_LIMIT = 1000
"""Packets, where the trace has no limit track: netem's default (tc-netem(8))."""


def load(source: Source, *, playback: str = "LOOP", limit_unit: str = "packets") -> Trace:
    """Read the simple or the extended form, told apart by the number of columns."""
    if playback not in PLAYBACK:
        raise ValueError(f"playback is {playback!r}, expected one of {', '.join(PLAYBACK)}")
    columns: dict[str, list[int]] = {}
    names: tuple[str, ...] = ()
    for number, line in source.lines():
        if not line[:1].isascii() or not line[:1].isdigit():
            continue
        words = line.split(",")
        names = names or (EXTENDED if len(words) == len(EXTENDED) else SIMPLE)
        columns = columns or {name: [] for name in names}
        if len(words) != len(names):
            source.fail(number, f"{len(words)} columns, expected {len(names)}: {','.join(names)}")
        if len(columns["KEEP"]) >= MAX_STEPS:
            source.fail(number, f"more than {MAX_STEPS} steps")
        for name, word in zip(names, words, strict=True):
            high = _HIGH.get(name, MAX_TIME_NS)
            columns[name].append(whole(source, number, word.strip(), name, low=_LOW.get(name, 0), high=high))
    if not columns:
        source.fail(0, "no line starts with a digit")
    starts, end = from_durations(source, [keep * _US for keep in columns["KEEP"]])
    with refusing(source):
        where = provenance(source, NAME, "schedule", step=f"playback={playback}, limit in {limit_unit}")
        tracks = _tracks(columns, starts, end, limit_unit)
        return Trace(**tracks, provenance=where, end=PLAYBACK[playback])


def _tracks(columns: dict[str, list[int]], starts: Int64s, end: int, limit_unit: str) -> dict[str, Any]:
    """Return the tracks; columns that say nothing (no limit, no delay, no loss) give none."""
    tracks: dict[str, Any] = {"limit": Limit(starts, np.array(columns["LIMIT"]), end, limit_unit)}
    rates = np.array(columns["RATE"], dtype=np.int64)
    if (rates >= 0).any():
        tracks["capacity"] = Rate(starts, np.where(rates < 0, UNLIMITED_BIT_S, rates), end)
    jitter = columns.get("JITTER", [])
    if any(columns["LATENCY"]) or any(jitter):
        spread = np.array(jitter, dtype=np.int64) if any(jitter) else None
        tracks["delay"] = Delay(starts, np.array(columns["LATENCY"]), end, "one-way", spread)
    if any(columns["LOSS"]):
        tracks["loss"] = Loss(starts, np.array(columns["LOSS"], dtype=np.float64) / _CERTAIN, end)
    kept = {name: columns[name] for name in _KEPT_AS_LABELS if any(columns.get(name, []))}
    tracks["labels"] = {
        name: label_track(starts, [str(v) for v in values], end) for name, values in kept.items()
    }
    return tracks


def dump(trace: Trace, *, extended: bool | None = None) -> Written:
    """Write the simple form, or the extended one where the trace needs it (`extended=None`).

    Times are rounded to whole us with the error of cumulative bits carried forward into the rate.
    """
    delay = None if trace.delay is None else trace.delay.one_way()
    labels = {name: trace.labels[name] for name in _KEPT_AS_LABELS if name in trace.labels}
    needs = bool(labels) or (delay is not None and delay.jitter is not None)
    if extended is False and needs:
        raise TraceError(trace.name, 0, "the trace has jitter or labels, which need the extended form")
    capacity = trace.capacity
    if capacity is not None and not isinstance(capacity, Rate):
        raise TraceError(trace.name, 0, f"{NAME} holds rates: choose a bin and use to_rate first")
    starts = all_starts(capacity, delay, trace.loss, trace.limit, *labels.values())
    steps, worst = _steps(trace, capacity, starts)
    jitter = None if delay is None or delay.jitter is None else Delay(delay.starts, delay.jitter, delay.end)
    plain = None if delay is None else Delay(delay.starts, delay.delays, delay.end)
    columns: dict[str, list[Any]] = {
        "LATENCY": step_values(plain, starts, 0),
        "JITTER": step_values(jitter, starts, 0),
        "LOSS": [round(p * _CERTAIN) for p in step_values(trace.loss, starts, 0.0)],
        "LIMIT": step_values(trace.limit, starts, DEFAULT_LIMIT),
        **{name: step_values(labels.get(name), starts, "0") for name in _KEPT_AS_LABELS},
    }
    names = EXTENDED if extended or needs else SIMPLE
    notes = (f"cumulative bits differ by up to {worst}",) if worst else ()
    return Written(_lines(names, columns, steps), notes)


def _steps(trace: Trace, capacity: Rate | None, starts: Int64s) -> tuple[list[tuple[int, int, str]], int]:
    """Return (row, KEEP in us, RATE) and the largest error in bits; no limit is written as -1."""
    end = trace.period_ns
    rates = step_values(capacity, starts, UNLIMITED_BIT_S)
    bounded = [0 if rate == UNLIMITED_BIT_S else rate for rate in rates]
    steps, worst = carried(Rate(starts, np.array(bounded, dtype=np.int64), end), _US, 1)
    unlimited = [rate == UNLIMITED_BIT_S for rate in rates]
    return [(i, keep, _UNLIMITED if unlimited[i] else str(rate)) for i, keep, rate in steps], worst


def _lines(
    names: tuple[str, ...], columns: dict[str, list[Any]], steps: list[tuple[int, int, str]]
) -> Iterator[str]:
    yield ",".join(names)
    for row, keep, rate in steps:
        known = {"KEEP": keep, "RATE": rate}
        yield ",".join(str(known[name] if name in known else columns[name][row]) for name in names)
