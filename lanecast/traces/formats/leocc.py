"""LeoCC pair: a mahimahi file of opportunities and a file of one-way delays, whole ms for every 10 ms.

Both tracks loop on the opportunities' period; the delay holds its last value when it is shorter, and is cut when it
is longer (assumption). A delay file alone is a trace with a delay track.
"""

from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lanecast.errors import TraceError
from lanecast.traces.formats import mahimahi
from lanecast.traces.formats.common import MAX_STEPS, Written, provenance, refusing, whole
from lanecast.traces.reading import open_source
from lanecast.traces.trace import MAX_TIME_NS, Delay, Trace

if TYPE_CHECKING:
    from lanecast.traces.reading import Source

NAME = "leocc"
DELAY_NAME = "leocc-delay"
_MS = 1_000_000
_STEP_NS = 10 * _MS
"""One delay line covers 10 ms (LeoReplayer)."""
_BANDWIDTH, _DELAY = "bw_", "delay_"


def load_delay(source: Source) -> Trace:
    """Read whole ms, one line for every 10 ms, as a one-way delay track."""
    delays = array("q")
    for number, line in source.lines():
        if len(delays) >= MAX_STEPS:
            source.fail(number, f"more than {MAX_STEPS} steps")
        delays.append(_MS * whole(source, number, line, "delay (ms)", high=MAX_TIME_NS // _MS))
    if not delays:
        source.fail(0, "no values")
    starts = _STEP_NS * np.arange(len(delays), dtype=np.int64)
    with refusing(source):
        track = Delay(starts, np.frombuffer(delays, dtype=np.int64), _STEP_NS * len(delays))
        return Trace(delay=track, provenance=provenance(source, DELAY_NAME, "delay"))


def load(source: Source, *, delay: str = "", spacing: str = "burst") -> Trace:
    """Read a `bw_*` file with its delays: from the file `delay`, or the one beside it named by `delay_path`."""
    bandwidth = mahimahi.load(source, spacing=spacing)
    path = Path(delay) if delay else delay_path(Path(source.name))
    if path is None:
        source.fail(0, "no delay file beside it; name one, or read it as mahimahi")
    with open_source(path, source.limits) as other:
        delays = load_delay(other)
    track = delays.delay
    assert track is not None, "a delay file gives a delay track"
    both = f"read {NAME} (spacing={spacing}), delay from {path.name} sha256={delays.provenance.sha256}"
    where = replace(bandwidth.provenance, format=NAME, chain=(both,))
    return replace(bandwidth, delay=track.until(bandwidth.period_ns), provenance=where)


def delay_path(bandwidth: Path) -> Path | None:
    """Return the existing delay file of a `bw_X.txt[.gz]`: `delay_X.txt[.gz]` or `X_delay.txt[.gz]`."""
    if not bandwidth.name.startswith(_BANDWIDTH):
        return None
    stem = bandwidth.name.removesuffix(".gz").removeprefix(_BANDWIDTH)
    head, dot, suffix = stem.rpartition(".")
    names = (_DELAY + stem, f"{head}_delay.{suffix}" if dot else f"{stem}_delay")
    candidates = [bandwidth.with_name(name + ending) for name in names for ending in ("", ".gz")]
    return next((path for path in candidates if path.is_file()), None)


def companion(path: Path) -> Path:
    """Return where the delay file of a bandwidth file belongs."""
    if not path.name.startswith(_BANDWIDTH):
        raise TraceError(str(path), 0, f"the bandwidth file of a pair must be named {_BANDWIDTH}*")
    return path.with_name(_DELAY + path.name.removeprefix(_BANDWIDTH))


def dump_bandwidth(trace: Trace, *, header: bool = False) -> Written:
    """Write the opportunities of a pair; its delays go to the companion file."""
    return mahimahi.dump(trace, header=header)


def dump_delay(trace: Trace) -> Written:
    """Write the one-way delay in force at each 10 ms, rounded half up to whole ms; the largest error is reported."""
    if trace.delay is None:
        raise TraceError(trace.name, 0, "no delay track")
    delay = trace.delay.one_way()
    if delay.end // _STEP_NS > MAX_STEPS:
        raise TraceError(trace.name, 0, f"lasts {delay.end} ns, expected at most {MAX_STEPS} lines of 10 ms")
    ticks = np.arange(-(-delay.end // _STEP_NS), dtype=np.int64) * _STEP_NS
    values = delay.delays[np.searchsorted(delay.starts, ticks, side="right") - 1]
    rounded = (2 * values + _MS) // (2 * _MS)
    worst = int(np.abs(rounded * _MS - values).max())
    return Written(map(str, rounded.tolist()), (f"delays differ by up to {worst} ns", "sampled every 10 ms"))
