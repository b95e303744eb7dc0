"""What each verb of `lanecast trace` does: parsed arguments in, printed answer and exit code out."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from lanecast.traces.trace import Trace

EXIT_FOUND = 5  # a check missed its bound
_NS = 1_000_000_000
_MBIT = 1_000_000


@contextmanager
def _as_usage() -> Iterator[None]:
    """Report what the library calls a wrong argument as one line, not a traceback."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error


def _load(path: str | Path, options: argparse.Namespace) -> Trace:
    from lanecast.experiments.trace_report import typed_options
    from lanecast.traces.files import format_named, load_trace, sniff

    name = options.source_format
    if options.read:
        name = name or sniff(path).format
    settings = typed_options(format_named(name).load, options.read) if options.read else {}
    with _as_usage():
        return load_trace(path, name, **settings)


def show_info(options: argparse.Namespace) -> int:
    """Print what each trace holds; a refused file is told on stderr and makes the exit code 2."""
    from lanecast.errors import TraceError
    from lanecast.experiments.trace_report import expand, facts, lines

    code = 0
    for path in expand(options.paths):
        try:
            with _as_usage():
                answer = facts(_load(path, options), options.bin)
        except TraceError as error:
            if len(options.paths) == 1 and Path(path) == Path(options.paths[0]):
                raise
            print(f"lanecast: {error}", file=sys.stderr)
            code = error.exit_code
            continue
        print(json.dumps(answer) if options.json else "\n".join(lines(answer)))
    return code


def convert(options: argparse.Namespace) -> int:
    """Read, operate, write; print what the writer had to round."""
    with _as_usage():
        trace = _operated(_load(options.source, options), options)
    return _write(trace, options.target, options.to, options)


def _operated(trace: Trace, options: argparse.Namespace) -> Trace:
    """Return the trace after the operations of the command line, in their fixed order."""
    from lanecast.traces.trace import Opportunities

    if options.cut:
        start, end = _span(options.cut)
        trace = trace.cut(round(start * _NS), round(end * _NS))
    if options.offset:
        trace = trace.offset(_offset_ns(options.offset, trace.period_ns))
    if options.scale_time:
        trace = trace.scale_time(_ratio(options.scale_time))
    if options.scale_rate:
        trace = trace.scale_rate(_ratio(options.scale_rate))
    if options.clip:
        low, high = _span(options.clip)
        trace = trace.clip(round(low * _MBIT), round(high * _MBIT))
    for path in options.concat:
        trace = trace.concatenate(_load(path, options))
    rates_only = isinstance(trace.capacity, Opportunities) and options.to not in (
        "mahimahi",
        "leocc",
        "leocc-delay",
    )
    if options.bin or rates_only:
        trace = trace.to_rate(round((options.bin or 1.0) * _NS))
    return trace


def _span(text: str) -> tuple[float, float]:
    first, _, last = text.partition(":")
    try:
        span = float(first), float(last)
    except ValueError:
        span = math.nan, math.nan
    if not (math.isfinite(span[0]) and math.isfinite(span[1])):
        raise UsageError(f"{text!r} is not two numbers with a colon between")
    return span


def _offset_ns(text: str, period_ns: int) -> int:
    """Return seconds as ns, or a point of the period drawn by `seed:N`."""
    from lanecast.traces import synthetic

    try:
        if text.startswith("seed:"):
            return int(synthetic.stream("offset", int(text.removeprefix("seed:"))).random() * period_ns)
        return round(float(text) * _NS)
    except (ValueError, OverflowError):
        raise UsageError(f"offset {text!r}: expected seconds, or seed:N with N >= 0") from None


def _ratio(text: str) -> Any:
    from fractions import Fraction

    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{text!r} is not a number or a ratio such as 3/2") from None


def _write(trace: Trace, target: str, format_name: str, options: argparse.Namespace) -> int:
    from lanecast.experiments.trace_report import typed_options
    from lanecast.traces.files import dump_trace, format_named

    writer = format_named(format_name).dump
    settings = typed_options(writer, options.write) if writer is not None else {}
    with _as_usage():
        report = dump_trace(trace, target, format_name, **settings)
    chain = list(trace.provenance.chain)
    if options.json:
        told = {
            "file": str(report.path),
            "format": report.format,
            "chain": chain,
            "notes": list(report.notes),
        }
        print(json.dumps(told))
        return 0
    print(f"{report.path}: {report.format}")
    for step in chain:
        print(f"  step   {step}")
    for note in report.notes:
        print(f"  note   {note}")
    return 0


def make(options: argparse.Namespace) -> int:
    """Generate a trace and write it."""
    from lanecast.experiments.trace_report import typed_options
    from lanecast.traces import synthetic

    with _as_usage():
        if options.name in synthetic.CLASSES or options.name.endswith(synthetic.CLASS_FILE):
            settings = typed_options(synthetic.make, options.settings)
            settings = {"duration_s": options.duration, "seed": options.seed} | settings
            trace = synthetic.make(options.name, **settings)
        else:
            trace = _shaped(options.name, options.duration, options.seed, _shape_settings(options.settings))
    options.bin = None
    return _write(trace, options.output, options.to, options)


def _shaped(name: str, duration_s: float, seed: int, settings: dict[str, Any]) -> Trace:
    """Return a simple shape of `duration_s`; one that has a period of its own is repeated to it."""
    from dataclasses import fields

    from lanecast.traces import shapes

    shape = shapes.SHAPES.get(name)
    taken = {field.name for field in fields(shape)} if shape is not None else set[str]()
    given: dict[str, Any] = {"duration_s": duration_s, "seed": seed}
    trace = shapes.make(name, **({key: value for key, value in given.items() if key in taken} | settings))
    return trace if "duration_s" in taken else trace.repeated(round(duration_s * _NS))


