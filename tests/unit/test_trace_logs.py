"""Radio logs and delay measurements: grammar, edge cases, what is refused."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
import pytest

from lanecast.errors import TraceError
from lanecast.traces.formats.registry import FORMATS
from lanecast.traces.reading import Source
from lanecast.traces.trace import NS_PER_S, Delay, Loss, Trace

MS = 1_000_000
IRTT_HEAD = "# seq send_wall_ns rtt_ns send_delay_ns receive_delay_ns ipdv_rtt_ns lost\n"
PING_HEAD = "PING 1.2.3.4 (1.2.3.4) 56(84) bytes of data.\n"
GNET = "Timestamp,Longitude,Latitude,Operatorname,CellID,NetworkMode,DL_bitrate,UL_bitrate,State"


def read(name: str, text: str | bytes, **options: Any) -> Trace:
    data = text.encode() if isinstance(text, str) else text
    with Source.from_bytes(data, f"x.{name}") as source:
        return FORMATS[name].load(source, **options)


def steps(trace: Trace) -> list[tuple[int, int]]:
    rate = trace.required_rate()
    return list(zip(rate.starts.tolist(), rate.rates.tolist(), strict=True))


# --- logs and delays --------------------------------------------------------------------------------------------


def test_gnettrack_rows_are_sorted_and_averaged_by_second() -> None:
    rows = ["2019.12.14_10.16.31,0,0,B,7,5G,300,1,D", "2019.12.14_10.16.30,0,0,B,7,LTE,100,1,D",
            "2019.12.14_10.16.30,0,0,B,7,LTE,200,1,D", "2019.12.14_10.16.33,0,0,B,8,5G,-,2,D",
            "2019.12.14_10.16.33,0,0,B,8,5G,40,2,D"]  # fmt: skip
    trace = read("gnettrack", "\n".join([GNET, *rows]))
    assert steps(trace) == [(0, 150_000), (NS_PER_S, 300_000), (3 * NS_PER_S, 40_000)]
    assert trace.period_ns == 4 * NS_PER_S
    assert trace.labels["NetworkMode"].values.tolist() == ["LTE", "5G"]
    assert {"1 rows out of order", "1 rows without DL_bitrate", "1 seconds without rows"} <= set(
        trace.provenance.notes
    )
    assert steps(read("gnettrack", "\n".join([GNET, *rows]), column="UL_bitrate"))[0] == (0, 1000)


@pytest.mark.parametrize(
    ("text", "line"),
    [(GNET, 0), ("a,b\n", 1), (GNET.replace("DL_", "XX_") + "\n", 1), (GNET + "\n2019.12.14_10.16.30,0\n", 2),
     (GNET + "\n2019-12-14,0,0,B,7,5G,3,1,D\n", 2), (GNET + "\n2019.13.14_10.16.30,0,0,B,7,5G,3,1,D\n", 2)],
)  # fmt: skip
def test_gnettrack_refuses(text: str, line: int) -> None:
    with pytest.raises(TraceError) as caught:
        read("gnettrack", text)
    assert caught.value.line == line


def test_civil_calendar_agrees_with_known_days() -> None:
    text = f"{GNET}\n2000.02.29_00.00.00,0,0,B,7,5G,3,1,D\n2000.03.01_00.00.00,0,0,B,7,5G,4,1,D"
    assert steps(read("gnettrack", text))[1][0] == 86_400 * NS_PER_S


def test_irtt_uses_the_round_trip_and_marks_losses() -> None:
    rows = "0 1000 50 9 -8 - false\n1 2000 0 0 0 - true_down\n2 3000 70 9 -8 20 false\n"
    trace = read("irtt", IRTT_HEAD + rows)
    assert trace.delay == Delay(np.array([0, 1000, 2000]), np.array([50, 50, 70]), 3000, "round-trip")
    assert trace.loss == Loss(np.array([0, 1000, 2000]), np.array([0.0, 1.0, 0.0]), 3000)
    assert "1 of 3 packets lost" in trace.provenance.notes


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ("0 1 2 3 4 - maybe\n", 2),
        ("0 1 2 3 4 -\n", 2),
        ("0 1 -2 3 4 - false\n", 2),
        ("0 1 2 3 4 - true\n", 0),
    ],
)
def test_irtt_refuses(row: str, line: int) -> None:
    with pytest.raises(TraceError) as caught:
        read("irtt", IRTT_HEAD + row)
    assert caught.value.line == line


def test_irtt_json_agrees_with_its_extract() -> None:
    trips = [
        {"seqno": i, "lost": lost, "timestamps": {"client": {"send": {"wall": 1, "monotonic": 1000 * i}}},
         "delay": {"rtt": 50 + i} if lost == "false" else {}}
        for i, lost in enumerate(["false", "true", "false"])
    ]  # fmt: skip
    trace = read("irtt-json", json.dumps({"version": {"irtt": "0.9.0"}, "round_trips": trips}))
    assert trace.delay == Delay(np.array([0, 1000, 2000]), np.array([50, 50, 52]), 3000, "round-trip")


def reply(time: float, seq: int, rtt: float) -> str:
    return f"[{time:.6f}] 64 bytes from 1.2.3.4: icmp_seq={seq} ttl=63 time={rtt} ms\n"


def test_ping_counts_missing_sequence_numbers_as_lost_and_wraps() -> None:
    text = (
        PING_HEAD
        + reply(10.0, 65534, 40.5)
        + reply(10.3, 1, 30)
        + reply(10.2, 65535, 9)
        + "\n--- ping statistics\n"
    )
    trace = read("ping", text)
    assert trace.delay == Delay(
        np.array([0, 100, 200, 300]) * MS, np.array([40.5, 40.5, 40.5, 30]) * MS, 400 * MS, "round-trip"
    )
    assert trace.loss is not None
    assert trace.loss.probabilities.tolist() == [0, 1, 1, 0]
    assert "1 late or doubled replies" in trace.provenance.notes


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 0), ("hello\n", 1), (PING_HEAD, 0), (PING_HEAD + "[1] what\n", 2), (PING_HEAD + "what\n", 2),
     (PING_HEAD + reply(5, 1, 3) + reply(4, 2, 3), 3)],
)  # fmt: skip
def test_ping_refuses(text: str, line: int) -> None:
    with pytest.raises(TraceError) as caught:
        read("ping", text)
    assert caught.value.line == line


def test_flent_takes_the_only_series_in_ms_and_skips_missing_values() -> None:
    document = {
        "metadata": {"BATCH_NAME": "x", "SERIES_META": {"HTTP latency": {"UNITS": "ms"}, "TCP": {"UNITS": "Mbits/s"}}},
        "x_values": [0.0, 0.2, 0.4], "results": {"HTTP latency": [4.5, None, 6], "TCP": [1, 2, 3]},
    }  # fmt: skip
    trace = read("flent", gzip.compress(json.dumps(document).encode()))
    assert trace.delay == Delay(
        np.array([0, 400 * MS]), np.array([4_500_000, 6_000_000]), 800 * MS, "round-trip"
    )
    with pytest.raises(TraceError, match="no series 'Ping'"):
        read("flent", json.dumps(document), series="Ping")


def test_handover_log_gives_labels_only() -> None:
    trace = read(
        "lumos-handover",
        "time,avg_power,active interface,handover type\n0.0,1.2,4G,unknown\n1.0,1,4G,\n2.0,1,SA 5G,5t5\n",
    )
    assert trace.capacity is None
    assert trace.labels["radio"].starts.tolist() == [0, 2 * NS_PER_S]
    assert trace.labels["handover"].values.tolist() == ["unknown", "", "5t5"]
