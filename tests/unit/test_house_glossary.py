"""One word for one thing: synonyms that the glossary rules out do not occur in identifiers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What must not be written -> what is written instead. Matched inside snake_case identifiers at word borders.
FORBIDDEN = {
    r"bandwith|banwidth|bandwitdh": "bandwidth, or rather capacity, rate, throughput, goodput",
    r"bandwidth_est(imate|imator)?|bw_est": "throughput forecast",
    r"througput|thruput|tput": "throughput",
    r"queue_latency|queueing_(delay|time|latency)|waiting_time|residence_time": "sojourn",
    r"queue_(len|length|size|occupancy)|qlen|qsize": "depth (packets) or backlog (bytes)",
    r"buffer_(occupancy|fullness|len|length)": "buffer_s",
    r"frame_drops?|dropped_frames|pkt_drops?": "drop",
    r"rebuf|stutter|freeze_time|freezes": "rebuffering (video) or stall (tokens)",
    r"stall_(rate|fraction|percentage)": "stall_ratio",
    r"inter_token(_(time|latency|delay))?|itl": "tbt or gap",
    r"time_to_first_token": "ttft",
    r"quality_level|representation|bitrate_index": "rung",
    r"congestion_window|cwin": "cwnd",
    r"inflight": "in_flight",
    r"roundtrip|round_trip_time": "rtt",
    r"oneway|one_way_latency": "owd, one-way delay",
    r"event_loop|scheduler|timer_wheel": "calendar",
    r"bottle_neck": "bottleneck",
    r"ecn_marked|marked_ce": "marked",
    r"lateness_error|timer_error": "lateness",
    r"hop_element|network_element|net_element": "stage",
}
# Names of others, which we spell as they do: llmperf's results, the options of tc-dualpi2, packet schedulers.
FOREIGN = {"inter_token_latency_s", "itl", "min_qlen_step", "scheduler"}


def identifiers(source: str) -> Iterator[str]:
    """Yield every name that a module gives to something."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name


def snake(name: str) -> str:
    """Return CamelCase as camel_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def fault(name: str) -> str:
    """Return what to write instead, or an empty text."""
    for pattern, instead in FORBIDDEN.items():
        if re.search(rf"(?:^|_)(?:{pattern})(?:_|$)", snake(name)) and name not in FOREIGN:
            return instead
    return ""


def test_identifiers_use_the_words_of_the_glossary() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}": f"write {fault(name)}"
        for path in sorted((ROOT / "lanecast").rglob("*.py"))
        for name in identifiers(path.read_text())
        if fault(name)
    }
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "bandwith_est = 1", "def f(queue_len): ...", "class FrameDrop: ...", "self.qlen = 0", "for inflight in x: ...",
        "def stall_rate(): ...", "class RoundTripTime: ...",
    ],
)  # fmt: skip
def test_planted_synonym_is_found(source: str) -> None:
    assert any(fault(name) for name in identifiers(source))


@pytest.mark.parametrize(
    "name", ["queue", "rtt", "sojourn_us", "in_flight", "Calendar", "DecisionDesk", "frame", "drop"]
)
def test_words_of_the_glossary_are_not_ruled_out(name: str) -> None:
    assert fault(name) == ""
