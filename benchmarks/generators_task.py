"""Ask of the synthetic classes what they are for: token schemes must rank on them as on the recordings.

    python benchmarks/generators_task.py ../shared/data                 # the 8 classes with enough recordings
    python benchmarks/generators_task.py DATA --seeds 8 --classes lte-lumos 3g-hsdpa --json

DATA holds `traces/`. Every scheme streams the same answers over a class's recordings and over its synthetic traces
(250 ms buffer, downloads of half of the mean capacity beside it), a trace and an offset a seed. Compared are the mean
stall ratios (200 ms): Kendall's tau-b of the schemes' order, and the largest difference of a scheme's stall ratio.
What two halves of the recordings' own seeds give stands beside it: no generator can be expected to agree better.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import copysign, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lanecast.experiments.points import make_sweep
from lanecast.experiments.results import read_summary
from lanecast.experiments.sweep import SweepOptions, run_sweep
from lanecast.traces.recordings import JUDGED, SOURCES

SCHEMES = ("dup-ack", "rack-tlp", "duplicate", "eloquent", "adaptive")
SEEDS = 32
TOKENS = 300
SAME = 1e-3  # stall ratios that differ by less are a tie; assumption: 0.1 % of the time is not worth an order

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """One class: stall ratios by scheme, and how far the two worlds agree."""

    name: str
    real: list[float]
    made: list[float]
    tau: float
    """Kendall's tau-b of the schemes' order, recordings against synthetic traces."""
    tau_halves: float
    """The same, one half of the recordings' seeds against the other."""
    gap: float
    """Largest difference of a scheme's stall ratio, 0..1."""
    gap_halves: float
    excluded: int
    """Seeds left out because a run failed."""


def tau_b(first: Sequence[float], second: Sequence[float], same: float = 0.0) -> float:
    """Return Kendall's tau-b, -1..1; values that differ by `same` or less are tied. nan where all of one side tie."""

    def order(a: float, b: float) -> float:
        return 0.0 if abs(a - b) <= same else copysign(1.0, b - a)

    pairs = list(combinations(range(len(first)), 2))
    ours = np.array([order(first[i], first[j]) for i, j in pairs])
    theirs = np.array([order(second[i], second[j]) for i, j in pairs])
    untied = sqrt(float(np.abs(ours).sum() * np.abs(theirs).sum()))
    return float(ours @ theirs) / untied if untied else float("nan")


def compare(name: str, real: Floats, made: Floats) -> Agreement:
    """Return how two tables (schemes, seeds) of stall ratios agree; a seed with a failed run (nan) is left out."""
    whole = [np.isfinite(table).all(axis=0) for table in (real, made)]
    excluded = sum(int((~kept).sum()) for kept in whole)
    real, made = real[:, whole[0]], made[:, whole[1]]
    ours, theirs = real.mean(axis=1), made.mean(axis=1)
    one, other = real[:, ::2].mean(axis=1), real[:, 1::2].mean(axis=1)
    return Agreement(
        name,
        ours.tolist(),
        theirs.tolist(),
        tau_b(ours.tolist(), theirs.tolist(), SAME),
        tau_b(one.tolist(), other.tolist(), SAME),
        float(np.abs(ours - theirs).max()),
        float(np.abs(one - other).max()),
        excluded,
    )


def plan(names: Sequence[str], seeds: int, tokens: int) -> dict[str, object]:
    """Return the plan that is run twice: with the recordings, and without data, on synthetic traces."""
    return {
        "run": {"kind": "tokens", "seed": f"1..{seeds}", "save": "none"},
        "path": {"channel": list(names), "rtt_ms": 60},
        "app": {"scheme": list(SCHEMES), "gap_ms": 50, "tokens": tokens},
        "channel": {
            name: {
                "kind": "trace",
                "synthetic": name,
                "files": f"{SOURCES[name].set}/{SOURCES[name].pattern}",
                "load": 0.5,
            }
            for name in names
        },
    }


def stall_ratios(names: Sequence[str], data: str, seeds: int, tokens: int, jobs: int) -> dict[str, Floats]:
    """Return (schemes, seeds) stall ratios by class; `data` empty takes the synthetic traces."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = make_sweep("generators_task", plan(names, seeds, tokens))
        backend = "loky" if jobs > 1 else "sequential"
        run_sweep(sweep, SweepOptions(Path(folder), backend=backend, jobs=jobs, data=data, shown=False))
        rows = read_summary(Path(folder))
    tables = {name: np.full((len(SCHEMES), seeds), np.nan) for name in names}
    for row in rows:
        if row["status"] == "ok":
            tables[row["channel"]][SCHEMES.index(row["scheme"]), row["seed"] - 1] = row["sr200"]
    return tables


def show(found: Sequence[Agreement]) -> None:
    """Print one row a class."""
    print(f"{'class':18} {'tau':>5} {'halves':>6} {'gap':>6} {'halves':>6}   stall ratio real / synthetic, %")
    for one in found:
        pairs = zip(SCHEMES, one.real, one.made, strict=True)
        ratios = ", ".join(f"{scheme} {100 * a:.1f} / {100 * b:.1f}" for scheme, a, b in pairs)
        figures = f"{one.tau:5.2f} {one.tau_halves:6.2f} {one.gap:6.3f} {one.gap_halves:6.3f}"
        print(f"{one.name:18} {figures}   {ratios}")
    print(f"{sum(one.excluded for one in found)} seeds left out: a run failed")
    tau, halves = (np.nanmean([getattr(one, key) for one in found]) for key in ("tau", "tau_halves"))
    print(f"{'mean':18} {tau:5.2f} {halves:6.2f}")


def main() -> None:
    """Read the command line, run both worlds, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder that holds traces/")
    parser.add_argument("--classes", nargs="+", default=list(JUDGED), choices=list(SOURCES), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--tokens", type=int, default=TOKENS, help="of an answer")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="one class a line")
    args = parser.parse_args()
    real, made = (
        stall_ratios(args.classes, data, args.seeds, args.tokens, args.jobs) for data in (str(args.data), "")
    )
    found = [compare(name, real[name], made[name]) for name in args.classes]
    if args.json:
        print("\n".join(json.dumps(asdict(one)) for one in found))
    else:
        show(found)


if __name__ == "__main__":
    main()
