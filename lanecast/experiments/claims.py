"""Claims: what a paper or this project promises, what came out here, and whether that is enough.

A claim is measured against a goal with its 95 % interval:
- `met`: the whole interval is on the right side of the goal;
- `direction`: the effect is there (the interval excludes "no effect") but the goal lies inside or beyond it;
- `short`: not even that;
- `not attempted`: nothing was run; the text says why.

`CLAIMS` maps names to the function that runs a set; a set is added by one line.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from lanecast.experiments.statistics import Estimate


@dataclass(frozen=True, slots=True)
class ClaimOptions:
    """How a set of claims is run; empty values mean the plan's own."""

    fast: bool = False
    seed: str | None = None
    jobs: int = 0
    data: str = ""
    out: str = ""
    shown: bool | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of a reproduction; `ours` and `ci` are NaN when not attempted."""

    claim: str
    anchor: str
    goal: str
    ours: float
    ci: tuple[float, float]
    status: str
    seconds: float
    command: str

    def as_json(self) -> str:
        """Return the row as one JSON object; NaN becomes null."""
        told: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        told["ours"] = _finite(self.ours)
        told["ci"] = [_finite(self.ci[0]), _finite(self.ci[1])]
        return json.dumps(told)


@dataclass(frozen=True, slots=True)
class ClaimSet:
    """A named set; `target` is "module:function" taking `ClaimOptions` and returning claims."""

    meaning: str
    target: str

    def load(self) -> Callable[[ClaimOptions], list[Claim]]:
        """Import and return the function."""
        module, _, name = self.target.partition(":")
        function: Callable[[ClaimOptions], list[Claim]] = getattr(import_module(module), name)
        return function


CLAIMS: dict[str, ClaimSet] = {
    "eloquent": ClaimSet(
        "token streaming: Eloquent (arXiv 2401.12961) against retransmission and duplication, and beyond",
        "lanecast.experiments.claims_tokens:eloquent",
    ),
    "l4s": ClaimSet(
        "DualPI2 (RFC 9332), Prague and Cubic against the laws, measured Linux, and on varying links",
        "lanecast.experiments.claims_l4s:l4s",
    ),
}


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a value: at least (`>=`) or at most (`<=`) `bound`; `neutral` is the value of no effect."""

    sign: str
    bound: float
    neutral: float
    unit: str = ""

    def __str__(self) -> str:
        if self.unit == "%":
            return f"{self.sign} {100 * self.bound:g} %"
        return f"{self.sign} {self.bound:g} {self.unit}".rstrip()

    def status(self, estimate: Estimate) -> str:
        """Return met, direction or short."""
        if any(math.isnan(value) for value in estimate):
            return "short"
        turn = 1.0 if self.sign == ">=" else -1.0
        worst = min(turn * estimate.low, turn * estimate.high)
        if worst >= turn * self.bound:
            return "met"
        return "direction" if worst > turn * self.neutral else "short"


def at_least(share: float) -> Goal:
    """Return the goal of a share of at least so much, where 0 is no effect."""
    return Goal(">=", share, 0.0, "%")


def at_most(bound: float, unit: str = "") -> Goal:
    """Return the goal of a cost of at most so much: it is met or not."""
    return Goal("<=", bound, bound, unit)


def claim_line(row: Claim) -> str:
    """Return a row as lines for a person."""
    low, high = row.ci
    found = "" if math.isnan(row.ours) else f"{row.ours:.4g} [{low:.4g}, {high:.4g}]"
    return f"{row.status:13} {row.claim}\n              goal {row.goal}; ours {found or 'n/a'} ({row.anchor})"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
