"""PIE: a proportional-integral controller on queue delay drops at enqueue (RFC 8033).

Theory of operation (RFC 8033 4). Every `update` the drop probability moves by
alpha (delay - target) + beta (delay - old delay), scaled down while it is small; arrivals are then dropped (or
marked, up to a probability of `mark_limit`) at random. No drop during the burst allowance, while the delay was
under half the target with a probability under 20 %, or with at most two packets held. With `derandomise` the
probability is added up over arrivals since the last signal: none below 0.85, a certain one from 8.5 (RFC 8033 5.4).

The delay is the head's sojourn time at the instant of the update (the time-stamp method of RFC 8033 5.2), 0 when empty.
Queues own no timer: updates that fell due since the last call are made up first. Between calls the queue does not
change, so the result is that of a timer that fires at every multiple of `update`.
"""

from __future__ import annotations

import cython

from lanecast.l4s.queue import EARLY, TAIL, Queue
from lanecast.transport.rng import Stream
from lanecast.transport.stage import NOT_ECT, Packet
from lanecast.transport.units import MS, SECOND, Ns

TARGET = 15 * MS  # QDELAY_REF, RFC 8033 4.2
UPDATE = 15 * MS  # T_UPDATE, RFC 8033 4.2
ALPHA_HZ = 0.125  # 1/8, RFC 8033 4.2
BETA_HZ = 1.25  # 1 + 1/4, RFC 8033 4.2
MAX_BURST = 150 * MS  # RFC 8033 4.4
MARK_LIMIT = 0.1  # mark_ecnth, RFC 8033 5.1
SAFE_PROBABILITY = 0.2  # RFC 8033 4.1
SAFE_PACKETS = 2  # RFC 8033 4.1
STEP_FROM = 0.1  # RFC 8033 4.2: above this, one update adds at most STEP
STEP = 0.02
HIGH_DELAY = 250 * MS  # RFC 8033 4.2: above this, STEP more
DECAY = 0.98  # RFC 8033 4.2
SPARED_BELOW = 0.85  # RFC 8033 5.4
CERTAIN_FROM = 8.5  # RFC 8033 5.4

_EARLY, _TAIL = EARLY, TAIL
_HIGH_DELAY, _SECOND = HIGH_DELAY, SECOND
_SAFE_PACKETS, _SAFE_PROBABILITY = SAFE_PACKETS, SAFE_PROBABILITY
_SPARED_BELOW, _CERTAIN_FROM, _NOT_ECT = SPARED_BELOW, CERTAIN_FROM, NOT_ECT


class Pie(Queue):
    """One FIFO under PIE; `stream` decides the drops."""

    def __init__(
        self,
        stream: Stream,
        *,
        limit_packets: int = 0,
        limit_bytes: int = 0,
        target: int = TARGET,
        update: int = UPDATE,
        alpha_hz: float = ALPHA_HZ,
        beta_hz: float = BETA_HZ,
        max_burst: int = MAX_BURST,
        ecn: bool = False,
        mark_limit: float = MARK_LIMIT,
        derandomise: bool = False,
    ) -> None:
        super().__init__(limit_packets=limit_packets, limit_bytes=limit_bytes)
        if target < 2 or update <= 0 or max_burst < 0 or not 0.0 <= mark_limit <= 1.0:
            raise ValueError(
                f"PIE needs target >= 2 ns, update > 0, max_burst >= 0 and mark_limit within 0..1; "
                f"got {target}, {update}, {max_burst}, {mark_limit}"
            )
        self.stream = stream
        self.target = target
        self.update = update
        self.alpha_hz = alpha_hz
        self.beta_hz = beta_hz
        self.max_burst = max_burst
        self.ecn = ecn
        self.mark_limit = mark_limit
        self.derandomise = derandomise
        self.gathered = 0.0  # RFC 8033 5.4 accu_prob_
        self.probability = 0.0
        self.burst_left = max_burst
        self._old_delay = 0
        self._next_update = update

    def offer(self, now: Ns, packet: Packet) -> bool:
        """Take the packet in, perhaps marked, or drop it."""
        self.offered += 1
        if self._next_update <= now:
            self._catch_up(now)
        if self.is_full(packet.size):
            self.discard(now, packet, _TAIL)
            return False
        if not self._is_unlucky():
            self.keep(now, packet)
            return True
        self.gathered = 0.0
        if self.ecn and self.probability < self.mark_limit and packet.ecn != _NOT_ECT:
            self.keep(now, packet)
            self.mark(now, packet)
            return True
        self.discard(now, packet, _EARLY)
        return False

    def take(self, now: Ns) -> Packet | None:
        """Return the next packet to send."""
        if self._next_update <= now:
            self._catch_up(now)
        return Queue.take(self, now)

    def _is_unlucky(self) -> cython.bint:
        """Draw, unless one of the safeguards of RFC 8033 4.1 and 4.4 holds."""
        if self.burst_left > 0 or self.count <= _SAFE_PACKETS or self.probability <= 0.0:
            return False
        if self._old_delay < self.target // 2 and self.probability < _SAFE_PROBABILITY:
            return False
        if self.derandomise:
            self.gathered += self.probability
            if self.gathered < _SPARED_BELOW:
                return False
            if self.gathered >= _CERTAIN_FROM:
                return True
        return self.stream.next_double() < self.probability

    def _catch_up(self, now: Ns) -> None:
        """Make the updates that fell due up to `now`."""
        while self._next_update <= now:
            if (
                self.count == 0
                and self.probability == 0.0
                and self._old_delay == 0
                and self.burst_left == self.max_burst
            ):
                self._next_update += ((now - self._next_update) // self.update + 1) * self.update  # at rest
                return
            self._update_at(self._next_update)
            self._next_update += self.update

    def _update_at(self, now: Ns) -> None:
        """Move the drop probability (RFC 8033 4.2) and the burst allowance (4.4)."""
        delay: cython.longlong = self.head_sojourn(now)
        error: cython.double = (delay - self.target) / _SECOND
        change: cython.double = (delay - self._old_delay) / _SECOND
        step: cython.double = (self.alpha_hz * error + self.beta_hz * change) * scale(self.probability)
        if self.probability >= STEP_FROM and step > STEP:
            step = STEP
        if delay > _HIGH_DELAY:
            step += STEP
        self.probability += step
        if delay == 0 and self._old_delay == 0:
            self.probability *= DECAY
        self.probability = min(max(self.probability, 0.0), 1.0)
        self.burst_left = max(0, self.burst_left - self.update)
        if self.probability == 0.0 and delay < self.target // 2 and self._old_delay < self.target // 2:
            self.burst_left = self.max_burst
        self._old_delay = delay


def scale(probability: float) -> float:
    """Return the factor that keeps the control stable while the probability is small (RFC 8033 4.2)."""
    if probability < 1e-6:
        return 1.0 / 2048.0
    if probability < 1e-5:
        return 1.0 / 512.0
    if probability < 1e-4:
        return 1.0 / 128.0
    if probability < 1e-3:
        return 1.0 / 32.0
    if probability < 1e-2:
        return 1.0 / 8.0
    return 0.5 if probability < 1e-1 else 1.0
