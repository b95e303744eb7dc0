"""Impairments: what a wire does to packets beside delaying them.

Whether a packet is lost is decided by a `LossProcess` (a probability over time) and a draw that is a **pure
function** of (key, slot, n): slot = send time in whole ms, n = how many packets this stage saw earlier in that
slot. Every scheme that sends in a slot then meets the same fate, and an oracle can ask `lost_at(slot, n)`
without sending anything. The probability is read at the slot's start.

`Remark` and its kin change the ECN codepoint of packets on their way, as faulty or old equipment does (RFC 3168 8.1).

`Duplicate` creates packets; its law is `pushed + created == passed + held`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import cython

from lanecast.emulation.track import Track
from lanecast.transport import recorder
from lanecast.transport.calendar import Calendar
from lanecast.transport.recorder import PacketLog
from lanecast.transport.rng import Stream, uniform_at
from lanecast.transport.stage import CE, CORRUPT, ECT0, ECT1, NOT_ECT, Packet, Stage, copy_packet
from lanecast.transport.units import MS, Int, Ns

if not cython.compiled:
    from math import log  # compiled, the `.pxd` brings the C library's: the same bits

SLOT = MS  # length of a slot of common random numbers, ns
_SLOT = SLOT
_EVENT_LOSE = recorder.LOSE
_CORRUPT = CORRUPT
LOSS_UNIT = 4_294_967_296  # loss tracks hold probabilities in units of 2^-32


class LossProcess:
    """Loss probability over time; the base is constant (independent loss)."""

    def __init__(self, probability: float) -> None:
        self.probability = _checked(probability, "probability")

    def at(self, now: Ns) -> float:
        """Return the loss probability at `now`, in [0, 1]."""
        return self.probability


class TrackLoss(LossProcess):
    """Loss follows a track of probabilities in units of 2^-32."""

    def __init__(self, track: Track) -> None:
        super().__init__(0.0)
        self.track = track

    def at(self, now: Ns) -> float:
        """Return the track's probability."""
        return self.track.at(now) / LOSS_UNIT


class GilbertElliott(LossProcess):
    """Two states with exponential sojourns in continuous time (Gilbert 1960, Elliott 1963).

    Mean sojourns in ns; loss probability inside each state. `loss_bad = 1` is an on/off outage. The start state is
    drawn with the stationary shares. The realisation is a list of state changes, extended on demand: it
    depends on the stream alone, not on who asks when.
    """

    def __init__(
        self, stream: Stream, *, mean_good: float, mean_bad: float, loss_good: float, loss_bad: float
    ) -> None:
        super().__init__(_checked(loss_good, "loss_good"))
        if mean_good <= 0 or mean_bad <= 0:
            raise ValueError(f"mean sojourns must be > 0 ns, got {mean_good} and {mean_bad}")
        self.stream = stream
        self.mean_good = mean_good
        self.mean_bad = mean_bad
        self.loss_bad = _checked(loss_bad, "loss_bad")
        self.starts_bad = stream.next_double() < mean_bad / (mean_good + mean_bad)
        self._edges: list[int] = [0]  # state changes; interval i has the start state if i is even
        self._last = 0

    def is_bad(self, now: Ns) -> cython.bint:
        """Tell whether the state at `now` is the bad one."""
        while self._last <= now:
            self._extend()
        even: cython.bint = bisect_right(self._edges, now) % 2 == 1
        return even == self.starts_bad

    def at(self, now: Ns) -> float:
        """Return the probability of the state at `now`."""
        return self.loss_bad if self.is_bad(now) else self.probability

    def _extend(self) -> None:
        bad: cython.bint = (len(self._edges) % 2 == 1) == self.starts_bad
        mean: cython.double = self.mean_bad if bad else self.mean_good
        self._last += 1 + int(-log(1.0 - self.stream.next_double()) * mean)
        self._edges.append(self._last)


class SlotDraws:
    """Counts packets in their ms slots and tells their fate under a loss process."""

    def __init__(self, key: int, process: LossProcess) -> None:
        self.key = key
        self.process = process
        self.slot = -1
        self.n = -1

    def lost_at(self, slot: Int, n: Int) -> cython.bint:
        """Tell the fate of the n-th packet (from 0) of a slot; probabilities 0 and 1 draw nothing."""
        probability: cython.double = self.process.at(slot * _SLOT)
        if probability <= 0.0:
            return False
        return probability >= 1.0 or uniform_at(self.key, slot, n) < probability

    def count(self, now: Ns) -> None:
        """Count a packet sent now: `slot` and `n` are then its own."""
        slot: cython.longlong = now // _SLOT
        if slot == self.slot:
            self.n += 1
        else:
            self.slot = slot
            self.n = 0


class Loss(Stage):
    """Loses packets; what is left passes at once."""

    def __init__(self, key: int, process: LossProcess, name: str = "") -> None:
        super().__init__(name)
        self.draws = SlotDraws(key, process)
        self.log: PacketLog | None = None
        self.log_id = 0

    def push(self, now: Ns, packet: Packet) -> None:
        """Lose the packet or pass it."""
        self.pushed += 1
        self.draws.count(now)
        if self.draws.lost_at(self.draws.slot, self.draws.n):
            self.dropped += 1
            if self.log is not None:
                self.log.row(now, self.log_id, _EVENT_LOSE, packet, 0)
            return
        self.forward(now, packet)


