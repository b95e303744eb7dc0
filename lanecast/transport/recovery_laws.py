"""The selectable loss-detection laws; `recovery.py` holds the records they judge."""

from __future__ import annotations

import cython

from lanecast.transport.records import Sent
from lanecast.transport.recovery import (
    LOSS,
    NOTHING,
    PACKET_THRESHOLD,
    PERSISTENT_PERIODS,
    PROBE,
    RTO,
    TIMER_ONLY,
    Recovery,
)
from lanecast.transport.rtt import GRANULARITY, RttEstimator
from lanecast.transport.units import NEVER, Int, Ns

RTO_MIN_RFC = 1_000_000_000  # RFC 6298 2.4, ns
RTO_MIN_LINUX = 200_000_000  # torvalds/linux include/net/tcp.h (TCP_RTO_MIN), ns
RTO_MIN_PROTOTYPE = 10_000_000  # `prototype` profile: max(2 srtt, 10 ms); assumption
RACK_MAX_ACK_DELAY = 200_000_000  # RFC 8985 7.2 (WCDelAckT), ns
RACK_NO_SAMPLE = 1_000_000_000  # RFC 8985 7.2: the probe's time before any RTT sample, ns
RACK_PERSIST = 16  # RFC 8985 6.2 step 4: episodes without reordering after which the window goes back

_NEVER = NEVER
_GRANULARITY = GRANULARITY
_PACKET_THRESHOLD = PACKET_THRESHOLD
_RACK_MAX_ACK_DELAY = RACK_MAX_ACK_DELAY
_RACK_NO_SAMPLE = RACK_NO_SAMPLE
_RACK_PERSIST = RACK_PERSIST
_TIMER_ONLY = TIMER_ONLY
_NOTHING, _LOSS, _PROBE, _RTO = NOTHING, LOSS, PROBE, RTO


