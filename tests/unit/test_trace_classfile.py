"""Class files: what passes can be drawn from; what does not is refused by field, value and expectation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from lanecast.errors import TraceError
from lanecast.traces import synthetic
from lanecast.traces.classfile import as_json, check_class, dump_class, load_class, rounded
from lanecast.traces.classmodel import SHAPE_PROBABILITIES, ClassParameters


def page(**changes: object) -> dict[str, Any]:
    """The smallest class: one level, two equal rows that rise from 0.5 to 1.5, one outage of 2 s in 100 s."""
    row = [0.5 + p for p in SHAPE_PROBABILITIES]
    return {
        "title": "mine", "kind": "offered", "step_s": 1.0, "window_s": 100.0, "stretch_s": 600.0,
        "level_mbps": [8.0, 8.0], "shape": [row, row], "slow_share": [0.5], "slow_s": [20.0], "fast_s": [1.0],
        "fast_blend": [0.0], "outage_per_s": [0.01, 0.01], "outage_s": [2.0] * 15, "outage_depth": [0.0, 0.5],
        "entry": 1.0, "dependence": [0.0, 0.0, 0.0], "drawn_mbps": [], "mapped_mbps": [], "fitted_traces": 3,
        "fitted_hours": 0.1,
    } | changes  # fmt: skip


def layer(**changes: object) -> dict[str, Any]:
    return {
        "burst": [1.0] * 16, "burst_packets": 2.0, "reference_mbps": 5.0, "growth": 0.5, "regularity": 2.0,
        "quiet": 0.1, "quiet_s": 0.1, "flicker": 0.5,
    } | changes  # fmt: skip


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_every_class_that_ships_passes_and_survives_a_file(tmp_path: Path) -> None:
    for name in synthetic.CLASSES:
        shipped = synthetic.parameters_of(name)
        check_class(shipped)
        dump_class(shipped, tmp_path / "c.json")
        assert load_class(tmp_path / "c.json") == shipped


def test_a_trace_drawn_from_a_file_has_its_marginal(tmp_path: Path) -> None:
    # Level 8 and a shape of 0.5..1.5: all running rates within 4..12 Mbit/s, their mean 8 within an outage's rounding.
    name = str(write(tmp_path / "mine.json", page()))
    trace = synthetic.make(name, duration_s=400, seed=3)
    rates = np.asarray(trace.binned_rates(1_000_000_000)) / 1e6
    running = rates[rates > 1]
    assert running.min() >= 4 - 1e-6
    assert running.max() <= 12 + 1e-6
    assert running.mean() == pytest.approx(8, rel=0.01)
    assert 400 - running.size in (
        6,
        8,
        10,
    )  # 0.01 a second in about 392 running seconds, 2 s each, at the cut's mercy


def test_the_title_not_the_file_name_picks_the_stream(tmp_path: Path) -> None:
    first = synthetic.make(str(write(tmp_path / "a.json", page())), duration_s=60, seed=1)
    second = synthetic.make(str(write(tmp_path / "b.json", page())), duration_s=60, seed=1)
    other = synthetic.make(str(write(tmp_path / "c.json", page(title="yours"))), duration_s=60, seed=1)
    assert first.same_tracks(second)
    assert not first.same_tracks(other)


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    name = str(write(tmp_path / "a.json", page()))
    before = synthetic.make(name, duration_s=60, seed=1).mean_bit_s
    write(tmp_path / "a.json", page(level_mbps=[16.0, 16.0]))
    assert synthetic.make(name, duration_s=60, seed=1).mean_bit_s == pytest.approx(2 * before, rel=0.01)


def test_opportunities_need_a_packet_layer(tmp_path: Path) -> None:
    name = str(write(tmp_path / "a.json", page(packets=[layer()])))
    made = synthetic.make(name, duration_s=30, seed=1, form="opportunities")
    assert made.mean_bit_s == pytest.approx(8e6, rel=0.3)
    bare = str(write(tmp_path / "b.json", page()))
    with pytest.raises(ValueError, match="class mine is known as rates only"):
        synthetic.make(bare, duration_s=30, seed=1, form="opportunities")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step_s": 0}, r"step_s is 0, expected 0.001 to 1e\+08"),
        ({"step_s": -1.0}, "step_s is -1, expected"),
        ({"window_s": 1e9}, r"window_s is 1e\+09, expected"),
        ({"level_mbps": []}, "level_mbps is empty, expected a number or more"),
        ({"level_mbps": [0.0, 1.0]}, "level_mbps is 0, expected 1e-06 to"),
        ({"level_mbps": [2.0, 1.0]}, "level_mbps falls somewhere"),
        ({"shape": [[1.0] * 17]}, "shape has 1 rows, expected 2 or more"),
        ({"shape": [[1.0] * 17, [1.0] * 16]}, r"shape\[1\] has 16 values, expected 17"),
        ({"shape": [[0.0] * 17, [1.0] * 17]}, r"shape\[0\] is 0 throughout"),
        ({"slow_share": [1.5]}, "slow_share is 1.5, expected 0 to 1"),
        ({"slow_s": []}, "slow_s is empty"),
        ({"fast_s": [0.0]}, "fast_s is 0, expected"),
        ({"fast_blend": [-0.1]}, "fast_blend is -0.1, expected 0 to 1"),
        ({"entry": -1.0}, "entry is -1, expected"),
        ({"dependence": [1.0, 0.0, 0.0]}, "dependence is 1, expected -0.999 to 0.999"),
        ({"outage_s": []}, "outage_s and outage_depth: expected both, or both empty"),
        ({"outage_s": [1.0]}, "outage_s has 1 values, expected 15"),
        ({"outage_depth": [0.0, 2.0]}, "outage_depth is 2, expected 0 to 1"),
        ({"outage_per_s": [-1.0]}, "outage_per_s is -1, expected"),
        ({"drawn_mbps": [1.0]}, "drawn_mbps has 1 values, mapped_mbps 0"),
        ({"drawn_mbps": [2.0, 1.0], "mapped_mbps": [1.0, 2.0]}, "drawn_mbps falls somewhere"),
        ({"packets": [layer(burst=[1.0])]}, r"packets\[0\].burst has 1 values, expected 16"),
        ({"packets": [layer(quiet=1.0)]}, r"packets\[0\].quiet is 1, expected 0 to 0.99"),
        ({"packets": [layer(regularity=0.0)]}, r"packets\[0\].regularity is 0, expected"),
        ({"step_s": "1"}, r"Expected `float`, got `str` - at `\$.step_s`"),
        ({"colour": "red"}, "unknown field `colour`"),
        ({"dependence": [0.0]}, r"Expected `array` of length 3 - at `\$.dependence`"),
    ],
)
def test_each_wrong_number_is_refused_by_field_value_and_expectation(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = write(tmp_path / "bad.json", page(**change))
    with pytest.raises(TraceError, match=message) as caught:
        load_class(path)
    assert str(caught.value).startswith(f"{path}: no class file: ")


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00\xff\xfe", b"[]", b"{", b'{"title": NaN}', b"[" * 100_000, b'{"title":"\xff"}', b"1e999"],
    ids=["empty", "binary", "list", "cut", "nan", "deep", "not utf-8", "endless"],
)
def test_what_is_no_class_file_raises_only_our_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(TraceError, match=r"x\.json"):
        load_class(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"none\.json: cannot be opened: No such file"):
        load_class(tmp_path / "none.json")


def test_numbers_keep_five_digits() -> None:
    assert rounded((1.23456789, float("nan"), {"a": 2})) == [1.2346, None, {"a": 2}]
    again = msgspec.json.decode(as_json(synthetic.parameters_of("lte-ghent")), type=ClassParameters)
    assert again == synthetic.parameters_of("lte-ghent")