def _shape_settings(settings: list[str]) -> dict[str, Any]:
    from lanecast.experiments.trace_report import typed

    answer: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting!r}: expected KEY=VALUE")
        answer[key] = typed(text, None)
    return answer


def fit(options: argparse.Namespace) -> int:
    """Fit a class to recordings, write it, and print how near its traces come."""
    from lanecast.experiments.trace_fit import fit_traces
    from lanecast.experiments.trace_report import expand
    from lanecast.traces.classfile import dump_class
    from lanecast.traces.synthetic import CLASS_FILE

    target = Path(options.output)
    if target.suffix != CLASS_FILE:
        raise UsageError(f"-o {target}: expected a name that ends in {CLASS_FILE}")
    if not target.parent.is_dir():
        raise UsageError(f"-o {target}: there is no folder {target.parent}")
    traces = [_load(path, options) for path in expand(options.paths)]
    fitted = fit_traces(
        traces, title=options.title or target.stem, kind=options.kind, bin_s=options.bin, seed=options.seed
    )
    dump_class(fitted.parameters, target)
    if options.json:
        print(json.dumps({"file": str(target), **fitted.as_dict()}))
    else:
        print("\n".join([*fitted.lines(), f"{target}: try `lanecast trace make {target} -o made.txt`"]))
    return 0


def check(options: argparse.Namespace) -> int:
    """Load everything, then find what repeats; overlaps and refusals are findings, not errors, unless --strict."""
    from lanecast.experiments.trace_report import expand, load_all, shortened
    from lanecast.traces.overlap import find_overlaps

    ours, refused = load_all(expand(options.paths), options.source_format)
    others = None
    if options.against:
        others, more = load_all(expand(options.against), options.source_format)
        refused += more
    overlaps = find_overlaps(ours, others)
    if options.json:
        for error in refused:
            print(json.dumps({"refused": error.file, "line": error.line, "why": error.message}))
        for found in overlaps:
            told = {"first": found.first, "second": found.second}
            print(json.dumps({**told, "relation": found.relation, "evidence": found.evidence}))
    else:
        print("\n".join(shortened([f"refused  {error}" for error in refused])) or "every file loads")
        for found in overlaps:
            print(f"{found.relation}: {found.first} and {found.second}: {found.evidence}")
        counts = Counter(found.relation for found in overlaps)
        told_counts = ", ".join(f"{count} {relation}" for relation, count in counts.items()) or "no overlaps"
        print(f"{len(ours)} traces against {len(ours if others is None else others)}: {told_counts}")
    return EXIT_FOUND if options.strict and (overlaps or refused) else 0


def plot(options: argparse.Namespace) -> int:
    """Draw one figure of all traces named."""
    from lanecast.experiments.trace_figures import draw
    from lanecast.experiments.trace_report import expand

    traces = [_load(path, options) for path in expand(options.paths)]
    against = [_load(path, options) for path in expand(options.against)] if options.against else []
    with _as_usage():
        draw(traces, options.what, Path(options.output), bin_s=options.bin, against=against)
    told = {"figure": options.what, "file": options.output, "traces": len(traces), "against": len(against)}
    print(json.dumps(told) if options.json else f"{options.output}: {options.what} of {len(traces)} traces")
    return 0


def list_known(options: argparse.Namespace) -> int:
    """Print the published sets, the formats, and what can be generated."""
    from lanecast.traces.catalog import SETS
    from lanecast.traces.formats.registry import FORMATS

    everything = not (options.sets or options.formats or options.classes)
    rows: list[dict[str, Any]] = []
    if everything or options.sets:
        rows += [
            {"set": s.name, "title": s.title, "measured": s.kind, "direction": s.direction, "units": s.units,
             "step": s.step, "licence": s.licence, "cite": s.cite, "beware": s.trap}
            for s in SETS.values()
        ]  # fmt: skip
    if everything or options.formats:
        rows += [{"format": f.name, "title": f.title, "writes": f.dump is not None} for f in FORMATS.values()]
    if everything or options.classes:
        rows += _classes()
    for row in rows:
        print(json.dumps(row) if options.json else "  ".join(str(value) for value in row.values()))
    return 0


def _classes() -> list[dict[str, Any]]:
    from lanecast.traces import shapes, synthetic

    fitted = [{"class": name, "title": synthetic.parameters_of(name).title} for name in synthetic.CLASSES]
    return fitted + [{"class": name, "title": "a simple shape"} for name in shapes.SHAPES]


def verify_files(options: argparse.Namespace) -> int:
    """Compare every file with its manifest; any difference makes the exit code 5."""
    from lanecast.experiments.trace_report import shortened
    from lanecast.traces.catalog import read_manifest, verify

    root = Path(options.folder)
    entries = read_manifest(root)
    findings = list(verify(root, entries))
    if options.json:
        told = [{"file": found.file, "problem": found.problem} for found in findings]
        print(json.dumps({"files": len(entries), "findings": told}))
    else:
        for line in shortened([f"{found.file}: {found.problem}" for found in findings]):
            print(line)
        print(f"{len(entries)} files, {len(findings)} differ from {root / 'MANIFEST.csv'}")
    return EXIT_FOUND if findings else 0
