"""Prague as a user-space application runs it over UDP: rate-based on short paths, with fast growth after quiet times.

After L4STeam/udp_prague prague_cc.cpp; constants are that file's. It shares with TCP Prague (`prague.py`) the average
`alpha`, the reduction by `alpha / 2` and the growth for every unmarked packet; these differ:

- A virtual RTT is the larger of srtt and 25 ms, always; `alpha` starts at 0 and is updated from the start. A reduction
  is made at most once a round trip and once a virtual RTT, whichever is longer.
- It starts at `initial_rate_bps`, without slow start.
- Where srtt is at most 2 ms, or at most the time between two packets, the rate takes the window's place (`by_rate`).
- After a number of virtual RTTs without a reduction (7, and one for each 15.36 Mbit/s) growth is no longer one packet
  but 1 ms worth of data. After a loss that number is what a flow at 25 ms would take to come back.
- The window does not hold the flow back: 3 % and one packet more than the fractional window; pacing is 3 % above the
  rate in the first half of a virtual RTT and as much below in the second.

Left out: packets that shrink so that two fit into a virtual RTT (a sender's packets have one size here), the frame
mode for real-time video, feedback formats.
"""

from __future__ import annotations

import cython

from lanecast.transport.congestion.base import AckObservation, CongestionControl, LossObservation
from lanecast.transport.stage import ECT1
from lanecast.transport.units import Int, Ns

GAIN = 1 / 16  # ALPHA_SHIFT
RTT_TARGET = 25_000_000  # REF_RTT, ns
QUIET = 7  # MIN_STEP: virtual RTTs without a reduction before growth is faster
QUIET_RATE = 15_360_000  # RATE_STEP: one virtual RTT more for each, bit/s
GROWTH_TIME = 1_000_000  # QUEUE_GROWTH, ns of data
SHORT_RTT = 2_000_000  # ACKReceived: no window below this RTT, ns
SWING = 1.03  # RATE_OFFSET
LEAST_PACKETS = 2  # MIN_PKT_WIN
INITIAL_RATE = 100_000  # PRAGUE_INITRATE, bit/s
LEAST_RATE = 100_000  # PRAGUE_MINRATE, bit/s
MOST_RATE = 100_000_000_000  # PRAGUE_MAXRATE, bit/s

_GAIN, _SWING = GAIN, SWING
_RTT_TARGET, _GROWTH_TIME, _SHORT_RTT = RTT_TARGET, GROWTH_TIME, SHORT_RTT
_BIT_NS = 8e9


