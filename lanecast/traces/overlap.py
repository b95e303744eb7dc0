"""Find traces that repeat one another, within a set or between two: published splits leak.

Four findings, from certain to likely:

- "equal": the same tracks after rebasing, to 1 ms and 1 kbit/s, whatever the format. "same values": the same
  sequence on another clock (shifted stamps, rescaled time).
- "shares values": a run of equal neighbouring values, at any offset: a cut, a shift, an overlap. Windows of
  `WINDOW` values (six of them distinct, to 1 kbit/s or 0.1 ms) propose an offset; the run there must be longer than
  what chance gives for values so coarse: n m c**L < 10**-6, with c the probability that the next values agree when
  the last ones did.
- "same recording": the changes of rate agree at some offset although no value does: a resampled, re-quantised or
  rescaled copy. Rates are replaced by their ranks within the trace before differencing, so that one burst cannot
  decide. A window of 60 changes that agrees proposes offsets; then the whole overlap must agree with a Student's t
  of 10, far beyond chance for independent changes, and clearly better than at neighbouring offsets, since periodic
  recordings agree at many.
- "consecutive": pieces whose clocks continue one another and whose names differ only in a number that counts on:
  one recording cut in time. They share no value but must not be split.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lanecast.traces.statistics import run_lengths
from lanecast.traces.trace import NS_PER_S, Opportunities, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lanecast.traces.trace import Float64s, Int64s

    Float32s = NDArray[np.float32]

WINDOW = 8
"""Neighbouring values of a window (assumption; the usual length in audits of published splits)."""
MIN_DISTINCT = 6
CHANCE = 1e-6
"""False alarms accepted per pair of traces for a run of equal values."""
_SURE = 0.999
"""Agreement is bounded by this: a nearly constant sequence needs a very long run."""
_KBIT = 1000
_DELAY_UNIT = 100_000
_MS = 1_000_000
STEPS_S = (1, 3, 5)
"""Scales of changes, s: copies whose clocks are off by a part of a second agree at the slower ones."""
MINUTE = 60
"""Samples of one comparison of changes: a minute at the fastest scale."""
_SPAN = 2 * MINUTE
"""The same in half steps."""
MIN_CORRELATION = 0.6
MIN_WHOLE = 0.5
MIN_LEAD = 0.25
MIN_T = 10.0
"""Bounds of a finding (assumptions): of 242 pairs found in the FCC set none joins two measurement units."""
_ELSEWHERE = tuple(d for d in range(-40, 41, 2) if abs(d) > 4)
"""Half steps: the offsets that a unique match must beat."""
_MAX_HALF_STEPS = 1 << 18
"""36 hours at the fastest scale (assumption): of longer traces the values are compared, not the changes."""
_BLOCK = 512
_PROPOSALS = 3
"""Offsets of a pair that are looked at in full, those that most minutes agree on first."""
_MIN_CHANGES = MINUTE // 3
_NAME_PIECE = re.compile(r"(.*?)[_-](\d{1,4})(\.[A-Za-z-]+)?", re.ASCII)
_REBASED = re.compile(r"rebased from (\d+) ns", re.ASCII)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two traces that are not independent, and why."""

    first: str
    second: str
    relation: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Print:
    """What is compared of one trace."""

    label: str
    content: str
    values_only: str
    values: Int64s
    agreement: float
    windows: NDArray[np.uint64]
    positions: Int64s
    changes: dict[int, Float64s]
    """By step of `STEPS_S`: changes on a grid of half that step."""
    clock: tuple[int, int]


def label_of(trace: Trace) -> str:
    """Return set/file."""
    where = trace.provenance
    return f"{where.set}/{where.file}" if where.set else trace.name


