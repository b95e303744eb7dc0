"""Pacing: a packet may leave when the ones before it have had their time at the pacing rate.

`due = max(now, due) + size / rate` after every packet; a packet may leave while `due` is at most the burst
allowance ahead, so a sender that was held back catches up by no more than that (RFC 9002 7.7).
The rate is the controller's own, or else `gain * cwnd / srtt`.

With a quantum, packets leave in groups at one instant, as segmentation offload makes them: a group holds
`quantum_time` of data at the pacing rate, within `quantum` packets (at least) and `quantum_bytes` (at most), and is
followed by a gap that makes up for it. `late_share` of a group's time may be taken off when the group leaves late.
`linux_pacer` and `prague_pacer` are these settings.
"""

from __future__ import annotations

import cython

from lanecast.transport.units import Int, Ns

BURST = 1_000_000  # torvalds/linux sk_pacing_shift 10: about 1 ms of data at once, ns
GAIN = 1.25  # RFC 9002 7.7 (N)
SLOW_START_GAIN = 2.0  # torvalds/linux tcp_pacing_ss_ratio 200 %
LINUX_GAIN = 1.2  # torvalds/linux tcp_pacing_ca_ratio 120 %
LINUX_SLOW_START_SHARE = 0.5  # torvalds/linux tcp_update_pacing_rate: the 200 % hold below ssthresh / 2
LINUX_QUANTUM = 2  # torvalds/linux tcp_min_tso_segs, packets
LINUX_QUANTUM_TIME = 976_562  # torvalds/linux tcp_tso_autosize: rate >> 10, that is 2^-10 s of data, ns
LINUX_LATE_SHARE = 0.5  # torvalds/linux tcp_update_skb_after_send: at most half of a buffer's time
GSO_BYTES = 65_536  # torvalds/linux GSO_LEGACY_MAX_SIZE
PRAGUE_QUANTUM_TIME = 244_140  # L4STeam/linux tcp_prague: bursts of at most 2^-12 s, ns

_BIT_NS = 8e9


class Pacer:
    """Spaces the packets of one flow; `burst` and `quantum_time` are in ns.

    `slow_start_gain` holds while the window is below `slow_start_share` of ssthresh.
    """

    def __init__(
        self,
        *,
        burst: Ns = BURST,
        gain: float = GAIN,
        slow_start_gain: float = SLOW_START_GAIN,
        slow_start_share: float = 1.0,
        quantum: Int = 1,
        quantum_time: Ns = 0,
        quantum_bytes: Int = GSO_BYTES,
        late_share: float = 0.0,
    ) -> None:
        if burst < 0 or gain <= 0 or slow_start_gain <= 0:
            raise ValueError(f"burst must be >= 0 ns and gains > 0, got {burst}, {gain}, {slow_start_gain}")
        if quantum < 1 or quantum_time < 0 or quantum_bytes < 1:
            raise ValueError(
                "quantum >= 1 packet, quantum_time >= 0 ns and quantum_bytes >= 1 expected, "
                f"got {quantum}, {quantum_time}, {quantum_bytes}"
            )
        if not (0 < slow_start_share <= 1 and 0 <= late_share <= 1):
            raise ValueError(
                "slow_start_share must lie in (0, 1] and late_share in [0, 1], "
                f"got {slow_start_share} and {late_share}"
            )
        self.burst = burst
        self.gain = gain
        self.slow_start_gain = slow_start_gain
        self.slow_start_share = slow_start_share
        self.quantum = quantum
        self.quantum_time = quantum_time
        self.quantum_bytes = quantum_bytes
        self.late_share = late_share
        self.due = 0
        self._grouped = quantum > 1 or quantum_time > 0 or late_share > 0
        self._began = -1  # when the present group began to leave
        self._left = 0  # packets of it still to come

    def release(self) -> Ns:
        """Return the earliest time at which the next group (without a quantum: packet) may leave."""
        return self.due - self.burst

    def release_at(self, now: Ns) -> Ns:
        """Return `release`, or `now` for a packet of the group that is leaving now."""
        return now if self._left > 0 and now == self._began else self.due - self.burst

    def sent(self, now: Ns, size: Int, rate_bps: float) -> None:
        """Note a packet that left at the given rate (bit/s, > 0)."""
        interval: cython.longlong = cython.cast(cython.longlong, size * _BIT_NS / rate_bps)
        if not self._grouped:
            self.due = max(self.due, now) + interval
        elif self._left > 0 and now == self._began:
            self._left -= 1
            self.due += interval
        else:
            self._begin(now, size, rate_bps, interval)

    def group(self, size: Int, rate_bps: float) -> Int:
        """Return how many packets of `size` bytes leave at once at this rate."""
        wanted: cython.double = self.quantum_time * rate_bps / _BIT_NS
        wanted = min(wanted, self.quantum_bytes)
        packets: cython.longlong = cython.cast(cython.longlong, wanted / size)
        return max(packets, self.quantum)

    def window_rate_bps(self, cwnd: float, ssthresh: float, srtt: Ns) -> float:
        """Return the rate that sends `cwnd` bytes in 1/gain of a smoothed RTT, bit/s."""
        starting: cython.bint = cwnd < ssthresh * self.slow_start_share
        return (self.slow_start_gain if starting else self.gain) * cwnd * _BIT_NS / srtt

    def _begin(self, now: Ns, size: Int, rate_bps: float, interval: Ns) -> None:
        """Start a group with its first packet; a late one makes up for part of its lateness."""
        packets: cython.longlong = self.group(size, rate_bps)
        earliest: cython.longlong = now
        if self._began >= 0:
            earliest -= cython.cast(cython.longlong, self.late_share * packets * interval)
        self._began = now
        self._left = packets - 1
        self.due = max(self.due, earliest) + interval


def linux_pacer() -> Pacer:
    """Return Linux TCP's pacing under fq or its internal timer: grouped by TSO autosizing."""
    return Pacer(
        burst=0,
        gain=LINUX_GAIN,
        slow_start_share=LINUX_SLOW_START_SHARE,
        quantum=LINUX_QUANTUM,
        quantum_time=LINUX_QUANTUM_TIME,
        late_share=LINUX_LATE_SHARE,
    )


def prague_pacer() -> Pacer:
    """Return TCP Prague's pacing: 100 % of cwnd / srtt, groups of at most 2^-12 s and at least one packet.

    A group that leaves late makes up for nothing: measured, the queueing delays of the public 20 Mbit/s runs (L4STeam)
    fit this and not `LINUX_LATE_SHARE`.
    """
    return Pacer(
        burst=0,
        gain=1.0,
        slow_start_share=LINUX_SLOW_START_SHARE,
        quantum_time=PRAGUE_QUANTUM_TIME,
    )
