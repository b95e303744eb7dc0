"""`lanecast trace fit`: a class file from recordings, and how near its traces come to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.errors import UsageError
from lanecast.experiments.trace_report import plain
from lanecast.traces.fit import fit_class
from lanecast.traces.inference import simulate
from lanecast.traces.statistics import MIN_BINS, bin_ns_of, bins, ks_distance, summarise_bins
from lanecast.traces.trace import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lanecast.traces.classmodel import ClassParameters
    from lanecast.traces.trace import Trace

FEW_TRACES = 15  # assumption, as in docs/generators.md: fewer are a picture of themselves
_COMPARED = 100  # traces at least that are made to compare; assumption: statistics move by little then
_COMPARED_SEED = 1
_MBIT = 1e6
_LABELS = {
    "mean_mbit_s": "mean (Mbit/s)", "median_mbit_s": "median (Mbit/s)", "cov": "CoV", "acf_10s": "acf at 10 s",
    "outage_share": "outage share", "outage_mean_s": "mean outage (s)", "ks": "KS distance",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fitted:
    """A class and its in-sample comparison: statistic -> (recordings, generated)."""

    parameters: ClassParameters
    compared: dict[str, tuple[float, float]]
    left_out: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, nan as None."""
        p = self.parameters
        told = {"title": p.title, "measured": p.kind, "bin_s": p.step_s, "traces": p.fitted_traces}
        told |= {"left_out": self.left_out, "hours": p.fitted_hours, "packet_layers": len(p.packets)}
        real = plain({name: pair[0] for name, pair in self.compared.items()})
        made = plain({name: pair[1] for name, pair in self.compared.items()})
        return told | {"recordings": real, "generated": made}

    def lines(self) -> list[str]:
        """Return the comparison for a person."""
        p = self.parameters
        told = [f"{p.title}: {p.fitted_traces} traces, {p.fitted_hours:.2f} h in bins of {p.step_s:g} s"]
        if self.left_out:
            told.append(
                f"  note   {self.left_out} traces left out: fewer than {MIN_BINS} bins, or no rate above 0"
            )
        if p.fitted_traces < FEW_TRACES:
            told.append(f"  note   fewer than {FEW_TRACES} traces: a picture of these, not of a population")
        told.append(f"  {'':22}{'recordings':>12}{'generated':>12}")
        for name, (real, made) in self.compared.items():
            told.append(f"  {_LABELS[name]:22}{_number(real):>12}{_number(made):>12}")
        return told


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3g}"


def fit_traces(
    traces: Sequence[Trace], *, title: str, kind: str = "", bin_s: float = 0.0, seed: int = 0
) -> Fitted:
    """Fit a class to traces and generate from it what the same statistics are taken of.

    Args:
        traces: recordings with a capacity.
        title: what the class is; it also names the random stream of its traces.
        kind: `offered` or `achieved`; empty: as the traces say, where they agree.
        bin_s: bin, s; 0: the set's own (1 s, or 5 s for slow sets).
        seed: of the simulation that corrects the fit.

    Raises:
        UsageError: no trace is long enough, or one has no capacity.
    """
    step_ns = round(bin_s * NS_PER_S) or bin_ns_of(traces[0].provenance.set)
    kinds = {trace.provenance.kind for trace in traces}
    kind = kind or (kinds.pop() if len(kinds) == 1 else "unknown")
    try:
        parameters = fit_class(traces, title=title, kind=kind, step_s=step_ns / NS_PER_S, seed=seed)
        binned = [bins(trace, step_ns) for trace in traces]
    except ValueError as error:
        raise UsageError(str(error)) from error
    real = [rates for rates in binned if rates.size >= MIN_BINS and rates.any()]
    made = simulate(parameters, [len(rates) for rates in real], _COMPARED_SEED, max(_COMPARED, len(real)))
    wanted, found = (summarise_bins(part, step_ns) for part in (real, made))
    compared = {
        "mean_mbit_s": (wanted.mean_bit_s / _MBIT, found.mean_bit_s / _MBIT),
        "median_mbit_s": (wanted.median_bit_s / _MBIT, found.median_bit_s / _MBIT),
        "cov": (wanted.cov, found.cov),
        "acf_10s": (wanted.acf_10s, found.acf_10s),
        "outage_share": (wanted.outage_share, found.outage_share),
        "outage_mean_s": (wanted.outage_mean_s, found.outage_mean_s),
        "ks": (0.0, ks_distance(np.concatenate(real), np.concatenate(made))),
    }
    return Fitted(parameters, compared, len(traces) - len(real))
