"""Mahimahi, two-column, JSON, JENS and LeoCC formats: grammar, edge cases, what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanecast.errors import TraceError
from lanecast.traces.files import dump_trace, load_trace
from lanecast.traces.formats.registry import FORMATS
from lanecast.traces.reading import Source
from lanecast.traces.trace import NS_PER_S, Delay, Opportunities, Rate, Trace

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


# --- mahimahi ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["0\n71\n73\n142\n142\n", "0\r\n71\r\n73\r\n142\r\n142", "0\n71\n73\n142\n142"]
)
def test_mahimahi_takes_lf_crlf_and_a_missing_last_newline(text: str) -> None:
    trace = read("mahimahi", text)
    assert trace.capacity == Opportunities(np.array([0, 71, 73, 142, 142]) * MS)
    assert trace.period_ns == 142 * MS


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 0), ("\n", 1), ("1\n\n3\n", 2), ("5\n4\n", 2), ("0\n", 1), ("0\n0\n", 2), ("1\n-2\n", 2), ("1\nx\n", 2),
        ("1\n2.5\n", 2), ("+1\n", 1), (" 1\n", 1), ("1_0\n", 1), ("1\n9999999999999\n", 2), ("\u0661\n", 1),
        ("1\n#x\n", 2),
    ],
)  # fmt: skip
def test_mahimahi_refuses_what_mahimahi_refuses(text: str, line: int) -> None:
    with pytest.raises(TraceError) as caught:
        read("mahimahi", text)
    assert (caught.value.file, caught.value.line) == ("x.mahimahi", line)


def test_mahimahi_even_spacing_spreads_within_the_millisecond_and_wraps_at_the_period() -> None:
    capacity = read("mahimahi", "1\n1\n3\n3\n", spacing="even").capacity
    assert capacity == Opportunities(np.array([MS // 2, MS, MS + MS // 2, 3 * MS]), 1500, 3 * MS)


def test_mahimahi_header_is_written_only_when_asked_and_read_back() -> None:
    trace = read("mahimahi", "1\n5\n")
    assert written("mahimahi", trace) == ["1", "5"]
    lines = written("mahimahi", trace, header=True)
    assert lines[0].startswith("# file=")
    assert read("mahimahi", "\n".join(lines)).capacity == trace.capacity


def test_rate_becomes_opportunities_where_whole_packets_are_earned() -> None:
    trace = Trace(Rate(np.array([0, 2 * MS]), np.array([12_000_000, 24_000_000]), 4 * MS))
    assert written("mahimahi", trace) == ["1", "2", "3", "3", "4", "4"]


def test_opportunities_at_the_exact_millisecond_are_not_delayed() -> None:
    trace = Trace(Rate(np.array([0]), np.array([12_000_000]), NS_PER_S))
    assert written("mahimahi", trace) == [str(i) for i in range(1, 1001)]


def test_opportunities_of_another_size_or_a_late_end_cannot_be_written() -> None:
    for capacity in (Opportunities(np.array([MS]), 1400), Opportunities(np.array([MS]), 1500, 5 * MS)):
        with pytest.raises(TraceError):
            written("mahimahi", Trace(capacity))


def test_a_rate_of_less_than_one_packet_cannot_be_written() -> None:
    with pytest.raises(TraceError, match="0 lines"):
        written("mahimahi", Trace(Rate(np.array([0]), np.array([5]), NS_PER_S)))


# --- two columns ------------------------------------------------------------------------------------------------


def test_pensieve_is_rebased_and_its_last_step_lasts_the_median_gap() -> None:
    trace = read("pensieve", "300.2\t1.5\n300.4 2\n300.7\t\t0\n")
    assert steps(trace) == [(0, 1_500_000), (200 * MS, 2_000_000), (500 * MS, 0)]
    assert trace.period_ns == 700 * MS
    assert "rebased from 300200000000 ns" in trace.provenance.notes


def test_pensieve_keeps_the_first_of_equal_stamps_and_counts_the_rest() -> None:
    trace = read("pensieve", "0 1\n0 2\n0 3\n1 4\n")
    assert steps(trace) == [(0, 1_000_000), (NS_PER_S, 4_000_000)]
    assert "2 equal stamps dropped" in trace.provenance.notes


def test_pensieve_backward_hold_gives_the_interval_that_ends_at_the_stamp() -> None:
    trace = read("pensieve", "0 1\n2 5\n3 7\n", hold="backward")
    assert steps(trace) == [(0, 1_000_000), (NS_PER_S, 5_000_000), (3 * NS_PER_S, 7_000_000)]
    assert trace.period_ns == 4 * NS_PER_S
    assert steps(read("pensieve", "2 5\n3 7\n", hold="backward")) == [
        (0, 5_000_000),
        (2 * NS_PER_S, 7_000_000),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 0), ("0 1\n\n", 2), ("0 1\n-1 2\n", 2), ("1 1\n0.5 2\n", 2), ("0 -1\n", 1), ("0 nan\n", 1), ("0 inf\n", 1),
        ("0\n", 1), ("0 1 2\n", 1), ("0,1\n", 1), ("0 1e99\n", 1), ("1e20 1\n", 1), ("0 0x1\n", 1), ("0 1_0\n", 1),
        ("# end_s=x\n0 1\n", 1),
    ],
)  # fmt: skip
def test_pensieve_refuses_naming_the_line(text: str, line: int) -> None:
    with pytest.raises(TraceError) as caught:
        read("pensieve", text)
    assert caught.value.line == line


def test_all_zero_rates_are_refused() -> None:
    with pytest.raises(TraceError, match="zero throughout"):
        read("pensieve", "0 0\n1 0.0\n")


@pytest.mark.parametrize(("last", "extra"), [(1000, 0), (1300, 1), (700, -1)])
def test_pensieve_writing_keeps_the_end_whatever_the_last_step(last: int, extra: int) -> None:
    trace = Trace(Rate(np.array([0, 1000, 2000, 3000]) * MS, np.array([1, 2, 3, 4]), (3000 + last) * MS))
    lines = written("pensieve", trace)
    assert len(lines) == 4 + (extra != 0)
    assert lines[0].startswith("#") == (extra < 0)
    again = read("pensieve", "\n".join(lines))
    assert (again.period_ns, again.required_rate().total_bit_ns) == (
        trace.period_ns,
        trace.required_rate().total_bit_ns,
    )


def test_oboe_pairs_are_chunks_and_gaps_follow_the_option() -> None:
    text = "15.0 3168.64\n474.0 3168.64\n514.0 1000\n600 1000\n"
    assert steps(read("oboe", text)) == [(0, 3_168_640), (499 * MS, 1_000_000)]
    zero = read("oboe", text, gap="zero")
    assert steps(zero) == [(0, 3_168_640), (459 * MS, 0), (499 * MS, 1_000_000)]
    assert steps(read("oboe", text, gap="linear"))[1] == (459 * MS, (3_168_640 + 1_000_000) // 2)
    assert zero.period_ns == 585 * MS


def test_oboe_that_is_not_in_pairs_is_held_forward_with_a_note() -> None:
    for text in ("0 1\n5 1\n9 2\n", "0 1\n5 2\n"):
        assert "not in pairs: held forward" in read("oboe", text).provenance.notes


def test_oboe_refuses_time_that_runs_back() -> None:
    with pytest.raises(TraceError, match="runs back"):
        read("oboe", "0 1\n5 1\n4 2\n6 2\n")


# --- JSON -------------------------------------------------------------------------------------------------------


def test_sabre_latency_is_a_track_only_when_asked() -> None:
    text = '[{"duration_ms": 1013, "bandwidth_kbps": 0, "latency_ms": 100}'
    text += ', {"duration_ms": 500, "bandwidth_kbps": 8.5}]'
    trace = read("sabre", text)
    assert (steps(trace), trace.period_ns, trace.delay) == ([(0, 0), (1013 * MS, 8500)], 1513 * MS, None)
    asked = read("sabre", text, delay=True).delay
    assert asked == Delay(np.array([0, 1013 * MS]), np.array([100 * MS, 0]), 1513 * MS)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "null", "[1]", '[{"duration_ms": 1}]', '[{"duration_ms": 0, "bandwidth_kbps": 1}]',
        '[{"duration_ms": -1, "bandwidth_kbps": 1}]', '[{"duration_ms": 1, "bandwidth_kbps": NaN}]',
        '[{"duration_ms": 1, "bandwidth_kbps": 1e999}]', '[{"duration_ms": true, "bandwidth_kbps": 1}]',
        '[{"duration_ms": "1", "bandwidth_kbps": null}]', "[" * 100_000, '[{"duration_ms": 1, "bandwidth_kbps": 0}]',
        '[{"duration_ms": 1, "bandwidth_kbps": 123456789012345678901234567890}]',
    ],
)  # fmt: skip
def test_sabre_refuses(text: str) -> None:
    with pytest.raises(TraceError):
        read("sabre", text)


def test_broken_json_names_the_line() -> None:
    with pytest.raises(TraceError) as caught:
        read("sabre", '[\n{"duration_ms": 1,\n}]')
    assert caught.value.line == 3


def test_sabre_in_integers_carries_the_rounding_error() -> None:
    rates = np.full(1000, 1_499)
    trace = Trace(Rate(np.arange(1000) * NS_PER_S, rates, 1000 * NS_PER_S))
    items = json.loads("\n".join(written("sabre", trace, integers=True)))
    drift = np.cumsum([i["duration_ms"] * i["bandwidth_kbps"] for i in items]) - np.cumsum(rates)
    assert all(isinstance(i["bandwidth_kbps"], int) for i in items)
    assert np.abs(drift).max() <= 500  # half a kbit/s for one step of 1 s


def test_alphartc_takes_missing_parts_and_half_of_the_rtt() -> None:
    text = '{"uplink": {"trace_pattern": [{"duration": 500, "capacity": 1000, "loss": 0.2, "rtt": 0, "jitter": 0},'
    text += '{"duration": 200.5, "capacity": 2.4, "rtt": 60}, {"duration": 1, "capacity": 0, "rtt": 0, "jitter": 3}]}}'
    trace = read("alphartc", text)
    assert steps(trace) == [(0, 1_000_000), (500 * MS, 2400), (700 * MS + MS // 2, 0)]
    assert trace.loss is not None
    assert trace.loss.probabilities.tolist() == [0.2, 0, 0]
    assert trace.delay is not None
    assert trace.delay.delays.tolist() == [0, 30 * MS, 30 * MS]
    assert trace.delay.jitter is not None
    assert trace.delay.jitter.tolist() == [0, 0, 3 * MS]


@pytest.mark.parametrize("downlink", ["{}", "[]", "null"])
def test_alphartc_without_the_asked_direction_is_refused(downlink: str) -> None:
    text = '{"uplink": {"trace_pattern": [{"duration": 5, "capacity": 1}]}, "downlink": ' + downlink + "}"
    assert read("alphartc", text).delay is None
    with pytest.raises(TraceError):
        read("alphartc", text, direction="downlink")


def test_genet_reads_one_delay_for_the_whole_trace() -> None:
    text = '{"timestamps": [0.0, 0.5], "bandwidths": [1.5, 0.25], "delays": [78.12], "loss": 0, "queue": 10}'
    trace = read("genet", text)
    assert steps(trace) == [(0, 1_500_000), (500 * MS, 250_000)]
    assert trace.delay == Delay(np.array([0]), np.array([78_120_000]), NS_PER_S)


# --- JENS, LeoCC ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["recommended_freqeuncy", "recommended_frequency"])
def test_jens_reads_both_spellings_and_writes_the_originals(spelling: str) -> None:
    trace = read("jens", f"# a drive\n# :{spelling}=4\n# :th_p99_latency=30,34\n500\n0\n")
    assert steps(trace) == [(0, 500_000), (250 * MS, 0)]
    assert trace.provenance.notes == ("th_p99_latency=30,34",)
    lines = written("jens", trace)
    assert "# :recommended_freqeuncy=4" in lines
    assert "# :th_p99_latency=30,34" in lines
    assert read("jens", "\n".join(lines)).same_tracks(trace)


def test_jens_defaults_to_10_hz() -> None:
    assert read("jens", "5\n6\n").period_ns == 200 * MS


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 0),
        ("# :recommended_freqeuncy=0\n5\n", 1),
        ("5\n# late\n", 2),
        ("5.5\n", 1),
        ("-5\n", 1),
        ("# only\n", 0),
    ],
)
def test_jens_refuses(text: str, line: int) -> None:
    with pytest.raises(TraceError) as caught:
        read("jens", text)
    assert caught.value.line == line


def test_jens_writing_carries_the_rounding_error() -> None:
    trace = Trace(Rate(np.arange(600) * 100 * MS, np.full(600, 1_499), 60 * NS_PER_S))
    values = [int(line) for line in written("jens", trace) if not line.startswith("#")]
    drift = np.cumsum(values) * 100 - np.cumsum(np.full(600, 149.9))
    assert np.abs(drift).max() <= 100  # one kbit/s for one step of 0.1 s


def test_leocc_pair_loops_on_the_bandwidth_and_holds_its_delay(tmp_path: Path) -> None:
    (tmp_path / "bw_a.txt").write_text("0\n5\n35\n")
    (tmp_path / "delay_a.txt.gz").write_bytes(gzip.compress(b"12\n7\n"))
    trace = load_trace(tmp_path / "bw_a.txt")
    assert trace.provenance.format == "leocc"
    assert trace.delay == Delay(np.array([0, 10 * MS]), np.array([12, 7]) * MS, 35 * MS)
    assert trace.period_ns == 35 * MS
    longer = load_trace(tmp_path / "bw_a.txt", "leocc", delay=str(tmp_path / "delay_a.txt.gz"))
    assert longer.same_tracks(trace)


def test_leocc_pair_is_written_as_two_files(tmp_path: Path) -> None:
    (tmp_path / "bw_a.txt").write_text("0\n5\n35\n")
    (tmp_path / "a_delay.txt").write_text("12\n7\n9\n9\n9\n")
    trace = load_trace(tmp_path / "bw_a.txt")
    dump_trace(trace, tmp_path / "bw_b.txt", "leocc")
    assert load_trace(tmp_path / "bw_b.txt").same_tracks(trace)
    with pytest.raises(TraceError, match="must be named"):
        dump_trace(trace, tmp_path / "b.txt", "leocc")


def test_leocc_without_its_delay_file_is_refused_by_name_and_read_as_mahimahi_otherwise(
    tmp_path: Path,
) -> None:
    (tmp_path / "bw_a.txt").write_text("0\n5\n35\n")
    assert load_trace(tmp_path / "bw_a.txt").provenance.format == "mahimahi"
    with pytest.raises(TraceError, match="no delay file"):
        load_trace(tmp_path / "bw_a.txt", "leocc")
