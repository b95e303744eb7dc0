"""Between a subsystem and its controller: costs, deadlines and feedback in virtual time.

The emulator drives the controller. At a decision point a subsystem asks; the controller answers at once, but
the answer takes effect only when deciding would have ended:

- a controller is one server: an answer asked for while an earlier one is being computed is computed after
  it, so `effect = max(now, end of the earlier) + cost`;
- an answer whose effect would come after its `deadline` (a time) is **late**: at the deadline the fallback's
  answer to the same observation takes effect, at no cost; without a fallback the last action is kept.
  `deadline_misses` counts both, and the late decision hears of its feedback with `Flag.NOT_APPLIED`.

`Clerk` holds these rules and no calendar. `DecisionDesk` adds one: stages ask and are called back at the
effect. `play` serves emulators that are generators, which yield a `Question` or a `Feedback` at each decision
point and are sent a `Ruling`; an environment of reinforcement learning is such a generator, stepped by hand.
Ask as the last thing in a handler: with no cost the call-back comes before `ask` returns.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from lanecast.transport.calendar import Calendar
from lanecast.transport.decision.charge import Charge, Zero
from lanecast.transport.decision.controller import (
    Action,
    Controller,
    Decision,
    Feedback,
    Flag,
    OpenDecisions,
    Reason,
    flush,
    tell_applied,
)
from lanecast.transport.decision.guard import Guarded
from lanecast.transport.decision.task import Mask
from lanecast.transport.stage import Stage
from lanecast.transport.units import NEVER, Ns

R = TypeVar("R")


class Question(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A decision point: what is seen at `now`, and when the answer must be there."""

    observation: Any
    now: Ns
    deadline: Ns = NEVER
    mask: Mask | None = None


class Ruling(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The decision that takes effect at `effect`; `late` tells that it replaces one that came too late."""

    decision: Decision
    effect: Ns
    late: bool = False


class Clerk:
    """Asks one controller, charges it, enforces deadlines, and carries feedback back.

    A fallback exists where the controller is a `Guarded`. `computing` sums all charged time, ns.
    """

    def __init__(self, controller: Controller, charge: Charge | None = None) -> None:
        self.controller = controller
        self.charge = Zero() if charge is None else charge
        self.busy_until: Ns = 0
        self.asked = 0
        self.deadline_misses = 0
        self.computing: Ns = 0
        self.last: Action | None = None
        self.open: OpenDecisions[bool] = OpenDecisions()  # True: took effect

    def rule(self, question: Question) -> Ruling:
        """Return what takes effect, and when.

        Raises:
            ValueError: the first answer of all is late and there is no fallback.
        """
        self.asked += 1
        self.charge.start()
        decision = self.controller.act(question.observation, question.now, question.mask)
        cost = self.charge.cost(decision)
        self.computing += cost
        self.busy_until = max(question.now, self.busy_until) + cost
        ruling = Ruling(decision=decision, effect=self.busy_until)
        if self.busy_until > question.deadline:
            ruling = self._miss(question, decision)
        used = ruling.decision is decision or isinstance(self.controller, Guarded)
        self.open.add(decision.decision_id, used)
        self.last = ruling.decision.action
        return ruling

    def _miss(self, question: Question, decision: Decision) -> Ruling:
        self.deadline_misses += 1
        if isinstance(self.controller, Guarded):
            instead = self.controller.miss(decision.decision_id)
        elif self.last is not None:
            instead = structs.replace(decision, action=self.last, scores=None, reason="last action kept")
        else:
            raise ValueError(
                f"the first decision is late ({self.busy_until} ns, due {question.deadline} ns) and there is "
                "neither a fallback nor an earlier action: wrap the controller in Guarded"
            )
        return Ruling(decision=instead, effect=max(question.now, question.deadline), late=True)

    def took_effect(self, ruling: Ruling) -> None:
        """Tell the controller what is done from now (`ruling.effect`) on."""
        tell_applied(self.controller, ruling.decision.decision_id, ruling.decision.action, ruling.effect)

    def observe(self, feedback: Feedback) -> None:
        """Carry feedback back; an id that is not open is counted in `open` and goes no further."""
        used = self.open.settle(feedback.decision_id)
        if used is None:
            return
        if not used and feedback.flag is Flag.RESULT:
            feedback = structs.replace(feedback, flag=Flag.NOT_APPLIED)
        self.controller.observe(feedback)

    def close(self, now: Ns, reason: Reason = Reason.END) -> None:
        """End the episode: decisions still open are told that no feedback came."""
        flush(self.controller, self.open.ids(), now)
        self.open = OpenDecisions()
        self.controller.close(reason)


class DecisionDesk(Stage):
    """A clerk on a calendar: `ask` now, be called back with the ruling at its effect.

    Rulings take effect in the order of their times, equal times in the order in which they were asked for.
    No packets pass here.
    """

    def __init__(
        self, calendar: Calendar, controller: Controller, charge: Charge | None = None, *, name: str = ""
    ) -> None:
        super().__init__(name)
        self.calendar = calendar
        self.clerk = Clerk(controller, charge)
        self._due: list[tuple[Ns, int, Ruling, Callable[[Ns, Decision], None]]] = []

    def ask(self, question: Question, then: Callable[[Ns, Decision], None]) -> None:
        """Have `then(now, decision)` called when the decision takes effect; at once when it costs nothing."""
        ruling = self.clerk.rule(question)
        if ruling.effect <= question.now:
            self.wake(question.now)  # what is due at this instant was asked for before
            self._apply(ruling, then)
            return
        heapq.heappush(self._due, (ruling.effect, self.clerk.asked, ruling, then))
        self.calendar.at(ruling.effect, self)

    def wake(self, now: Ns) -> None:
        """Apply every ruling due by now."""
        while self._due and self._due[0][0] <= now:
            _, _, ruling, then = heapq.heappop(self._due)
            self._apply(ruling, then)

    def observe(self, feedback: Feedback) -> None:
        """Carry feedback back to the controller."""
        self.clerk.observe(feedback)

    def close(self, now: Ns, reason: Reason = Reason.END) -> None:
        """End the episode; rulings that have not taken effect are dropped."""
        self._due.clear()
        self.clerk.close(now, reason)

    def _apply(self, ruling: Ruling, then: Callable[[Ns, Decision], None]) -> None:
        self.clerk.took_effect(ruling)
        then(ruling.effect, ruling.decision)


Episode = Generator[Question | Feedback, Ruling | None, R]


def play(episode: Episode[R], clerk: Clerk) -> R:
    """Run an emulator that is a generator to its end and return its result.

    The clerk's controller has been `reset`; it is closed here, with `Reason.ABORT` if the emulator raises.
    """
    now: Ns = 0
    answer: Ruling | None = None
    try:
        while True:
            try:
                point = episode.send(answer)
            except StopIteration as end:
                clerk.close(now)
                result: R = end.value
                return result
            now = point.now
            answer = None
            if isinstance(point, Question):
                answer = clerk.rule(point)
                clerk.took_effect(answer)
            else:
                clerk.observe(point)
    except BaseException:
        episode.close()
        clerk.close(now, Reason.ABORT)
        raise