def fingerprint(trace: Trace) -> Print:
    """Return what is compared of a trace."""
    starts, values = _sequence(trace)
    typical_s = float(np.median(np.diff(starts))) / NS_PER_S if starts.size > 1 else 0.0
    windows, positions = value_windows(values)
    return Print(
        label=label_of(trace),
        content=_digest(starts // _MS, values, np.array([trace.period_ns // _MS])),
        values_only=_digest(values),
        values=values,
        agreement=agreement(values),
        windows=windows,
        positions=positions,
        changes={step: rank_changes(_on_grid(trace, step)) for step in STEPS_S if typical_s < 1.5 * step},
        clock=_clock(trace),
    )


def _sequence(trace: Trace) -> tuple[Int64s, Int64s]:
    """Return (start ns, value) of the main track: kbit/s, ms of an opportunity's gap, or 0.1 ms of delay."""
    capacity = trace.capacity
    if isinstance(capacity, Opportunities):
        return capacity.times, np.diff(capacity.times, prepend=0) // _MS
    if capacity is not None:
        return capacity.starts, (capacity.rates + _KBIT // 2) // _KBIT
    if trace.delay is not None:
        return trace.delay.starts, (trace.delay.delays + _DELAY_UNIT // 2) // _DELAY_UNIT
    return np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)


def _digest(*arrays: Int64s) -> str:
    return hashlib.sha256(b"|".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def _clock(trace: Trace) -> tuple[int, int]:
    """Return (first, end) of the recording's own clock, ns; zeros when it began at 0."""
    for note in trace.provenance.notes:
        if match := _REBASED.fullmatch(note):
            return int(match[1]), int(match[1]) + trace.period_ns
    return 0, trace.period_ns


def agreement(values: Int64s) -> float:
    """Return the chance that two places of a sequence agree in the next value when they agree in the last."""
    if values.size < 2:
        return 1.0
    _, singles = np.unique(values[:-1], return_counts=True)
    _, pairs = np.unique(np.stack([values[:-1], values[1:]]), axis=1, return_counts=True)
    same, both = (
        int((counts * (counts - 1)).sum()) for counts in (singles, pairs)
    )  # a place is no copy of itself
    return max(both / same if same else 0.0, 1 / values.size)


def chance_run(one: Print, other: Print) -> float:
    """Return the length of a run of equal values that chance exceeds with probability `CHANCE`."""
    agree = min(max(one.agreement, other.agreement), _SURE)
    return math.log(one.values.size * other.values.size / CHANCE) / -math.log(agree)


def longest_run(one: Int64s, other: Int64s, shift: int) -> int:
    """Return the longest run of i with one[i] == other[i + shift]."""
    first, last = max(0, -shift), min(one.size, other.size - shift)
    equal = one[first:last] == other[first + shift : last + shift]
    lengths = run_lengths(equal)
    return int(lengths.max()) if lengths.size else 0


def value_windows(values: Int64s) -> tuple[NDArray[np.uint64], Int64s]:
    """Return hashes of all windows with enough distinct values, and their positions."""
    if values.size < WINDOW:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(values, WINDOW)
    distinct = 1 + np.count_nonzero(np.diff(np.sort(windows, axis=1), axis=1), axis=1)
    positions = np.flatnonzero(distinct >= MIN_DISTINCT)
    # A polynomial over 2**64 with an odd multiplier (Knuth, TAOCP 3.3.4: MMIX's) tells windows apart.
    powers = np.cumprod(np.full(WINDOW, 6_364_136_223_846_793_005, dtype=np.uint64))
    hashes = (windows[positions].astype(np.uint64) * powers).sum(axis=1, dtype=np.uint64)
    return hashes, positions


def _on_grid(trace: Trace, step_s: int) -> Float64s:
    """Return the main track on a half-step grid of overlapping steps, so that two grids meet within a quarter."""
    half = step_s * NS_PER_S // 2
    if trace.period_ns // half > _MAX_HALF_STEPS:
        return np.zeros(0)
    if trace.capacity is not None:
        halves = trace.binned_rates(half)
    elif trace.delay is not None:
        ticks = np.arange(0, trace.delay.end, half, dtype=np.int64)
        at = np.searchsorted(trace.delay.starts, ticks, side="right") - 1
        halves = trace.delay.delays[at].astype(np.float64)
    else:
        return np.zeros(0)
    return (halves[1:] + halves[:-1]) / 2


def rank_changes(values: Float64s) -> Float64s:
    """Return the changes over one whole step (two half steps) of values replaced by their mid-ranks in 0..1."""
    if values.size < 3:
        return np.zeros(0)
    ordered = np.sort(values)
    ranks = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    scaled = ranks / (2.0 * values.size)
    return np.asarray(scaled[2:] - scaled[:-2], dtype=np.float64)


def find_overlaps(first: Sequence[Trace], second: Sequence[Trace] | None = None) -> list[Overlap]:
    """Return the pairs that are not independent: between two sets, or within one when `second` is None."""
    ours = [fingerprint(trace) for trace in first]
    theirs = ours if second is None else [fingerprint(trace) for trace in second]
    found: dict[tuple[int, int], tuple[str, str]] = {}
    for i, j, relation, evidence in _all_findings(ours, theirs):
        if second is None and i >= j:
            continue
        found.setdefault((i, j), (relation, evidence))
    return [
        Overlap(ours[i].label, theirs[j].label, relation, evidence)
        for (i, j), (relation, evidence) in sorted(found.items())
    ]


def _all_findings(ours: Sequence[Print], theirs: Sequence[Print]) -> Iterator[tuple[int, int, str, str]]:
    """Yield findings of all kinds, the strongest kind first."""
    yield from _equal(ours, theirs)
    yield from _shared_windows(ours, theirs)
    yield from _consecutive(ours, theirs)
    for step in STEPS_S:
        yield from _same_changes(ours, theirs, step)


def _equal(ours: Sequence[Print], theirs: Sequence[Print]) -> Iterator[tuple[int, int, str, str]]:
    for attribute, relation in (("content", "equal"), ("values_only", "same values")):
        index: dict[str, list[int]] = defaultdict(list)
        for j, other in enumerate(theirs):
            index[getattr(other, attribute)].append(j)
        for i, one in enumerate(ours):
            if one.windows.size or attribute == "content":  # a constant sequence alone proves nothing
                for j in index[getattr(one, attribute)]:
                    yield (
                        i,
                        j,
                        relation,
                        f"sha256 {getattr(one, attribute)[:16]} of the normalised {attribute}",
                    )


def _shared_windows(ours: Sequence[Print], theirs: Sequence[Print]) -> Iterator[tuple[int, int, str, str]]:
    owner = np.concatenate(
        [np.full(p.windows.size, j) for j, p in enumerate(theirs)] or [np.zeros(0, dtype=int)]
    )
    hashes = np.concatenate([p.windows for p in theirs] or [np.zeros(0, dtype=np.uint64)])
    places = np.concatenate([p.positions for p in theirs] or [np.zeros(0, dtype=np.int64)])
    order = np.argsort(hashes, kind="stable")
    hashes, owner, places = hashes[order], owner[order], places[order]
    for i, one in enumerate(ours):
        low = np.searchsorted(hashes, one.windows, "left")
        high = np.searchsorted(hashes, one.windows, "right")
        shifts: dict[int, Counter[int]] = defaultdict(Counter)
        for at in np.flatnonzero(high > low).tolist():
            for k in range(low[at], high[at]):
                shifts[int(owner[k])][int(places[k] - one.positions[at])] += 1
        for j, counts in shifts.items():
            shift = counts.most_common(1)[0][0]
            run = longest_run(one.values, theirs[j].values, shift)
            if run > chance_run(one, theirs[j]):
                share = run / one.values.size
                yield (
                    i,
                    j,
                    "shares values",
                    f"{run} equal values in a row ({share:.0%}), {shift:+d} values apart",
                )


def _consecutive(ours: Sequence[Print], theirs: Sequence[Print]) -> Iterator[tuple[int, int, str, str]]:
    pieces: dict[tuple[str, int], list[int]] = defaultdict(list)
    for j, other in enumerate(theirs):
        if match := _NAME_PIECE.fullmatch(other.label):
            pieces[match[1] + (match[3] or ""), int(match[2])].append(j)
    for i, one in enumerate(ours):
        match = _NAME_PIECE.fullmatch(one.label)
        for step in (-1, 1) if match else ():
            assert match is not None, "no steps without a match"
            for j in pieces[match[1] + (match[3] or ""), int(match[2]) + step]:
                ends, begins = (one, theirs[j]) if step > 0 else (theirs[j], one)
                gap = begins.clock[0] - ends.clock[1]
                if begins.clock[0] and abs(gap) <= 1.5 * (one.clock[1] - one.clock[0]) / one.values.size:
                    yield (
                        i,
                        j,
                        "consecutive",
                        f"the clock continues after {gap / NS_PER_S:.3f} s, and the names count on",
                    )


def _same_changes(
    ours: Sequence[Print], theirs: Sequence[Print], step: int
) -> Iterator[tuple[int, int, str, str]]:
    nothing = np.zeros(0)
    mine = [one.changes.get(step, nothing) for one in ours]
    others = [other.changes.get(step, nothing) for other in theirs]
    minutes = [_minutes(changes) for changes in mine]
    owner = np.concatenate([np.full(begins.size, i) for i, (_, begins) in enumerate(minutes)])
    unit, begins = np.concatenate([m[0] for m in minutes]), np.concatenate([m[1] for m in minutes])
    for j, other in enumerate(theirs):
        best: dict[int, tuple[float, str]] = {}
        for i, offset in _candidates(unit, begins, owner, others[j]):
            one = ours[i]
            if one is other:
                continue
            correlation, samples = offset_correlation(mine[i], others[j], offset)
            if correlation < MIN_WHOLE or student_t(correlation, samples) < MIN_T:
                continue
            near = [offset_correlation(mine[i], others[j], offset + d)[0] for d in _ELSEWHERE]
            if correlation - max(near) >= MIN_LEAD:
                told = f"r {correlation:.2f} over {samples} changes of {step} s, {offset * step / 2:+.1f} s apart"
                best[i] = max(best.get(i, (0.0, "")), (correlation, told))
        for i, (_, told) in best.items():
            yield i, j, "same recording", told


def student_t(correlation: float, samples: int) -> float:
    """Return Student's t of a correlation; independent samples rarely pass 5."""
    return correlation * math.sqrt(max(0, samples - 2) / max(1e-12, 1 - correlation**2))


def _candidates(unit: Float32s, begins: Int64s, owner: Int64s, other: Float64s) -> Iterator[tuple[int, int]]:
    """Yield (trace, offset in half steps) where some minute of a trace agrees with the other: its best offset."""
    if other.size < _SPAN:
        return
    slid, live = _unit(np.lib.stride_tricks.sliding_window_view(other, _SPAN)[:, ::2])
    offsets: dict[int, Counter[int]] = defaultdict(Counter)
    for low in range(0, begins.size, _BLOCK):
        correlation = np.where(live[:, None], slid @ unit[low : low + _BLOCK].T, 0)
        for place, column in np.argwhere(correlation >= MIN_CORRELATION).tolist():
            offsets[int(owner[low + column])][place - int(begins[low + column])] += 1
    for i, counts in sorted(offsets.items()):
        for offset, _ in counts.most_common(_PROPOSALS):
            yield i, offset


def offset_correlation(one: Float64s, other: Float64s, offset: int) -> tuple[float, int]:
    """Return (correlation of one[k] with other[k + offset], changes compared); 0 below one minute.

    Steps without a change in either (plateaus of a recording finer than its source) are no evidence.
    """
    first, last = max(0, -offset), min(one.size, other.size - offset)
    a, b = one[first:last:2], other[first + offset : last + offset : 2]
    if last - first < _SPAN or not a.std() or not b.std():
        return 0.0, 0
    changes = min(np.count_nonzero(a), np.count_nonzero(b))
    return float(np.corrcoef(a, b)[0, 1]), int(changes)


def _minutes(changes: Float64s) -> tuple[Float32s, Int64s]:
    """Return disjoint windows of `MINUTE` whole steps, centred and scaled to length 1, that change often enough."""
    begins = np.arange(0, changes.size - _SPAN + 1, _SPAN, dtype=np.int64)
    if not begins.size:
        return np.zeros((0, MINUTE), dtype=np.float32), begins
    windows = np.stack([changes[b : b + _SPAN : 2] for b in begins.tolist()])
    unit, live = _unit(windows)
    return unit[live], begins[live]


def _unit(windows: Float64s) -> tuple[Float32s, NDArray[np.bool_]]:
    """Return windows centred and scaled to length 1, and which of them change often enough to compare."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    live = (np.count_nonzero(windows, axis=1) >= _MIN_CHANGES) & (length[:, 0] > 0)
    return (centred / np.where(length > 0, length, 1)).astype(np.float32), live
