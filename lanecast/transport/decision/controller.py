"""The controller protocol: who decides, in five calls.

`reset` begins an episode, `act` answers an observation, `observe` tells later what an answer led to, `close`
ends the episode; `act_batch` is `act` over rows. A controller never advances time and never looks at a clock:
`now` is an argument. Equal seeds, observations and feedback give equal actions.

Feedback is late by nature (a chunk's quality is known one chunk later, a mark's effect one RTT later), so it
is matched to its decision by id, may come in any order or never, and an id that is unknown or was settled
before is counted, not an error. At the end of an episode every decision still open gets a feedback with
`Flag.NONE_CAME`. A controller whose answer was computed but not used gets `Flag.NOT_APPLIED`.

Any object with these methods is a controller. `BaseController` does the book-keeping: a subclass writes
`choose` and, if it learns or remembers, `learn`, `applied` and `begin`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

import msgspec
import numpy as np
from msgspec import structs

from lanecast.transport.decision.task import Mask, Obs, SpecMismatchError, TaskSpec, row
from lanecast.transport.rng import Streams
from lanecast.transport.units import Ns

Action: TypeAlias = Any  # an int of a Discrete space, an array of a Box space

OPEN_LIMIT = 4096  # assumption: decisions that may await feedback at once
V = TypeVar("V")


class Flag(StrEnum):
    """What a feedback means for the decision that it names."""

    RESULT = "result"
    NOT_APPLIED = "not applied"
    NONE_CAME = "no feedback"


class Reason(StrEnum):
    """Why an episode ended."""

    END = "end"
    ABORT = "abort"
    TRUNCATED = "truncated"


class Decision(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One answer. `decision_id` is given by `BaseController.act`; `priority` is read by rule sets only."""

    action: Action
    decision_id: int = -1
    cost_ns: Ns | None = None  # the controller's own statement of what this answer cost
    scores: Sequence[float] | None = None  # one an action, higher is better
    reason: str = ""
    priority: int = 0


