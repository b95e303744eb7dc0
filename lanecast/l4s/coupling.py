"""The coupled law: a PI controller whose probability acts as p^2 on classic and as k p on scalable packets.

Theory of operation (RFC 9332 2.4 and A.1; De Schepper and others, PI2, CoNEXT 2016). Every `tupdate` the base
probability p moves by alpha (q - target) + beta (q - last q); q is a queueing delay, alpha and beta are in Hz. Classic
packets are dropped (or marked) with p_C = p^2, scalable ones marked with p_CL = k p. Above p = 1/k marks cannot say
more: that is *overload*, where ECN no longer protects a classic packet and scalable ones are dropped with p_C too.

Queues own no timer: updates that fell due are made up at the next call. Between calls a queue does not change (only
its head grows older, and an update at t looks at the age at t), so the result is that of a timer at every multiple of
`tupdate`.

`judge` is the law's decision about one packet. Dice are random, or `recur` (RFC 9332 A.1): the probability is added up
and each time the sum exceeds 1 the answer is yes, which spaces the signals evenly.
"""

from __future__ import annotations

from typing import Any

import cython

from lanecast.l4s.dualpi2_profiles import Settings
from lanecast.l4s.queue import EARLY, TAIL, Queue
from lanecast.transport.rng import Stream
from lanecast.transport.stage import Packet
from lanecast.transport.units import SECOND, Int, Ns

_EARLY, _TAIL = EARLY, TAIL
_SECOND = SECOND


class Tally:
    """Counters of one kind of packets; `offered = sent + dropped + held` at every instant.

    A packet that arrived with CE counts as marked when the law says so, as in Linux.
    """

    def __init__(self) -> None:
        self.offered = 0
        self.sent = 0
        self.marked_coupled = 0  # by the roll: p_CL, or the ramp where it is greater; in C p_C
        self.marked_step = 0
        self.dropped_full = 0
        self.dropped_early = 0
        self.waited_sum = 0  # ns, of the packets sent
        self.waited_most = 0  # ns

    def dropped(self) -> Int:
        """Return all drops."""
        return self.dropped_full + self.dropped_early

    def mean_wait(self) -> float:
        """Return the mean sojourn time of the packets sent in ns, 0 of none."""
        return self.waited_sum / self.sent if self.sent > 0 else 0.0


