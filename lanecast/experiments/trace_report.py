"""What `lanecast trace` says about traces: plain values for JSON, and the same as lines for a person."""

from __future__ import annotations

import inspect
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import TraceError, UsageError
from lanecast.traces import catalog
from lanecast.traces.files import load_trace
from lanecast.traces.statistics import bin_ns_of, delay_statistics, packet_statistics, summarise
from lanecast.traces.trace import NS_PER_S, Opportunities, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_MBIT = 1e6
_MANY = 12
"""Files named one by one in an answer for a person; more are counted."""


def facts(trace: Trace, bin_s: float = 0.0) -> dict[str, Any]:
    """Return everything `trace info` knows of a trace; `bin_s` 0 takes the set's own bin."""
    capacity = trace.capacity
    bin_ns = round(bin_s * NS_PER_S) or bin_ns_of(trace.provenance.set)
    answer: dict[str, Any] = {
        "name": trace.name,
        "provenance": trace.provenance.as_dict(),
        "period_s": trace.period_ns / NS_PER_S,
        "end": trace.end,
        "tracks": tracks(trace),
        "capacity": None,
        "packets": None,
        "delay": None,
    }
    if capacity is not None:
        form = "opportunities" if isinstance(capacity, Opportunities) else "rate"
        answer["capacity"] = {
            "form": form,
            "total_bits": capacity.total_bits,
            **summarise([trace], bin_ns).as_dict(),
            "mean_bit_s": capacity.mean_bit_s,  # of the whole trace, also where it is too short for statistics
        }
        if isinstance(capacity, Opportunities):
            answer["packets"] = plain(asdict(packet_statistics(trace)))
    if trace.delay is not None:
        answer["delay"] = plain(asdict(delay_statistics(trace)))
    return answer


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return values for JSON, nan as None."""
    return {key: None if isinstance(v, float) and math.isnan(v) else v for key, v in values.items()}


def tracks(trace: Trace) -> dict[str, int]:
    """Return the number of steps of each track that is there."""
    named = {"capacity": trace.capacity, "delay": trace.delay, "loss": trace.loss, "limit": trace.limit}
    sizes = {
        name: track.times.size if isinstance(track, Opportunities) else track.starts.size
        for name, track in named.items()
        if track is not None
    }
    return sizes | {f"label {name}": track.starts.size for name, track in trace.labels.items()}


def lines(answer: dict[str, Any]) -> list[str]:
    """Return the facts of one trace for a person."""
    where = answer["provenance"]
    told = [
        answer["name"],
        f"  format {where['format']}, measured {where['kind']}, set {where['set'] or 'none'}",
        f"  sha256 {where['sha256'] or 'none'}",
        f"  period {answer['period_s']:.3f} s, then {answer['end']}; steps: "
        + ", ".join(f"{name} {size}" for name, size in answer["tracks"].items()),
    ]
    told += [f"  step   {step}" for step in where["chain"]]
    told += [f"  note   {note}" for note in where["notes"]]
    if capacity := answer["capacity"]:
        told += _capacity_lines(capacity)
    if packets := answer["packets"]:
        told.append(
            f"  gaps p50 {packets['gap_p50_ms']:.3g}, p99 {packets['gap_p99_ms']:.3g}, "
            f"max {packets['gap_max_ms']:.5g} ms; "
            f"same ms {packets['equal_ms_share']:.1%}; empty 10 ms {_share(packets['empty_10ms_share'])}, "
            f"100 ms {_share(packets['empty_100ms_share'])}"
        )
        told.append(
            "  IDC " + ", ".join(f"{w} {_number(packets[f'idc_{w}'])}" for w in ("10ms", "100ms", "1s"))
        )
    if delay := answer["delay"]:
        figures = ", ".join(
            f"{name} {_number(delay[f'{name}_ms'])}" for name in ("p5", "p50", "p95", "p99", "max")
        )
        lost = f"lost {delay['loss_share']:.2%}, longest run {delay['longest_loss_run']}"
        told.append(f"  delay ({delay['measured']}) {figures} ms; {lost}")
    return told


def _capacity_lines(capacity: dict[str, Any]) -> list[str]:
    told = [f"  capacity as {capacity['form']}, mean {capacity['mean_bit_s'] / _MBIT:.6g} Mbit/s"]
    if not capacity["traces"]:
        return [*told, f"  fewer than 12 bins of {capacity['bin_s']:g} s: no statistics"]
    quantiles = ", ".join(
        f"{name} {capacity[f'{name}_bit_s'] / _MBIT:.4g}" for name in ("p5", "median", "p95")
    )
    told.append(
        f"  {capacity['bins']} bins of {capacity['bin_s']:g} s: {quantiles} Mbit/s, CoV {_number(capacity['cov'])}"
    )
    told.append(
        f"  outage {capacity['outage_share']:.1%}, mean {_number(capacity['outage_mean_s'])} s; "
        f"acf 1 s {_number(capacity['acf_1s'])}, 10 s {_number(capacity['acf_10s'])}"
    )
    return told


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def expand(paths: Iterable[str | Path]) -> list[Path]:
    """Return files, with folders replaced by the data files under them; nothing to read is an error."""
    files: list[Path] = []
    for name in paths:
        path = Path(name)
        files += catalog.trace_files(path) if path.is_dir() else [path]
    if not files:
        raise UsageError("no trace files there")
    return files


def load_all(files: Sequence[Path], format_name: str | None = None) -> tuple[list[Trace], list[TraceError]]:
    """Return the traces that load and the errors of those that do not."""
    loaded: list[Trace] = []
    refused: list[TraceError] = []
    for path in files:
        try:
            loaded.append(load_trace(path, format_name))
        except TraceError as error:
            refused.append(error)
    return loaded, refused


def typed_options(function: Callable[..., Any], settings: Sequence[str]) -> dict[str, Any]:
    """Return `key=value` settings as the keyword options of a reader, writer or generator, by their defaults' types."""
    known = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    options: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or key not in known:
            raise UsageError(
                f"option {setting!r}: expected KEY=VALUE with one of {', '.join(known) or 'no options'}"
            )
        options[key] = typed(text, known[key])
    return options


def typed(text: str, default: object) -> Any:
    """Return text as a value of the default's type; where that says nothing, as a number if it is one."""
    if isinstance(default, bool) or text in ("true", "false"):
        if text not in ("true", "false"):
            raise UsageError(f"{text!r} is neither true nor false")
        return text == "true"
    if isinstance(default, str):
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def shortened(items: Sequence[str]) -> list[str]:
    """Return the first lines and how many more there are."""
    more = len(items) - _MANY
    return [*items[:_MANY], f"... and {more} more"] if more > 1 else list(items)
