"""Class files: the fitted numbers of one class of links as a JSON object, written by `lanecast trace fit`.

The fields are those of `ClassParameters`; README of the format: docs/generators.md. A file may come from anywhere, so
every number is checked before anything is drawn from it: what passes `check_class` can be generated from.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import msgspec

from lanecast.errors import TraceError
from lanecast.traces.classmodel import OUTAGE_PROBABILITIES, SHAPE_PROBABILITIES, ClassParameters
from lanecast.traces.files import write_lines
from lanecast.traces.packets import BURST_PROBABILITIES
from lanecast.traces.reading import open_source

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

DIGITS = 5  # significant digits that are kept of a fitted number: far below what recordings can tell
_MOST_MBPS = 1e6  # of a track's rate: `UNLIMITED_BIT_S`
_LONGEST_S = 1e8  # of any time; tracks end at 1e9 s


def rounded(value: object) -> Any:
    """Return the value with its floats rounded to DIGITS significant digits, nan as None."""
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, (list, tuple)) else value


def as_json(parameters: ClassParameters) -> str:
    """Return the numbers of a class as one line of JSON."""
    return json.dumps(rounded(msgspec.to_builtins(parameters)), separators=(",", ":"))


def dump_class(parameters: ClassParameters, path: Path) -> None:
    """Write a class file, whole or not at all.

    Raises:
        TraceError: it cannot be written.
    """
    write_lines(path, [as_json(parameters)])


def load_class(path: str | os.PathLike[str]) -> ClassParameters:
    """Read a class file.

    Raises:
        TraceError: naming the file, the field, its value and what was expected.
    """
    with open_source(path) as source:
        data = source.document()
        try:
            parameters = msgspec.json.decode(data, type=ClassParameters)
            check_class(parameters)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
            raise TraceError(str(path), 0, f"no class file: {error}") from error
    return parameters


def check_class(parameters: ClassParameters) -> None:
    """Raise ValueError, naming the field, unless a trace can be drawn from these numbers."""
    p = parameters
    for name in ("step_s", "window_s", "stretch_s"):
        _bounded(name, [getattr(p, name)], 1e-3, _LONGEST_S)
    _rising("level_mbps", p.level_mbps, 1e-6, _MOST_MBPS)
    if len(p.shape) < 2:
        raise ValueError(f"shape has {len(p.shape)} rows, expected 2 or more")
    for place, row in enumerate(p.shape):
        _sized(f"shape[{place}]", row, SHAPE_PROBABILITIES)
        _rising(f"shape[{place}]", row, 0.0, _MOST_MBPS)
        if not row[-1]:
            raise ValueError(f"shape[{place}] is 0 throughout, expected a rate above 0")
    _bounded("slow_share", p.slow_share, 0.0, 1.0)
    _bounded("slow_s", p.slow_s, 1e-3, _LONGEST_S)
    _bounded("fast_s", p.fast_s, 1e-3, _LONGEST_S)
    _bounded("fast_blend", p.fast_blend, 0.0, 1.0)
    _bounded("entry", [p.entry], 0.0, 1e3)
    _bounded("dependence", p.dependence, -0.999, 0.999)
    _check_outages(p)
    if len(p.drawn_mbps) != len(p.mapped_mbps):
        raise ValueError(f"drawn_mbps has {len(p.drawn_mbps)} values, mapped_mbps {len(p.mapped_mbps)}")
    if p.drawn_mbps:
        _rising("drawn_mbps", p.drawn_mbps, 0.0, _MOST_MBPS)
        _rising("mapped_mbps", p.mapped_mbps, 0.0, _MOST_MBPS)
    for place, layer in enumerate(p.packets):
        where = f"packets[{place}]"
        _sized(f"{where}.burst", layer.burst, BURST_PROBABILITIES)
        _rising(f"{where}.burst", layer.burst, 0.0, 1e6)
        for name in ("burst_packets", "reference_mbps", "regularity", "quiet_s"):
            _bounded(f"{where}.{name}", [getattr(layer, name)], 1e-3, 1e6)
        _bounded(f"{where}.quiet", [layer.quiet], 0.0, 0.99)
        _bounded(f"{where}.growth", [layer.growth], 0.0, 1.0)
        _bounded(f"{where}.flicker", [layer.flicker], 0.0, 10.0)


def _check_outages(p: ClassParameters) -> None:
    _rising("outage_per_s", p.outage_per_s, 0.0, 1e3)
    if bool(p.outage_s) != bool(p.outage_depth):
        raise ValueError("outage_s and outage_depth: expected both, or both empty")
    if p.outage_s:
        _sized("outage_s", p.outage_s, OUTAGE_PROBABILITIES)
        _rising("outage_s", p.outage_s, 0.0, _LONGEST_S)
        _rising("outage_depth", p.outage_depth, 0.0, 1.0)


def _sized(name: str, values: Sequence[float], probabilities: Sequence[float]) -> None:
    if len(values) != len(probabilities):
        raise ValueError(f"{name} has {len(values)} values, expected {len(probabilities)}")


def _bounded(name: str, values: Sequence[float], low: float, high: float) -> None:
    if not values:
        raise ValueError(f"{name} is empty, expected a number or more")
    for value in values:
        if not low <= value <= high:
            raise ValueError(f"{name} is {value:g}, expected {low:g} to {high:g}")


def _rising(name: str, values: Sequence[float], low: float, high: float) -> None:
    _bounded(name, values, low, high)
    if any(later < earlier for earlier, later in zip(values, values[1:], strict=False)):
        raise ValueError(f"{name} falls somewhere, expected numbers that never decrease")
