"""Delay measurements, a sample a packet: IRTT (text extract and JSON), `ping -D`, flent.

All become a round-trip delay track, whose samples hold until the next, and a loss track of 0 and 1. A lost packet
keeps the delay before it. IRTT's two clocks are not synchronised, so its one-way values carry an unknown offset and
only the round trip is used. The last sample lasts the median gap (assumption).
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.traces.formats.common import (
    INT64_MAX,
    MAX_STEPS,
    Stamps,
    fields,
    items,
    median_gap,
    milliseconds,
    provenance,
    refusing,
    seconds,
    whole,
)
from lanecast.traces.trace import MAX_TIME_NS, Delay, Loss, Trace

if TYPE_CHECKING:
    from lanecast.traces.reading import Source

IRTT = "irtt"
IRTT_JSON = "irtt-json"
PING = "ping"
FLENT = "flent"
_LOST = {"false": False, "true": True, "true_up": True, "true_down": True}
_IRTT_COLUMNS = 7
_PING_LINE = re.compile(
    r"\[(\d{1,10}(?:\.\d{1,9})?)\] \d+ bytes from .+: icmp_seq=(\d{1,5}) ttl=\d+ time=(\d{1,9}(?:\.\d{1,9})?) ms"
    r"(?: \(DUP!\))?",
    re.ASCII,
)
_PING_HEAD = "PING "
_SEQUENCES = 1 << 16
"""icmp_seq is 16 bits wide (RFC 792)."""
_DEFAULT_SERIES = "Ping (ms) ICMP"


@dataclass(slots=True)
class Samples:
    """Round trips as they are read: (time, rtt), or (time, lost)."""

    source: Source
    stamps: Stamps = field(init=False)
    delays: array[int] = field(default_factory=lambda: array("q"))
    lost: array[int] = field(default_factory=lambda: array("b"))

    def __post_init__(self) -> None:
        self.stamps = Stamps(self.source)

    def add(self, line: int, time: int, rtt: int | None) -> None:
        """Take one packet; `rtt` (ns) is None for a lost one."""
        if self.stamps.accept(line, time):
            self.lost.append(rtt is None)
            self.delays.append(-1 if rtt is None else rtt)

    def trace(self, format_name: str, step: str, notes: list[str]) -> Trace:
        """Return the trace; a file where every packet was lost is refused."""
        starts = self.stamps.starts()
        end = int(starts[-1]) + median_gap(starts)
        lost = np.frombuffer(self.lost, dtype=np.int8) != 0
        seen = np.flatnonzero(~lost)
        if seen.size == 0:
            self.source.fail(0, "every packet was lost: no delay")
        before = np.maximum(np.searchsorted(seen, np.arange(lost.size), side="right") - 1, 0)
        delays = np.frombuffer(self.delays, dtype=np.int64)[seen[before]]
        notes = [*self.stamps.notes(), f"{int(lost.sum())} of {lost.size} packets lost", *notes]
        with refusing(self.source):
            return Trace(
                delay=Delay(starts, delays, end, "round-trip"),
                loss=Loss(starts, lost.astype(np.float64), end) if lost.any() else None,
                provenance=provenance(self.source, format_name, "delay", notes, step),
            )


def load_irtt(source: Source) -> Trace:
    """Read `seq send_wall_ns rtt_ns send_delay_ns receive_delay_ns ipdv_rtt_ns lost`, after a `#` line."""
    samples = Samples(source)
    for number, line in source.lines():
        if line.startswith("#"):
            continue
        words = line.split(" ")
        if len(words) != _IRTT_COLUMNS or words[-1] not in _LOST:
            source.fail(
                number, f"expected {_IRTT_COLUMNS} columns ending in {' | '.join(_LOST)}, got {line[:60]!r}"
            )
        time = whole(source, number, words[1], "send_wall_ns", high=INT64_MAX)
        rtt = None if _LOST[words[-1]] else whole(source, number, words[2], "rtt_ns")
        samples.add(number, time, rtt)
    return samples.trace(IRTT, "round trip", [])


def load_irtt_json(source: Source) -> Trace:
    """Read IRTT's own JSON: round_trips[] with delay.rtt, lost, and the client's monotonic send time (ns)."""
    document = fields(source, source.json(), "the file", "round_trips")
    samples = Samples(source)
    for i, item in enumerate(items(source, document["round_trips"], "round_trips")):
        what = f"round_trips[{i}]"
        trip = fields(source, item, what, "lost", "timestamps")
        if trip["lost"] not in _LOST:
            source.fail(0, f"{what}.lost is {trip['lost']!r}, expected {' | '.join(_LOST)}")
        client = fields(source, fields(source, trip["timestamps"], what, "client")["client"], what, "send")
        send = fields(source, client["send"], f"{what}.send", "monotonic")
        time = _json_ns(source, send["monotonic"], f"{what}.monotonic", INT64_MAX)
        rtt = None
        if not _LOST[trip["lost"]]:
            delay = fields(source, trip.get("delay"), f"{what}.delay", "rtt")
            rtt = _json_ns(source, delay["rtt"], f"{what}.rtt", MAX_TIME_NS)
        samples.add(0, time, rtt)
    return samples.trace(IRTT_JSON, "round trip", [])


def _json_ns(source: Source, value: Any, what: str, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= high:
        source.fail(0, f"{what} is {value!r}, expected whole ns in 0..{high}")
    return value


def load_ping(source: Source) -> Trace:
    """Read `ping -D`: a missing icmp_seq is a lost packet, placed evenly between its neighbours.

    Summary and blank lines are passed over; replies that came twice or late (a sequence number already passed) are
    counted and dropped; numbers wrap at 65,535.
    """
    samples, last, late, previous = Samples(source), -1, 0, 0
    for number, line in source.lines():
        if not line.startswith("["):
            if (
                number > 1
                and not line.startswith(("---", "rtt ", "round-trip "))
                and line
                and "packets" not in line
            ):
                source.fail(number, f"not a line of ping -D: {line[:60]!r}")
            if number == 1 and not line.startswith(_PING_HEAD):
                source.fail(1, f"expected {_PING_HEAD!r}, got {line[:60]!r}")
            continue
        match = _PING_LINE.fullmatch(line)
        if match is None:
            source.fail(number, f"not a reply of ping -D: {line[:60]!r}")
        time = seconds(source, number, match[1])
        rtt = milliseconds(source, number, match[3], "time")
        step = (int(match[2]) - last) % _SEQUENCES if last >= 0 else 1
        if step == 0 or step > _SEQUENCES // 2:
            late += 1
            continue
        if len(samples.delays) + step > MAX_STEPS:
            source.fail(number, f"more than {MAX_STEPS} steps")
        for missing in range(1, step):
            samples.add(number, previous + (time - previous) * missing // step, None)
        samples.add(number, time, rtt)
        last, previous = int(match[2]), time
    return samples.trace(PING, "round trip; stamps are of the reply", [f"{late} late or doubled replies"])


def load_flent(source: Source, *, series: str = "") -> Trace:
    """Read one ping series (ms) of a flent result; by default the ICMP one, or the only series in ms."""
    document = fields(source, source.json(), "the file", "x_values", "results", "metadata")
    results = fields(source, document["results"], "results")
    meta = fields(source, document["metadata"], "metadata").get("SERIES_META") or {}
    in_ms = [name for name in results if isinstance(meta.get(name), dict) and meta[name].get("UNITS") == "ms"]
    chosen = series or (_DEFAULT_SERIES if _DEFAULT_SERIES in results else (in_ms or [""])[0])
    if chosen not in results:
        source.fail(0, f"no series {chosen!r} in ms; it has {', '.join(map(str, results))[:200]}")
    times = items(source, document["x_values"], "x_values")
    values = items(source, results[chosen], chosen)
    if len(times) != len(values):
        source.fail(0, f"{len(times)} x_values and {len(values)} values of {chosen}, expected as many")
    samples, missing = Samples(source), 0
    for i, (time, value) in enumerate(zip(times, values, strict=True)):
        if value is None:
            missing += 1
        else:
            rtt = milliseconds(source, 0, value, f"{chosen}[{i}]")
            samples.add(0, seconds(source, 0, time, f"x_values[{i}]"), rtt)
    return samples.trace(FLENT, f"series {chosen}", [f"{missing} missing values"])
