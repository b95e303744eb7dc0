"""Judge the synthetic classes on recordings that they were not fitted on; or refit them all and ship the numbers.

    python benchmarks/generators.py ../shared/data/traces               # the 8 classes with enough recordings
    python benchmarks/generators.py DIR --folds 3 --json                # every third as judge in turn, rows as JSON
    python benchmarks/generators.py DIR --shipped                       # the shipped numbers against all of DIR
    python benchmarks/generators.py DIR --refit lanecast/traces/synthetic.json

Splits are by recording. Each class is fitted on two thirds, then `--sets` synthetic sets, with lengths as in the judged
third, are compared with it; controls are fitted and judged alike. `real` is the fitted part itself as if it had been
generated: no model can be expected to come nearer than that. Bars: KS <= real-real KS + 0.03, coefficient of
variation within 10 %, acf at 10 s within 0.10, outage share within 2 points, mean outage length within 25 %.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lanecast.traces.classfile import as_json, rounded
from lanecast.traces.classmodel import ClassParameters, Floats
from lanecast.traces.controls import CONTROLS
from lanecast.traces.fit import fit_bins, fit_class
from lanecast.traces.inference import simulate
from lanecast.traces.recordings import JUDGED, SOURCES, load_recordings
from lanecast.traces.statistics import MIN_BINS, bins, ks_distance, summarise_bins
from lanecast.traces.synthetic import parameters_of, stream
from lanecast.traces.trace import NS_PER_S

CRITERIA = ("ks", "cov", "acf_10s", "outage_share", "outage_mean_s")
SHOWN = (*CRITERIA, "acf_1s")
AT_LEAST = 60  # traces in a synthetic set: small judged parts are repeated until there are so many


@dataclass(frozen=True)
class Part:
    """Some traces of a class as bins in bit/s."""

    binned: list[Floats]
    step_s: float

    def statistics(self, against: Part) -> dict[str, float]:
        """Return the judged statistics, KS against the pooled bins of another part."""
        summary = summarise_bins(self.binned, round(self.step_s * NS_PER_S))
        values = {name: float(getattr(summary, name)) for name in SHOWN if name != "ks"}
        return {"ks": ks_distance(np.concatenate(self.binned), np.concatenate(against.binned))} | values


def passes(made: dict[str, float], real: dict[str, float], floor: float) -> dict[str, bool | None]:
    """Return which bars are met; None where the judged part has no such statistic."""
    return {
        "ks": made["ks"] <= floor + 0.03,
        "cov": abs(made["cov"] / real["cov"] - 1) <= 0.10,
        "acf_10s": abs(made["acf_10s"] - real["acf_10s"]) <= 0.10,
        "outage_share": abs(made["outage_share"] - real["outage_share"]) <= 0.02,
        "outage_mean_s": None
        if math.isnan(real["outage_mean_s"])
        else abs(made["outage_mean_s"] / real["outage_mean_s"] - 1) <= 0.25,
    }


def lengths_like(part: Part) -> list[int]:
    """Return the lengths in bins of a synthetic set: those of the part, repeated up to AT_LEAST traces."""
    lengths = [len(rates) for rates in part.binned]
    return lengths * max(1, math.ceil(AT_LEAST / len(lengths)))


def made_sets(
    name: str, fitted: Part, judged: Part, parameters: ClassParameters, sets: int, controls: bool
) -> dict[str, list[Part]]:
    """Return, per generator, `sets` synthetic sets with lengths as in the judged part."""
    lengths = lengths_like(judged)
    out = {
        "ours": [
            Part(simulate(parameters, lengths, 1000 + s, len(lengths)), judged.step_s) for s in range(sets)
        ]
    }
    for label, control in CONTROLS.items() if controls else ():
        rng = stream(f"{name}/{label}", 1)
        out[label] = [
            Part(control(fitted.binned, fitted.step_s, lengths, rng), judged.step_s) for _ in range(sets)
        ]
    return out


def judge(
    name: str, fitted: Part, judged: Part, parameters: ClassParameters, args: argparse.Namespace
) -> list[dict]:
    """Return one row per generator: means over the sets, their spread, the real values and the bars met."""
    real, ceiling = judged.statistics(judged), fitted.statistics(judged)
    floor = ceiling["ks"]
    rows = [{"generator": "real", "made": ceiling, "spread": dict.fromkeys(SHOWN, 0.0)}]
    for label, parts in made_sets(name, fitted, judged, parameters, args.sets, not args.no_controls).items():
        values = [part.statistics(judged) for part in parts]
        table = {key: np.array([value[key] for value in values]) for key in SHOWN}
        known = {key: column[~np.isnan(column)] for key, column in table.items()}
        made = {key: float(column.mean()) if column.size else math.nan for key, column in known.items()}
        spread = {key: float(column.std()) if column.size else math.nan for key, column in known.items()}
        rows.append({"generator": label, "made": made, "spread": spread})
    common = {"class": name, "traces": len(judged.binned), "real": real, "floor": floor}
    return [common | row | {"met": passes(row["made"], real, floor)} for row in rows]


def parts_of(root: Path, name: str) -> tuple[list[str], list[Floats], float]:
    """Return the recording names, bins in bit/s and step of a class's traces of 12 bins and more."""
    step_s = SOURCES[name].step_s
    named = [(r.name, bins(r.trace, round(step_s * NS_PER_S))) for r in load_recordings(root, name)]
    kept = [(recording, rates) for recording, rates in named if rates.size >= MIN_BINS]
    return [recording for recording, _ in kept], [rates for _, rates in kept], step_s


