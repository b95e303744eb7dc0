"""DualPI2: two queues, one link, one controller; low delay for scalable senders beside classic ones (RFC 9332).

Theory of operation. L4S packets (ECT(1), CE) wait in L, others in C. A PI controller moves the base probability p by
alpha (q - target) + beta (q - last q) every `tupdate`, with q the longer of both queueing delays. C packets are dropped
(or marked, if ECN-capable) with p_C = p^2, L packets are marked with p_CL = k p: the square root that tells classic
from scalable senders is thereby undone, and flows of both kinds get about equal windows. L has its own
shallow marking besides: a step, or a ramp, on the sojourn time. Where p_CL > 1 (overload) marks no longer control:
then both queues drop with p_C.

The order of steps is that of Linux `sch_dualpi2`: pick a queue, test the packet once it has left the backlog, then the
step. With a ramp (RFC 9332 A.1) the greater of ramp and p_CL counts, in one roll.
`dualpi2_profiles.py` has the settings and what they mean.

Queues own no timer: updates that fell due are made up at the next call; between calls the queues do not change.
Left out: splitting of segmentation-offload packets (ours are never joined), per-flow filters (`classifier` stands in).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import cython

from lanecast.l4s.dualpi2_profiles import MASKS, MTU, Settings, settings_of
from lanecast.l4s.queue import EARLY, TAIL, Queue
from lanecast.transport.rng import Stream
from lanecast.transport.stage import Fifo, Packet
from lanecast.transport.units import SECOND, Ns

CLASSIC, LOW, BARE = range(3)  # what a classifier returns; BARE: L without marks and drops
FULL = 100  # percent

_EARLY, _TAIL = EARLY, TAIL
_SECOND = SECOND
_CLASSIC, _LOW, _BARE = CLASSIC, LOW, BARE
_NOBODY = -1


class DualPi2(Queue):
    """Two FIFOs under the coupled AQM; `stream` decides unless the dice are `recur`.

    `limit_packets` and `limit_bytes` are other names of `limit` and `memlimit`. `classifier`, if set, is asked for each
    packet and returns CLASSIC, LOW, BARE or None (by its codepoint).
    """

    def __init__(
        self,
        stream: Stream,
        *,
        profile: str = "linux",
        limit_packets: int = 0,
        limit_bytes: int = 0,
        **changes: Any,
    ) -> None:
        super().__init__(limit_packets=limit_packets, limit_bytes=limit_bytes)
        limits = {"limit": limit_packets, "memlimit": limit_bytes}
        changes |= {name: value for name, value in limits.items() if value > 0}
        self.stream = stream
        self.low = Fifo()
        self.classic = Fifo()
        self.classifier: Callable[[Packet], int | None] | None = None
        self.probability = 0.0  # p, the base
        self.credit = 0.0  # above 0: C's turn
        self.marked_step = 0
        self.marked_coupled = 0
        self.dropped_low = 0
        self._last_delay = 0
        self._debt_low = 0.0  # recur: probability not yet spent
        self._debt_classic = 0.0
        self._notes: Any = (
            deque()
        )  # for each packet in L: backlog at arrival, negative where the step does not apply
        self._bare: Any = set()
        self._set(settings_of(profile, **changes))
        self.credit = self._rest
        self._next_update = self._tupdate

    # Settings -------------------------------------------------------------------------------------------------

    def configure(self, now: Ns, **changes: Any) -> None:
        """Change settings in operation; packets, probability and credit stay.

        Raises:
            ValueError: a setting is unknown or impossible; nothing has changed then.
        """
        settings = settings_of("linux", self.settings, **changes)
        self._catch_up(now)
        while len(self._notes) < self.low.count:  # packets that came before notes were needed
            self._notes.append(self.low.size)
        self._set(settings)
        self._next_update = now + self._tupdate

    def _set(self, settings: Settings) -> None:
        self.settings = settings
        self.limit_packets = settings.limit
        self.limit_bytes = settings.memlimit or settings.limit * 2 * MTU
        self._target = settings.target
        self._tupdate = settings.tupdate
        self._alpha = settings.alpha
        self._beta = settings.beta
        self._k = settings.coupling_factor
        self._ceiling = 1.0 if settings.drop_on_overload else min(1.0, 1.0 / settings.coupling_factor)
        self._step = settings.step_thresh
        self._step_packets = settings.step_packets
        self._least_depth = settings.min_qlen_step
        self._ramp = settings.ramp_range
        self._ramp_least = settings.ramp_least
        self._wc = settings.classic_protection
        self._wl = FULL - settings.classic_protection
        self._rest = MTU * (self._wc - self._wl)
        self._tshift = settings.tshift if settings.scheduler == "tsfifo" else -1
        self._strict = settings.scheduler == "strict"
        self._drops_low = settings.drop_on_overload
        self._at_arrival = settings.drop_enqueue
        self._least = settings.least_backlog
        self._mask = MASKS[settings.ecn_mask]
        self._recur = settings.dice == "recur"
        self._scaled = settings.sojourn == "scaled"
        self._both = settings.pi_input == "both"
        self._noted = self._scaled or self._least_depth > 0

    # What can be read -------------------------------------------------------------------------------------------

    def probabilities(self) -> tuple[float, float]:
        """Return p_C and p_CL, the latter at most 1."""
        return self.probability * self.probability, min(1.0, self._k * self.probability)

    def head_sojourn(self, now: Ns) -> Ns:
        """Return how long the packet that goes next has waited, 0 when empty."""
        picked: cython.int = self._pick(now)
        head: Packet | None = self.low.head if picked == _LOW else self.classic.head
        return 0 if head is None else now - head.enqueued

    # The queue --------------------------------------------------------------------------------------------------

    def offer(self, now: Ns, packet: Packet) -> bool:
        """Take the packet into its queue, or drop it."""
        kind: cython.int
        self.offered += 1
        if self._next_update <= now:
            self._catch_up(now)
        if self.is_full(packet.size):
            self.discard(now, packet, _TAIL)
            return False
        kind = self._classify(packet)
        packet.enqueued = now
        if self._at_arrival and kind != _BARE and not self._coupled(now, packet, kind == _LOW):
            return False
        if kind == _CLASSIC:
            self.keep_in(now, packet, self.classic)
            return True
        if self._noted:
            self._note()
        if kind == _BARE:
            self._bare.add(packet)
        self.keep_in(now, packet, self.low)
        return True

    def take(self, now: Ns) -> Packet | None:
        """Return the next packet to send; one may be dropped on the way, even the last."""
        packet: Packet | None
        low: cython.bint
        picked: cython.int
        change: cython.double
        note: cython.longlong
        if self._next_update <= now:
            self._catch_up(now)
        while True:
            picked = self._pick(now)
            if picked == _NOBODY:
                self.credit = self._rest
                return None
            low = picked == _LOW
            packet = self.release_from(self.low if low else self.classic)
            assert packet is not None, "a queue is picked only when it holds a packet"
            change = self._price(packet, low)
            note = self._notes.popleft() if low and self._noted else 0
            if self._survives(now, packet, low, note):
                break
        self.credit += change
        if self.count == 0:
            self.credit = self._rest
        self.hand_out(now, packet)
        return packet

    def _classify(self, packet: Packet) -> cython.int:
        if self.classifier is not None:
            chosen = self.classifier(packet)
            if chosen is not None:
                return chosen
        return _LOW if packet.ecn & self._mask else _CLASSIC

    def _note(self) -> None:
        """Remember L's backlog at this arrival (this packet left out), negative where the step shall not apply."""
        applies: cython.bint = self.low.count >= self._least_depth
        self._notes.append(self.low.size if applies else -1 - self.low.size)

    def _pick(self, now: Ns) -> cython.int:
        """Return LOW, CLASSIC, or -1 when both are empty."""
        if self.low.head is None:
            return _NOBODY if self.classic.head is None else _CLASSIC
        if self.classic.head is None or self._strict:
            return _LOW
        if self._tshift >= 0:
            ahead: cython.longlong = self.classic.head.enqueued - self.low.head.enqueued + self._tshift
            return _LOW if ahead >= 0 else _CLASSIC
        return _LOW if self.credit <= 0 else _CLASSIC

    def _price(self, packet: Packet, low: cython.bint) -> float:
        """Return by how much the credit changes if this packet, just taken from its queue, is sent."""
        if low:
            return self._wc * packet.size if self.classic.head is not None else 0.0
        return -self._wl * packet.size if self.low.head is not None else 0.0

    def _survives(self, now: Ns, packet: Packet, low: cython.bint, note: Ns) -> cython.bint:
        """Test a packet that has left its queue: the coupled law, then L's own step."""
        if low and self._bare and packet in self._bare:
            self._bare.discard(packet)
            return True
        if not self._at_arrival and not self._coupled(now, packet, low):
            return False
        if not low or self._ramp > 0 or note < 0:
            return True
        if self._step_packets > 0:
            if self.low.count <= self._step_packets:
                return True
        elif self._step == 0 or self._waited(now, packet, note) <= self._step:
            return True
        self.marked_step += 1
        return self._mark_or_drop(now, packet)

    def _waited(self, now: Ns, packet: Packet, note: Ns) -> Ns:
        """Return the sojourn time, perhaps scaled: by the backlog at departure over that at arrival."""
        waited: cython.longlong = now - packet.enqueued
        if not self._scaled:
            return waited
        before: cython.double = note + packet.size
        return cython.cast(cython.longlong, waited * ((self.low.size + packet.size) / before))

    def _coupled(self, now: Ns, packet: Packet, low: cython.bint) -> cython.bint:
        """Mark or drop by the base probability (and the ramp); False: the packet was dropped."""
        p: cython.double = self.probability if self.backlog >= self._least else 0.0
        coupled: cython.double = self._k * p
        overload: cython.bint = coupled > 1.0
        if not low:
            if not self._hits_twice(p, low) or (not overload and self.mark(now, packet)):
                return True
            self.discard(now, packet, _EARLY)
            return False
        if overload:
            if self._drops_low and self._hits_twice(p, low):
                return self._drop_low(now, packet)
        else:
            if self._ramp > 0 and not self._at_arrival:
                coupled = max(coupled, self._ramped(now, packet))
            if not self._hits(coupled, low):
                return True
        self.marked_coupled += 1
        return self._mark_or_drop(now, packet)

    def _ramped(self, now: Ns, packet: Packet) -> float:
        """Return L's own marking probability on the ramp."""
        waited: cython.double = now - packet.enqueued - self._step
        if waited <= 0 or self.low.count + 1 < self._ramp_least:
            return 0.0
        return min(1.0, waited / self._ramp)

    def _mark_or_drop(self, now: Ns, packet: Packet) -> cython.bint:
        """Mark an L packet; one that cannot be marked (a filter put it there) is dropped."""
        return True if self.mark(now, packet) else self._drop_low(now, packet)

    def _drop_low(self, now: Ns, packet: Packet) -> cython.bint:
        self.dropped_low += 1
        self.discard(now, packet, _EARLY)
        return False

    # Dice ---------------------------------------------------------------------------------------------------

    def _hits(self, p: float, low: cython.bint) -> cython.bint:
        """Say yes with probability p."""
        if p <= 0.0:
            return False
        if not self._recur:
            return self.stream.next_double() < p
        if low:
            self._debt_low += p
            if self._debt_low <= 1.0:
                return False
            self._debt_low -= 1.0
            return True
        self._debt_classic += p
        if self._debt_classic <= 1.0:
            return False
        self._debt_classic -= 1.0
        return True

    def _hits_twice(self, p: float, low: cython.bint) -> cython.bint:
        """Say yes with probability p^2: two rolls, as Linux does it, or one of the square."""
        if self._recur:
            return self._hits(p * p, low)
        return self._hits(p, low) and self._hits(p, low)

    # The controller -------------------------------------------------------------------------------------------

    def _catch_up(self, now: Ns) -> None:
        """Make the updates that fell due up to `now`."""
        while self._next_update <= now:
            if self.count == 0 and self.probability == 0.0 and self._last_delay == 0:
                self._next_update += (
                    (now - self._next_update) // self._tupdate + 1
                ) * self._tupdate  # at rest
                return
            self._update_at(self._next_update)
            self._next_update += self._tupdate

    def _update_at(self, now: Ns) -> None:
        """Move the base probability (RFC 9332 A.1)."""
        delay: cython.longlong = 0
        step: cython.double
        if self.classic.head is not None:
            delay = now - self.classic.head.enqueued
        if self._both and self.low.head is not None:
            delay = max(delay, now - self.low.head.enqueued)
        step = (
            self._alpha * (delay - self._target) / _SECOND + self._beta * (delay - self._last_delay) / _SECOND
        )
        self.probability = min(max(self.probability + step, 0.0), self._ceiling)
        self._last_delay = delay
