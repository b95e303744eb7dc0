"""The base of every congestion controller, and what a controller is told.

A sender calls the hooks; a controller answers by setting `cwnd` (bytes, a float: fractions of a packet count)
and, if it paces, `pacing_rate_bps`. Sizes are IP packet sizes, so `cwnd / mss` is a window in packets.

The two observations are **reused** objects, one of each per flow: read them inside the call, do not keep them.
A controller in plain Python subclasses `CongestionControl`, calls `super().__init__(mss=mss)` and overrides the
hooks it wants; `lanecast.transport.congestion.check.check_congestion` tells what is wrong with it.

One reduction per round trip: packet numbers grow in sending order, so a controller that reduces now remembers
`recovery_end = next_pn` and ignores signals about packets below it (RFC 9002 7.3.2). `is_fresh` says it.
"""

from __future__ import annotations

import cython

from lanecast.transport.stage import NOT_ECT
from lanecast.transport.units import Int, Ns

INITIAL_PACKETS = 10  # RFC 6928 2, RFC 9002 7.2
MINIMUM_PACKETS = 2  # RFC 5681 3.1 (ssthresh), RFC 9002 7.2 (kMinimumWindow)
MAX_PACING_BPS = 10**15  # bit/s; assumption: beyond any link, and within 64-bit arithmetic
UNLIMITED = 1e18  # ssthresh before the first reduction: "arbitrarily high" (RFC 5681 3.1), bytes

_MAX_PACING_BPS = MAX_PACING_BPS


class AckObservation:
    """What one acknowledgement told the sender; times in ns, sizes in bytes."""

    def __init__(self) -> None:
        self.now = 0
        self.rtt = 0  # of the newest packet acknowledged here; 0 when this ACK gave no sample
        self.srtt = 0
        self.min_rtt = 0  # 0 before the first sample
        self.acked = 0  # newly acknowledged
        self.acked_packets = 0
        self.ce = 0  # packets newly reported as CE-marked
        self.ce_bytes = 0  # bytes newly reported as CE-marked
        self.received = 0  # packets newly reported as received (CE / received is the marked share)
        self.in_flight = 0  # after this ACK
        self.flight = 0  # before this ACK
        self.app_limited = False  # the sender had less to send than the window allowed
        self.pn = -1  # newest packet acknowledged here, -1 when none
        self.next_pn = 0  # the packet number that will be sent next
        self.round_start = False  # the first ACK of a round trip
        self.delivered = 0  # over the connection, after this ACK
        self.rate_size = 0  # delivery-rate sample: bytes delivered ...
        self.rate_interval = 0  # ... in this time; 0 when there is no sample
        self.rate_app_limited = False  # the sample was taken while the sender was app-limited

    def delivery_rate_bps(self) -> Int:
        """Return the delivery rate over the newest packet's flight, bit/s; 0 without a sample."""
        if self.rate_interval <= 0:
            return 0
        return self.rate_size * 8_000_000_000 // self.rate_interval


class LossObservation:
    """Packets declared lost at one instant; times in ns, sizes in bytes."""

    def __init__(self) -> None:
        self.now = 0
        self.lost = 0
        self.lost_packets = 0
        self.in_flight = 0  # after the lost packets were taken out
        self.flight = 0  # before, and before the ACK that told
        self.pn = -1  # newest packet lost
        self.sent = 0  # when that one was sent
        self.next_pn = 0  # the packet number that will be sent next
        self.srtt = 0
        self.fresh = False  # the first losses since the last such signal: one a round trip
        self.app_limited = False


class CongestionControl:
    """Holds the window open at its initial size; the laws override the hooks.

    `cwnd >= mss` always. `pacing_rate_bps` 0 means: this controller sets no rate. Two facts stand on the class
    for those who build senders: `ecn_codepoint`, how its packets are labelled unless told otherwise (ECT(1) only where
    the reaction to marks is scalable, RFC 9331 4.3), and `paced`, whether it is meant to run with a pacer.
    """

    ecn_codepoint = NOT_ECT
    paced = False

    def __init__(self, *, mss: Int = 1500, initial_packets: Int = INITIAL_PACKETS) -> None:
        if mss <= 0 or initial_packets <= 0:
            raise ValueError(f"mss and initial_packets must be > 0, got {mss} and {initial_packets}")
        self.mss = mss
        self.initial_cwnd = float(mss * initial_packets)
        self.cwnd = self.initial_cwnd
        self.ssthresh = UNLIMITED
        self.pacing_rate_bps = 0
        self.recovery_end = 0  # signals about packets below this number are old

    def on_sent(self, now: Ns, size: Int, in_flight: Int) -> None:
        """Hear that a packet of `size` left; `in_flight` includes it."""

    def on_ack(self, ack: AckObservation) -> None:
        """Hear of newly acknowledged packets, or of new CE marks."""

    def on_loss(self, loss: LossObservation) -> None:
        """Hear of packets declared lost."""

    def on_pto(self, now: Ns, count: Int) -> None:
        """Hear that a probe timer fired for the `count`-th time in a row; by itself no sign of loss (RFC 9002 6.2)."""

    def on_rto(self, loss: LossObservation) -> None:
        """Hear that a retransmission timer fired and everything in flight was declared lost (TCP laws)."""
        self.on_persistent_congestion(loss)

    def on_persistent_congestion(self, loss: LossObservation) -> None:
        """Hear that all packets over a long time were lost (RFC 9002 7.6). `on_loss` was called before."""

    def on_spurious(self, now: Ns) -> None:
        """Hear that every loss of the last reduction was no loss: the packets came late."""

    def on_idle(self, now: Ns, idle: Ns) -> None:
        """Hear that sending restarts after nothing was in flight for `idle` (> one timeout)."""

    def is_fresh(self, pn: Int) -> bool:
        """Tell whether a signal about packet `pn` is later than the last reduction."""
        return pn >= self.recovery_end

    def pace_at(self, rate_bps: float) -> None:
        """Set the pacing rate, in whole bit/s from 1 to `MAX_PACING_BPS`."""
        self.pacing_rate_bps = cython.cast(cython.longlong, min(max(rate_bps, 1.0), _MAX_PACING_BPS))
