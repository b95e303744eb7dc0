"""Cubic as Linux computes it, for comparisons with measurements of Linux hosts.

After torvalds/linux net/ipv4/tcp_cubic.c and tcp_cong.c. The law is RFC 9438's; these are the differences in behaviour:

- The window is whole packets: `step` ACKed packets grow it by one, and `step` is computed from the cubic's target at
  most once a millisecond, and at most every 1/32 s while the window stays the same.
- Time and the cubic's argument are integers in 1/1024 s; the target is one *least* RTT ahead, not one smoothed RTT.
- beta is 717/1024; the Reno-friendly window grows by one for every 15/8 windows acknowledged, also after it passed the
  window before the reduction (RFC 9438 4.3 then goes on at Reno's pace), and at most one packet for two ACKed.
- Until the first reduction the step is at most 20 packets.
- Slow start ends by `LinuxHyStart`; every reduction, for losses and marks, follows PRR.
- An idle time shifts the epoch; a timeout forgets the plateau.

A jiffy is 1 ms (CONFIG_HZ 1000). Left out: `tcp_cwnd_restart`'s halving per timeout of idle time (Reno's rule stands).
"""

from __future__ import annotations

import math

import cython

from lanecast.transport.congestion.base import INITIAL_PACKETS, AckObservation, LossObservation
from lanecast.transport.congestion.hystart import LinuxHyStart
from lanecast.transport.congestion.reno import Reno
from lanecast.transport.units import Int, Ns

BETA = 717 / 1024  # tcp_cubic.c (beta, BICTCP_BETA_SCALE)
BETA_SCALE = 1024
BETA_PARTS = 717
RATE_SCALE = 410  # tcp_cubic.c (cube_rtt_scale = bic_scale x 10): C = 410/1024
FRIENDLY_PARTS = 15  # tcp_cubic.c (beta_scale): eighths of a window a packet of the friendly window takes
FIRST_STEP = 20  # tcp_cubic.c: the largest step before the first reduction, packets
LEAST_STEP = 2  # tcp_cubic.c: at most one packet for two ACKed
FAR = 100  # tcp_cubic.c: the step beyond the target, windows
HOLD = 31_250_000  # tcp_cubic.c (HZ / 32), ns
JIFFY = 1_000_000  # CONFIG_HZ 1000, ns
TICKS = 1024  # tcp_cubic.c (BICTCP_HZ 10): ticks a second
MOST_TICKS = 1 << 17  # offsets beyond 128 s are cut so that the cube fits 64 bits; assumption: never reached

_BETA_SCALE, _BETA_PARTS, _RATE_SCALE, _FRIENDLY_PARTS = BETA_SCALE, BETA_PARTS, RATE_SCALE, FRIENDLY_PARTS
_FIRST_STEP, _LEAST_STEP, _FAR, _HOLD, _JIFFY, _TICKS = FIRST_STEP, LEAST_STEP, FAR, HOLD, JIFFY, TICKS
_MOST_TICKS = MOST_TICKS


