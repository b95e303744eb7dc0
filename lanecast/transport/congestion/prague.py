"""TCP Prague: a scalable controller whose share does not depend on the round-trip time.

After tcp_prague version 0.6 (L4STeam/linux net/ipv4/tcp_prague.c); constants are that module's unless they say
otherwise. The requirements are RFC 9331 section 4's.

Theory of operation. `window` is fractional; `cwnd`, what the sender sees, is `window` rounded up to whole packets and
follows it by at most one packet an ACK (`stepwise`), never below two packets. Below that, pacing at `window / srtt`
alone slows the flow, so a window of half a packet still works.

- `alpha` averages the marked share of packets, once a *period*: a round trip, and at least the virtual RTT where RTT
  independence is on. It starts at 1 and is not updated before the first mark.
- A mark takes `alpha / 2` of the window, at most once a round trip and once a virtual RTT. A round trip in which a mark
  came too early for the virtual RTT is used up: the next chance comes a round trip later, as in Linux.
- Every packet acknowledged without a mark adds `scale / window` packets, also while the window is being reduced.
  `scale` is 1, or less where RTT independence slows a short path (`rtt_scaling`):
    rate      (srtt / target)^2: the rate grows as it would at an RTT of `rtt_target`
    scalable  keeps at least one mark in about eight round trips, at some cost to equality
    additive  (srtt / (srtt + target))^2: as if `rtt_target` were added to the path
    none      1
  Scaling starts `after` periods past slow start (`LINUX_AFTER` in Linux), and never above an RTT of 100 ms.
- With `ecn_fallback` (off in Linux too) the RTT tells whether the queue is a classic one (`classic_ecn.py`); then
  reductions are larger, so that classic flows in the same queue get their share.
- A loss halves the window once a round trip; nothing grows until that round trip ends. Losses that turn out to be
  reordering are undone.

Left out: the 200 % pacing of connections without a sample; GSO sizes are the pacer's.
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
from lanecast.transport.congestion.classic_ecn import ClassicDetector
from lanecast.transport.stage import ECT1
from lanecast.transport.units import Int, Ns

GAIN = 1 / 16  # PRAGUE_SHIFT_G, and RFC 8257 4.2
RTT_TARGET = 25_000_000  # prague_rtt_target, ns
RTT_TARGET_2020 = 15_000_000  # the same in the versions of 2020 that L4STeam's published experiments ran, ns
LINUX_AFTER = 500  # DEFAULT_RTT_TRANSITION, periods past slow start
MAX_SCALED_RTT = 100_000_000  # MAX_SCALED_RTT, ns
RTT_UNIT = 128_000  # RTT_UNIT: srtt and target are compared in units of 2^7 us, ns
SCALABLE_R0 = 16_384_000  # prague_scalable_ai_ack_increase (R0), ns
SCALABLE_R1 = 1_536_000  # the same (R1), ns
SCALABLE_FLOOR = 1 / 8  # the same: one mark in eight round trips
LEAST_WINDOW = 1 / 16  # packets; assumption, so that a flow under constant marking comes back

NONE, RATE, SCALABLE, ADDITIVE = range(4)
MODES = {"none": NONE, "rate": RATE, "scalable": SCALABLE, "additive": ADDITIVE}

_GAIN = GAIN
_MAX_SCALED_RTT, _RTT_UNIT = MAX_SCALED_RTT, RTT_UNIT
_R0, _R1, _FLOOR = SCALABLE_R0, SCALABLE_R1, SCALABLE_FLOOR
_NONE, _RATE, _SCALABLE, _ADDITIVE = NONE, RATE, SCALABLE, ADDITIVE


class Prague(CongestionControl):
    """Scalable control for ECT(1); `rtt_target` in ns, `after` in periods past slow start."""

    ecn_codepoint = ECT1
    paced = True

    def __init__(
        self,
        *,
        mss: Int = 1500,
        initial_packets: Int = INITIAL_PACKETS,
        rtt_scaling: str = "rate",
        rtt_target: Ns = RTT_TARGET,
        after: Int = 0,
        initial_alpha: float = 1.0,
        stepwise: bool = True,
        ecn_fallback: bool = False,
    ) -> None:
        super().__init__(mss=mss, initial_packets=initial_packets)
        if rtt_scaling not in MODES:
            raise ValueError(f"rtt_scaling must be one of {', '.join(MODES)}, got {rtt_scaling!r}")
        if rtt_target <= 0 or after < 0 or not 0 <= initial_alpha <= 1:
            raise ValueError(
                "rtt_target > 0 ns, after >= 0 and initial_alpha in [0, 1] expected, "
                f"got {rtt_target}, {after}, {initial_alpha}"
            )
        self.mode = MODES[rtt_scaling]
        self.rtt_target = rtt_target
        self.after = after
        self.stepwise = stepwise
        self.detector = ClassicDetector() if ecn_fallback else None
        self.alpha = initial_alpha
        self.window = self.cwnd
        self.minimum_cwnd = float(mss * MINIMUM_PACKETS)
        self.least_window = mss * LEAST_WINDOW
        self.saw_mark = False
        self.rounds = 0  # periods past slow start
        self.reductions = 0  # by marks
        self._ce = 0  # in this period
        self._received = 0
        self._period_end = 0  # it ends when this packet is acknowledged ...
        self._period_start = 0  # ... and this was a virtual RTT ago
        self._reduced_end = 0  # no mark on a packet below this one is heard
        self._reduced_at = -1
        self._saved = 0.0

    def on_ack(self, ack: AckObservation) -> None:
        """Reduce for marks, grow for the rest, then see whether a period ended."""
        self._ce += ack.ce
        self._received += ack.received
        if self.detector is not None and ack.rtt > 0:
            self.detector.hear(ack.rtt, self.ssthresh / self.mss)
        if ack.ce > 0:
            self.saw_mark = True
            if ack.pn >= self._reduced_end and ack.pn >= self.recovery_end:
                self._hear_mark(ack)
        unmarked: cython.longlong = ack.acked_packets - ack.ce
        if unmarked > 0 and ack.pn >= self.recovery_end and not ack.app_limited:
            self._grow(ack, unmarked)
        self._adjust()
        if ack.pn >= self._period_end:
            self._end_period(ack)
        self._pace(ack.srtt)

    def on_loss(self, loss: LossObservation) -> None:
        """Halve once per round trip with losses."""
        if loss.pn >= self.recovery_end:
            self._saved = self.window
            self.recovery_end = loss.next_pn
            self._shrink(self.window / 2)
            self._adjust()

    def on_rto(self, loss: LossObservation) -> None:
        """Send one packet, and return to half the window by slow start."""
        self.on_loss(loss)
        self.ssthresh = max(self.window, self.minimum_cwnd)
        self.cwnd = float(self.mss)

    def on_persistent_congestion(self, loss: LossObservation) -> None:
        """Fall to the minimum window (RFC 9002 7.6.2)."""
        self.window = self.cwnd = self.minimum_cwnd
        self.recovery_end = 0

    def on_spurious(self, now: Ns) -> None:
        """Take the last halving back: the path reordered (RFC 9331 4.3 asks to tolerate it)."""
        if self._saved > 0:
            self.window = max(self.window, self._saved)
            self.cwnd = max(self.cwnd, self.window)
            self._saved = 0.0
            self.recovery_end = 0

    def on_idle(self, now: Ns, idle: Ns) -> None:
        """Restart from the initial window (RFC 5681 4.1)."""
        if self.window > self.initial_cwnd:
            self.window = self.cwnd = self.initial_cwnd

    def is_independent(self) -> cython.bint:
        """Tell whether RTT independence is on."""
        return self.mode != _NONE and self.rounds >= self.after and self.cwnd >= self.ssthresh

    def virtual_rtt(self, srtt: Ns) -> Ns:
        """Return the least time between two updates of `alpha` or two reductions, ns; 0 where a round trip will do."""
        if not self.is_independent():
            return 0
        return self.rtt_target + srtt if self.mode == _ADDITIVE else self.rtt_target

    def scale(self, srtt: Ns) -> float:
        """Return by how many packets a window's worth of acknowledgements lets the window grow."""
        if self.mode == _NONE or self.rounds < self.after or srtt > _MAX_SCALED_RTT:
            return 1.0
        rtt: cython.double = srtt // _RTT_UNIT
        target: cython.double = self.rtt_target // _RTT_UNIT
        if rtt <= 0:
            return 1.0
        if self.mode == _SCALABLE:
            base: cython.double = _R0 // _RTT_UNIT
            over: cython.double = min(max(rtt - _R1 // _RTT_UNIT, 0.0), base)
            return (_FLOOR * base + over) * rtt / (base * base)
        if self.mode == _ADDITIVE:
            target += rtt
        if rtt >= target:
            return 1.0
        return rtt * rtt / (target * target)

    def _hear_mark(self, ack: AckObservation) -> None:
        """Use this round trip's chance of a reduction."""
        wait: cython.longlong = self.virtual_rtt(ack.srtt)
        self.ssthresh = min(self.ssthresh, self.cwnd)  # slow start ends at the first mark
        self._reduced_end = ack.next_pn
        if self._reduced_at >= 0 and ack.now - self._reduced_at < wait:
            return
        self._reduced_at = ack.now
        self.reductions += 1
        alpha: cython.double = self.alpha
        if self.detector is not None:
            alpha = max(alpha, self.detector.share())
        self._shrink(self.window * alpha / 2)

    def _shrink(self, size: float) -> None:
        self.window = max(self.window - size, self.least_window)
        self.ssthresh = min(self.ssthresh, self.cwnd)

    def _grow(self, ack: AckObservation, packets: Int) -> None:
        """Grow for packets without marks."""
        if self.cwnd < self.ssthresh:
            self.cwnd = min(self.cwnd + packets * self.mss, self.ssthresh)
            self.window = max(self.window, self.cwnd)
            return
        self.window += packets * self.scale(ack.srtt) * self.mss / self._whole()

    def _whole(self) -> Int:
        """Return the window in whole packets, rounded up (at least 1)."""
        packets: cython.longlong = cython.cast(cython.longlong, self.window / self.mss)
        if packets * self.mss < self.window:
            packets += 1
        return packets

    def _adjust(self) -> None:
        """Move `cwnd` towards the window."""
        goal: cython.double = max(self._whole() * self.mss, self.minimum_cwnd)
        if self.cwnd < goal:
            self.cwnd = min(self.cwnd + self.mss, goal)
        elif self.cwnd > goal and not self.stepwise:
            self.cwnd = self.ssthresh = goal
        elif self.cwnd - self.mss >= goal:
            self.cwnd -= self.mss
            self.ssthresh = self.cwnd

    def _end_period(self, ack: AckObservation) -> None:
        """Update `alpha` when a virtual RTT has passed too."""
        if ack.now - self._period_start < self.virtual_rtt(ack.srtt):
            return
        if self.saw_mark:
            share: cython.double = 0.0
            if self._received > 0:
                share = min(self._ce / self._received, 1.0)
            self.alpha += (share - self.alpha) * _GAIN
            self._period_start = ack.now
            if self.detector is not None:
                self.detector.judge(ack.min_rtt)
        self._ce = self._received = 0
        self._period_end = ack.next_pn - 1
        if self.cwnd >= self.ssthresh:
            self.rounds += 1

    def _pace(self, srtt: Ns) -> None:
        """Pace at the window per round trip, twice that far below ssthresh."""
        if srtt > 0:
            gain: cython.longlong = 2 if self.cwnd < self.ssthresh / 2 else 1
            self.pace_at(gain * self.window * 8e9 / srtt)
