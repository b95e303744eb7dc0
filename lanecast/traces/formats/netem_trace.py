"""netem-trace JSON (the Rust crate netem-trace, used by Rattan): nested type-tagged patterns of bandwidth or delay.

`{"RepeatedBwPatternConfig": {"pattern": [{"StaticBwConfig": {"bw": ..., "duration": ...}}, ...], "count": n}}`;
values in machine form (`{"gbps": 0, "bps": 12000000}`, `{"secs": 1, "nanos": 0}`) or in words ("12Mbps", "1s",
"1s 500ms"). `count` 0 is endless: only as the outermost pattern. `FixedBwConfig` (0.1) equals
`StaticBwConfig`; `TraceBwConfig` lists `[duration, [bw, ...]]`. Random models are refused: generate first. Machine
form is written. One file is one pattern: capacity, or delay.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.errors import TraceError
from lanecast.traces.formats.common import (
    MAX_STEPS,
    Written,
    fields,
    from_durations,
    items,
    list_lines,
    mbit_s,
    milliseconds,
    provenance,
    rate_of,
    refusing,
    scaled,
    seconds,
)
from lanecast.traces.trace import MAX_TIME_NS, NS_PER_S, UNLIMITED_BIT_S, Delay, Rate, Trace

if TYPE_CHECKING:
    from lanecast.traces.reading import Source

NAME = "netem-trace"
_GBIT = 10**9
_REPEATED = {"RepeatedBwPatternConfig": "bw", "RepeatedDelayPatternConfig": "delay"}
_STATIC = {"StaticBwConfig": "bw", "FixedBwConfig": "bw", "StaticDelayConfig": "delay"}
_TRACE = "TraceBwConfig"
_MAX_DEPTH = 32
_TIME_EXPONENTS = {"ns": 0, "nsec": 0, "us": 3, "usec": 3, "ms": 6, "msec": 6, "s": 9, "sec": 9}
_TIME_SECONDS = {"m": 60, "min": 60, "h": 3600, "hr": 3600}
_RATE_EXPONENTS = {"bps": 0, "kbps": 3, "mbps": 6, "gbps": 9}
_WORD = re.compile(r"\s*(\d{1,18}(?:\.\d{1,18})?)\s*([A-Za-z]{1,5})", re.ASCII)
Steps = list[tuple[int, int]]


def load(source: Source) -> Trace:
    """Read a bandwidth or a delay pattern; `count` 0 gives a loop, any other a trace that stops."""
    document = fields(source, source.json(), "the file")
    tag, body = _tagged(source, document, "the file")
    kind = _REPEATED.get(tag) or _STATIC.get(tag) or "bw"
    endless = tag in _REPEATED and fields(source, body, tag, "count")["count"] == 0
    steps = _pattern(source, document, kind, outermost=True)
    starts, end = from_durations(source, [length for length, _ in steps])
    values = np.array([value for _, value in steps], dtype=np.int64)
    mode = "loop" if endless else "stop"
    with refusing(source):
        where = provenance(source, NAME, "schedule" if kind == "bw" else "delay", step=f"{kind}, {mode}")
        if kind == "bw":
            return Trace(Rate(starts, values, end), provenance=where, end=mode)
        return Trace(delay=Delay(starts, values, end), provenance=where, end=mode)


def _tagged(source: Source, value: object, what: str) -> tuple[str, Any]:
    """Return the type tag and body of a one-key object."""
    config = fields(source, value, what)
    if len(config) != 1:
        source.fail(0, f"{what} has {len(config)} keys, expected one type tag")
    tag, body = next(iter(config.items()))
    if tag not in _REPEATED and tag not in _STATIC and tag != _TRACE:
        known = ", ".join([*_REPEATED, *_STATIC, _TRACE])
        source.fail(
            0, f"{what} is a {tag[:60]}: not a fixed pattern ({known}); generate a trace from it first"
        )
    return tag, body


def _pattern(source: Source, value: object, kind: str, *, outermost: bool = False, depth: int = 0) -> Steps:
    """Return (ns, bit/s or ns) of a pattern and those inside it."""
    tag, body = _tagged(source, value, f"pattern at depth {depth}")
    if depth > _MAX_DEPTH:
        source.fail(0, f"patterns nested more than {_MAX_DEPTH} deep")
    if (_REPEATED.get(tag) or _STATIC.get(tag) or "bw") != kind:
        source.fail(0, f"{tag} inside a pattern of {kind}")
    if tag == _TRACE:
        return _compact(source, body)
    if tag in _STATIC:
        static = fields(source, body, tag, kind, "duration")
        value_of = _bandwidth if kind == "bw" else _duration
        return _lasting(_duration(source, static["duration"]), [value_of(source, static[kind])])
    repeated = fields(source, body, tag, "pattern", "count")
    count = scaled(source, 0, repeated["count"], f"{tag}.count", exponent=0, high=MAX_STEPS)
    if count == 0 and not outermost:
        source.fail(0, "an endless pattern (count 0) inside another")
    once: Steps = []
    for item in items(source, repeated["pattern"], f"{tag}.pattern"):
        once += _pattern(source, item, kind, depth=depth + 1)
        if len(once) * max(1, count) > MAX_STEPS:
            source.fail(0, f"more than {MAX_STEPS} steps")
    return once * max(1, count)


def _compact(source: Source, body: object) -> Steps:
    """Return the steps of a TraceBwConfig: each bandwidth of a pair lasts the pair's duration."""
    steps: Steps = []
    pattern = fields(source, body, _TRACE, "pattern")["pattern"] if isinstance(body, dict) else body
    for pair in items(source, pattern, f"{_TRACE}.pattern"):
        length, values = (
            items(source, pair, f"{_TRACE} pair") if isinstance(pair, list) and len(pair) == 2 else (0, 0)
        )
        if not isinstance(values, list):
            source.fail(0, f"{_TRACE} pair is not [duration, [bandwidth, ...]]")
        duration = (
            milliseconds(source, 0, length) if isinstance(length, (int, float)) else _duration(source, length)
        )
        steps += _lasting(duration, [_bandwidth(source, value) for value in values])
        if len(steps) > MAX_STEPS:
            source.fail(0, f"more than {MAX_STEPS} steps")
    return steps


