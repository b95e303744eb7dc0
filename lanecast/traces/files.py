"""Loading and writing trace files of any format, by name or by recognition.

Writing is atomic: a file appears complete or not at all. A name that ends in `.gz` is packed.
"""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import TraceError
from lanecast.traces import catalog
from lanecast.traces.formats import leocc
from lanecast.traces.formats.registry import FORMATS, NOT_TRACES, Format, Head
from lanecast.traces.reading import DEFAULT_LIMITS, Limits, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lanecast.traces.trace import Trace

_HEAD_BYTES = 1 << 14
_CONFIDENT = 0.5
"""Below this a format must be named (assumption)."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What a file looks like; `refusal` says why it is no network trace."""

    format: str
    confidence: float
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was written where, and what the writer had to round or leave out."""

    path: Path
    format: str
    notes: tuple[str, ...] = ()


def format_named(name: str) -> Format:
    """Return a format; an unknown name is a `TraceError` that lists the known ones."""
    if name not in FORMATS:
        raise TraceError(name, 0, f"unknown format; known are {', '.join(FORMATS)}")
    return FORMATS[name]


def sniff(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Guess:
    """Guess a file's format from its name and its first bytes."""
    with open_source(path, limits) as source:
        data = source.head(_HEAD_BYTES)
    text = data.decode(errors="replace")
    lines = text.replace("\r\n", "\n").split("\n")
    whole_lines = lines[:-1] if len(data) == _HEAD_BYTES or lines[-1] == "" else lines
    head = Head(Path(path), data, tuple(whole_lines))
    for test, reason in NOT_TRACES:
        if test(head):
            return Guess("", 1.0, reason)
    scores = {name: entry.recognise(head) for name, entry in FORMATS.items()}
    best = max(scores, key=lambda name: scores[name])
    return Guess(best, scores[best]) if scores[best] else Guess("", 0.0)


def load_trace(
    path: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002 - the word users know
    *,
    limits: Limits = DEFAULT_LIMITS,
    **options: Any,
) -> Trace:
    """Read a trace file, plain or packed.

    Args:
        path: the file; its folder's name stands for the set, and a known set says what was measured.
        format: one of `FORMATS`; None recognises it.
        limits: what the file may cost.
        options: the format's own, such as `hold`, `gap`, `spacing`, `direction`, `column`.

    Raises:
        TraceError: naming file and line, for anything that is not a trace of the format.

    """
    step = ""
    if format is None:
        guess = sniff(path, limits)
        if guess.refusal:
            raise TraceError(str(path), 0, f"refused: {guess.refusal}")
        if guess.confidence < _CONFIDENT:
            near = f"; nearest is {guess.format} ({guess.confidence:.2f})" if guess.format else ""
            raise TraceError(str(path), 0, f"no known format{near}; name one of {', '.join(FORMATS)}")
        format, step = guess.format, f"format recognised with confidence {guess.confidence:.2f}"  # noqa: A001
    entry = format_named(format)
    with open_source(path, limits) as source:
        trace = entry.load(source, **options)
    where = trace.provenance
    kind = catalog.kind_of(where.set, where.kind)
    chain = (*((step,) if step else ()), *where.chain)
    return replace(trace, provenance=replace(where, kind=kind, chain=chain))


def dump_trace(trace: Trace, path: str | os.PathLike[str], format: str, **options: Any) -> Report:  # noqa: A002
    """Write a trace in a format, whole or not at all; a LeoCC pair writes its delay file too.

    Raises:
        TraceError: when the format cannot hold the trace (say, opportunities in a rate format), or cannot be written.

    """
    entry = format_named(format)
    if entry.dump is None:
        raise TraceError(str(path), 0, f"{format} is only read, not written")
    file = Path(path)
    written = entry.dump(trace, **options)
    notes = written.notes
    if format == leocc.NAME:
        delays = leocc.dump_delay(trace)
        write_lines(leocc.companion(file), delays.lines)
        notes = (*notes, *delays.notes)
    write_lines(file, written.lines)
    return Report(file, format, notes)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines to a file beside its place, then move it there; packed when the name ends in `.gz`."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as raw:
            packed = (
                gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) if path.suffix == ".gz" else raw
            )
            with packed:
                packed.writelines(f"{line}\n".encode() for line in lines)
                raw.flush()
        part.replace(path)
    except OSError as error:
        raise TraceError(str(path), 0, f"cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
