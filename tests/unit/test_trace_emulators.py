"""Formats of other emulators, TheaterQ and netem-trace: grammar, edge cases, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lanecast.errors import TraceError
from lanecast.traces.formats.registry import FORMATS
from lanecast.traces.reading import Source
from lanecast.traces.trace import NS_PER_S, UNLIMITED_BIT_S, Delay, Limit, Loss, Rate, Trace

MS = 1_000_000


def read(name: str, text: str | bytes, **options: Any) -> Trace:
    data = text.encode() if isinstance(text, str) else text
    with Source.from_bytes(data, f"x.{name}") as source:
        return FORMATS[name].load(source, **options)


def written(name: str, trace: Trace, **options: Any) -> list[str]:
    dump = FORMATS[name].dump
    assert dump is not None
    return list(dump(trace, **options).lines)


def steps(trace: Trace) -> list[tuple[int, int]]:
    rate = trace.required_rate()
    return list(zip(rate.starts.tolist(), rate.rates.tolist(), strict=True))


# --- TheaterQ, netem-trace --------------------------------------------------------------------------------------


def test_theaterq_simple_example() -> None:
    trace = read("theaterq", "KEEP,LATENCY,RATE,LOSS,LIMIT\n100000,20000000,12000000,0,100\n")
    assert trace.capacity == Rate(np.array([0]), np.array([12_000_000]), 100 * MS)
    assert trace.delay == Delay(np.array([0]), np.array([20 * MS]), 100 * MS)
    assert trace.loss is None
    assert trace.limit == Limit(np.array([0]), np.array([100]), 100 * MS)


def test_theaterq_unlimited_rate_certain_loss_and_playback() -> None:
    trace = read("theaterq", "1,0,-1,4294967295,9\n1,0,5,0,9\n", playback="CLEAR")
    assert trace.required_rate().rates.tolist() == [UNLIMITED_BIT_S, 5]
    assert trace.loss == Loss(np.array([0, 1000]), np.array([1.0, 0.0]), 2000)
    assert trace.end == "stop"
    assert written("theaterq", trace)[1:] == ["1,0,-1,4294967295,9", "1,0,5,0,9"]


def test_theaterq_without_any_rate_has_no_capacity() -> None:
    trace = read("theaterq", "1000,5,-1,0,9\n")
    assert trace.capacity is None
    assert written("theaterq", trace)[1] == "1000,5,-1,0,9"


def test_theaterq_extended_keeps_duplication_and_routes_as_labels() -> None:
    line = "500,1000,200,8000,0,64,7,30,1,2"
    trace = read("theaterq", f"; comment\n{line}\n")
    assert {name: track.values.tolist() for name, track in trace.labels.items()} == {
        "DUP_PROB": ["7"], "DUP_DELAY": ["30"], "ROUTE_ID": ["1"], "QUEUE_ID": ["2"],
    }  # fmt: skip
    assert written("theaterq", trace)[1] == line
    with pytest.raises(TraceError, match="extended"):
        written("theaterq", trace, extended=False)


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 0), ("x\n", 0), ("0,1,2,3,4\n", 1), ("1,2,3\n", 1), ("1,1,1,1,1\n1,1,1,1\n", 2), ("1,1,-2,0,1\n", 1),
     ("1,1,1,4294967296,1\n", 1), ("18446744073709551615,1,1,0,1\n", 1), ("1,-1,1,0,1\n", 1)],
)  # fmt: skip
def test_theaterq_refuses(text: str, line: int) -> None:
    with pytest.raises(TraceError) as caught:
        read("theaterq", text)
    assert caught.value.line == line


MACHINE = '{"bw": {"gbps": 0, "bps": 12000000}, "duration": {"secs": 1, "nanos": 0}}'
HUMAN = '{"bw": "12Mbps", "duration": "1s"}'


@pytest.mark.parametrize("body", [MACHINE, HUMAN])
@pytest.mark.parametrize("tag", ["StaticBwConfig", "FixedBwConfig"])
def test_netem_trace_reads_both_spellings(body: str, tag: str) -> None:
    text = f'{{"RepeatedBwPatternConfig": {{"pattern": [{{"{tag}": {body}}}], "count": 2}}}}'
    trace = read("netem-trace", text)
    assert (steps(trace), trace.period_ns, trace.end) == (
        [(0, 12_000_000), (NS_PER_S, 12_000_000)],
        2 * NS_PER_S,
        "stop",
    )


def test_netem_trace_nests_repeats_and_loops() -> None:
    inner = f'{{"RepeatedBwPatternConfig": {{"pattern": [{{"StaticBwConfig": {HUMAN}}}], "count": 2}}}}'
    compact = '{"TraceBwConfig": {"pattern": [["1ms", ["2Mbps", "4Mbps"]], ["1s 500us", ["1Kbps"]]]}}'
    trace = read(
        "netem-trace", f'{{"RepeatedBwPatternConfig": {{"pattern": [{inner}, {compact}], "count": 0}}}}'
    )
    assert trace.end == "loop"
    assert [rate for _, rate in steps(trace)] == [12_000_000, 12_000_000, 2_000_000, 4_000_000, 1000]
    assert trace.period_ns == 3 * NS_PER_S + 2 * MS + MS // 2


def repeated(kind: str, body: str, count: int = 1) -> str:
    return f'{{"Repeated{kind}PatternConfig": {{"pattern": [{body}], "count": {count}}}}}'


def static_bw(bw: str, duration: str) -> str:
    return f'{{"StaticBwConfig": {{"bw": {bw}, "duration": {duration}}}}}'


STATIC_DELAY = '{"StaticDelayConfig": {"delay": "10ms", "duration": "2m"}}'


def test_netem_trace_delay() -> None:
    trace = read("netem-trace", repeated("Delay", STATIC_DELAY, 0))
    assert trace.delay == Delay(np.array([0]), np.array([10 * MS]), 120 * NS_PER_S)


@pytest.mark.parametrize(
    "text",
    [
        '{"NormalizedBwConfig": {"mean": "12Mbps"}}', '{"SawtoothBwConfig": {}}', "{}", '{"a": 1, "b": 2}', "[]",
        repeated("Bw", ""), repeated("Bw", STATIC_DELAY), static_bw('"12 parsecs"', '"1s"'),
        static_bw('"12Mbps"', '"1"'), static_bw('"12Mbps"', '"99999999h"'), static_bw('{"gbps": 0}', '"1s"'),
        static_bw('"12Mbps"', '"0s"'), '{"TraceBwConfig": {"pattern": [["1ms"]]}}',
        repeated("Bw", static_bw('"1bps"', '"1s"'), 99_999_999),
    ],
)  # fmt: skip
def test_netem_trace_refuses(text: str) -> None:
    with pytest.raises(TraceError):
        read("netem-trace", text)


def test_a_random_netem_model_is_refused_by_name() -> None:
    with pytest.raises(TraceError, match=r"NormalizedBwConfig.*generate"):
        read("netem-trace", '{"NormalizedBwConfig": {}}')
