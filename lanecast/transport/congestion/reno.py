"""Reno with NewReno's recovery: the frame on which window laws are built.

RFC 5681 3.1 (slow start, avoidance, ssthresh), RFC 6582 and RFC 9002 7.3 (one reduction per round trip, no growth on
packets sent before it), RFC 3168 6.1.2 (an echoed CE mark is a loss signal), RFC 8511 (a milder factor for marks),
RFC 5681 4.1 (restart after idle). Sizes are bytes; growth counts bytes acknowledged (RFC 3465 with L unlimited).

With `prr` the window does not fall at once: for one round trip it follows proportional rate reduction (RFC 6937 3.1,
with its slow-start bound), so that packets leave evenly; Linux does so for losses and for marks.

A window law subclasses `Reno` and overrides `avoid` (growth beyond ssthresh), `lowered` (the size after a reduction)
and `reduced` (bookkeeping at a reduction). What `on_spurious` restores is kept by `save` and `restore`.
A window that the application does not fill does not grow (RFC 7661: only a validated window may).
"""

from __future__ import annotations

import cython

from lanecast.transport.congestion.base import (
    INITIAL_PACKETS,
    MINIMUM_PACKETS,
    AckObservation,
    CongestionControl,
    LossObservation,
)
from lanecast.transport.congestion.hystart import HyStart
from lanecast.transport.units import Int, Ns

LOSS_FACTOR = 0.5  # RFC 5681 3.1
ABE_FACTOR = 0.8  # RFC 8511 3.1 (Reno's beta_ecn)

_MINIMUM_PACKETS = MINIMUM_PACKETS


