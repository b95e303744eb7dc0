"""What deciding costs in virtual time.

A charge is asked for the cost of each answer. `Zero` compares algorithms; `Fixed` and `Table` are
deterministic; `Measured` reads a clock that the **driver** hands in (models own no clock), counts a part of a
nanosecond as a whole one, and keeps every cost, so that `Table(measured.costs)` repeats the run exactly.
A decision made at `now` takes effect at `now + cost`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from lanecast.transport.decision.controller import Decision
from lanecast.transport.units import Ns


class Charge(Protocol):
    """How long each answer takes."""

    def start(self) -> None:
        """Deciding begins."""

    def cost(self, decision: Decision) -> Ns:
        """Deciding has ended with `decision`: return its cost, >= 0 ns."""


class Zero:
    """Deciding takes no time."""

    def start(self) -> None:
        """Nothing to note."""

    def cost(self, decision: Decision) -> Ns:
        """Return 0."""
        return 0


class Fixed:
    """Every answer takes `each` ns."""

    def __init__(self, each: Ns) -> None:
        if each < 0:
            raise ValueError(f"fixed cost must be >= 0 ns, got {each}")
        self.each = each

    def start(self) -> None:
        """Nothing to note."""

    def cost(self, decision: Decision) -> Ns:
        """Return the fixed cost."""
        return self.each


class Table:
    """Costs taken in order from a stored profile or an earlier measured run.

    With `loop` the table starts again at its end (a profile); without, running out is an error (a replay).
    """

    def __init__(self, costs: Sequence[Ns], *, loop: bool = False) -> None:
        if not costs:
            raise ValueError("a table of costs needs at least one")
        worst = min(costs)
        if worst < 0:
            raise ValueError(f"a table of costs holds {worst} ns, expected >= 0")
        self.costs = tuple(costs)
        self.loop = loop
        self.used = 0

    def start(self) -> None:
        """Nothing to note."""

    def cost(self, decision: Decision) -> Ns:
        """Return the next cost.

        Raises:
            ValueError: a replay has more decisions than were recorded.
        """
        if self.used >= len(self.costs) and not self.loop:
            raise ValueError(f"replay of {len(self.costs)} costs is used up: this run makes more decisions")
        self.used += 1
        return self.costs[(self.used - 1) % len(self.costs)]


class Measured:
    """Time that passes on `clock` between `start` and `cost`, times `scale`; all costs are kept in `costs`.

    A decision that states its own `cost_ns` (another process computed it) is charged that instead.
    """

    def __init__(self, clock: Callable[[], Ns], *, scale: float = 1.0) -> None:
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(f"scale of measured costs must be finite and > 0, got {scale}")
        self.clock = clock
        self.scale = scale
        self.costs: list[Ns] = []
        self._started = 0

    def start(self) -> None:
        """Read the clock."""
        self._started = self.clock()

    def cost(self, decision: Decision) -> Ns:
        """Return the time passed, rounded up to whole ns.

        Raises:
            ValueError: the clock ran back, or the decision states a negative cost.
        """
        taken = self.clock() - self._started if decision.cost_ns is None else decision.cost_ns
        if taken < 0:
            raise ValueError(f"a decision took {taken} ns: expected >= 0")
        self.costs.append(math.ceil(taken * self.scale))
        return self.costs[-1]
