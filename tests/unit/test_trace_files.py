"""Any format by name or by recognition: refusals, provenance, atomic writing."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanecast.errors import TraceError
from lanecast.traces.files import dump_trace, load_trace, sniff
from lanecast.traces.formats.registry import FORMATS
from lanecast.traces.reading import Source
from lanecast.traces.trace import Delay, Trace


def read(name: str, text: str, **options: Any) -> Trace:
    with Source.from_bytes(text.encode(), f"x.{name}") as source:
        return FORMATS[name].load(source, **options)


EXAMPLES = {
    "mahimahi": ("a.down", "1\n5\n9\n"),
    "pensieve": ("a.txt", "0.0\t0.81\n5.0\t0.9\n"),
    "oboe": ("a.txt", "15.0 3168.64\n474.0 3168.64\n514.0 3183.22\n900.0 3183.22\n"),
    "sabre": ("a.json", '[{"duration_ms": 1013, "bandwidth_kbps": 1285, "latency_ms": 100}]'),
    "alphartc": ("a.json", '{"uplink": {"trace_pattern": [{"duration": 500, "capacity": 1000}]}}'),
    "genet": ("a.json", '{"timestamps": [0.0, 0.5], "bandwidths": [1, 2]}'),
    "jens": ("a.csv", "# :recommended_freqeuncy=10\n20134\n19847\n"),
    "leocc-delay": ("a_delay.txt", "12\n9\n11\n"),
    "netem-trace": ("a.json", '{"StaticBwConfig": {"bw": "12Mbps", "duration": "1s"}}'),
    "theaterq": ("a.csv", "KEEP,LATENCY,RATE,LOSS,LIMIT\n100000,20000000,12000000,0,100\n"),
    "gnettrack": (
        "a.csv",
        "Timestamp,Longitude,Latitude,CellID,NetworkMode,DL_bitrate,UL_bitrate\n2019.12.14_10.16.30,0,0,7,5G,3,1\n",
    ),
    "irtt": (
        "a.txt",
        "# seq send_wall_ns rtt_ns send_delay_ns receive_delay_ns ipdv_rtt_ns lost\n0 1000 50 9 -8 - false\n",
    ),
    "ping": (
        "a.txt",
        "PING 1.2.3.4 (1.2.3.4) 56(84) bytes of data.\n[10.5] 64 bytes from 1.2.3.4: icmp_seq=1 ttl=63 time=40.5 ms\n",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_formats_are_recognised_and_gz_equals_plain(tmp_path: Path, name: str, packed: bool) -> None:
    file, text = EXAMPLES[name]
    path = tmp_path / file  # packed without a .gz suffix: the magic bytes decide
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    guess = sniff(path)
    assert (guess.format, guess.confidence >= 0.5) == (name, True)
    trace = load_trace(path)
    assert trace.same_tracks(read(name, text))
    assert trace.provenance.format == name
    assert trace.provenance.sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.pcap", b"\xd4\xc3\xb2\xa1rest", "packet capture"),
        ("a.json", b'[{"inter_token_latency_s": 1}]', "llmperf"),
        ("a.jsonl", b'{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": []}', "Mooncake"),
        ("a.csv", b"TIMESTAMP,ContextTokens,GeneratedTokens\n", "Azure"),
        ("a.json", b'{"segment_sizes_bits": [[1]]}', "video"),
        ("video_size_0", b"155580\n139857\n", "video"),
        ("a.txt", b"Stationary: some prose\n", "no known format"),
        ("a.bin", bytes(range(256)), "no known format"),
        ("a.txt", b"", "no known format"),
    ],
)
def test_what_is_no_trace_is_refused_with_the_reason(
    tmp_path: Path, name: str, data: bytes, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(TraceError, match=reason):
        load_trace(path)


def test_a_missing_file_a_folder_and_an_unknown_format_are_trace_errors(tmp_path: Path) -> None:
    for path, name in ((tmp_path / "none", None), (tmp_path, "mahimahi"), (tmp_path / "none", "nonsense")):
        with pytest.raises(TraceError):
            load_trace(path, name)


def test_provenance_names_file_set_kind_and_chain(tmp_path: Path) -> None:
    folder = tmp_path / "oboe"
    folder.mkdir()
    path = folder / "a.txt"
    path.write_text("0 1\n900 1\n")
    where = load_trace(path, "pensieve", hold="backward").provenance
    assert (where.file, where.set, where.kind, where.format) == ("a.txt", "oboe", "achieved", "pensieve")
    assert where.chain == ("read pensieve (hold=backward)",)
    assert load_trace(path).provenance.chain[0] == "format recognised with confidence 0.90"


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("pantheon-calibrated", "schedule"), ("mahimahi-cellular", "offered"), ("elsewhere", "offered")],
)
def test_a_schedule_is_told_from_a_recording_by_its_set(tmp_path: Path, folder: str, kind: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "a").write_text("1\n5\n")
    assert load_trace(tmp_path / folder / "a").provenance.kind == kind


def test_writing_is_atomic_and_packs_by_name(tmp_path: Path) -> None:
    trace = read("pensieve", "0 1\n1 2\n2 3\n")
    path = tmp_path / "a.txt.gz"
    report = dump_trace(trace, path, "pensieve")
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert load_trace(report.path).same_tracks(trace)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt.gz"]
    first = path.read_bytes()
    dump_trace(trace, path, "pensieve")
    assert path.read_bytes() == first
    assert first[4:8] == bytes(4)  # no time stamp inside (RFC 1952 2.3)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.down"
    path.write_text("old")
    with pytest.raises(TraceError):
        dump_trace(Trace(delay=Delay(np.array([0]), np.array([1]), 5)), path, "mahimahi")
    with pytest.raises(TraceError, match="only read"):
        dump_trace(read("mahimahi", "5\n"), path, "ping")
    with pytest.raises(TraceError, match="cannot be written"):
        dump_trace(read("mahimahi", "5\n"), tmp_path / "no" / "where", "mahimahi")
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["pensieve", "oboe", "sabre", "alphartc", "jens", "netem-trace", "theaterq"])
def test_opportunities_are_never_silently_written_as_rates(tmp_path: Path, name: str) -> None:
    with pytest.raises(TraceError, match="bin"):
        dump_trace(read("mahimahi", "1\n5\n"), tmp_path / "x", name)
