"""CUBIC (RFC 9438): the window is a cubic function of the time since the last reduction.

W(t) = C (t - K)^3 + W_max, K = cbrt((W_max - cwnd_epoch) / C), in packets and seconds; where Reno would be faster, the
window follows the Reno-friendly estimate W_est (4.3). Slow start, recovery and the restart after idle are Reno's.
Time during which the application was the limit does not count (5.8).
"""

from __future__ import annotations

import math

import cython

from lanecast.transport.congestion.base import INITIAL_PACKETS, AckObservation
from lanecast.transport.congestion.reno import Reno
from lanecast.transport.units import Int, Ns

C = 0.4  # RFC 9438 5, packets / s^3
BETA = 0.7  # RFC 9438 4.6
ABE_BETA = 0.85  # RFC 8511 3.1 (Cubic's beta_ecn)
MOST_GROWTH = 1.5  # RFC 9438 4.4: the target is at most this many windows

_C = C
_MOST_GROWTH = MOST_GROWTH


class Cubic(Reno):
    """RFC 9438 with fast convergence (4.7); `mark_factor` applies to echoed CE marks."""

    def __init__(
        self,
        *,
        mss: Int = 1500,
        initial_packets: Int = INITIAL_PACKETS,
        loss_factor: float = BETA,
        mark_factor: float = BETA,
        hystart: bool = False,
        fast_convergence: bool = True,
        prr: bool = False,
    ) -> None:
        super().__init__(
            mss=mss,
            initial_packets=initial_packets,
            loss_factor=loss_factor,
            mark_factor=mark_factor,
            hystart=hystart,
            prr=prr,
        )
        self.fast_convergence = fast_convergence
        self.alpha = 3 * (1 - loss_factor) / (1 + loss_factor)  # RFC 9438 4.3
        self.w_max = 0.0  # window at the last reduction, packets
        self.k = 0.0  # s from the epoch's start to the plateau
        self.w_est = 0.0  # what Reno's window would be, packets
        self.epoch = -1  # when this congestion avoidance began; -1: not yet
        self._prior = 0.0  # window before the last reduction, packets
        self._last = 0  # time of the last ACK in congestion avoidance
        self._saved_w_max = 0.0
        self._saved_prior = 0.0

    def window(self, elapsed: float) -> float:
        """Return W(t) in packets, `elapsed` s after the epoch's start (RFC 9438 4.2)."""
        offset: cython.double = elapsed - self.k
        return _C * offset * offset * offset + self.w_max

    def reduced(self, now: Ns) -> None:
        """Remember the plateau, lower when capacity seems to shrink (RFC 9438 4.7)."""
        packets: cython.double = self.cwnd / self.mss
        self._prior = packets
        if self.fast_convergence and packets < self.w_max:
            packets = packets * (1 + self.loss_factor) / 2
        self.w_max = packets
        self.epoch = -1

    def avoid(self, ack: AckObservation, acked: float) -> None:
        """Follow the cubic, or Reno where that is faster (RFC 9438 4.2 to 4.5)."""
        if self.epoch < 0:
            self._begin(ack.now)
        elif ack.app_limited:
            self.epoch += ack.now - self._last
        self._last = ack.now
        if ack.app_limited:
            return
        packets: cython.double = self.cwnd / self.mss
        grown: cython.double = acked / self.mss
        elapsed: cython.double = (ack.now - self.epoch) / 1e9
        self.w_est += (self.alpha if self.w_est < self._prior else 1.0) * grown / packets
        if self.window(elapsed) < self.w_est:
            if self.w_est > packets:
                self.cwnd = self.w_est * self.mss
            return
        target: cython.double = self.window(elapsed + ack.srtt / 1e9)
        target = min(target, _MOST_GROWTH * packets)
        if target > packets:
            self.cwnd = (packets + (target - packets) * grown / packets) * self.mss

    def save(self) -> None:
        """Keep the cubic's own state too (RFC 9438 4.9)."""
        Reno.save(self)
        self._saved_w_max = self.w_max
        self._saved_prior = self._prior

    def restore(self, now: Ns) -> None:
        """Go back; the epoch starts anew at the restored window."""
        Reno.restore(self, now)
        self.w_max = self._saved_w_max
        self._prior = self._saved_prior
        self.epoch = -1

    def on_idle(self, now: Ns, idle: Ns) -> None:
        """Restart from the initial window with a new epoch."""
        Reno.on_idle(self, now, idle)
        self.epoch = -1

    def _begin(self, now: Ns) -> None:
        """Start an epoch at the present window (RFC 9438 4.2)."""
        packets: cython.double = self.cwnd / self.mss
        self.epoch = now
        self.w_est = packets
        if packets < self.w_max:
            self.k = math.cbrt((self.w_max - packets) / _C)
        else:
            self.k = 0.0
            self.w_max = packets
