"""Catalogue of the public trace sets that the readers were written for, and checks against a manifest of hashes.

None of the sets is part of this package: the catalogue says what a folder of that name holds, how it was measured, and
what to beware of. `MANIFEST.csv` beside the sets has `set,file,bytes,raw_bytes,sha256_raw,...`; the hash is of the
unpacked bytes.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lanecast.errors import TraceError
from lanecast.traces.reading import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = "MANIFEST.csv"
_BLOCK_BYTES = 1 << 18
_COLUMNS = ("set", "file", "raw_bytes", "sha256_raw")


@dataclass(frozen=True, slots=True)
class SetInfo:
    """One published set; `kind` is what was measured: offered, achieved, delay, schedule, requests, sizes, ..."""

    name: str
    title: str
    kind: str
    direction: str
    units: str
    step: str
    licence: str
    cite: str
    trap: str


SETS = {
    entry.name: entry
    for entry in (
        SetInfo(
            "5g-ireland", "5G sub-6, static and car", "achieved", "down", "kbit/s", "1 s", "GPL-3.0",
            "Raca et al., MMSys 2020", "only Download__ files measure capacity; rows share seconds, some unsorted",
        ),
        SetInfo(
            "alphartc-rtc", "real-time-communication challenge", "schedule", "up", "kbit/s", "0.2 s", "none stated",
            "OpenNetLab gym", "rtt 0 means leave as is; loss and rtt files are made, not measured",
        ),
        SetInfo(
            "fcc-broadband", "fixed broadband (FCC web-get)", "achieved", "down", "Mbit/s", "5 s", "MIT",
            "FCC Measuring Broadband America 2016", "selected low-rate sessions: no picture of today's fixed lines",
        ),
        SetInfo(
            "flent-format", "flent results", "delay", "both", "ms", "0.2 s", "GPL-3.0", "Hoiland-Jorgensen et al.",
            "examples of the format only",
        ),
        SetInfo(
            "ghent-4g", "4G/LTE logs by six means of travel", "achieved", "down", "kbit/s", "1 s", "BSD-2-Clause",
            "van der Hooft et al., IEEE Comm. Letters 2016", "latency_ms is the constant 20, not measured",
        ),
        SetInfo(
            "jens-l4s-rates", "LTE/5G drives for L4S tests", "schedule", "down", "kbit/s", "0.1 s", "Apache-2.0",
            "Deutsche Telekom aml-jens", "smoothed, zeros removed, one scaled down by the origin",
        ),
        SetInfo(
            "l4s-irtt", "per-packet delay through DualPI2 and fq_codel", "delay", "both", "ns", "10 ms",
            "BSD-2-Clause", "Heist and Morton, L4S tests", "one-way values carry a clock offset; from a lab",
        ),
        SetInfo(
            "l4s-wifi-pcap", "captures of one TCP flow over Wi-Fi", "packets", "down", "packets", "-",
            "BSD-2-Clause", "Heist and Morton, L4S tests", "captures, no traces of a link",
        ),
        SetInfo(
            "llm-azure2023", "requests to two LLM services", "requests", "-", "tokens", "-", "CC-BY-4.0",
            "Patel et al., Splitwise, ISCA 2024", "counts of tokens, no token times",
        ),
        SetInfo(
            "llm-llmperf", "speed of hosted LLM endpoints", "requests", "-", "s", "-", "Apache-2.0",
            "LLMPerf leaderboard", "per-request means; error rows hold nonsense times",
        ),
        SetInfo(
            "llm-mooncake", "requests with prefix-cache hashes", "requests", "-", "tokens", "-", "Apache-2.0",
            "Qin et al., Mooncake, FAST 2025", "no token times",
        ),
        SetInfo(
            "lumos5g-4g", "4G recorded beside mmWave", "achieved", "down", "Mbit/s", "1 s", "none at root",
            "Narayanan et al., IMC 2020", "bulk TCP; repeated routes: split by route; equal stamps in some files",
        ),
        SetInfo(
            "lumos5g-handover", "radio technology along drives", "labels", "-", "text", "1 s", "none at root",
            "Narayanan et al., SIGCOMM 2021", "no capacity",
        ),
        SetInfo(
            "lumos5g-mmwave", "5G mmWave, walking and driving", "achieved", "down", "Mbit/s", "1 s", "none at root",
            "Narayanan et al., IMC 2020", "bulk TCP; repeated routes: split by route; most files have outages",
        ),
        SetInfo(
            "mahimahi-cellular", "LTE, UMTS, EVDO drives", "offered", "both", "packets", "1 ms", "GPL-3.0",
            "Winstein et al., NSDI 2013", "TMobile-LTE-short is a piece of TMobile-LTE-driving",
        ),
        SetInfo(
            "norway-3g-hsdpa", "3G commutes in Oslo", "achieved", "down", "kbit/s", "1 s", "BSD-2-Clause",
            "Riiser et al., MMSys 2013", "latency_ms is the constant 100; repeated routes; in many training sets",
        ),
        SetInfo(
            "nyc-lte", "LTE in New York, 2019", "offered", "down", "packets", "1 ms", "none stated",
            "Abbasloo et al., SIGCOMM 2020", "trace-info.txt in the folder is prose",
        ),
        SetInfo(
            "oboe", "video sessions (Conviva)", "achieved", "down", "kbit/s", "1 chunk", "none stated",
            "Akhtar et al., SIGCOMM 2018", "two lines a chunk; gaps between chunks are unknown",
        ),
        SetInfo(
            "pantheon-calibrated", "calibrated Pantheon emulators", "schedule", "both", "packets", "1 ms",
            "none stated", "Yan et al., ATC 2018", "some files are one period of a few lines",
        ),
        SetInfo(
            "pantheon-genet", "links distilled from Pantheon runs", "offered", "up", "Mbit/s", "0.5 s",
            "none stated", "Xia et al., SIGCOMM 2022", "several runs of one path: split by path",
        ),
        SetInfo(
            "puffer", "live TV sessions", "achieved", "down", "Mbit/s", "1 chunk", "MIT", "Yan et al., NSDI 2020",
            "a video's own throughput; streams of one session belong together",
        ),
        SetInfo(
            "starlink-leocc", "Starlink capacity and delay", "offered", "both", "packets, ms", "1 ms, 10 ms", "MIT",
            "LeoCC, SIGCOMM 2025", "one pair with bandwidth; the other files are delay only",
        ),
        SetInfo(
            "starlink-leoviz", "Starlink ping and dish status", "delay", "both", "ms", "0.1 s, 1 s", "GPL-3.0",
            "Pan, Zhao, Cai et al., LEOViz", "the file named 10ms is spaced 0.1 s",
        ),
        SetInfo(
            "video-sizes", "sizes of video chunks", "sizes", "-", "bytes", "1 chunk", "MIT, BSD-2-Clause",
            "Mao et al., SIGCOMM 2017", "Sabre's movies are in bits",
        ),
        SetInfo(
            "wifi-solis", "indoor Wi-Fi, static", "offered", "down", "Mbit/s", "1 s", "MIT", "Solis",
            "200 s a file: outages are cut short",
        ),
        SetInfo(
            "zhuge-wireless", "Wi-Fi and cellular at 200 ms", "offered", "down", "Mbit/s", "0.2 s", "AGPL-3.0",
            "Meng et al., SIGCOMM 2022", "NAME_0, NAME_1 are one recording; abc4g is mahimahi-cellular",
        ),
    )
}  # fmt: skip

TRACE_KINDS = ("offered", "achieved", "delay", "schedule", "labels")


def kind_of(set_name: str, read_as: str) -> str:
    """Return what a trace measured: the reader's word, or the set's where the reader could not know."""
    info = SETS.get(set_name)
    if info is None or info.kind not in TRACE_KINDS:
        return read_as
    return info.kind if read_as == "unknown" or info.kind == "schedule" else read_as


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a manifest."""

    set: str
    file: str
    raw_bytes: int
    sha256: str