class PiQueue(Queue):
    """Base of DualPI2 and PI2; `stream` decides unless the dice are `recur`."""

    def __init__(self, stream: Stream, settings: Settings) -> None:
        super().__init__()
        self.settings: Any = None
        self.stream = stream
        self.probability = 0.0  # p, the base
        self.tally_low = Tally()
        self.tally_classic = Tally()
        self._last_delay = 0
        self._debt_low = 0.0  # recur: probability not yet spent
        self._debt_classic = 0.0
        self.adopt(settings)
        self._next_update = self._tupdate

    def adopt(self, settings: Settings) -> None:
        """Take over settings; packets and the controller's state stay, an update due keeps its time."""
        self.settings = settings
        self.limit_packets = settings.limit
        self.limit_bytes = settings.memory
        self._target = settings.target
        self._tupdate = settings.tupdate
        self._alpha = settings.alpha
        self._beta = settings.beta
        self._k = settings.coupling_factor
        self._ceiling = 1.0 if settings.drop_on_overload else min(1.0, 1.0 / settings.coupling_factor)
        self._drops_low = settings.drop_on_overload
        self._at_arrival = settings.drop_enqueue
        self._least = settings.least_backlog
        self._recur = settings.dice == "recur"

    def probabilities(self) -> tuple[float, float]:
        """Return p_C and p_CL, the latter at most 1."""
        return self.probability * self.probability, min(1.0, self._k * self.probability)

    # Decisions ----------------------------------------------------------------------------------------------

    def judge(self, now: Ns, packet: Packet, is_low: cython.bint, native: float) -> cython.bint:
        """Mark or drop a packet that is not in the backlog; False: it was dropped.

        `native` is the L queue's own marking probability; the greater of it and p_CL counts (RFC 9332 2.4).
        """
        p: cython.double = self.probability if self.backlog >= self._least else 0.0
        coupled: cython.double = self._k * p
        overload: cython.bint = coupled > 1.0
        if not is_low:
            if not self.hits_classic(p, is_low):
                return True
            if overload or not self.mark(now, packet):
                return self.drop_early(now, packet, is_low)
            self.tally_classic.marked_coupled += 1
            return True
        if overload:
            if self._drops_low and self.hits_classic(p, is_low):
                return self.drop_early(now, packet, is_low)
            if self.mark(now, packet):  # what cannot be marked passes, as in Linux
                self.tally_low.marked_coupled += 1
            return True
        if not self.hits(self.low_probability(coupled, native), is_low):
            return True
        return self.mark_low(now, packet)

    def low_probability(self, coupled: float, native: float) -> float:
        """Return p_L from p_CL and the queue's own probability."""
        return max(native, coupled)

    def hits_classic(self, p: float, is_low: cython.bint) -> cython.bint:
        """Say yes with probability p^2: two rolls as Linux does it, or one of the square."""
        if self._recur:
            return self.hits(p * p, is_low)
        return self.hits(p, is_low) and self.hits(p, is_low)

    def hits(self, p: float, is_low: cython.bint) -> cython.bint:
        """Say yes with probability p."""
        if p <= 0.0:
            return False
        if not self._recur:
            return self.stream.next_double() < p
        if is_low:
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

    def mark_low(self, now: Ns, packet: Packet) -> cython.bint:
        """Mark a scalable packet; one that is not ECN-capable (a classifier put it there) is dropped."""
        if not self.mark(now, packet):
            return self.drop_early(now, packet, True)  # noqa: FBT003 - a typed core call
        self.tally_low.marked_coupled += 1
        return True

    def drop_early(self, now: Ns, packet: Packet, is_low: cython.bint) -> cython.bint:
        """Drop by the law; return False."""
        if is_low:
            self.tally_low.dropped_early += 1
        else:
            self.tally_classic.dropped_early += 1
        self.discard(now, packet, _EARLY)
        return False

    def refuse(self, now: Ns, packet: Packet, is_low: cython.bint) -> None:
        """Drop at a limit."""
        if is_low:
            self.tally_low.dropped_full += 1
        else:
            self.tally_classic.dropped_full += 1
        self.discard(now, packet, _TAIL)

    def send(self, now: Ns, packet: Packet, is_low: cython.bint) -> None:
        """Hand the packet out and count its sojourn time."""
        tally: Tally = self.tally_low if is_low else self.tally_classic
        waited: cython.longlong = now - packet.enqueued
        tally.sent += 1
        tally.waited_sum += waited
        tally.waited_most = max(tally.waited_most, waited)
        self.hand_out(now, packet)

    # The controller -----------------------------------------------------------------------------------------

    def delay_at(self, now: Ns) -> Ns:
        """Return the queueing delay that the controller looks at, 0 when empty."""
        return self.head_sojourn(now)

    def catch_up(self, now: Ns) -> None:
        """Make the updates that fell due up to `now`."""
        while self._next_update <= now:
            if self.count == 0 and self.probability == 0.0 and self._last_delay == 0:  # at rest
                self._next_update += ((now - self._next_update) // self._tupdate + 1) * self._tupdate
                return
            self._update_at(self._next_update)
            self._next_update += self._tupdate

    def _update_at(self, now: Ns) -> None:
        """Move the base probability (RFC 9332 A.1)."""
        delay: cython.longlong = self.delay_at(now)
        step: cython.double = (
            self._alpha * (delay - self._target) / _SECOND + self._beta * (delay - self._last_delay) / _SECOND
        )
        self.probability = min(max(self.probability + step, 0.0), self._ceiling)
        self._last_delay = delay
