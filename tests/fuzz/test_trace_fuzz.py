"""Any bytes: a reader returns a trace or raises TraceError, never anything else, and recognition never raises."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lanecast.errors import TraceError
from lanecast.experiments.trace_report import facts
from lanecast.traces import requests
from lanecast.traces.files import load_trace, sniff
from lanecast.traces.formats.registry import FORMATS
from lanecast.traces.overlap import fingerprint
from lanecast.traces.reading import Source
from lanecast.traces.trace import NS_PER_S, Trace

THOROUGH = 10 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 1

SEEDS: dict[str, bytes] = {
    "mahimahi": b"0\n71\n73\n142\n142\n",
    "pensieve": b"0.0\t0.81\n1.68499994278\t0.394028\n5 1\n",
    "oboe": b"15.0 3168.64\n474.0 3168.64\n514.0 3183.22\n600 3183.22\n",
    "sabre": b'[{"duration_ms": 1013, "bandwidth_kbps": 1285, "latency_ms": 100}]',
    "alphartc": b'{"uplink": {"trace_pattern": [{"duration": 500, "capacity": 1, "loss": 0.2, "rtt": 9}]}}',
    "genet": b'{"timestamps": [0.0, 0.5], "bandwidths": [1, 2], "delays": [78.12], "loss": 0.1}',
    "jens": b"# :recommended_freqeuncy=10\n20134\n20847\n",
    "leocc-delay": b"12\n9\n11\n",
    "netem-trace": b'{"RepeatedBwPatternConfig": {"pattern": [{"StaticBwConfig": '
    b'{"bw": "1Mbps", "duration": "1s"}}], "count": 2}}',
    "theaterq": b"KEEP,LATENCY,RATE,LOSS,LIMIT\n100000,20000000,12000000,0,100\n",
    "gnettrack": b"Timestamp,Longitude,Latitude,CellID,NetworkMode,DL_bitrate\n2019.12.14_10.16.30,0,0,7,5G,3\n",
    "irtt": b"# seq\n0 1000 50 9 -8 - false\n1 2000 50 9 -8 5 true\n",
    "irtt-json": b'{"round_trips": [{"lost": "false", "timestamps": {"client": {"send": '
    b'{"monotonic": 1}}}, "delay": {"rtt": 5}}]}',
    "ping": b"PING a\n[1.5] 64 bytes from a: icmp_seq=1 ttl=63 time=47.1 ms\n",
    "flent": b'{"metadata": {"SERIES_META": {}}, "x_values": [0, 1], "results": {"Ping (ms) ICMP": [5, null]}}',
    "lumos-handover": b"time,avg_power,active interface,handover type\n0.0,1.2,4G,unknown\n",
    "starlink-dish": b"timestamp,hardwareVersion,popPingLatencyMs,downlinkThroughputBps\n"
    b"1748560813.3,hp1,78.5,1373919.8\n",
}
TOKENS = st.sampled_from([
    b"0", b"-1", b"1e99", b"nan", b"NaN", b"Infinity", b"null", b"true", b"[]", b"{}", b'""', b"9" * 25, b"\n",
    b"\r\n", b",", b" ", b"\t", b"\x00", b"\xff", "\u0661".encode(), b"18446744073709551615",
    b"9223372036854775807", b"0.0000000001", b"#",
])  # fmt: skip


@st.composite
def broken(draw: st.DrawFn, seed: bytes) -> bytes:
    """A valid file with a few pieces replaced, cut out or repeated."""
    data = bytearray(seed)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        until = draw(st.integers(at, min(len(data), at + 12)))
        data[at:until] = draw(st.one_of(TOKENS, st.binary(max_size=4), st.just(bytes(data[at:until]) * 2)))
    return bytes(data)


def describe(trace: Trace) -> None:
    """Whatever loads can be described and compared; of long traces a few stand below, since they take a second."""
    if trace.period_ns > 1000 * NS_PER_S:
        return
    fingerprint(trace)
    json.dumps(facts(trace, bin_s=max(1.0, trace.period_ns / NS_PER_S / 1000)), allow_nan=False)


def attempt(name: str, data: bytes) -> None:
    with Source.from_bytes(data, "fuzz") as source:
        try:
            trace = FORMATS[name].load(source)
            assert trace.period_ns > 0
            describe(trace)
            fault = ("fuzz", 0)
        except TraceError as error:
            fault = (error.file, error.line)
    assert fault[0] == "fuzz"
    assert fault[1] >= 0


@pytest.mark.parametrize(
    ("name", "text"), [("mahimahi", "1\n999999999999\n"), ("pensieve", "0 1\n499999999 2\n")]
)
def test_traces_of_thirty_years_can_be_described(name: str, text: str) -> None:
    with Source.from_bytes(text.encode()) as source:
        trace = FORMATS[name].load(source)
    fingerprint(trace)
    assert json.loads(json.dumps(facts(trace, bin_s=1e6), allow_nan=False))["capacity"]["bins"] == 999


def test_every_reader_of_single_files_is_fuzzed() -> None:
    assert SEEDS.keys() == FORMATS.keys() - {"leocc"}


@pytest.mark.parametrize("name", SEEDS)
def test_the_seeds_are_valid(name: str) -> None:
    with Source.from_bytes(SEEDS[name]) as source:
        assert FORMATS[name].load(source).provenance.format == name


@pytest.mark.parametrize("name", SEEDS)
@given(data=st.data())
@settings(max_examples=40 * THOROUGH, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_broken_files_raise_only_trace_errors(name: str, data: st.DataObject) -> None:
    attempt(name, data.draw(broken(SEEDS[name])))


@pytest.mark.parametrize("name", SEEDS)
@given(data=st.binary(max_size=200))
@example(data=b"\x1f\x8b")
@example(data=gzip.compress(b"1\n2\n")[:-4])
@settings(max_examples=20 * THOROUGH, deadline=None)
def test_arbitrary_bytes_raise_only_trace_errors(name: str, data: bytes) -> None:
    attempt(name, data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([
        "duration_ms", "bandwidth_kbps", "uplink", "trace_pattern", "duration", "capacity", "timestamps",
        "bandwidths", "RepeatedBwPatternConfig", "StaticBwConfig", "TraceBwConfig", "pattern", "count", "bw",
        "round_trips", "x_values",
    ]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize("name", ["sabre", "alphartc", "genet", "netem-trace", "irtt-json", "flent"])
@given(value=JSON)
@settings(max_examples=40 * THOROUGH, deadline=None)
def test_any_json_raises_only_trace_errors(name: str, value: Any) -> None:
    attempt(name, json.dumps(value).encode(errors="surrogatepass"))


@given(data=st.binary(max_size=300), packed=st.booleans())
@settings(
    max_examples=60 * THOROUGH, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_recognition_and_loading_by_content_raise_only_trace_errors(
    tmp_path: Path, data: bytes, packed: bool
) -> None:
    path = tmp_path / "f"
    path.write_bytes(gzip.compress(data) if packed else data)
    for act in (sniff, load_trace, requests.load_llmperf, requests.load_azure, requests.load_mooncake):
        try:
            act(path)
            file = str(path)
        except TraceError as error:
            file = error.file
        assert file == str(path)
