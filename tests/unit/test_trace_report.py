"""What `lanecast trace` says of a trace: plain values for JSON, lines for a person, typed options."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lanecast.errors import UsageError
from lanecast.experiments.trace_report import (
    expand,
    facts,
    lines,
    load_all,
    plain,
    shortened,
    tracks,
    typed,
    typed_options,
)
from lanecast.traces.trace import NS_PER_S, Delay, Labels, Limit, Loss, Opportunities, Provenance, Rate, Trace

MS = 1_000_000


def seconds(*values: int) -> Rate:
    """One step a second, bit/s."""
    return Rate(np.arange(len(values)) * NS_PER_S, np.array(values), len(values) * NS_PER_S)


def test_facts_of_a_rate_by_hand() -> None:
    # 12 s at 10 and 12 s at 30 Mbit/s: mean 20, deviation 10, so a coefficient of variation of 1/2.
    told = facts(Trace(seconds(*[10**7] * 12, *[3 * 10**7] * 12)))
    capacity = told["capacity"]
    assert told["period_s"] == 24
    assert (capacity["form"], capacity["bins"], capacity["bin_s"]) == ("rate", 24, 1)
    assert capacity["total_bits"] == 480_000_000
    assert capacity["mean_bit_s"] == 2e7
    assert capacity["cov"] == pytest.approx(0.5)
    assert (capacity["outage_share"], capacity["outage_mean_s"]) == (0, None)
    assert told["packets"] is told["delay"] is None
    json.dumps(told, allow_nan=False)


def test_an_outage_of_three_bins_is_told_in_seconds() -> None:
    told = facts(Trace(seconds(*[8_000_000] * 10, 0, 0, 0, *[8_000_000] * 7)))
    assert told["capacity"]["outage_share"] == pytest.approx(3 / 20)
    assert told["capacity"]["outage_mean_s"] == 3
    text = "\n".join(lines(told))
    assert "outage 15.0%, mean 3 s" in text
    assert "capacity as rate, mean 6.8 Mbit/s" in text


def test_a_bin_of_ones_own_changes_the_counting() -> None:
    told = facts(Trace(seconds(*[10**6] * 60)), bin_s=5.0)
    assert (told["capacity"]["bins"], told["capacity"]["bin_s"]) == (12, 5)


def test_slow_sets_are_counted_in_bins_of_five_seconds() -> None:
    told = facts(Trace(seconds(*[10**6] * 60), provenance=Provenance(set="puffer")))
    assert told["capacity"]["bin_s"] == 5


def test_a_short_trace_has_no_statistics_and_says_so() -> None:
    told = lines(facts(Trace(seconds(1000, 2000))))
    assert told[-1] == "  fewer than 12 bins of 1 s: no statistics"


def test_opportunities_every_ten_milliseconds_by_hand() -> None:
    told = facts(Trace(Opportunities(np.arange(1, 2001) * 10 * MS)))
    packets = told["packets"]
    assert packets["opportunities"] == 2000
    assert packets["gap_p50_ms"] == packets["gap_p99_ms"] == packets["gap_max_ms"] == 10
    assert packets["idc_1s"] == 0  # a metronome: the counts of all seconds are equal
    assert packets["empty_100ms_share"] == 0
    assert any("gaps p50 10, p99 10, max 10 ms" in line for line in lines(told))


def test_delay_and_loss_by_hand() -> None:
    starts = np.arange(4) * NS_PER_S
    loss = Loss(starts, np.array([0.0, 1.0, 1.0, 0.0]), 4 * NS_PER_S)
    delay = Delay(starts, np.array([10, 99, 99, 30]) * MS, 4 * NS_PER_S, "round-trip")
    told = facts(Trace(delay=delay, loss=loss))
    assert told["delay"]["mean_ms"] == 20  # lost samples carry no delay
    assert (told["delay"]["loss_share"], told["delay"]["longest_loss_run"]) == (0.5, 2)
    text = lines(told)[-1]
    assert "delay (round-trip)" in text
    assert "lost 50.00%, longest run 2" in text


def test_tracks_are_counted_by_name() -> None:
    end = 2 * NS_PER_S
    trace = Trace(
        seconds(1, 2),
        limit=Limit(np.array([0]), np.array([100]), end),
        labels={"radio": Labels(np.array([0, NS_PER_S]), ["4G", "5G"], end)},
    )
    assert tracks(trace) == {"capacity": 2, "limit": 1, "label radio": 2}


def test_what_cannot_be_computed_is_null_and_zero_stays_zero() -> None:
    assert plain({"a": float("nan"), "b": 0.0, "c": 3}) == {"a": None, "b": 0.0, "c": 3}


def test_a_folder_stands_for_its_data_files(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for name in ("b.txt", "a.txt", "README.md", ".hidden", "MANIFEST.csv"):
        (tmp_path / "set" / name).write_text("0 1\n1 2\n")
    assert [path.name for path in expand([tmp_path])] == ["a.txt", "b.txt"]
    assert [path.name for path in expand([tmp_path / "set" / "b.txt", tmp_path])] == [
        "b.txt",
        "a.txt",
        "b.txt",
    ]


def test_a_folder_without_traces_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no trace files there"):
        expand([tmp_path])


def test_what_does_not_load_is_kept_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("0 1\n1 2\n2 1\n")
    (tmp_path / "bad.txt").write_text("0 1\n5 2\n3 1\n")
    loaded, refused = load_all([tmp_path / "good.txt", tmp_path / "bad.txt"], "pensieve")
    assert [trace.name for trace in loaded] == ["good.txt"]
    assert [(Path(error.file).name, error.line) for error in refused] == [("bad.txt", 3)]
    assert "time runs back" in refused[0].message


def options(
    source: object, *, hold: str = "forward", count: int = 1, ratio: float = 0.5, plain: bool = False
) -> None:
    """A reader's signature."""


def test_options_take_the_type_of_their_defaults() -> None:
    given = ["hold=3", "count=7", "ratio=0.25", "plain=true"]
    assert typed_options(options, given) == {"hold": "3", "count": 7, "ratio": 0.25, "plain": True}


@pytest.mark.parametrize("setting", ["nope=1", "hold", "=1", "source=x"])
def test_an_unknown_option_lists_the_known_ones(setting: str) -> None:
    with pytest.raises(UsageError, match="expected KEY=VALUE with one of hold, count, ratio, plain"):
        typed_options(options, [setting])


def test_a_flag_is_true_or_false_only() -> None:
    with pytest.raises(UsageError, match="'perhaps' is neither true nor false"):
        typed_options(options, ["plain=perhaps"])


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [
        ("3", None, 3),
        ("3.5", None, 3.5),
        ("x", None, "x"),
        ("true", None, True),
        ("3", "text", "3"),
        ("1e3", 1, 1000.0),
    ],
)
def test_text_becomes_a_value(text: str, default: object, value: object) -> None:
    found = typed(text, default)
    assert (found, type(found)) == (value, type(value))


def test_long_lists_are_cut_and_counted() -> None:
    names = [str(k) for k in range(20)]
    assert shortened(names) == [*names[:12], "... and 8 more"]
    assert shortened(names[:13]) == names[:13]  # one more line costs no more than saying so
    assert shortened([]) == []
