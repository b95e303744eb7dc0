"""JSON formats of steps: Sabre, AlphaRTC (OpenNetLab gym) and Genet's links distilled from Pantheon.

All are exact both ways: a value that is not whole in the format's unit is written as a decimal.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.traces.formats.common import (
    KBIT_EXPONENT,
    MS_EXPONENT,
    Stamps,
    Written,
    all_starts,
    carried,
    fields,
    from_durations,
    items,
    json_decimal,
    kbit_s,
    list_lines,
    mbit_s,
    median_gap,
    milliseconds,
    probability,
    rate_of,
    rate_trace,
    seconds,
    step_values,
)
from lanecast.traces.trace import Delay, Loss, Trace

if TYPE_CHECKING:
    from lanecast.traces.reading import Source

SABRE = "sabre"
ALPHARTC = "alphartc"
GENET = "genet"
_MS = 10**MS_EXPONENT
_KBIT = 10**KBIT_EXPONENT


def _positive_ms(source: Source, value: object, what: str) -> int:
    duration = milliseconds(source, 0, value, what)
    if duration == 0:
        source.fail(0, f"{what} is {value!r}, expected > 0")
    return duration


def load_sabre(source: Source, *, delay: bool = False) -> Trace:
    """Read `[{"duration_ms", "bandwidth_kbps", "latency_ms"}, ...]`.

    `latency_ms` is a constant of the converter in the published sets, not measured: it becomes a delay track only
    with `delay=True`.
    """
    durations, rates, latencies = [], [], []
    for i, item in enumerate(items(source, source.json(), "the file")):
        what = f"item {i}"
        step = fields(source, item, what, "duration_ms", "bandwidth_kbps")
        durations.append(_positive_ms(source, step["duration_ms"], f"{what} duration_ms"))
        rates.append(kbit_s(source, 0, step["bandwidth_kbps"], f"{what} bandwidth_kbps"))
        latencies.append(milliseconds(source, 0, step.get("latency_ms", 0), f"{what} latency_ms"))
    starts, end = from_durations(source, durations)
    track = Delay(starts, np.array(latencies, dtype=np.int64), end) if delay else None
    return rate_trace(
        source, SABRE, (starts, rates, end), kind="achieved", step=f"delay={delay}", delay=track
    )


def dump_sabre(trace: Trace, *, integers: bool = False) -> Written:
    """Write Sabre's list, exactly; `integers=True` rounds to whole ms and kbit/s, error carried forward."""
    rate = rate_of(trace, SABRE)
    starts = all_starts(rate, trace.delay)
    rate = rate.with_steps(starts, step_values(rate, starts, 0), rate.end)
    delay = None if trace.delay is None else trace.delay.one_way()
    latencies = [json_decimal(int(v), MS_EXPONENT) for v in step_values(_plain(delay), starts, 0)]
    notes: tuple[str, ...] = ()
    if integers:
        steps, worst = carried(rate, _MS, _KBIT)
        notes = (f"cumulative bits differ by up to {worst}",)
        rows: list[tuple[int | float, int | float, int]] = [(units, value, i) for i, units, value in steps]
    else:
        rows = [
            (json_decimal(length, MS_EXPONENT), json_decimal(value, KBIT_EXPONENT), i)
            for i, (length, value) in enumerate(zip(rate.lengths.tolist(), rate.rates.tolist(), strict=True))
        ]
    objects = (
        {"duration_ms": length, "bandwidth_kbps": value, "latency_ms": latencies[i]}
        for length, value, i in rows
    )
    return Written(list_lines(objects, "[", "]"), notes)


def _plain(delay: Delay | None) -> Delay | None:
    """Return a delay track without its jitter, whose values are plain numbers."""
    return None if delay is None else Delay(delay.starts, delay.delays, delay.end, delay.measured)


