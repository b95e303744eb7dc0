"""Result files: they describe themselves, appear whole, and are refused when damaged or too new."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanecast.errors import ResultError
from lanecast.experiments.config import Run
from lanecast.experiments.results import (
    FORMAT,
    HEADER,
    Columns,
    append_row,
    code_digest,
    compiled_map,
    digest_of,
    environment,
    journal_rows,
    key_of,
    load_run,
    read_summary,
    read_sweep,
    save_run,
    sweep_digest,
    sync_journals,
    write_summary,
)

COLUMNS: Columns = {
    "time_ns": np.array([1, 2, 2**62], dtype=np.int64),
    "rate": np.array([0.5, float("nan")], dtype=np.float64),
    "flag": np.array([[1, 0], [0, 1]], dtype=np.uint8),
}


def test_columns_and_header_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "run.npz"
    save_run(path, COLUMNS, {"seed": 7, "status": "ok"})
    columns, header = load_run(path)
    assert columns.keys() == COLUMNS.keys()
    for name, column in COLUMNS.items():
        assert columns[name].dtype == column.dtype
        assert np.array_equal(columns[name], column, equal_nan=column.dtype.kind == "f")
    assert (header["seed"], header["status"], header["format"]) == (7, "ok", FORMAT)
    assert header["digest"] == digest_of(COLUMNS)


def test_only_the_finished_file_is_left(tmp_path: Path) -> None:
    save_run(tmp_path / "run.npz", COLUMNS, {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.npz"
    save_run(path, COLUMNS, {"seed": 1})

    def full_disk(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_run(path, COLUMNS, {"seed": 2})
    assert load_run(path)[1]["seed"] == 1


def test_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="column bad is object"):
        save_run(tmp_path / "run.npz", {"bad": np.array([object()])}, {})


def test_a_newer_format_is_refused_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    text = json.dumps({"format": FORMAT + 1, "digest": digest_of({})})
    np.savez(path, allow_pickle=False, **{HEADER: np.frombuffer(text.encode(), dtype=np.uint8)})
    with pytest.raises(ResultError, match=f"format {FORMAT + 1}"):
        load_run(path)


def test_changed_columns_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    save_run(path, COLUMNS, {})
    with np.load(path) as archive:
        stored = {name: archive[name] for name in archive.files}
    stored["time_ns"] = stored["time_ns"] + 1
    np.savez(path, allow_pickle=False, **stored)
    with pytest.raises(ResultError, match="digest"):
        load_run(path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut short"])
def test_files_that_are_no_results_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.npz"
    path.write_bytes(content)
    with pytest.raises(ResultError, match=r"run\.npz"):
        load_run(path)


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    np.savez(path, allow_pickle=True, **{HEADER: np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ResultError):
        load_run(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="nothing"):
        load_run(tmp_path / "nothing.npz")


def test_the_digest_sees_names_types_shapes_and_values() -> None:
    base = digest_of({"a": np.array([1, 2], dtype=np.int64)})
    assert base == digest_of({"a": np.array([1, 2], dtype=np.int64)})
    others: list[dict[str, np.ndarray[Any, Any]]] = [
        {"b": np.array([1, 2], dtype=np.int64)},
        {"a": np.array([1, 3], dtype=np.int64)},
        {"a": np.array([1, 2], dtype=np.float64)},
        {"a": np.array([[1, 2]], dtype=np.int64)},
    ]
    assert all(digest_of(other) != base for other in others)


def test_the_digest_does_not_depend_on_the_order_of_columns() -> None:
    assert digest_of(COLUMNS) == digest_of(dict(reversed(list(COLUMNS.items()))))


def test_equal_points_have_equal_keys() -> None:
    assert key_of(Run(kind="tokens", seed=1)) == key_of(Run(kind="tokens", seed=1))
    assert key_of(Run(kind="tokens", seed=1)) != key_of(Run(kind="tokens", seed=2))


def test_rows_survive_in_the_journal_and_a_cut_line_is_left_out(tmp_path: Path) -> None:
    append_row(tmp_path, {"key": "a", "value": 1.5})
    append_row(tmp_path, {"key": "b", "value": float("nan")})
    sync_journals(tmp_path)
    (journal,) = tmp_path.glob("*.jsonl")
    assert str(os.getpid()) in journal.name
    with journal.open("a") as file:
        file.write('{"key": "c", "val')
    rows = list(journal_rows(tmp_path))
    assert [row["key"] for row in rows] == ["a", "b"]
    assert rows[0]["value"] == 1.5
    append_row(tmp_path, {"key": "d"})
    append_row(tmp_path, {"key": "e"})
    assert [row["key"] for row in journal_rows(tmp_path)] == ["a", "b", "e"]


def test_a_summary_keeps_numbers_and_text(tmp_path: Path) -> None:
    rows = [
        {"name": "x", "n": 3, "rate": 0.1, "none": ""},
        {"name": "1e", "n": 4, "rate": float("nan"), "more": 1},
    ]
    write_summary(tmp_path / "summary.csv", rows)
    found = read_summary(tmp_path)
    assert list(found[0]) == ["name", "n", "rate", "none", "more"]
    assert (found[0]["n"], found[0]["rate"], found[0]["more"]) == (3, 0.1, "")
    assert found[1]["name"] == "1e"
    assert found[1]["rate"] != found[1]["rate"]


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="--out"):
        read_summary(tmp_path)
    with pytest.raises(ResultError, match="--out"):
        read_sweep(tmp_path)


def test_a_sweep_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text(json.dumps({"format": FORMAT + 5}))
    with pytest.raises(ResultError, match=f"format {FORMAT + 5}"):
        read_sweep(tmp_path)
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(ResultError, match="not JSON"):
        read_sweep(tmp_path)


def test_the_sweep_digest_sees_order_and_content() -> None:
    rows = [{"key": "a", "digest": "1"}, {"key": "b", "digest": "2"}]
    assert sweep_digest(rows) == sweep_digest([dict(row) for row in rows])
    assert sweep_digest(rows) != sweep_digest(rows[::-1])


def test_the_environment_names_versions_code_and_compiled_modules() -> None:
    found = environment()
    assert found["versions"]["numpy"] == np.__version__
    assert found["code"] == code_digest()
    assert set(found["compiled"]) | set(found["plain"]) == set(compiled_map())
    assert "lanecast.transport.calendar" in compiled_map()
