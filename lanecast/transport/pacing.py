"""Pacing: a packet may leave when the ones before it have had their time at the pacing rate.

`due = max(now, due) + size / rate` after every packet; a packet may leave while `due` is at most the burst
allowance ahead, so a sender that was held back catches up by no more than that (RFC 9002 7.7).
The rate is the controller's own, or else `gain * cwnd / srtt`.
"""

from __future__ import annotations

import cython

from lanecast.transport.units import Int, Ns

BURST = 1_000_000  # torvalds/linux sk_pacing_shift 10: about 1 ms of data at once, ns
GAIN = 1.25  # RFC 9002 7.7 (N)
SLOW_START_GAIN = 2.0  # torvalds/linux tcp_pacing_ss_ratio 200 %


class Pacer:
    """Spaces the packets of one flow; `burst` is in ns."""

    def __init__(
        self, *, burst: Ns = BURST, gain: float = GAIN, slow_start_gain: float = SLOW_START_GAIN
    ) -> None:
        if burst < 0 or gain <= 0 or slow_start_gain <= 0:
            raise ValueError(f"burst must be >= 0 ns and gains > 0, got {burst}, {gain}, {slow_start_gain}")
        self.burst = burst
        self.gain = gain
        self.slow_start_gain = slow_start_gain
        self.due = 0

    def release(self) -> Ns:
        """Return the earliest time at which the next packet may leave."""
        return self.due - self.burst

    def sent(self, now: Ns, size: Int, rate_bps: float) -> None:
        """Note a packet that left at the given rate (bit/s, > 0)."""
        interval: cython.longlong = cython.cast(cython.longlong, size * 8e9 / rate_bps)
        self.due = max(self.due, now) + interval

    def window_rate_bps(self, cwnd: float, ssthresh: float, srtt: Ns) -> float:
        """Return the rate that sends `cwnd` bytes in 1/gain of a smoothed RTT, bit/s."""
        return (self.slow_start_gain if cwnd < ssthresh else self.gain) * cwnd * 8e9 / srtt