class UdpPrague(CongestionControl):
    """Scalable control for ECT(1) in an application; rates in bit/s, `rtt_target` in ns."""

    ecn_codepoint = ECT1
    paced = True

    def __init__(
        self,
        *,
        mss: Int = 1500,
        initial_rate_bps: Int = INITIAL_RATE,
        least_rate_bps: Int = LEAST_RATE,
        most_rate_bps: Int = MOST_RATE,
        rtt_target: Ns = RTT_TARGET,
    ) -> None:
        super().__init__(mss=mss)
        if not 0 < least_rate_bps <= initial_rate_bps <= most_rate_bps or rtt_target <= 0:
            raise ValueError(
                "0 < least_rate_bps <= initial_rate_bps <= most_rate_bps and rtt_target > 0 expected, "
                f"got {least_rate_bps}, {initial_rate_bps}, {most_rate_bps}, {rtt_target}"
            )
        self.initial_rate = float(initial_rate_bps)
        self.least_rate = float(least_rate_bps)
        self.most_rate = float(most_rate_bps)
        self.rtt_target = rtt_target
        self.alpha = 0.0
        self.rate = self.initial_rate  # bit/s
        self.window = float(mss)  # bytes, fractional
        self.by_rate = False
        self.quiet = QUIET + initial_rate_bps // QUIET_RATE  # virtual RTTs still to wait for fast growth
        self.pace_at(self.rate)
        self._started = False
        self._ce = 0
        self._received = 0
        self._alpha_end = 0
        self._alpha_at = 0
        self._reduced_end = 0
        self._reduce_after = 0
        self._lost_at = -1
        self._saved = 1.0  # factor that takes the last halving back
        self._saved_quiet = 0

    def on_ack(self, ack: AckObservation) -> None:
        """Follow ACKReceived: mode, average, growth, reduction, rate."""
        if ack.srtt <= 0:
            return
        vrtt: cython.longlong = max(ack.srtt, self.rtt_target)
        self._choose_mode(ack.srtt)
        self._average(ack, vrtt)
        in_loss: cython.bint = self._lost_at >= 0 and (
            ack.pn < self.recovery_end or ack.now - self._lost_at < vrtt
        )
        unmarked: cython.longlong = ack.received - ack.ce
        if unmarked > 0 and not in_loss and not ack.app_limited:
            self._grow(unmarked, ack.srtt, vrtt)
        if ack.ce > 0 and not in_loss and ack.pn >= self._reduced_end and ack.now >= self._reduce_after:
            self._reduced_end = ack.next_pn
            self._reduce_after = ack.now + vrtt
            self.quiet = QUIET + cython.cast(cython.longlong, self.rate / QUIET_RATE)
            self._multiply(1 - self.alpha / 2)
        self._align(ack.now, ack.srtt, vrtt)

    def on_loss(self, loss: LossObservation) -> None:
        """Halve at most once a round trip and a virtual RTT."""
        vrtt: cython.longlong = max(loss.srtt, self.rtt_target)
        if loss.pn < self.recovery_end or (self._lost_at >= 0 and loss.now - self._lost_at < vrtt):
            return
        self.recovery_end = loss.next_pn
        self._lost_at = loss.now
        self._saved = 2.0
        self._saved_quiet = self.quiet
        waiting: cython.double = (
            self.rate / 16 / self.mss * (self.rtt_target / vrtt) * (self.rtt_target / 1e9)
        )
        self.quiet = cython.cast(cython.longlong, waiting)
        self._multiply(0.5)
        self._align(loss.now, loss.srtt, vrtt)

    def on_rto(self, loss: LossObservation) -> None:
        """Start anew from the initial rate (ResetCCInfo)."""
        self.alpha = 0.0
        self.rate = self.initial_rate
        self.window = self.cwnd = float(self.mss)
        self.by_rate = self._started = False
        self.quiet = QUIET + cython.cast(cython.longlong, self.rate / QUIET_RATE)
        self.pace_at(self.rate)

    def on_spurious(self, now: Ns) -> None:
        """Take the last halving back: the path reordered."""
        self._multiply(self._saved)
        if self._saved > 1:
            self.quiet = min(self.quiet, self._saved_quiet)
        self._saved = 1.0
        self._lost_at = -1
        self.recovery_end = 0

    def _choose_mode(self, srtt: Ns) -> None:
        """Let the rate take the window's place on short paths, and keep the rate when that changes."""
        short: cython.bint = srtt <= _SHORT_RTT or srtt <= self.mss * _BIT_NS / self.rate
        if not self._started or (self.by_rate and not short):
            self.window = self.rate * srtt / _BIT_NS
            self._started = True
        self.by_rate = short

    def _average(self, ack: AckObservation, vrtt: Ns) -> None:
        """Average the marked share once a window and virtual RTT, and count the quiet time."""
        self._ce += ack.ce
        self._received += ack.received
        if ack.pn >= self._alpha_end and ack.now - self._alpha_at >= vrtt and self._received > 0:
            share: cython.double = min(self._ce / self._received, 1.0)
            self.alpha += (share - self.alpha) * _GAIN
            self._ce = self._received = 0
            self._alpha_end = ack.next_pn
            self._alpha_at = ack.now
            self.quiet = max(self.quiet - 1, 0)

    def _grow(self, packets: Int, srtt: Ns, vrtt: Ns) -> None:
        """Grow by one step a virtual RTT, as the rate would at that RTT."""
        step: cython.double = self.rate * _GROWTH_TIME / _BIT_NS
        if step < self.mss or self.quiet > 0:
            step = self.mss
        if self.by_rate:
            content: cython.double = self.rate * vrtt / _BIT_NS  # bytes in a virtual RTT
            self.rate += packets * step * _BIT_NS / vrtt * self.mss / content
        else:
            share: cython.double = srtt / vrtt
            self.window += packets * self.mss * share * share * step / self.window

    def _multiply(self, factor: float) -> None:
        if self.by_rate:
            self.rate *= factor
        else:
            self.window *= factor

    def _align(self, now: Ns, srtt: Ns, vrtt: Ns) -> None:
        """Make rate and window agree, and set what the sender sees."""
        if srtt <= 0:
            return
        if not self.by_rate:
            self.rate = self.window * _BIT_NS / srtt
        self.rate = min(max(self.rate, self.least_rate), self.most_rate)
        self.window = self.rate * srtt / _BIT_NS
        packets: cython.longlong = cython.cast(cython.longlong, self.window * _SWING / self.mss) + 1
        self.cwnd = float(max(packets, LEAST_PACKETS) * self.mss)
        late: cython.bint = now - self._alpha_at >= vrtt // 2
        self.pace_at(self.rate / _SWING if late else self.rate * _SWING)
