"""Logs of requests to language models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lanecast.errors import TraceError
from lanecast.traces.requests import load_azure, load_llmperf, load_mooncake, read_llmperf


def row(**changes: Any) -> dict[str, Any]:
    values = {"error_code": None, "ttft_s": 0.25, "inter_token_latency_s": 0.02, "number_output_tokens": 150}
    return values | changes


def put(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "log"
    path.write_text(text)
    return path


def test_llmperf_gives_times_and_counts_and_leaves_errors_out(tmp_path: Path) -> None:
    rows = [row(), row(error_code=500, inter_token_latency_s=5.04), row(ttft_s=1)]
    path = put(tmp_path, json.dumps(rows))
    assert load_llmperf(path).tolist() == [[0.25, 0.02, 150], [1, 0.02, 150]]
    assert read_llmperf(path).excluded == 1


@pytest.mark.parametrize(
    "rows", [[], [row(error_code=1)], [row(ttft_s=-1)], [row(ttft_s="x")], [{}], [1], {}, [row(ttft_s=True)]],
    ids=["empty", "errors only", "negative", "text", "no fields", "no object", "no list", "bool"],
)  # fmt: skip
def test_llmperf_refuses(tmp_path: Path, rows: Any) -> None:
    with pytest.raises(TraceError):
        load_llmperf(put(tmp_path, json.dumps(rows)))


def test_azure_keeps_seven_fractional_digits_across_midnight(tmp_path: Path) -> None:
    text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 23:59:59.9999999,374,44\n2023-11-17 00:00:00.5,1,2\n"
    found = load_azure(put(tmp_path, text))
    assert found.arrivals.tolist() == [0, 500_000_100]
    assert (found.input_tokens.tolist(), found.output_tokens.tolist()) == ([374, 1], [44, 2])


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 0), ("a\n", 1), ("TIMESTAMP,ContextTokens,GeneratedTokens\nnow,1,2\n", 2),
     ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 23:59:59,1\n", 2),
     ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 23:59:59,1,x\n", 2),
     ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 23:59:59,1,1\n2023-11-16 23:59:58,1,1\n", 0)],
)  # fmt: skip
def test_azure_refuses(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(TraceError) as caught:
        load_azure(put(tmp_path, text))
    assert caught.value.line == line


def test_mooncake_keeps_prefix_blocks(tmp_path: Path) -> None:
    lines = [{"timestamp": t, "input_length": 6758, "output_length": 5, "hash_ids": [0, t]} for t in (7, 10)]
    found = load_mooncake(put(tmp_path, "\n".join(map(json.dumps, lines))))
    assert found.arrivals.tolist() == [0, 3_000_000]
    assert found.blocks == ((0, 7), (0, 10))


@pytest.mark.parametrize(
    "text", ["", "{}", "x", '{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": ["a"]}']
)
def test_mooncake_refuses(tmp_path: Path, text: str) -> None:
    with pytest.raises(TraceError):
        load_mooncake(put(tmp_path, text))