class LinuxCubic(Reno):
    """Linux's tcp_cubic; options are its module parameters."""

    def __init__(
        self,
        *,
        mss: Int = 1500,
        initial_packets: Int = INITIAL_PACKETS,
        fast_convergence: bool = True,
        tcp_friendliness: bool = True,
        hystart: bool = True,
        prr: bool = True,
    ) -> None:
        super().__init__(
            mss=mss, initial_packets=initial_packets, loss_factor=BETA, mark_factor=BETA, prr=prr
        )
        self.fast_convergence = fast_convergence
        self.tcp_friendliness = tcp_friendliness
        self.uses_hystart = hystart
        if hystart:
            self.hystart = LinuxHyStart()
        self.step = 1  # ACKed packets that grow the window by one
        self._forget()
        self._count = 0  # packets ACKed towards the next growth
        self._last_window = 0
        self._last_time = 0

    def _forget(self) -> None:
        self.plateau = 0  # window before the last reduction, packets
        self.epoch = -1
        self.origin = 0
        self.k = 0  # ticks
        self.friendly = 0  # Reno's window, packets
        self._acked = 0

    def on_rto(self, loss: LossObservation) -> None:
        """Fall to one packet and start anew."""
        Reno.on_rto(self, loss)
        self._forget()
        if self.uses_hystart:
            self.hystart = LinuxHyStart()

    def on_idle(self, now: Ns, idle: Ns) -> None:
        """Restart from the initial window; the epoch does not count the idle time."""
        Reno.on_idle(self, now, idle)
        if self.epoch >= 0:
            self.epoch = min(self.epoch + idle, now)

    def lowered(self, flight: Int, factor: float) -> float:
        """Return the window after a reduction: whole packets of the window, not the flight."""
        window: cython.longlong = cython.cast(cython.longlong, self.cwnd / self.mss)
        return max(float(window * _BETA_PARTS // _BETA_SCALE * self.mss), self.minimum_cwnd)

    def reduced(self, now: Ns) -> None:
        """Remember the plateau."""
        window: cython.longlong = cython.cast(cython.longlong, self.cwnd / self.mss)
        self.epoch = -1
        if self.fast_convergence and window < self.plateau:
            window = window * (_BETA_SCALE + _BETA_PARTS) // (2 * _BETA_SCALE)
        self.plateau = window

    def avoid(self, ack: AckObservation, acked: float) -> None:
        """Count ACKed packets towards the next growth."""
        if ack.app_limited:
            return
        window: cython.longlong = cython.cast(cython.longlong, self.cwnd / self.mss)
        packets: cython.longlong = cython.cast(cython.longlong, acked / self.mss)
        self._update(ack, window, packets)
        if self._count >= self.step:
            self._count = 0
            window += 1
        self._count += packets
        if self._count >= self.step:
            window += self._count // self.step
            self._count %= self.step
        self.cwnd = float(window * self.mss)

    def _update(self, ack: AckObservation, window: Int, packets: Int) -> None:
        """Compute the step (bictcp_update)."""
        self._acked += packets
        if window == self._last_window and ack.now - self._last_time <= _HOLD:
            return
        if self.epoch < 0 or ack.now // _JIFFY != self._last_time // _JIFFY:
            self._last_window = window
            self._last_time = ack.now
            if self.epoch < 0:
                self._begin(ack.now, window, packets)
            self.step = self._cubic_step(ack, window)
        if self.tcp_friendliness:
            self._befriend(window)
        self.step = max(self.step, _LEAST_STEP)

    def _begin(self, now: Ns, window: Int, packets: Int) -> None:
        self.epoch = now
        self._acked = packets
        self.friendly = window
        if self.plateau <= window:
            self.k = 0
            self.origin = window
        else:
            cube: cython.double = (self.plateau - window) * 1024.0 / _RATE_SCALE
            self.k = cython.cast(cython.longlong, math.cbrt(cube) * _TICKS)
            self.origin = self.plateau

    def _cubic_step(self, ack: AckObservation, window: Int) -> Int:
        """Return how many packets must be ACKed for one more, by the cubic."""
        elapsed: cython.longlong = (ack.now - self.epoch) // _JIFFY + -(-ack.min_rtt // _JIFFY)
        offset: cython.longlong = elapsed * _TICKS // 1000 - self.k
        offset = min(max(offset, -_MOST_TICKS), _MOST_TICKS)
        size: cython.longlong = abs(offset)
        rise: cython.longlong = (_RATE_SCALE * size * size * size) >> 40
        target: cython.longlong = self.origin - rise if offset < 0 else self.origin + rise
        step: cython.longlong = window // (target - window) if target > window else _FAR * window
        return min(step, _FIRST_STEP) if self.plateau == 0 else step

    def _befriend(self, window: Int) -> None:
        """Grow at least as Reno would."""
        share: cython.longlong = window * _FRIENDLY_PARTS >> 3
        if self._acked > share:
            self.friendly += (self._acked - 1) // share
            self._acked -= (self._acked - 1) // share * share
        if self.friendly > window:
            self.step = min(self.step, window // (self.friendly - window))
