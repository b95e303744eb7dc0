"""Radio logs with a header line: G-NetTrack (uccmisl/5Gdataset), Lumos5G handovers, Starlink dish status.

G-NetTrack rows may share a second and be unsorted: they are sorted stably and averaged within a second; a second
without rows keeps the one before (assumptions). A missing value is `-`. Zero while an application was idle is no
outage: only download logs measure capacity.
"""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.traces.formats.common import (
    MAX_STEPS,
    Stamps,
    kbit_s,
    label_track,
    median_gap,
    milliseconds,
    provenance,
    refusing,
    scaled,
    seconds,
)
from lanecast.traces.trace import NS_PER_S, UNLIMITED_BIT_S, Delay, Rate, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lanecast.traces.reading import Source

GNETTRACK = "gnettrack"
HANDOVER = "lumos-handover"
DISH = "starlink-dish"
GNETTRACK_START = "Timestamp,Longitude,Latitude"
HANDOVER_START = "time,avg_power,active interface,handover type"
DISH_START = "timestamp,hardwareVersion"
_MISSING = "-"
_STAMP = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)_(\d\d)\.(\d\d)\.(\d\d)", re.ASCII)
_SECONDS_PER_DAY = 86_400
_LABELS = ("NetworkMode", "CellID")


def rows(source: Source, start: str, *columns: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, {column: text}) of a CSV whose first line begins with `start` and names the columns."""
    names: list[str] = []
    for number, line in source.lines():
        words = line.split(",")
        if number == 1:
            names = words
            if not line.startswith(start):
                source.fail(1, f"the header does not start with {start!r}")
            for column in columns:
                if column not in names:
                    source.fail(1, f"no column {column!r}")
        elif line:
            if len(words) != len(names):
                source.fail(number, f"{len(words)} columns, expected {len(names)}")
            if number > MAX_STEPS:
                source.fail(number, f"more than {MAX_STEPS} rows")
            row = dict(zip(names, words, strict=True))
            yield number, {column: row[column] for column in columns}


def civil_seconds(source: Source, line: int, parts: tuple[int, int, int, int, int, int]) -> int:
    """Return seconds since 1970-01-01 of (year, month, day, hour, minute, second) on the civil calendar."""
    year, month, day, hour, minute, second = parts
    if not (
        year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60
    ):
        source.fail(line, f"{parts} is not a date and time from 1970 on")
    # Days from the civil calendar, year starting in March (H. Hinnant, "chrono-compatible low-level date algorithms")
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    return days * _SECONDS_PER_DAY + hour * 3600 + minute * 60 + second


def load_gnettrack(source: Source, *, column: str = "DL_bitrate") -> Trace:
    """Read a bit rate column (kbit/s), averaged by second, with the radio mode and the cell as labels."""
    if column not in ("DL_bitrate", "UL_bitrate"):
        raise ValueError(f"column is {column!r}, expected DL_bitrate or UL_bitrate")
    stamps, rates, labels, missing = array("q"), array("q"), {name: list[str]() for name in _LABELS}, 0
    for number, row in rows(source, GNETTRACK_START, "Timestamp", column, *_LABELS):
        match = _STAMP.fullmatch(row["Timestamp"])
        if match is None:
            source.fail(number, f"Timestamp is {row['Timestamp'][:40]!r}, expected YYYY.MM.DD_hh.mm.ss")
        if row[column] == _MISSING:
            missing += 1
            continue
        year, month, day, hour, minute, second = map(int, match.groups())
        stamps.append(civil_seconds(source, number, (year, month, day, hour, minute, second)))
        rates.append(kbit_s(source, number, row[column], column))
        for name in _LABELS:
            labels[name].append(row[name])
    if not stamps:
        source.fail(0, f"no row has a {column}")
    return _by_second(source, column, stamps, rates, labels, missing)


def _by_second(
    source: Source,
    column: str,
    stamps: array[int],
    rates: array[int],
    labels: dict[str, list[str]],
    missing: int,
) -> Trace:
    """Return the trace of rows sorted stably by time and averaged within a second."""
    times = np.frombuffer(stamps, dtype=np.int64)
    order = np.argsort(times, kind="stable")
    unique, first, counts = np.unique(times[order], return_index=True, return_counts=True)
    if int(unique[-1] - unique[0]) > MAX_STEPS:
        source.fail(0, f"spans {unique[-1] - unique[0]} s, expected at most {MAX_STEPS}")
    means = np.add.reduceat(np.frombuffer(rates, dtype=np.int64)[order], first) // counts
    starts = (unique - unique[0]) * NS_PER_S
    end = int(starts[-1]) + NS_PER_S
    notes = [
        f"{times.size} rows in {unique.size} seconds",
        f"{int(np.count_nonzero(np.diff(times) < 0))} rows out of order",
        f"{missing} rows without {column}",
        f"{end // NS_PER_S - unique.size} seconds without rows",
    ]
    kind = "offered" if "Download__" in source.name else "achieved"
    with refusing(source):
        tracks = {
            name: label_track(starts, [texts[i] for i in order[first].tolist()], end)
            for name, texts in labels.items()
        }
        where = provenance(source, GNETTRACK, kind, notes, f"{column}, mean a second")
        return Trace(Rate(starts, means, end), labels=tracks, provenance=where)


def load_handover(source: Source) -> Trace:
    """Read the active interface and handover of each second as labels; `unknown` and empty stay as written."""
    stamps, texts = Stamps(source), {"radio": list[str](), "handover": list[str]()}
    for number, row in rows(source, HANDOVER_START, "time", "active interface", "handover type"):
        if stamps.accept(number, seconds(source, number, row["time"])):
            texts["radio"].append(row["active interface"])
            texts["handover"].append(row["handover type"])
    starts = stamps.starts()
    end = int(starts[-1]) + median_gap(starts)
    with refusing(source):
        labels = {name: label_track(starts, values, end) for name, values in texts.items()}
        return Trace(labels=labels, provenance=provenance(source, HANDOVER, "labels", stamps.notes()))


def load_dish(source: Source) -> Trace:
    """Read a Starlink dish's status: achieved downlink rate and the round trip to the point of presence.

    The stamps are of polls, about 1 s apart; rates are what the dish carried then, not what it could.
    """
    stamps, rates, delays = Stamps(source), array("q"), array("q")
    names = ("timestamp", "popPingLatencyMs", "downlinkThroughputBps")
    for number, row in rows(source, DISH_START, *names):
        if stamps.accept(number, seconds(source, number, row["timestamp"])):
            rate: Any = row["downlinkThroughputBps"]
            rates.append(scaled(source, number, rate, "rate", exponent=0, high=UNLIMITED_BIT_S))
            delays.append(milliseconds(source, number, row["popPingLatencyMs"], "delay"))
    starts = stamps.starts()
    end = int(starts[-1]) + median_gap(starts)
    with refusing(source):
        capacity = Rate(starts, np.frombuffer(rates, dtype=np.int64), end)
        delay = Delay(starts, np.frombuffer(delays, dtype=np.int64), end, "round-trip")
        where = provenance(source, DISH, "achieved", stamps.notes(), "downlink")
        return Trace(capacity, delay, provenance=where)
