"""Text files, recorded answers and llmperf records: what is read, what is written, what is refused and where."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.errors import TraceError
from lanecast.transport.rng import Streams
from lanecast.transport.tokens import recorded, text
from lanecast.transport.tokens.recorded import (
    HostedRequest,
    default_recording,
    dump_recorded,
    from_llmperf,
    load_header,
    load_llmperf,
    load_recorded,
)
from lanecast.transport.tokens.source import TokenStream, constant_gap
from lanecast.transport.units import MS, SECOND

LLMPERF = Path(__file__).parents[3] / "shared" / "data" / "traces" / "llm-llmperf"


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "answer.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_timed_text_takes_the_times_of_another_stream() -> None:
    stream = text.timed((b"a", b"", b"bcd"), constant_gap(50 * MS, 2))
    assert stream.times.tolist() == [0, 50 * MS, 100 * MS]
    assert stream.sizes.tolist() == [1, 0, 3]
    assert stream.text == b"abcd"


def test_cut_uses_one_draw_a_token() -> None:
    one, two = Streams(1).stream("text"), Streams(1).stream("text")
    tokens = text.cut("Grüße".encode() * 20, stream=one)
    for _ in tokens:
        two.next_double()
    assert one.next_double() == two.next_double()
    with pytest.raises(ValueError, match="at least 1 byte"):
        text.cut(b"a", stream=one, longest=0)


def test_text_file_is_read_as_it_is(tmp_path: Path) -> None:
    data = "\ufeffline\r\n日本".encode()
    assert text.load_text(written(tmp_path, data)) == data


def test_text_file_that_is_no_utf8_names_line_and_byte(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"answer.jsonl:2: byte 4 is not UTF-8"):
        text.load_text(written(tmp_path, b"ab\nc\xff"))


def test_missing_and_oversized_text_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TraceError, match="cannot be read: No such file"):
        text.load_text(tmp_path / "none")
    monkeypatch.setattr(text, "MAX_TEXT_BYTES", 3)
    with pytest.raises(TraceError, match="longer than 3 bytes"):
        text.load_text(written(tmp_path, "abcd"))


def test_recorded_lines_of_text_and_bytes_are_read(tmp_path: Path) -> None:
    path = written(
        tmp_path, '{"t_ms": 1.5, "text": "é"}\n\n{"t_ms": 2, "bytes": "f09f"}\n{"t_ms": 2, "bytes": "9A80"}'
    )
    stream = load_recorded(path)
    assert stream.times.tolist() == [1_500_000, 2 * MS, 2 * MS]
    assert stream.text == "é🚀".encode()
    assert stream.boundaries.tolist() == [True, False, True]
    assert stream.name == "answer"
    assert load_header(path) == {}


def test_recorded_sizes_are_read_without_text(tmp_path: Path) -> None:
    stream = load_recorded(written(tmp_path, '{"t_ms":0,"size":3}\n{"t_ms":1,"size":0}\n'))
    assert (stream.tokens, stream.sizes.tolist()) == (None, [3, 0])


def test_header_keeps_its_provenance(tmp_path: Path) -> None:
    path = tmp_path / "answer.jsonl"
    dump_recorded(constant_gap(MS, 2), path, {"model": "a model", "machine": "this one"})
    assert load_header(path) == {
        "format": recorded.FORMAT,
        "name": "constant 1 ms",
        "model": "a model",
        "machine": "this one",
    }
    assert load_recorded(path).times.tolist() == [0, MS]


@given(
    st.lists(st.tuples(st.integers(0, 10**15 // 40), st.binary(max_size=8)), min_size=1, max_size=40),
    st.booleans(),
)
def test_recording_round_trip_keeps_nanoseconds_and_bytes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, bytes]], private: bool
) -> None:
    times = np.cumsum([gap for gap, _ in rows])
    tokens = None if private else tuple(token for _, token in rows)
    stream = TokenStream(times, np.array([len(token) for _, token in rows]), tokens)
    path = tmp_path_factory.mktemp("recorded") / "a.jsonl"
    dump_recorded(stream, path)
    back = load_recorded(path)
    assert back.times.tolist() == stream.times.tolist()
    assert back.sizes.tolist() == stream.sizes.tolist()
    assert back.tokens == tokens


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("", 0, "holds no token"),
        ('{"format": "lanecast tokens 1"}\n', 0, "holds no token"),
        ('{"format": "lanecast tokens 2"}\n', 1, "format 'lanecast tokens 2' is unknown"),
        ('{"t_ms": 0, "text": "a"}\n{', 2, "not a token line"),
        ('{"t_ms": 0, "text": "a"}\n{"format": "lanecast tokens 1"}', 2, "unknown field `format`"),
        ('{"t_ms": "0", "text": "a"}', 1, "Expected `float`"),
        ('{"text": "a"}', 1, "missing required field `t_ms`"),
        ('{"t_ms": 0}', 1, "exactly one of text"),
        ('{"t_ms": 0, "text": "a", "size": 1}', 1, "exactly one of text"),
        ('{"t_ms": 0, "text": "a", "extra": 1}', 1, "unknown field `extra`"),
        ('{"t_ms": -1, "text": "a"}', 1, "t_ms must be 0 to 1e"),
        ('{"t_ms": 1e12, "text": "a"}', 1, "t_ms must be 0 to 1e"),
        ('{"t_ms": NaN, "text": "a"}', 1, "not a token line"),
        ('{"t_ms": 2, "text": "a"}\n{"t_ms": 1, "text": "b"}', 2, "time runs back: 1.0 ms after 2.0 ms"),
        ('{"t_ms": 0, "bytes": "f"}', 1, "not hexadecimal"),
        ('{"t_ms": 0, "size": -1}', 1, "size must be 0"),
        ('{"t_ms": 0, "size": 1000000000}', 1, "size must be 0"),
        ('{"t_ms": 0, "size": 1}\n{"t_ms": 0, "text": "a"}', 2, "one kind throughout"),
        ('{"t_ms": 0, "text": "a"}\n{"t_ms": 0, "size": 1}', 2, "one kind throughout"),
        (b"\x00\xff\xfe", 1, "not a token line"),
        (b'{"t_ms": 0, "text": "\xff"}', 1, "not a token line"),
        (b"x" * 1_100_000, 1, "longer than 1048576 bytes"),
        ("[1, 2]", 1, "not a token line"),
        ("[" * 200_000, 1, "not a token line"),
        ('{"format":' * 50_000, 1, "not a token line"),
    ],
)
def test_bad_recordings_are_refused_with_their_line(
    tmp_path: Path, content: str | bytes, line: int, message: str
) -> None:
    with pytest.raises(TraceError, match=message) as caught:
        load_recorded(written(tmp_path, content))
    assert caught.value.line == line
    assert caught.value.file.endswith("answer.jsonl")


def test_too_many_tokens_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "MAX_TOKENS", 2)
    path = written(tmp_path, '{"t_ms":0,"size":1}\n' * 3)
    with pytest.raises(TraceError, match="more than 2 tokens") as caught:
        load_recorded(path)
    assert caught.value.line == 3


@pytest.mark.parametrize("load", [load_recorded, load_llmperf, load_header])
def test_missing_files_are_named(load: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="none: cannot be read: No such file"):
        load(tmp_path / "none")


def test_shipped_recording_is_a_real_answer_with_its_provenance() -> None:
    stream = default_recording()
    assert stream.tokens is not None
    assert len(stream) >= 200
    assert int(stream.times[0]) > 0
    assert int(stream.gaps.min()) > 0
    assert len(set(stream.gaps.tolist())) > len(stream) // 2
    assert stream.text.decode()
    folder = Path(recorded.__file__).parent / "data"
    header = load_header(folder / recorded.DEFAULT_RECORDING)
    assert {"model", "package", "prompt", "sampling", "machine"} <= set(header)


def llmperf_file(folder: Path, *records: dict[str, object]) -> Path:
    return written(folder, json.dumps(list(records)))


def record(**changed: object) -> dict[str, object]:
    plain = {"error_code": None, "ttft_s": 0.3, "inter_token_latency_s": 0.02, "number_output_tokens": 150}
    return {**plain, "end_to_end_latency_s": 3.3, **changed}


def test_llmperf_records_become_nanoseconds_and_errors_are_left_out(tmp_path: Path) -> None:
    path = llmperf_file(tmp_path, record(), record(error_code=429, ttft_s=0), record(number_output_tokens=1))
    assert load_llmperf(path) == [HostedRequest(300 * MS, 20 * MS, 150)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "not a list of llmperf records"),
        ("[1]", "not a list of llmperf records"),
        ("[", "not a list of llmperf records"),
        ('[{"error_code":' + "[" * 200_000, "not a list of llmperf records"),
        (b'["\xff"]', "not a list of llmperf records"),
        ("[]", "none of 0 records is usable"),
        (json.dumps([record(error_code=500)]), "none of 1 records is usable"),
        (json.dumps([record(ttft_s=None)]), "record 0 lacks ttft_s"),
        (json.dumps([record(), record(ttft_s=-0.1)]), "record 1 is out of range"),
        (json.dumps([record(inter_token_latency_s=1e9)]), "record 0 is out of range"),
        (json.dumps([record(number_output_tokens=-2)]), "record 0 is out of range"),
    ],
)
def test_bad_llmperf_files_are_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(TraceError, match=message):
        load_llmperf(written(tmp_path, content))


def test_an_answer_drawn_from_requests_has_its_ttft_and_length() -> None:
    requests = [HostedRequest(SECOND, 20 * MS, 30), HostedRequest(2 * SECOND, 40 * MS, 50)]
    seen = set()
    for seed in range(20):
        stream = from_llmperf(requests, stream=Streams(seed).stream("hosted"))
        seen.add((int(stream.times[0]), len(stream)))
    assert seen == {(SECOND, 30), (2 * SECOND, 50)}
    assert len(from_llmperf(requests, stream=Streams(0).stream("hosted"), count=7)) == 7


# medians published with the data's description: (requests without error, TTFT s, inter-token latency ms)
@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count", "ttft", "itl"),
    [
        ("groq_70b", 150, 0.222, 5.3),
        ("together_70b", 150, 0.635, 15.3),
        ("perplexity_70b", 148, 0.366, 33.0),
        ("replicate_13b", 150, 5.648, 61.0),
        ("lepton_7b", 20, 1.131, 27.5),
    ],
)
def test_endpoint_medians_are_those_published(name: str, count: int, ttft: float, itl: float) -> None:
    path = LLMPERF / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{path} is not here: the optional shared data")
    requests = load_llmperf(path)
    assert len(requests) == count
    assert median(r.ttft for r in requests) / SECOND == pytest.approx(ttft, abs=0.0006)
    assert median(r.itl for r in requests) / MS == pytest.approx(itl, abs=0.06)
