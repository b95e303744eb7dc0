"""More controllers made of controllers: a gate, a shadow, a set of rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lanecast.transport.decision.controller import Controller, Decision
from lanecast.transport.decision.guard import Panel
from lanecast.transport.decision.task import Mask, Obs
from lanecast.transport.units import Ns


def margin(least: float) -> Callable[[Decision], bool]:
    """Return a confidence test: the best score leads the second by at least `least`; no scores is no confidence."""

    def confident(decision: Decision) -> bool:
        if decision.scores is None or len(decision.scores) < 2:
            return False
        second, best = sorted(decision.scores)[-2:]
        return best - second >= least

    return confident


class Gate(Panel[Obs]):
    """The light controller decides what it is confident of, the heavy one the rest (Trailblazer, arXiv 2512.11839).

    Only the decisions it was asked for, and feedback on them, reach the heavy controller.
    """

    name = "gate"

    def __init__(self, light: Controller, heavy: Controller, confident: Callable[[Decision], bool]) -> None:
        super().__init__({"light": light, "heavy": heavy})
        self.confident = confident
        self.heavy_calls = 0

    def begin(self, seed: int, context: Any, privileged: Any) -> None:
        """Count from 0."""
        self.heavy_calls = 0

    @property
    def heavy_share(self) -> float:
        """Share of decisions for which the heavy controller was asked, 0 to 1; 0 before any."""
        return self.heavy_calls / self.issued if self.issued else 0.0

    def choose(self, observation: Obs, now: Ns, mask: Mask | None) -> Decision:
        """Ask the light controller, and the heavy one where needed."""
        answers = {"light": self.members["light"].act(observation, now, mask)}
        if self.confident(answers["light"]):
            return self.joint("light", answers)
        answers["heavy"] = self.members["heavy"].act(observation, now, mask)
        self.heavy_calls += 1
        return self.joint("heavy", answers)


class Shadow(Panel[Obs]):
    """The primary decides; the shadow answers too, is never applied, and its agreement is counted.

    What the shadow raises is counted (`shadow_failures` when it decides, `listen_failures` when it is told
    something) and does not reach the episode.
    """

    name = "shadow"
    shielded = "shadow"

    def __init__(self, primary: Controller, shadow: Controller) -> None:
        super().__init__({"primary": primary, "shadow": shadow})
        self.agreed = 0
        self.compared = 0
        self.shadow_failures = 0

    def begin(self, seed: int, context: Any, privileged: Any) -> None:
        """Count from 0."""
        self.agreed = 0
        self.compared = 0
        self.shadow_failures = 0

    def choose(self, observation: Obs, now: Ns, mask: Mask | None) -> Decision:
        """Answer with the primary's decision."""
        answers = {"primary": self.members["primary"].act(observation, now, mask)}
        try:
            answers["shadow"] = self.members["shadow"].act(observation, now, mask)
        except Exception:  # noqa: BLE001 - the edge to a plug-in: whatever it raises is counted
            self.shadow_failures += 1
        else:
            self.compared += 1
            self.agreed += bool(np.array_equal(answers["primary"].action, answers["shadow"].action))
        return self.joint("primary", answers)


class RuleSet(Panel[Obs]):
    """Rules that each answer with a priority: among those of the highest, the lowest action wins.

    The form of dash.js' rule collection. A rule without an opinion answers with a low priority; rules are
    asked in the order given, and among equal answers the first one is named as the reason.
    """

    name = "rules"

    def __init__(self, rules: Mapping[str, Controller]) -> None:
        if not rules:
            raise ValueError("a rule set needs at least one rule")
        super().__init__(rules)

    def choose(self, observation: Obs, now: Ns, mask: Mask | None) -> Decision:
        """Ask every rule and take the winner."""
        answers = {name: rule.act(observation, now, mask) for name, rule in self.members.items()}
        winner = min(answers, key=lambda name: (-answers[name].priority, answers[name].action))
        return self.joint(winner, answers)