class Duplicate(Stage):
    """Sends a second copy of a packet, at once, with a probability."""

    def __init__(self, stream: Stream, probability: float, name: str = "") -> None:
        super().__init__(name)
        self.stream = stream
        self.probability = _checked(probability, "probability")
        self.created = 0

    def push(self, now: Ns, packet: Packet) -> None:
        """Pass the packet, perhaps twice."""
        self.pushed += 1
        twice: cython.bint = self.probability > 0.0 and self.stream.next_double() < self.probability
        copy: Packet | None = copy_packet(packet) if twice else None
        self.forward(now, packet)
        if copy is not None:
            self.created += 1
            self.forward(now, copy)


class Corrupt(Stage):
    """Spoils packets with a probability: they are delivered, but no endpoint can decode them."""

    def __init__(self, stream: Stream, probability: float, name: str = "") -> None:
        super().__init__(name)
        self.stream = stream
        self.probability = _checked(probability, "probability")
        self.corrupted = 0

    def push(self, now: Ns, packet: Packet) -> None:
        """Pass the packet, perhaps spoilt."""
        self.pushed += 1
        if self.probability > 0.0 and self.stream.next_double() < self.probability:
            packet.kind = _CORRUPT
            self.corrupted += 1
        self.forward(now, packet)


class Remark(Stage):
    """Turns ECN codepoints into others with a probability: `table[arriving]` is what leaves.

    `remarked` counts packets whose codepoint changed. A certain or an empty remark draws nothing.
    """

    def __init__(
        self, stream: Stream | None, table: Sequence[int], probability: float = 1.0, name: str = ""
    ) -> None:
        super().__init__(name)
        self.probability = _checked(probability, "probability")
        if len(table) != CE + 1 or not all(NOT_ECT <= codepoint <= CE for codepoint in table):
            raise ValueError(f"{self.name}: a table of four ECN codepoints 0..3 expected, got {list(table)}")
        if stream is None and 0.0 < probability < 1.0:
            raise ValueError(f"{self.name}: probability {probability} needs a random stream")
        self.stream = stream
        self.table = [int(codepoint) for codepoint in table]
        self.remarked = 0

    def push(self, now: Ns, packet: Packet) -> None:
        """Pass the packet, perhaps under another codepoint."""
        self.pushed += 1
        target: cython.int = self.table[packet.ecn]
        if target != packet.ecn and self._strikes():
            packet.ecn = target
            self.remarked += 1
        self.forward(now, packet)

    def _strikes(self) -> cython.bint:
        if self.probability >= 1.0:
            return True
        return (
            self.probability > 0.0
            and self.stream is not None
            and self.stream.next_double() < self.probability
        )


class Bleach(Remark):
    """Clears every codepoint to Not-ECT."""

    def __init__(self, stream: Stream | None = None, probability: float = 1.0, name: str = "") -> None:
        super().__init__(stream, (NOT_ECT, NOT_ECT, NOT_ECT, NOT_ECT), probability, name)


class ClearCe(Remark):
    """Takes congestion marks away: CE leaves as `to`."""

    def __init__(
        self, stream: Stream | None = None, probability: float = 1.0, name: str = "", *, to: int = ECT0
    ) -> None:
        super().__init__(stream, (NOT_ECT, ECT1, ECT0, to), probability, name)


class SetCe(Remark):
    """Marks packets as if there were congestion: those with ECT, with `everything` also Not-ECT ones."""

    def __init__(
        self,
        stream: Stream | None = None,
        probability: float = 1.0,
        name: str = "",
        *,
        everything: bool = False,
    ) -> None:
        super().__init__(stream, (CE if everything else NOT_ECT, CE, CE, CE), probability, name)


class Reorder(Stage):
    """Holds a packet back for `extra` ns with a probability, so that later ones overtake it."""

    def __init__(
        self, calendar: Calendar, stream: Stream, probability: float, extra: int, name: str = ""
    ) -> None:
        super().__init__(name)
        if extra <= 0:
            raise ValueError(f"{self.name}: extra delay must be > 0 ns, got {extra}")
        self.calendar = calendar
        self.stream = stream
        self.probability = _checked(probability, "probability")
        self.extra = extra
        self._waiting: list[tuple[int, Packet]] = []  # constant extra delay: already in due order

    def push(self, now: Ns, packet: Packet) -> None:
        """Pass the packet, or hold it back."""
        self.pushed += 1
        self.wake(now)
        if self.probability > 0.0 and self.stream.next_double() < self.probability:
            self._waiting.append((now + self.extra, packet))
            if len(self._waiting) == 1:
                self.calendar.at(now + self.extra, self)
            return
        self.forward(now, packet)

    def wake(self, now: Ns) -> None:
        """Let out what was held long enough."""
        released = False
        while self._waiting and self._waiting[0][0] <= now:
            released = True
            self.forward(now, self._waiting.pop(0)[1])
        if released and self._waiting:
            self.calendar.at(self._waiting[0][0], self)

    def held(self) -> Int:
        """Return the packets held back."""
        return len(self._waiting)


def _checked(probability: float, what: str) -> float:
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"{what} must be within 0..1, got {probability}")
    return probability