def read_manifest(root: Path) -> list[Entry]:
    """Return the lines of `root/MANIFEST.csv`."""
    path = root / MANIFEST
    with open_source(path) as source:
        reader = csv.DictReader(line for _, line in source.lines())
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            source.fail(1, f"no column {missing[0]!r}")
        entries = []
        for row in reader:
            if not (row["raw_bytes"] or "").isdecimal() or None in row.values():
                source.fail(reader.line_num, f"raw_bytes is {row['raw_bytes']!r}, expected a whole number")
            entries.append(Entry(row["set"], row["file"], int(row["raw_bytes"]), row["sha256_raw"]))
    return entries


@dataclass(frozen=True, slots=True)
class Finding:
    """A file that does not agree with the manifest."""

    file: str
    problem: str


def verify(root: Path, entries: list[Entry] | None = None) -> Iterator[Finding]:
    """Yield every file that is missing or whose unpacked bytes differ from the manifest."""
    for entry in read_manifest(root) if entries is None else entries:
        path = root / entry.set / entry.file
        name = f"{entry.set}/{entry.file}"
        if not path.is_file():
            yield Finding(name, "missing")
            continue
        try:
            digests = hashes(path)
        except TraceError as error:
            yield Finding(name, error.message)
            continue
        if entry.sha256 not in digests:
            yield Finding(name, f"altered: sha256 is {digests[0]}, expected {entry.sha256}")


def hashes(path: Path) -> tuple[str, str]:
    """Return the SHA-256 of a file's unpacked bytes and of its own: some origins publish packed files as such."""
    unpacked = hashlib.sha256()
    with open_source(path) as source:
        while block := source.head(_BLOCK_BYTES):
            unpacked.update(block)
    with path.open("rb") as stream:
        return unpacked.hexdigest(), hashlib.file_digest(stream, "sha256").hexdigest()


def trace_files(root: Path) -> Iterator[Path]:
    """Yield the data files under a folder of sets, or of one set: no README, no manifest, nothing hidden."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.name not in ("README.md", MANIFEST) and not path.name.startswith("."):
            yield path