class Rfc9002(Recovery):
    """QUIC's law (RFC 9002 section 6): packet and time thresholds, and a probe timeout that declares nothing lost."""

    __slots__ = ()

    def __init__(self, rtt: RttEstimator | None = None) -> None:
        super().__init__(rtt)
        self.persistent_periods = PERSISTENT_PERIODS
        self.ordered = True

    def lost_at(self, record: Sent) -> Ns:
        """Three numbers below the largest: now; else 9/8 RTT after it was sent (6.1)."""
        if self.largest - record.pn >= _PACKET_THRESHOLD:
            return 0
        return record.sent + max(9 * self.rtt.larger() // 8, _GRANULARITY)

    def deadline(self) -> Ns:
        """Return the loss time, else the probe timeout after the last packet was sent (6.2.1)."""
        if self.loss_time < _NEVER:
            return self.loss_time
        if self.count == 0:
            return _NEVER
        period: cython.longlong = self.rtt.timeout + self.rtt.max_ack_delay
        return self.last_sent + (period if self.backoff == 0 else self._backed_off(period))

    def on_timeout(self, now: Ns) -> Int:
        """Declare what is due lost, else ask for a probe."""
        if self.loss_time < _NEVER:
            return _LOSS if self.detect(now) else _NOTHING
        self.backoff += 1
        return _PROBE


class TcpRecovery(Recovery):
    """What the TCP laws share: the retransmission timer of RFC 6298.

    `rto_min` is in ns; `double_srtt` takes max(2 srtt, rto_min) as the timeout instead of the RFC's formula.
    """

    __slots__ = (
        "double_srtt", "rto_min",
    )  # fmt: skip

    def __init__(
        self, rtt: RttEstimator | None = None, *, rto_min: Ns = RTO_MIN_LINUX, double_srtt: bool = False
    ) -> None:
        super().__init__(rtt)
        self.ordered = True
        if rto_min <= 0:
            raise ValueError(f"rto_min must be > 0 ns, got {rto_min}")
        self.rto_min = rto_min
        self.double_srtt = double_srtt

    def rto(self) -> Ns:
        """Return the retransmission timeout with its backoff."""
        if self.double_srtt:
            return self._backed_off(max(2 * self.rtt.smoothed, self.rto_min))
        return self._backed_off(max(self.rtt.timeout, self.rto_min))

    def deadline(self) -> Ns:
        """Return the retransmission timeout after the timer was last restarted (RFC 6298 5)."""
        if self.loss_time < _NEVER:
            return self.loss_time
        return _NEVER if self.count == 0 else self.timer_base + self.rto()

    def on_timeout(self, now: Ns) -> Int:
        """Declare what is due lost, else everything (RFC 6298 5.4 to 5.6)."""
        if self.loss_time < _NEVER:
            return _LOSS if self.detect(now) else _NOTHING
        self.lose_all(now)
        self.backoff += 1
        self.timer_base = now
        return _RTO


class DupAck(TcpRecovery):
    """Three later packets acknowledged: lost (RFC 5681 3.2 with the scoreboard of RFC 6675)."""

    __slots__ = ()

    def lost_at(self, record: Sent) -> Ns:
        """Now, if three later packets arrived and this is not itself a retransmission."""
        if record.resend:
            return _TIMER_ONLY
        return 0 if self.above(record) >= _PACKET_THRESHOLD else _NEVER


class RackTlp(TcpRecovery):
    """RFC 8985. The reordering window is min_rtt/4 times a factor raised by each round with a spurious loss."""

    __slots__ = (
        "_factor_end", "_persist", "_probe_end", "_seen_episode", "_seen_spurious", "window_factor",
    )  # fmt: skip

    def __init__(
        self, rtt: RttEstimator | None = None, *, rto_min: Ns = RTO_MIN_LINUX, double_srtt: bool = False
    ) -> None:
        super().__init__(rtt, rto_min=rto_min, double_srtt=double_srtt)
        self.window_factor = 1
        self._persist = 0
        self._seen_spurious = 0
        self._seen_episode = 0
        self._factor_end = 0  # the factor rises once a round: not before this packet is acknowledged
        self._probe_end = -1  # a probe is out until this packet number is acknowledged

    def reorder_window(self, record: Sent) -> Ns:
        """Return how much later than one RTT a packet may arrive (RFC 8985 6.2 step 4)."""
        if not self.reordering and (
            self.above(record) >= _PACKET_THRESHOLD or self.largest < self.episode_end
        ):
            return 0
        return min(self.window_factor * self.rtt.min_rtt // 4, self.rtt.smoothed)

    def lost_at(self, record: Sent) -> Ns:
        """One RTT of the newest delivered packet, and the reordering window, after it was sent (6.2 step 5)."""
        return record.sent + self.newest_rtt + self.reorder_window(record)

    def detect(self, now: Ns) -> cython.bint:
        """Adapt the window, then judge the holes."""
        if self.spurious_packets > self._seen_spurious:
            self._seen_spurious = self.spurious_packets
            self._persist = _RACK_PERSIST
            if self.largest >= self._factor_end:
                self.window_factor += 1
                self._factor_end = self.next_pn
        if self.episode != self._seen_episode:
            self._seen_episode = self.episode
            if self._persist > 0:
                self._persist -= 1
                if self._persist == 0:
                    self.window_factor = 1
        return Recovery.detect(self, now)

    def deadline(self) -> Ns:
        """Return the loss time, else the probe's time, but not after the retransmission timeout (7.2)."""
        if self.loss_time < _NEVER:
            return self.loss_time
        if self.count == 0:
            return _NEVER
        expiry: cython.longlong = self.timer_base + self.rto()
        if not self._may_probe():
            return expiry
        wait: cython.longlong = 2 * self.rtt.smoothed if self.rtt.samples > 0 else _RACK_NO_SAMPLE
        if self.count == 1:
            wait += _RACK_MAX_ACK_DELAY
        return min(max(self.timer_base, self.last_sent) + wait, expiry)

    def on_timeout(self, now: Ns) -> Int:
        """Loss, a tail-loss probe (7.3: the retransmission timer restarts), or the retransmission timeout."""
        if self.loss_time < _NEVER:
            return _LOSS if Recovery.detect(self, now) else _NOTHING
        if not self._may_probe():
            self._probe_end = -1
            return TcpRecovery.on_timeout(self, now)
        self._probe_end = self.next_pn
        self.timer_base = now
        return _PROBE

    def _may_probe(self) -> cython.bint:
        """Tell whether no probe, no recovery and no backoff is under way (7.2)."""
        return self.backoff == 0 and self.largest >= self._probe_end and self.largest >= self.episode_end - 1

    def probe_record(self) -> Sent | None:
        """Return the last segment (7.3)."""
        return self.tail
