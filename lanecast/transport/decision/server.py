"""Decisions for single packets: a server that never makes a packet wait.

A packet cannot stand still until a controller has thought about it. `PacketServer` answers each packet at
once with the newest decision that is already in effect, and lets the controller work behind it:

- idle, and the answer will be there before the packet has to leave (`deadline`, the end of its
  serialisation, say): the packet gets its own decision;
- idle, and the answer will be too late: the packet gets the stand-in, the miss is counted, the late answer
  is discarded (`Flag.NOT_APPLIED`, at once);
- busy: the packet gets the stand-in; its observation waits in a slot for one, replacing what waited there
  (`replaced` counts), and is decided when the server is free. That decision becomes the newest one.

The stand-in is the newest decision in effect, or, by option and before there is any, the fallback's answer to
this packet's observation; the fallback is asked only then, and its decisions bear no id.
"""

from __future__ import annotations

from typing import Any

from msgspec import structs

from lanecast.transport.decision.charge import Charge, Zero
from lanecast.transport.decision.controller import (
    Controller,
    Decision,
    Feedback,
    Flag,
    OpenDecisions,
    Reason,
    flush,
    tell_applied,
)
from lanecast.transport.units import NEVER, Ns


class PacketServer:
    """A controller in front of which at most one observation waits.

    Laws: `asked == own + stood_in`; the controller has decided `own + deadline_misses + from_slot` times.
    """

    def __init__(
        self,
        controller: Controller,
        fallback: Controller,
        charge: Charge | None = None,
        *,
        keep_last: bool = True,
    ) -> None:
        self.controller = controller
        self.fallback = fallback
        self.charge = Zero() if charge is None else charge
        self.keep_last = keep_last
        self.asked = 0
        self.own = 0
        self.stood_in = 0
        self.from_slot = 0
        self.replaced = 0
        self.deadline_misses = 0
        self.free_at: Ns = 0
        self.open: OpenDecisions[bool] = OpenDecisions()
        self._newest: Decision | None = None  # in effect
        self._coming: Decision | None = None  # in effect from `free_at` on
        self._slot: Any = None

    def decide(self, now: Ns, observation: Any, deadline: Ns = NEVER) -> Decision:
        """Return the decision for the packet that is here now; `now` never goes back."""
        self.asked += 1
        self._catch_up(now)
        if self.free_at > now:
            self.replaced += self._slot is not None
            self._slot = observation
            return self._stand_in(now, observation)
        decision = self._compute(observation, now)
        if self.free_at <= deadline:
            self.own += 1
            self._coming = decision
            tell_applied(self.controller, decision.decision_id, decision.action, now)
            return decision
        self.deadline_misses += 1
        self.observe(Feedback(decision_id=decision.decision_id, now=now, flag=Flag.NOT_APPLIED))
        return self._stand_in(now, observation)

    def observe(self, feedback: Feedback) -> None:
        """Carry feedback on one of the controller's decisions back; any other id is counted in `open`."""
        if self.open.settle(feedback.decision_id) is not None:
            self.controller.observe(feedback)

    def close(self, now: Ns, reason: Reason = Reason.END) -> None:
        """End the episode: decisions still open are told that no feedback came."""
        flush(self.controller, self.open.ids(), now)
        self.controller.close(reason)
        self.fallback.close(reason)

    def _catch_up(self, now: Ns) -> None:
        """Let everything that ended by `now` have ended."""
        while self.free_at <= now and (self._coming is not None or self._slot is not None):
            if self._coming is not None:
                self._newest, self._coming = self._coming, None
            if self._slot is not None:
                observation, self._slot = self._slot, None
                self._coming = self._compute(observation, self.free_at)
                self.from_slot += 1

    def _compute(self, observation: Any, start: Ns) -> Decision:
        """Have the controller decide from `start` on; the answer is there at `free_at`."""
        self.charge.start()
        decision = self.controller.act(observation, start)
        self.open.add(decision.decision_id, True)  # noqa: FBT003 - the value only says that it is open
        self.free_at = start + self.charge.cost(decision)
        return decision

    def _stand_in(self, now: Ns, observation: Any) -> Decision:
        self.stood_in += 1
        if self.keep_last and self._newest is not None:
            return self._newest
        return structs.replace(self.fallback.act(observation, now), decision_id=-1)