def load_alphartc(source: Source, *, direction: str = "uplink") -> Trace:
    """Read one direction of `{"uplink": {"trace_pattern": [{"duration", "capacity", ...}]}}` (ms, kbit/s).

    `loss` (0..1), `rtt` and `jitter` (ms) may be missing. Half of the rtt is this direction's delay, and an rtt of 0
    leaves the delay as it was (assumptions).
    """
    if direction not in ("uplink", "downlink"):
        raise ValueError(f"direction is {direction!r}, expected uplink or downlink")
    whole_file = fields(source, source.json(), "the file")
    way = whole_file.get(direction) or {}
    pattern = fields(source, way, direction).get("trace_pattern")
    durations, rates, losses, jitters = [], [], [], []
    delays: list[int] = []
    for i, item in enumerate(items(source, pattern, f"{direction}.trace_pattern")):
        what = f"{direction}.trace_pattern[{i}]"
        step = fields(source, item, what, "duration", "capacity")
        durations.append(_positive_ms(source, step["duration"], f"{what}.duration"))
        rates.append(kbit_s(source, 0, step["capacity"], f"{what}.capacity"))
        losses.append(probability(source, 0, step.get("loss", 0), f"{what}.loss"))
        rtt = milliseconds(source, 0, step.get("rtt", 0), f"{what}.rtt")
        delays.append(rtt // 2 if rtt or not delays else delays[-1])
        jitters.append(milliseconds(source, 0, step.get("jitter", 0), f"{what}.jitter"))
    starts, end = from_durations(source, durations)
    tracks: dict[str, Any] = {}
    if any(losses):
        tracks["loss"] = Loss(starts, np.array(losses), end)
    if any(delays) or any(jitters):
        jitter = np.array(jitters, dtype=np.int64) if any(jitters) else None
        tracks["delay"] = Delay(starts, np.array(delays, dtype=np.int64), end, "one-way", jitter)
    return rate_trace(source, ALPHARTC, (starts, rates, end), step=f"direction={direction}", **tracks)


def dump_alphartc(trace: Trace, *, direction: str = "uplink") -> Written:
    """Write one direction, exactly; the rtt written is twice the one-way delay."""
    rate = rate_of(trace, ALPHARTC)
    delay = None if trace.delay is None else trace.delay.one_way()
    starts = all_starts(rate, delay, trace.loss)
    jitter = None if delay is None or delay.jitter is None else Delay(delay.starts, delay.jitter, delay.end)
    end = trace.period_ns
    columns = zip(
        np.diff(starts, append=np.int64(end)).tolist(),
        step_values(rate, starts, 0),
        step_values(trace.loss, starts, 0),
        step_values(_plain(delay), starts, 0),
        step_values(jitter, starts, 0),
        strict=True,
    )
    steps = (
        {
            "duration": json_decimal(length, MS_EXPONENT),
            "capacity": json_decimal(value, KBIT_EXPONENT),
            "loss": loss,
            "rtt": json_decimal(2 * one_way, MS_EXPONENT),
            "jitter": json_decimal(spread, MS_EXPONENT),
        }
        for length, value, loss, one_way, spread in columns
    )
    other = "downlink" if direction == "uplink" else "uplink"
    opening = json.dumps({"type": "video", other: {}})[:-1] + f', "{direction}": {{"trace_pattern": ['
    return Written(list_lines(steps, opening, "]}}"))


def load_genet(source: Source) -> Trace:
    """Read Genet's JSON of a Pantheon run: `timestamps` (s), `bandwidths` (Mbit/s), `delays` (ms), `loss`.

    The delay (one value) is taken as one-way; a loss of 0 and the queue length stay notes.
    """
    document = fields(source, source.json(), "the file", "timestamps", "bandwidths")
    times = items(source, document["timestamps"], "timestamps")
    values = items(source, document["bandwidths"], "bandwidths")
    if len(times) != len(values):
        source.fail(0, f"{len(times)} timestamps and {len(values)} bandwidths, expected as many")
    stamps, rates = Stamps(source), []
    for i, (time, value) in enumerate(zip(times, values, strict=True)):
        if stamps.accept(0, seconds(source, 0, time, f"timestamps[{i}]")):
            rates.append(mbit_s(source, 0, value, f"bandwidths[{i}]"))
    starts = stamps.starts()
    end = int(starts[-1]) + median_gap(starts)
    tracks: dict[str, Any] = {}
    delays: Any = document.get("delays")
    if delays:
        delay = milliseconds(source, 0, items(source, delays, "delays")[0], "delays[0]")
        tracks["delay"] = Delay(np.zeros(1, dtype=np.int64), np.array([delay]), end)
    if loss := document.get("loss"):
        tracks["loss"] = Loss(np.zeros(1, dtype=np.int64), np.array([probability(source, 0, loss)]), end)
    notes = [*stamps.notes(), f"queue={document.get('queue')!r}"]
    return rate_trace(source, GENET, (starts, rates, end), notes=notes, **tracks)