class Reno(CongestionControl):
    """Additive increase by one packet a round trip, multiplicative decrease by `loss_factor` or `mark_factor`."""

    def __init__(
        self,
        *,
        mss: Int = 1500,
        initial_packets: Int = INITIAL_PACKETS,
        loss_factor: float = LOSS_FACTOR,
        mark_factor: float = LOSS_FACTOR,
        hystart: bool = False,
        prr: bool = False,
    ) -> None:
        super().__init__(mss=mss, initial_packets=initial_packets)
        if not (0 < loss_factor < 1 and 0 < mark_factor < 1):
            raise ValueError(f"factors must lie in (0, 1), got loss {loss_factor} and mark {mark_factor}")
        self.loss_factor = loss_factor
        self.mark_factor = mark_factor
        self.hystart: HyStart | None = HyStart() if hystart else None
        self.prr = prr
        self.reducing = False  # the window is on its way to ssthresh
        self.minimum_cwnd = float(mss * _MINIMUM_PACKETS)
        self._saved_cwnd = 0.0
        self._saved_ssthresh = 0.0
        self._flight = 0.0  # PRR: RecoverFS, bytes
        self._delivered = 0  # PRR: prr_delivered, bytes

    def on_ack(self, ack: AckObservation) -> None:
        """Grow, or reduce once per round trip with marks."""
        if ack.ce > 0 and ack.pn >= self.recovery_end:
            self.reduce(ack.now, ack.next_pn, ack.flight, self.mark_factor)
        if ack.pn < self.recovery_end:
            if self.reducing:
                self._follow_prr(ack)
            return
        if self.reducing:
            self.reducing = False
            self.cwnd = self.ssthresh
        if ack.acked == 0:
            return
        acked: cython.double = ack.acked
        if self.cwnd < self.ssthresh and not ack.app_limited:
            acked = self._slow_start(ack, acked)
        if acked > 0 or ack.app_limited:
            self.avoid(ack, acked)

    def on_loss(self, loss: LossObservation) -> None:
        """Reduce once per round trip with losses."""
        if loss.pn >= self.recovery_end:
            self.reduce(loss.now, loss.next_pn, loss.flight, self.loss_factor)
            if self.reducing:
                self.cwnd = float(loss.in_flight + self.mss)  # room for the first retransmission

    def on_rto(self, loss: LossObservation) -> None:
        """Fall to one packet (RFC 5681 3.1); ssthresh from the flight unless this round trip set it already."""
        if loss.pn >= self.recovery_end:
            self.reduce(loss.now, loss.next_pn, loss.flight, self.loss_factor)
        self.cwnd = float(self.mss)
        self.reducing = False

    def on_persistent_congestion(self, loss: LossObservation) -> None:
        """Fall to the minimum window (RFC 9002 7.6.2); growth may start at once."""
        self.cwnd = self.minimum_cwnd
        self.recovery_end = 0
        self.reducing = False

    def on_spurious(self, now: Ns) -> None:
        """Take the last reduction back."""
        if self._saved_cwnd > 0:
            self.restore(now)
            self._saved_cwnd = 0.0
            self.recovery_end = 0
            self.reducing = False

    def on_idle(self, now: Ns, idle: Ns) -> None:
        """Restart from the initial window (RFC 5681 4.1)."""
        self.cwnd = min(self.cwnd, self.initial_cwnd)

    def reduce(self, now: Ns, next_pn: Int, flight: Int, factor: float) -> None:
        """Make one multiplicative decrease and start a recovery round."""
        self.save()
        self.recovery_end = next_pn
        self.reduced(now)
        self.ssthresh = self.lowered(flight, factor)
        self.hystart = None  # it is for the first slow start (RFC 9406 4.3)
        if self.prr:
            self.reducing = True
            self._flight = max(flight, self.mss)
            self._delivered = 0
        else:
            self.cwnd = self.ssthresh

    def lowered(self, flight: Int, factor: float) -> float:
        """Return the window after a reduction (RFC 5681 3.1, equation 4), bytes."""
        return max(flight * factor, self.minimum_cwnd)

    def save(self) -> None:
        """Keep what `restore` needs, before a reduction."""
        self._saved_cwnd = self.cwnd
        self._saved_ssthresh = self.ssthresh

    def restore(self, now: Ns) -> None:
        """Go back to the state kept by `save`, without shrinking."""
        self.cwnd = max(self.cwnd, self._saved_cwnd)
        self.ssthresh = max(self.ssthresh, self._saved_ssthresh)

    def reduced(self, now: Ns) -> None:
        """Do a law's bookkeeping before `cwnd` falls."""

    def avoid(self, ack: AckObservation, acked: float) -> None:
        """Grow by `acked` bytes' worth in congestion avoidance: one packet a round trip (RFC 5681 3.1)."""
        if not ack.app_limited:
            self.cwnd += self.mss * acked / self.cwnd

    def _slow_start(self, ack: AckObservation, acked: float) -> float:
        """Grow by what was acknowledged, not beyond ssthresh; return what is left for congestion avoidance."""
        growth: cython.double = acked
        if self.hystart is not None:
            growth = self.hystart.growth(ack, acked, self.cwnd / self.mss)
            if self.hystart.done:
                self.ssthresh = self.cwnd
                self.hystart = None
                return acked
        room: cython.double = self.ssthresh - self.cwnd
        if growth <= room:
            self.cwnd += growth
            return 0.0
        self.cwnd = self.ssthresh
        return acked - room

    def _follow_prr(self, ack: AckObservation) -> None:
        """Set the window for one ACK of a recovery round (RFC 6937 3.1)."""
        self._delivered += ack.acked
        out: cython.longlong = (ack.next_pn - self.recovery_end) * self.mss
        room: cython.double
        packets: cython.longlong
        if ack.in_flight > self.ssthresh:
            room = self._delivered * self.ssthresh / self._flight
            packets = cython.cast(cython.longlong, room / self.mss)
            if packets * self.mss < room:
                packets += 1
            room = packets * self.mss - out
        else:
            room = min(self.ssthresh - ack.in_flight, max(self._delivered - out, ack.acked) + self.mss)
        if out == 0:
            room = max(room, self.mss)  # the fast retransmission
        self.cwnd = max(ack.in_flight + max(room, 0.0), self.mss)
