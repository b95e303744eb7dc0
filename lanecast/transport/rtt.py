"""Round-trip time estimation and the timeouts built on it.

RFC 9002 section 5 (the arithmetic is RFC 6298's): first sample R gives srtt = R, rttvar = R/2; later ones
rttvar = 3/4 rttvar + 1/4 |srtt - R| and srtt = 7/8 srtt + 1/8 R, where R is the sample less the receiver's
acknowledgement delay unless that would take it under the minimum. Before any sample srtt is 333 ms (RFC 9002
6.2.2), or `warm`: a true round-trip time known beforehand. All whole nanoseconds; divisions round down.
"""

# ruff: noqa: PLR1730, FURB136 - uncompiled, a comparison costs less than a call of min() or max()
from __future__ import annotations

import cython

from lanecast.transport.units import Ns

INITIAL_RTT = 333_000_000  # RFC 9002 6.2.2 (kInitialRtt), ns
GRANULARITY = 1_000_000  # RFC 9002 6.1.2 (kGranularity), ns
MAX_ACK_DELAY = 25_000_000  # RFC 9000 18.2 (default of max_ack_delay), ns
WARM_SPREAD = 4  # rttvar of a warm start is this fraction of the RTT: assumption
_GRANULARITY = GRANULARITY


class RttEstimator:
    """Latest, smoothed and minimum round-trip time and its variation, ns."""

    def __init__(self, *, warm: Ns = 0, max_ack_delay: Ns = MAX_ACK_DELAY) -> None:
        if warm < 0 or max_ack_delay < 0:
            raise ValueError(f"warm and max_ack_delay must be >= 0 ns, got {warm} and {max_ack_delay}")
        self.max_ack_delay = max_ack_delay
        self.samples = 0
        self.latest = 0
        self.min_rtt = warm
        self.smoothed = warm if warm > 0 else INITIAL_RTT
        self.rttvar = warm // WARM_SPREAD if warm > 0 else INITIAL_RTT // 2  # RFC 9002 5.3
        self.first_sample = -1  # when the first sample was taken
        # srtt + max(4 rttvar, G = 1 ms), without any lower bound (RFC 6298 2.3)
        self.timeout = self.smoothed + max(4 * self.rttvar, _GRANULARITY)
        self._warm = warm > 0

    def update(self, now: Ns, sample: Ns, ack_delay: Ns) -> None:
        """Take one sample (RFC 9002 5.3); `ack_delay` is what the receiver says it waited."""
        adjusted: cython.longlong = sample
        spread: cython.longlong
        error: cython.longlong
        self.latest = sample
        self.samples += 1
        if self.first_sample < 0:
            self.first_sample = now
        if self.samples == 1 and not self._warm:
            self.min_rtt = self.smoothed = sample
            self.rttvar = sample // 2
        else:
            if sample < self.min_rtt:  # RFC 9002 5.2: without regard to the acknowledgement delay
                self.min_rtt = sample
            if ack_delay > self.max_ack_delay:
                ack_delay = self.max_ack_delay
            if sample >= self.min_rtt + ack_delay:
                adjusted = sample - ack_delay
            error = self.smoothed - adjusted
            self.rttvar = (3 * self.rttvar + (error if error > 0 else -error)) // 4
            self.smoothed = (7 * self.smoothed + adjusted) // 8
        spread = 4 * self.rttvar
        self.timeout = self.smoothed + (spread if spread > _GRANULARITY else _GRANULARITY)

    def forget_minimum(self) -> None:
        """Take the latest sample as the minimum (RFC 9002 5.2, after persistent congestion)."""
        self.min_rtt = self.latest

    def pto(self) -> Ns:
        """Return the probe timeout without backoff: srtt + max(4 rttvar, 1 ms) + max_ack_delay (RFC 9002 6.2.1)."""
        return self.timeout + self.max_ack_delay

    def rto(self) -> Ns:
        """Return srtt + max(4 rttvar, 1 ms) without any lower bound (RFC 6298 2.3): the same as `timeout`."""
        return self.timeout

    def larger(self) -> Ns:
        """Return max(smoothed, latest) (RFC 9002 6.1.2)."""
        return max(self.smoothed, self.latest)