class Feedback(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What became of one decision, known at `now`; `fields` are those that the task names."""

    decision_id: int
    now: Ns
    reward: float | None = None
    fields: Mapping[str, float] = {}
    flag: Flag = Flag.RESULT


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a result says of a controller; an untrained one has no `weight_hash`."""

    name: str
    version: str
    arguments: Mapping[str, Any]
    spec_hash: str
    weight_hash: str = ""


@runtime_checkable
class Controller(Protocol):
    """What every decision maker offers; see the module's text for the rules. Ids rise within an episode."""

    def reset(self, spec: TaskSpec, seed: int, *, context: Any = None, privileged: Any = None) -> None:
        """Begin an episode and forget all earlier ones; a specification that does not fit raises here."""

    def act(self, observation: Any, now: Ns, mask: Mask | None = None) -> Decision:
        """Answer an observation taken at `now`."""

    def act_batch(
        self, observations: Any, times: Sequence[Ns], masks: Sequence[Mask] | None = None
    ) -> list[Decision]:
        """Answer a stacked observation; row i is decided as if rows before it had been decided first."""

    def observe(self, feedback: Feedback) -> None:
        """Hear what an earlier decision led to."""

    def close(self, reason: Reason = Reason.END) -> None:
        """End the episode; a second call does nothing."""


class OpenDecisions(Generic[V]):
    """Decisions that await feedback, at most `limit`; the oldest is evicted to make room.

    Ids are added in rising order. `unknown` counts ids never added, `stale` those settled or evicted before.
    """

    def __init__(self, limit: int = OPEN_LIMIT) -> None:
        if limit < 1:
            raise ValueError(f"open decisions: limit must be >= 1, got {limit}")
        self.limit = limit
        self.evicted = 0
        self.unknown = 0
        self.stale = 0
        self.newest = -1
        self._waiting: OrderedDict[int, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, decision_id: int, value: V) -> None:
        """Remember a decision."""
        if decision_id <= self.newest:
            raise ValueError(f"decision id {decision_id} comes after {self.newest}: ids must rise")
        self.newest = decision_id
        self._waiting[decision_id] = value
        if len(self._waiting) > self.limit:
            self._waiting.popitem(last=False)
            self.evicted += 1

    def get(self, decision_id: int) -> V | None:
        """Return what was remembered, leaving it open."""
        return self._waiting.get(decision_id)

    def replace(self, decision_id: int, value: V) -> None:
        """Remember another value for an open decision; one that is not open stays so."""
        if decision_id in self._waiting:
            self._waiting[decision_id] = value

    def settle(self, decision_id: int) -> V | None:
        """Remove and return what was remembered; None, counted, when the id is not open."""
        value = self._waiting.pop(decision_id, None)
        if value is None:
            if 0 <= decision_id <= self.newest:
                self.stale += 1
            else:
                self.unknown += 1
        return value

    def ids(self) -> list[int]:
        """Return the open ids, oldest first."""
        return list(self._waiting)


class BaseController(Generic[Obs]):
    """Book-keeping of a controller: life cycle, decision ids, open decisions, saving.

    `task` (`name/vN`; empty: any) and `trained_for` (a specification's hash; empty: not trained) are checked by
    `reset`. `wants_privileged` asks drivers for the privileged view. `resumable` promises that `save` and
    `restore` carry everything that `choose` depends on.
    """

    name: ClassVar[str] = ""
    version: ClassVar[str] = "1"
    task: ClassVar[str] = ""
    resumable: ClassVar[bool] = False
    wants_privileged: bool = False
    trained_for: str = ""
    weight_hash: str = ""

    spec: TaskSpec
    streams: Streams  # of this episode's seed: the only source of chance
    issued: int  # decisions given in this episode
    open: OpenDecisions[Decision]

    def __init__(self) -> None:
        self._running = False

    def reset(self, spec: TaskSpec, seed: int, *, context: Any = None, privileged: Any = None) -> None:
        """Begin an episode; `begin` of the subclass sets up the rest.

        Raises:
            SpecMismatchError: the controller is for another task.
        """
        who = self.name or type(self).__name__
        if self.task not in ("", spec.id):
            raise SpecMismatchError(f"{who} decides {self.task}, not {spec.id}")
        if self.trained_for:
            spec.require(self.trained_for, who)
        self.spec = spec
        self.streams = Streams(seed)
        self.issued = 0
        self.open = OpenDecisions()
        self._running = False
        self.begin(seed, context, privileged if self.wants_privileged else None)
        self._running = True

    def act(self, observation: Obs, now: Ns, mask: Mask | None = None) -> Decision:
        """Answer an observation; the answer's id is new."""
        self._require_running("act")
        decision = structs.replace(self.choose(observation, now, mask), decision_id=self.issued)
        self.issued += 1
        self.open.add(decision.decision_id, decision)
        return decision

    def act_batch(
        self, observations: Obs, times: Sequence[Ns], masks: Sequence[Mask] | None = None
    ) -> list[Decision]:
        """Answer row after row."""
        return [
            self.act(row(observations, place), now, None if masks is None else masks[place])
            for place, now in enumerate(times)
        ]

    def observe(self, feedback: Feedback) -> None:
        """Match feedback to its decision and hand both to `learn`."""
        self._require_running("observe")
        decision = self.open.settle(feedback.decision_id)
        if decision is not None:
            self.learn(feedback, decision)

    def close(self, reason: Reason = Reason.END) -> None:
        """End the episode."""
        if self._running:
            self._running = False
            self.end(reason)

    def state(self) -> bytes:
        """Return the episode so far, for `load_state` of an equal controller after the same `reset`."""
        self._require_running("state")
        self._require_resumable()
        waiting = [(key, _action_of(self.open.get(key))) for key in self.open.ids()]
        return msgspec.msgpack.encode((self.issued, waiting, self.save()))

    def load_state(self, state: bytes) -> None:
        """Go on from a saved episode."""
        self._require_running("load_state")
        self._require_resumable()
        issued, waiting, own = msgspec.msgpack.decode(state, type=tuple[int, list[tuple[int, Any]], Any])
        self.issued = issued
        self.open = OpenDecisions()
        for decision_id, action in waiting:
            self.open.add(decision_id, Decision(action=action, decision_id=decision_id))
        self.restore(own)

    def _require_running(self, call: str) -> None:
        if not self._running:
            raise RuntimeError(
                f"{self.name or type(self).__name__}: {call} outside an episode (reset comes first)"
            )

    def _require_resumable(self) -> None:
        if not self.resumable:
            raise TypeError(f"{self.name or type(self).__name__} does not offer state and load_state")

    # What a subclass writes.

    def choose(self, observation: Obs, now: Ns, mask: Mask | None) -> Decision:
        """Decide; the base fills in the id."""
        raise NotImplementedError(f"{type(self).__name__} does not define choose()")

    def begin(self, seed: int, context: Any, privileged: Any) -> None:
        """Forget earlier episodes; refuse an unfit `self.spec` here."""

    def learn(self, feedback: Feedback, decision: Decision) -> None:
        """Hear what `decision` led to."""

    def applied(self, decision_id: int, action: Action, now: Ns) -> None:
        """Hear which action took effect in place of, or as, decision `decision_id`."""

    def end(self, reason: Reason) -> None:
        """Leave the episode."""

    def save(self) -> Any:
        """Return what `choose` depends on, as plain lists, dicts, numbers and bytes."""
        return None

    def restore(self, own: Any) -> None:
        """Take back what `save` returned."""


class Constant(BaseController[Obs]):
    """Always the same action, or the lowest allowed one where that is masked; a fallback for anything."""

    name = "constant"
    resumable = True

    def __init__(self, action: Action = 0) -> None:
        super().__init__()
        self.action = action

    def begin(self, seed: int, context: Any, privileged: Any) -> None:
        """Refuse a task in which the action does not exist."""
        fault = self.spec.action.fault(self.action)
        if fault:
            raise ValueError(f"constant controller on {self.spec.id}: {fault}")

    def choose(self, observation: Obs, now: Ns, mask: Mask | None) -> Decision:
        """Answer the action."""
        if mask is None or mask[self.action]:
            return Decision(action=self.action)
        return Decision(action=lowest_allowed(mask), reason="masked")


def lowest_allowed(mask: Mask) -> int:
    """Return the least action that the mask allows.

    Raises:
        ValueError: it allows none.
    """
    for action, allowed in enumerate(mask):
        if allowed:
            return action
    raise ValueError("the mask allows no action")


def tell_applied(controller: Controller, decision_id: int, action: Action, now: Ns) -> None:
    """Tell a controller which action took effect, if it cares (`applied` is optional)."""
    hook = getattr(controller, "applied", None)
    if hook is not None:
        hook(decision_id, action, now)


def flush(controller: Controller, ids: Sequence[int], now: Ns) -> None:
    """Tell a controller that no feedback came for these decisions."""
    for decision_id in ids:
        controller.observe(Feedback(decision_id=decision_id, now=now, flag=Flag.NONE_CAME))


def _action_of(decision: Decision | None) -> Any:
    """Return a decision's action as a plain value."""
    action = None if decision is None else decision.action
    return action.tolist() if isinstance(action, (np.ndarray, np.generic)) else action
