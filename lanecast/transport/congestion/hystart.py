"""HyStart++: leave slow start when the round-trip time grows, before packets are lost (RFC 9406).

Every round trip the least RTT of its first samples is compared with that of the round before. When it grew by
an eighth (within 4 to 16 ms), growth goes on at a quarter (conservative slow start); if the RTT comes down again
that was a false alarm, else slow start ends after five such rounds.

`LinuxHyStart` is the older rule that Linux's Cubic uses (torvalds/linux net/ipv4/tcp_cubic.c): from 16 packets on, a
round whose ACKs follow each other closely for longer than half the least RTT, or whose least RTT lies an eighth (4 to
16 ms) above the least ever, ends slow start at once.
"""

from __future__ import annotations

from lanecast.transport.congestion.base import AckObservation
from lanecast.transport.units import NEVER

MIN_THRESHOLD = 4_000_000  # RFC 9406 4.3 (MIN_RTT_THRESH), ns
MAX_THRESHOLD = 16_000_000  # RFC 9406 4.3 (MAX_RTT_THRESH), ns
DIVISOR = 8  # RFC 9406 4.3 (MIN_RTT_DIVISOR)
SAMPLES = 8  # RFC 9406 4.3 (N_RTT_SAMPLE)
GROWTH_DIVISOR = 4  # RFC 9406 4.3 (CSS_GROWTH_DIVISOR)
ROUNDS = 5  # RFC 9406 4.3 (CSS_ROUNDS)
LINUX_LOW_WINDOW = 16.0  # torvalds/linux tcp_cubic.c (hystart_low_window), packets
LINUX_ACK_GAP = 2_000_000  # the same (hystart_ack_delta_us), ns

_NEVER = NEVER
_MIN_THRESHOLD = MIN_THRESHOLD
_MAX_THRESHOLD = MAX_THRESHOLD
_DIVISOR = DIVISOR
_SAMPLES = SAMPLES
_GROWTH_DIVISOR = GROWTH_DIVISOR
_ROUNDS = ROUNDS
_LINUX_LOW_WINDOW = LINUX_LOW_WINDOW
_LINUX_ACK_GAP = LINUX_ACK_GAP


class HyStart:
    """State of one flow's slow start."""

    def __init__(self) -> None:
        self.conservative = False
        self.done = False  # slow start is to end now
        self.rounds = 0  # conservative rounds so far
        self.samples = 0
        self.round_min = _NEVER
        self.last_min = _NEVER
        self.baseline = _NEVER

    def growth(self, ack: AckObservation, acked: float, packets: float) -> float:
        """Take in one ACK of slow start at a window of `packets`; return by how many bytes it may grow."""
        if ack.round_start:
            self._next_round()
        if ack.rtt > 0:
            self.samples += 1
            self.round_min = min(self.round_min, ack.rtt)
        if self.samples >= _SAMPLES and self.round_min < _NEVER:
            self._judge()
        return acked / _GROWTH_DIVISOR if self.conservative else acked

    def _next_round(self) -> None:
        self.last_min = self.round_min
        self.round_min = _NEVER
        self.samples = 0
        if self.conservative:
            self.rounds += 1
            if self.rounds >= _ROUNDS:
                self.done = True

    def _judge(self) -> None:
        if self.conservative:
            if self.round_min < self.baseline:
                self.conservative = False
                self.baseline = _NEVER
            return
        if self.last_min < _NEVER:
            threshold = max(_MIN_THRESHOLD, min(self.last_min // _DIVISOR, _MAX_THRESHOLD))
            if self.round_min >= self.last_min + threshold:
                self.conservative = True
                self.baseline = self.round_min
                self.rounds = 0


class LinuxHyStart(HyStart):
    """Ends slow start at once by the length of an ACK train or a rise of the delay."""

    def __init__(self) -> None:
        super().__init__()
        self.round_start = 0
        self.last_ack = 0

    def growth(self, ack: AckObservation, acked: float, packets: float) -> float:
        """See the base."""
        if ack.round_start:
            self.round_start = self.last_ack = ack.now
            self.round_min = _NEVER
            self.samples = 0
        if packets < _LINUX_LOW_WINDOW:
            return acked
        if ack.now - self.last_ack <= _LINUX_ACK_GAP:
            self.last_ack = ack.now
            if ack.now - self.round_start > ack.min_rtt // 2:
                self.done = True
        if ack.rtt > 0:
            self.round_min = min(self.round_min, ack.rtt)
            if self.samples < _SAMPLES:
                self.samples += 1
            elif self.round_min > ack.min_rtt + max(
                _MIN_THRESHOLD, min(ack.min_rtt // _DIVISOR, _MAX_THRESHOLD)
            ):
                self.done = True
        return acked