def folds_of(recordings: Sequence[str], folds: int, seed: int) -> list[set[str]]:
    """Return the recordings of each fold, one third of them each; only the first `folds` are used."""
    order = stream("folds", seed).permutation(np.array(sorted(set(recordings)))).tolist()
    return [set(order[fold::3]) for fold in range(folds)]


def rows_of(root: Path, name: str, args: argparse.Namespace) -> list[dict]:
    """Return the rows of one class, over all folds."""
    recordings, binned, step_s = parts_of(root, name)
    if args.shipped:
        everything = Part(binned, step_s)
        return judge(name, everything, everything, parameters_of(name), args)
    rows = []
    for held in folds_of(recordings, args.folds, args.seed):
        fitted = Part([b for r, b in zip(recordings, binned, strict=True) if r not in held], step_s)
        judged = Part([b for r, b in zip(recordings, binned, strict=True) if r in held], step_s)
        parameters = fit_bins(fitted.binned, step_s, title=name, kind="unknown")
        rows += judge(name, fitted, judged, parameters, args)
    return rows


def show(rows: list[dict]) -> None:
    """Print the rows of one class as a table."""
    for row in rows:
        if row["generator"] == "real":
            real = " ".join(f"{row['real'][key]:7.3f}      " for key in SHOWN[1:])
            print(f"{row['class']} ({row['traces']} judged traces, real-real KS {row['floor']:.3f})")
            print(f"  {'judged':9s} {'':14s}{real}")
        cells = []
        for key in SHOWN:
            mark = {True: "+", False: "-", None: " "}[row["met"].get(key)]
            cells.append(f"{row['made'][key]:6.3f}~{row['spread'][key]:.3f}{mark}")
        print(f"  {row['generator']:9s} {' '.join(cells)}", flush=True)


def totals(rows: list[dict]) -> None:
    """Print, per generator and bar, the share of classes that meet it (folds averaged within a class)."""
    print(f"\nbars met, classes summed (each class counts its share of folds): {' '.join(CRITERIA)}")
    for generator in dict.fromkeys(row["generator"] for row in rows):
        cells = []
        for key in CRITERIA:
            by_class: dict[str, list[bool]] = {}
            for row in rows:
                if row["generator"] == generator and row["met"][key] is not None:
                    by_class.setdefault(row["class"], []).append(row["met"][key])
            cells.append(f"{sum(np.mean(met) for met in by_class.values()):.1f}/{len(by_class)}")
        print(f"  {generator:9s} {'  '.join(cells)}")


def refit(root: Path, file: Path) -> None:
    """Fit every class on all its recordings and write the numbers to `file`, a line each."""
    lines = []
    for name, source in SOURCES.items():
        traces = [recording.trace for recording in load_recordings(root, name)]
        parameters = fit_class(traces, title=source.title, kind=source.kind, step_s=source.step_s)
        lines.append(f' "{name}": {as_json(parameters)}')
        file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        print(f"{name}: {parameters.fitted_traces} traces, {parameters.fitted_hours:.1f} h", file=sys.stderr)


def main() -> None:
    """Read the command line and do as told."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of trace sets")
    parser.add_argument("--classes", nargs="+", default=list(JUDGED), choices=list(SOURCES), metavar="NAME")
    parser.add_argument(
        "--folds", type=int, default=1, choices=(1, 2, 3), help="how many thirds are judged in turn"
    )
    parser.add_argument("--sets", type=int, default=5, help="synthetic sets a generator")
    parser.add_argument("--seed", type=int, default=1, help="of the split")
    parser.add_argument(
        "--shipped", action="store_true", help="judge the shipped numbers on everything (in sample)"
    )
    parser.add_argument("--no-controls", action="store_true")
    parser.add_argument("--json", action="store_true", help="one row a line")
    parser.add_argument("--refit", type=Path, metavar="FILE", help="fit on everything and write FILE instead")
    args = parser.parse_args()
    if args.refit:
        refit(args.data, args.refit)
        return
    rows = []
    if not args.json:
        print(
            f"{'':11s} {'  '.join(f'{key:13s}' for key in SHOWN)}   mean~s.d. over sets; + bar met, - missed"
        )
    for name in args.classes:
        found = rows_of(args.data, name, args)
        rows += found
        if args.json:
            for row in found:
                print(json.dumps(rounded(row)), flush=True)
        else:
            show(found)
    if not args.json:
        totals(rows)


if __name__ == "__main__":
    main()
