"""Result files that describe themselves, and the folder of a sweep.

One run is one `.npz` of plain columns (int64, float64 or uint8; no pickles) and a JSON header in a uint8 column
of its own: format version, the point that was run, seed, versions, compiled map, machine, CPU seconds, driver, drop
counts by reason, status and the SHA-256 of the columns. Files appear whole or not at all (written beside,
then renamed). Readers refuse a newer format by its number.

A sweep's folder:

    sweep.json          the plan as run, its axes, the environment
    journal/*.jsonl     one line a finished run, appended by the process that ran it
    runs/KEY.npz        result files
    summary.csv         one row a run, in sweep order (written at the end, also after Ctrl-C)

A row is a flat dictionary of text and numbers. `key` names the point (SHA-256 of its JSON), `code` the program.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import math
import os
import platform
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

import lanecast
from lanecast.errors import ResultError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Columns: TypeAlias = dict[str, npt.NDArray[Any]]
Row: TypeAlias = dict[str, Any]

FORMAT = 1
HEADER = "header_json"
DTYPES = ("int64", "float64", "uint8")
PACKAGES = ("numpy", "msgspec", "joblib", "Cython")
MAKERS = ("build", "config", "measure", "oracles", "run")  # beginnings of the module names that make results
SUMMARY = "summary.csv"
SWEEP = "sweep.json"


def digest_of(columns: Mapping[str, npt.NDArray[Any]]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes of the columns, in order of names."""
    sha = hashlib.sha256()
    for name in sorted(columns):
        column = np.ascontiguousarray(columns[name])
        sha.update(f"{name}|{column.dtype.str}|{column.shape}|".encode())
        sha.update(column.tobytes())
    return sha.hexdigest()


def key_of(point: Any) -> str:
    """Return the name of a point: the first 16 hex digits of the SHA-256 of its JSON with sorted keys."""
    return hashlib.sha256(msgspec.json.encode(point, order="sorted")).hexdigest()[:16]


@functools.cache
def code_digest() -> str:
    """Return the first 16 hex digits of the SHA-256 of the sources that make results.

    These are all rooms below `experiments`, and of that room what wires, runs and measures, not what shows.
    """
    sha = hashlib.sha256()
    root = Path(lanecast.__file__).parent
    for source in sorted(root.rglob("*.py")):
        place = source.relative_to(root)
        if place.parts[0] != "experiments" or source.stem.startswith(MAKERS):
            sha.update(place.as_posix().encode())
            sha.update(source.read_bytes())
    return sha.hexdigest()[:16]


@functools.cache
def compiled_map() -> dict[str, bool]:
    """Tell for every core module (one that has a `.pxd`) whether its compiled form is in use."""
    root = Path(lanecast.__file__).parent
    found = {}
    for pxd in sorted(root.rglob("*.pxd")):
        name = ".".join(("lanecast", *pxd.relative_to(root).with_suffix("").parts))
        if pxd.stem != "__init__" and pxd.with_suffix(".py").is_file():
            module = sys.modules.get(name)
            if module is None:
                module = __import__(name, fromlist=["_"])
            found[name] = not str(module.__file__).endswith(".py")
    return found


@functools.cache
def environment() -> dict[str, Any]:
    """Return what a result needs to be understood later: versions, code, compiled map, machine."""
    versions = {"lanecast": lanecast.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "missing"
    modules = compiled_map()
    return {
        "versions": versions,
        "code": code_digest(),
        "compiled": sorted(name for name, compiled in modules.items() if compiled),
        "plain": sorted(name for name, compiled in modules.items() if not compiled),
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cpus": os.cpu_count()},
    }


def save_run(path: Path, columns: Columns, header: Mapping[str, Any]) -> None:
    """Write a result file; it appears whole or not at all.

    Raises:
        ValueError: a column's type is not one of int64, float64, uint8.
    """
    for name, column in columns.items():
        if column.dtype.name not in DTYPES:
            raise ValueError(f"column {name} is {column.dtype.name}, expected one of {', '.join(DTYPES)}")
    text = json.dumps({"format": FORMAT, **header, "digest": digest_of(columns)}, sort_keys=True)
    stored = {HEADER: np.frombuffer(text.encode(), dtype=np.uint8), **columns}
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with scratch.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **stored)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def load_run(path: Path) -> tuple[Columns, dict[str, Any]]:
    """Return the columns and the header of a result file.

    Raises:
        ResultError: the file is missing, damaged, of a newer format, or its columns do not match the digest.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            columns = {name: archive[name] for name in archive.files}
        header = json.loads(columns.pop(HEADER).tobytes())
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error}") from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ResultError(f"{path}: is not a lanecast result: {error}") from None
    if header.get("format", FORMAT + 1) > FORMAT:
        raise ResultError(
            f"{path}: has format {header.get('format')}, this lanecast reads up to {FORMAT}: use a newer lanecast"
        )
    if digest_of(columns) != header["digest"]:
        raise ResultError(f"{path}: columns do not match the digest in the header: the file is damaged")
    return columns, header


def append_row(folder: Path, row: Row) -> None:
    """Append a row to this process's journal; the operating system has it when this returns."""
    folder.mkdir(parents=True, exist_ok=True)
    journal = os.open(
        folder / f"{platform.node()}-{os.getpid()}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644
    )
    try:
        os.write(journal, json.dumps(row).encode() + b"\n")
    finally:
        os.close(journal)


def sync_journals(folder: Path) -> None:
    """Wait until all rows appended so far on this machine are on the disk."""
    for path in folder.glob("*.jsonl"):
        journal = os.open(path, os.O_RDONLY)
        try:
            os.fsync(journal)
        finally:
            os.close(journal)


def journal_rows(folder: Path) -> Iterator[Row]:
    """Yield the rows of all journals of a sweep; a last line cut short by a crash is left out."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):
                    try:
                        yield json.loads(line)
                    except json.JSONDecodeError:
                        continue  # two writers after a crash: the cut line has the next one glued on


def write_text(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)


def write_summary(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV; columns in the order in which they first appear, missing values empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with scratch.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    scratch.replace(path)


def read_summary(results: Path) -> list[Row]:
    """Return the rows of a sweep's folder (or of a CSV file) with numbers as numbers.

    Raises:
        ResultError: there is no summary.
    """
    path = results / SUMMARY if results.is_dir() else results
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [{name: _value(text) for name, text in row.items()} for row in csv.DictReader(file)]
    except OSError as error:
        raise ResultError(
            f"{path}: cannot be read: {error.strerror}; expected the --out folder of a run"
        ) from None


def read_sweep(results: Path) -> dict[str, Any]:
    """Return `sweep.json` of a sweep's folder; ResultError when missing, damaged or of a newer format."""
    path = results / SWEEP
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(
            f"{path}: cannot be read: {error.strerror}; expected the --out folder of a run"
        ) from None
    except ValueError as error:
        raise ResultError(f"{path}: is not JSON: {error}") from None
    if found.get("format", FORMAT + 1) > FORMAT:
        raise ResultError(f"{path}: has format {found.get('format')}, this lanecast reads up to {FORMAT}")
    return found


def sweep_digest(rows: Iterable[Row]) -> str:
    """Return the SHA-256 over keys and digests of rows in their order: equal on every back end."""
    sha = hashlib.sha256()
    for row in rows:
        sha.update(f"{row['key']} {row['digest']}\n".encode())
    return sha.hexdigest()


def _value(text: str | None) -> Any:
    """Return a CSV field as int, float or text; "nan" is a float."""
    if not text:
        return ""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) or text in ("nan", "inf", "-inf") else text