def _lasting(duration: int, values: list[int]) -> Steps:
    """Return steps of one duration; the crate takes a duration of 0 as the end of a model: no step."""
    return [(duration, value) for value in values] if duration else []


def _duration(source: Source, value: object) -> int:
    """Return a duration in ns from {"secs", "nanos"} or words."""
    if isinstance(value, str):
        total = 0
        for number, unit in _words(source, value):
            if unit in _TIME_SECONDS:
                total += seconds(source, 0, number, "duration") * _TIME_SECONDS[unit]
            elif unit in _TIME_EXPONENTS:
                total += scaled(source, 0, number, "duration", exponent=_TIME_EXPONENTS[unit])
            else:
                source.fail(0, f"duration {value[:40]!r} has the unknown unit {unit!r}")
        if total > MAX_TIME_NS:
            source.fail(0, f"duration {value[:40]!r} is longer than {MAX_TIME_NS} ns")
        return total
    parts = fields(source, value, "a duration", "secs", "nanos")
    whole_s = scaled(source, 0, parts["secs"], "secs", exponent=0, high=MAX_TIME_NS // NS_PER_S)
    return whole_s * NS_PER_S + scaled(source, 0, parts["nanos"], "nanos", exponent=0)


def _bandwidth(source: Source, value: object) -> int:
    """Return bit/s from {"gbps", "bps"}, words, or a bare number of Mbit/s (compact form)."""
    if isinstance(value, (int, float)):
        return mbit_s(source, 0, value, "bandwidth")
    if isinstance(value, str):
        total = 0
        for number, unit in _words(source, value):
            if unit.lower() not in _RATE_EXPONENTS:
                source.fail(0, f"bandwidth {value[:40]!r} has the unknown unit {unit!r}")
            exponent = _RATE_EXPONENTS[unit.lower()]
            total += scaled(source, 0, number, "bandwidth", exponent=exponent, high=UNLIMITED_BIT_S)
        return total
    parts = fields(source, value, "a bandwidth", "gbps", "bps")
    giga = scaled(source, 0, parts["gbps"], "gbps", exponent=0, high=UNLIMITED_BIT_S // _GBIT)
    return giga * _GBIT + scaled(source, 0, parts["bps"], "bps", exponent=0, high=_GBIT)


def _words(source: Source, text: str) -> list[tuple[str, str]]:
    """Return (number, unit) of text such as "1s 500ms"."""
    words, position = [], 0
    while match := _WORD.match(text, position):
        words.append((match[1], match[2]))
        position = match.end()
    if not words or text[position:].strip():
        source.fail(0, f"{text[:40]!r} is not a number with a unit")
    return words


def dump(trace: Trace, *, track: str = "") -> Written:
    """Write the capacity or the delay ("bw" or "delay"; by default what there is, capacity first)."""
    track = track or ("delay" if trace.capacity is None else "bw")
    if track == "bw":
        steps = rate_of(trace, NAME)
        outer, inner = "RepeatedBwPatternConfig", "StaticBwConfig"
        values: list[Any] = [{"gbps": v // _GBIT, "bps": v % _GBIT} for v in steps.rates.tolist()]
        lengths = steps.lengths.tolist()
    elif trace.delay is None:
        raise TraceError(trace.name, 0, "no delay track")
    else:
        delay = trace.delay.one_way()
        outer, inner = "RepeatedDelayPatternConfig", "StaticDelayConfig"
        values, lengths = [_machine_time(v) for v in delay.delays.tolist()], delay.lengths.tolist()
    notes = (
        ()
        if trace.end != "hold"
        else ("the format cannot hold the last value: written as a trace that stops",)
    )
    count = 0 if trace.end == "loop" else 1
    objects = (
        {inner: {track: value, "duration": _machine_time(length)}}
        for length, value in zip(lengths, values, strict=True)
    )
    return Written(list_lines(objects, f'{{"{outer}": {{"pattern": [', f'], "count": {count}}}}}'), notes)


def _machine_time(time: int) -> dict[str, int]:
    return {"secs": time // NS_PER_S, "nanos": time % NS_PER_S}
