"""The formats by name: how to read, write and recognise each.

Recognition looks at the file's name and its first unpacked bytes and answers a confidence in 0..1 (assumptions, not
probabilities). It may propose; naming the format always wins. Files that are no network trace are recognised too, so
that they are refused with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lanecast.traces.formats import (
    columns,
    delays,
    documents,
    jens,
    leocc,
    logs,
    mahimahi,
    netem_trace,
    theaterq,
)
from lanecast.traces.formats.common import Written

if TYPE_CHECKING:
    from collections.abc import Callable

    from lanecast.traces.trace import Trace

_PAIR_GAP = 20.0
"""Oboe's stamps are ms, Pensieve's seconds: a typical gap above this is ms (assumption)."""


@dataclass(frozen=True)
class Head:
    """The start of a file: its path, first bytes, and whole lines among them."""

    path: Path
    data: bytes
    lines: tuple[str, ...]

    def starts(self, text: str) -> bool:
        """Tell whether the first line starts with some text."""
        return bool(self.lines) and self.lines[0].startswith(text)

    def has(self, *texts: str) -> bool:
        """Tell whether all texts occur."""
        return all(text.encode() in self.data for text in texts)

    @cached_property
    def values(self) -> list[str]:
        """Return the lines that are no comments."""
        return [line for line in self.lines if not line.startswith("#")]

    @cached_property
    def numbers(self) -> list[int]:
        """Return the lines as whole numbers, or nothing when one is not."""
        plain = all(v.isascii() and v.isdigit() and len(v) <= 18 for v in self.values)
        return [int(v) for v in self.values] if plain else []

    @cached_property
    def pairs(self) -> list[tuple[float, float]]:
        """Return the lines as two numbers each, or nothing when one is not."""
        try:
            words = [line.replace("\t", " ").split(" ") for line in self.values]
            return [(float(a), float(b)) for a, b in ([w for w in line if w] for line in words)]
        except ValueError:
            return []


@dataclass(frozen=True, slots=True)
class Format:
    """One format; `load(source, **options)` and `dump(trace, **options)` take the options their docstrings list."""

    name: str
    title: str
    recognise: Callable[[Head], float]
    load: Callable[..., Trace]
    dump: Callable[..., Written] | None = None


def _is_mahimahi(head: Head) -> float:
    numbers = head.numbers
    rising = bool(numbers) and all(a <= b for a, b in zip(numbers, numbers[1:], strict=False))
    return 0.9 if rising and not head.starts("#") else 0.55 * rising


def _is_jens(head: Head) -> float:
    if not head.numbers:
        return 0.0
    return 0.95 if head.has(":recommended_") or head.has(":th_") else 0.5 * head.starts("#") + 0.3


def _is_leocc(head: Head) -> float:
    return 0.95 if _is_mahimahi(head) and leocc.delay_path(head.path) else 0.0


def _is_leocc_delay(head: Head) -> float:
    return (0.92 if "delay" in head.path.name else 0.35) if head.numbers and not head.starts("#") else 0.0


def _is_pensieve(head: Head) -> float:
    return 0.8 if head.pairs else 0.0


def _is_oboe(head: Head) -> float:
    pairs = head.pairs
    pairs = pairs[: len(pairs) // 2 * 2]
    if not pairs or any(a[1] != b[1] for a, b in zip(pairs[::2], pairs[1::2], strict=True)):
        return 0.0
    gaps = sorted(b[0] - a[0] for a, b in zip(pairs, pairs[1:], strict=False))
    return 0.9 if gaps[len(gaps) // 2] > _PAIR_GAP else 0.2


def _is_theaterq(head: Head) -> float:
    if head.starts("KEEP,LATENCY"):
        return 0.97
    rows = [line.split(",") for line in head.lines if line[:1].isdigit()]
    widths = {len(row) for row in rows}
    digits = all(word.strip().lstrip("-").isdigit() for row in rows for word in row)
    return 0.85 if digits and (widths in ({len(theaterq.SIMPLE)}, {len(theaterq.EXTENDED)})) else 0.0


def _is_irtt(head: Head) -> float:
    return 0.97 if head.starts("# seq send_wall_ns") else 0.0


def _is_netem(head: Head) -> float:
    return (
        0.95
        if head.data.lstrip()[:1] == b"{"
        and (head.has("BwConfig") or head.has("PatternConfig") or head.has("DelayConfig"))
        else 0.0
    )


def _with(confidence: float, *texts: str) -> Callable[[Head], float]:
    """Return a recogniser of files that contain all texts near their start."""
    return lambda head: confidence if head.has(*texts) else 0.0


def _header(confidence: float, text: str) -> Callable[[Head], float]:
    """Return a recogniser of files whose first line starts with a text."""
    return lambda head: confidence if head.starts(text) else 0.0


FORMATS = {
    entry.name: entry
    for entry in (
        Format("mahimahi", "packet-delivery opportunities, ms", _is_mahimahi, mahimahi.load, mahimahi.dump),
        Format("pensieve", "two columns: s, Mbit/s", _is_pensieve, columns.load_pensieve, columns.dump_pensieve),
        Format("oboe", "two lines a chunk: ms, kbit/s", _is_oboe, columns.load_oboe, columns.dump_oboe),
        Format(
            "sabre", "JSON list of ms, kbit/s, latency", _with(0.95, '"duration_ms"', '"bandwidth_kbps"'),
            documents.load_sabre, documents.dump_sabre,
        ),
        Format(
            "alphartc", "JSON trace_pattern of ms, kbit/s, loss, rtt", _with(0.95, '"trace_pattern"'),
            documents.load_alphartc, documents.dump_alphartc,
        ),
        Format(
            "genet", "JSON lists of s and Mbit/s", _with(0.95, '"timestamps"', '"bandwidths"'),
            documents.load_genet,
        ),
        Format("jens", "kbit/s at a fixed frequency", _is_jens, jens.load, jens.dump),
        Format("leocc", "mahimahi file with a delay file beside it", _is_leocc, leocc.load, leocc.dump_bandwidth),
        Format("leocc-delay", "one-way delay, ms every 10 ms", _is_leocc_delay, leocc.load_delay, leocc.dump_delay),
        Format("netem-trace", "nested JSON patterns (Rattan)", _is_netem, netem_trace.load, netem_trace.dump),
        Format("theaterq", "CSV of us, ns, bit/s, loss, limit", _is_theaterq, theaterq.load, theaterq.dump),
        Format("gnettrack", "radio log of G-NetTrack", _header(0.99, logs.GNETTRACK_START), logs.load_gnettrack),
        Format("irtt", "IRTT's packets as text", _is_irtt, delays.load_irtt),
        Format("irtt-json", "IRTT's own JSON", _with(0.95, '"irtt"', '"protocol"'), delays.load_irtt_json),
        Format("ping", "output of ping -D", _header(0.95, "PING "), delays.load_ping),
        Format("flent", "a ping series of a flent result", _with(0.9, '"metadata"', '"BATCH_'), delays.load_flent),
        Format("lumos-handover", "radio technology by second", _header(0.99, logs.HANDOVER_START), logs.load_handover),
        Format("starlink-dish", "status of a Starlink dish", _header(0.99, logs.DISH_START), logs.load_dish),
    )
}  # fmt: skip

NOT_TRACES: tuple[tuple[Callable[[Head], bool], str], ...] = (
    (lambda head: head.data[:4] in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\n\r\r\n"),
     "a packet capture: it holds packets, not what a link offered"),
    (lambda head: head.has('"inter_token_latency_s"'),
     "an llmperf request log: read it with lanecast.traces.requests.load_llmperf"),
    (lambda head: head.has('"hash_ids"', '"input_length"'),
     "a Mooncake request log: read it with lanecast.traces.requests.load_mooncake"),
    (lambda head: head.starts("TIMESTAMP,ContextTokens"),
     "an Azure request log: read it with lanecast.traces.requests.load_azure"),
    (lambda head: head.has('"segment_sizes_bits"'), "sizes of video segments, not a network trace"),
    (lambda head: "video_size" in head.path.name and bool(head.numbers),
     "sizes of video chunks, not a network trace"),
)  # fmt: skip
