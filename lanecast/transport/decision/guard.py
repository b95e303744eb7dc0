"""Controllers made of controllers: the shared book-keeping, and the guard.

A `Panel` asks members for their own decisions, gives one of them out under an id of its own, and later
passes the feedback on: to the member whose answer took effect as it came, to every other member that
answered with `Flag.NOT_APPLIED`.

`Guarded` is a panel of a primary and a fallback. The fallback answers every observation, so that its history
is warm; its answer is used when the primary raises, states a score that is not finite, leaves the action
space or the mask, is vetoed, misses its deadline (`miss`), or is latched off. Each cause is counted apart.
After `latch_after` failures in a row the primary is not asked again until `reset`. A primary that never
fails is not altered in any way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar

from msgspec import structs

from lanecast.transport.decision.controller import (
    Action,
    BaseController,
    Controller,
    Decision,
    Feedback,
    Flag,
    Reason,
    tell_applied,
)
from lanecast.transport.decision.task import Mask, Obs, TaskSpec
from lanecast.transport.units import Ns

LATCH_AFTER = 3  # assumption: failures in a row after which a primary is not trusted any more


class Joint(Decision, frozen=True, eq=False, kw_only=True):
    """A panel's decision: which member's answer was taken, and every member's own decision."""

    taken: str
    answers: Mapping[str, Decision]


class Panel(BaseController[Obs]):
    """Members that decide together; a subclass writes `choose` with `joint`. Panels are not resumable.

    What the member called `shielded` raises while it is told something is counted in `listen_failures` and goes
    no further; it starts at 0 with every `reset`.
    """

    shielded: ClassVar[str] = ""

    def __init__(self, members: Mapping[str, Controller]) -> None:
        super().__init__()
        self.members = dict(members)
        self.wants_privileged = any(getattr(one, "wants_privileged", False) for one in members.values())
        self.listen_failures = 0

    def reset(self, spec: TaskSpec, seed: int, *, context: Any = None, privileged: Any = None) -> None:
        """Begin an episode for every member, with one seed; only who asks for it gets the privileged view."""
        self.listen_failures = 0
        for member in self.members.values():
            allowed = privileged if getattr(member, "wants_privileged", False) else None
            member.reset(spec, seed, context=context, privileged=allowed)
        super().reset(spec, seed, context=context, privileged=privileged)

    def joint(self, taken: str, answers: Mapping[str, Decision]) -> Joint:
        """Return the decision of member `taken` as the panel's."""
        answer = answers[taken]
        return Joint(
            action=answer.action,
            cost_ns=answer.cost_ns,
            scores=answer.scores,
            reason=answer.reason,
            taken=taken,
            answers=answers,
        )

    def learn(self, feedback: Feedback, decision: Decision) -> None:
        """Pass feedback on to every member that answered."""
        assert isinstance(decision, Joint), "a panel gives out joint decisions only"
        for name, answer in decision.answers.items():
            flag = feedback.flag
            if flag is Flag.RESULT and name != decision.taken:
                flag = Flag.NOT_APPLIED
            told = structs.replace(feedback, decision_id=answer.decision_id, flag=flag)
            self._tell(name, partial(self.members[name].observe, told))

    def applied(self, decision_id: int, action: Action, now: Ns) -> None:
        """Tell every member that answered which action took effect."""
        decision = self.open.get(decision_id)
        if isinstance(decision, Joint):
            for name, answer in decision.answers.items():
                self._tell(name, partial(tell_applied, self.members[name], answer.decision_id, action, now))

    def end(self, reason: Reason) -> None:
        """End the episode of every member."""
        for name, member in self.members.items():
            self._tell(name, partial(member.close, reason))

    def _tell(self, name: str, call: Callable[[], None]) -> None:
        try:
            call()
        except (
            Exception
        ):  # the edge to a plug-in: the shielded member's faults are counted, any other's go on
            if name != self.shielded:
                raise
            self.listen_failures += 1


class Cause(StrEnum):
    """Why a guard did not use the primary's answer."""

    EXCEPTION = "exception"
    SCORE = "score"
    SPACE = "space"
    VETO = "veto"
    DEADLINE = "deadline"
    LATCHED = "latched"


Veto = Callable[[Any, Decision], bool]  # (observation, decision) -> True: do not do that


class Guarded(Panel[Obs]):
    """A primary controller watched over by a fallback.

    `causes` counts answers replaced, by cause, from 0 with every `reset`; `latched` tells that the primary is off.
    """

    name = "guarded"
    shielded = "primary"

    def __init__(
        self,
        primary: Controller,
        fallback: Controller,
        *,
        veto: Veto | None = None,
        latch_after: int = LATCH_AFTER,
    ) -> None:
        super().__init__({"primary": primary, "fallback": fallback})
        if latch_after < 1:
            raise ValueError(f"latch_after must be >= 1, got {latch_after}")
        self.veto = veto
        self.latch_after = latch_after
        self.causes = dict.fromkeys(Cause, 0)
        self.latched = False
        self._failures = 0  # in a row
        self._before = 0  # the row that the newest answer ended, should it turn out late

    def begin(self, seed: int, context: Any, privileged: Any) -> None:
        """Trust the primary again."""
        self.causes = dict.fromkeys(Cause, 0)
        self.latched = False
        self._failures = 0
        self._before = 0

    def choose(self, observation: Obs, now: Ns, mask: Mask | None) -> Decision:
        """Answer with the primary's decision if nothing speaks against it."""
        answers = {"fallback": self.members["fallback"].act(observation, now, mask)}
        if self.latched:
            self.causes[Cause.LATCHED] += 1
            return self.joint("fallback", answers)
        cause: Cause | None
        try:
            answers["primary"] = self.members["primary"].act(observation, now, mask)
            cause = self._objection(observation, answers["primary"], mask)
        except Exception:  # noqa: BLE001 - the edge to a plug-in: whatever it raises is counted and replaced
            cause = Cause.EXCEPTION
        if cause is not None:
            self._fail(cause)
            return self.joint("fallback", answers)
        self._before, self._failures = self._failures, 0
        return self.joint("primary", answers)

    def miss(self, decision_id: int) -> Decision:
        """Replace an answer that came too late by the fallback's; return what is to be done instead.

        Raises:
            KeyError: the decision is not open.
        """
        late = self.open.get(decision_id)
        if not isinstance(late, Joint):
            raise KeyError(f"decision {decision_id} is not open")
        if late.taken == "fallback":
            return late
        self._failures = max(self._failures, self._before)
        self._fail(Cause.DEADLINE)
        instead = structs.replace(self.joint("fallback", late.answers), decision_id=decision_id)
        self.open.replace(decision_id, instead)
        return instead

    def _objection(self, observation: Obs, decision: Decision, mask: Mask | None) -> Cause | None:
        if decision.scores is not None and not all(math.isfinite(score) for score in decision.scores):
            return Cause.SCORE
        if self.spec.action.fault(decision.action, mask):
            return Cause.SPACE
        if self.veto is not None and self.veto(observation, decision):
            return Cause.VETO
        return None

    def _fail(self, cause: Cause) -> None:
        self.causes[cause] += 1
        self._failures += 1
        self.latched = self._failures >= self.latch_after
