"""Loss detection: which sent packets have arrived, which are lost, and when to stop waiting.

Theory of operation. Packet numbers are never reused; a data unit that is sent again gets a new one. Every packet in
flight has a record (`flight.py`); an ACK takes those that arrived out of the flight, and what stays behind is a *hole*.
A law (subclass) says when a hole becomes a loss (`lost_at`), when a timer fires (`deadline`) and what that means
(`on_timeout`):

- `Rfc9002`: packet threshold 3, time threshold 9/8 RTT, probe timeout with doubling, persistent congestion;
- `RackTlp`: RFC 8985: time threshold with an adaptive reordering window, tail-loss probe, then the RTO;
- `DupAck`: three later packets acknowledged (RFC 6675), else the RTO; a lost retransmission waits for the RTO.

When an ACK's ranges no longer reach down to a record (too many holes, ACKs lost), `cumulative` tells that its data
arrived. A packet declared lost whose number is acknowledged after all was a *spurious* loss.

A loss *episode* begins with the first lost packet that was sent after the last episode began. If all losses of an
episode turn out spurious, the sender is told to undo its reduction.

Left out: ECN validation, DSACK options (packet numbers tell the same exactly), proportional rate reduction.
"""

# ruff: noqa: PLR1730, FURB136 - uncompiled, a comparison costs less than a call of min() or max()
from __future__ import annotations

import cython

from lanecast.transport.congestion.base import AckObservation, LossObservation
from lanecast.transport.feedback import Feedback
from lanecast.transport.flight import Flight
from lanecast.transport.records import LATE, Sent
from lanecast.transport.rtt import RttEstimator
from lanecast.transport.stage import Ack
from lanecast.transport.units import NEVER, Int, Ns

PACKET_THRESHOLD = 3  # RFC 9002 6.1.1 (kPacketThreshold), RFC 5681 3.2 (DupThresh)
PERSISTENT_PERIODS = 3  # RFC 9002 7.6.1 (kPersistentCongestionThreshold)
MAX_TIMEOUT = 60_000_000_000  # RFC 6298 2.5: an upper bound of at least 60 s may be placed on the RTO, ns
MAX_BACKOFF = 6  # doublings: 64 times
TIMER_ONLY = -1  # answer of `lost_at`

# What a timeout means: nothing yet, losses were found, send a probe, everything in flight is lost.
NOTHING, LOSS, PROBE, RTO = range(4)

_NEVER = NEVER
_PACKET_THRESHOLD = PACKET_THRESHOLD
_MAX_TIMEOUT = MAX_TIMEOUT
_MAX_BACKOFF = MAX_BACKOFF
_TIMER_ONLY = TIMER_ONLY
_LATE = LATE
_NOTHING, _LOSS, _PROBE, _RTO = NOTHING, LOSS, PROBE, RTO


class Recovery(Flight):
    """The records of one flow with the judgement of what arrived; a subclass is a law."""

    __slots__ = (
        "_mark_bytes",
        "_received",
        "_round_end",
        "_run_pn",
        "_run_start",
        "_unnamed",
        "ack",
        "backoff",
        "episode",
        "episode_end",
        "episode_lost",
        "episode_spurious",
        "feedback",
        "loss",
        "loss_time",
        "lost_packets",
        "marks",
        "newest_rtt",
        "ordered",
        "persistent",
        "persistent_periods",
        "rtt",
        "spurious_packets",
        "undo",
    )  # fmt: skip

    def __init__(self, rtt: RttEstimator | None = None) -> None:
        super().__init__()
        self.rtt = rtt if rtt is not None else RttEstimator()
        self.ack = AckObservation()
        self.loss = LossObservation()
        self.loss_time = _NEVER  # when the next hole becomes a loss
        self.backoff = 0
        self.episode = 0
        self.episode_end = 0
        self.episode_lost = 0
        self.episode_spurious = 0
        self.persistent_periods = (
            0  # consecutive losses over so many PTOs are persistent congestion; 0: never
        )
        self.persistent = False  # the last detection found persistent congestion
        self.undo = False  # the last ACK showed the last episode to be spurious
        self.lost_packets = 0
        self.spurious_packets = 0
        self.marks = 0
        self.feedback: Feedback | None = None  # None: exact counts
        self.ordered = False  # the law never lets a hole become a loss before an earlier one
        self._mark_bytes = 0
        self._unnamed = 0  # packets received that no record answered to yet
        self._received = 0
        self._round_end = 0
        self.newest_rtt = 0  # RTT of the newest packet delivered (RACK.rtt)
        self._run_start = -1
        self._run_pn = -2

    # The laws -----------------------------------------------------------------------------------------------

    def lost_at(self, record: Sent) -> Ns:
        """Return when this hole becomes a loss: a time not after now means at once, NEVER means not by itself.

        TIMER_ONLY means: whatever arrives, only `on_timeout` will declare it.
        """
        raise NotImplementedError

    def deadline(self) -> Ns:
        """Return when `on_timeout` is to be called, NEVER when nothing is in flight."""
        raise NotImplementedError

    def on_timeout(self, now: Ns) -> Int:
        """Act on the deadline: NOTHING, LOSS (losses were declared), PROBE (send one), RTO (all were declared lost)."""
        raise NotImplementedError

    def probe_record(self) -> Sent | None:
        """Return the record in flight whose data a probe repeats when there are no new data."""
        return self.head

    # Acknowledgements ---------------------------------------------------------------------------------------

    def on_ack(self, now: Ns, ack: Ack) -> cython.bint:
        """Take in an acknowledgement and fill `self.ack`; tell whether it brought anything new."""
        seen: AckObservation = self.ack
        seen.now = now
        seen.flight = self.in_flight
        seen.next_pn = self.next_pn
        seen.ce = seen.ce_bytes = seen.received = 0
        self.undo = False
        if self.feedback is not None:
            self.feedback.read(ack, seen)
            self.marks += seen.ce
        elif ack.ce > self.marks:
            seen.ce = ack.ce - self.marks
            self.marks = ack.ce
            seen.ce_bytes = ack.ce_bytes - self._mark_bytes
            self._mark_bytes = ack.ce_bytes
        if ack.received > self._received:
            seen.received = ack.received - self._received
            self._received = ack.received
        if ack.cumulative > self.cumulative:
            self.cumulative = ack.cumulative
        newest: Sent | None = self.take(ack, seen.received)
        seen.acked = self.taken
        seen.acked_packets = self.taken_packets
        if newest is not None:
            self._measure(now, ack, newest)
        else:
            seen.pn = -1
            seen.rtt = seen.rate_interval = 0
            seen.round_start = False
        if not self.holes:
            self.loss_time = _NEVER
        # A late packet may be named only by a later ACK, where more than four ranges are open.
        self._unnamed += seen.received - seen.acked_packets
        if self._unnamed < 0:
            self._unnamed = 0
        elif self._unnamed > 0 and self.lost_head is not None:
            self._find_spurious(ack)
        seen.in_flight = self.in_flight
        return seen.acked > 0 or seen.ce > 0

    def _measure(self, now: Ns, ack: Ack, newest: Sent) -> None:
        """Fill in what the newest packet acknowledged tells (rate: draft-cheng-iccrg-delivery-rate-estimation)."""
        seen: AckObservation = self.ack
        seen.pn = newest.pn
        seen.rtt = 0
        if newest.pn > self.largest:
            self.largest = newest.pn
            self.newest_rtt = now - newest.sent
            if newest.pn == ack.largest:  # RFC 9002 5.1
                seen.rtt = self.newest_rtt
                self.rtt.update(now, seen.rtt, ack.delay)
        seen.srtt = self.rtt.smoothed
        seen.min_rtt = self.rtt.min_rtt
        self.delivered += seen.acked
        self.timer_base = now
        self.backoff = 0
        self.delivered_at = now
        self.first_sent = newest.sent
        if 0 <= self.app_limited_until < self.delivered:
            self.app_limited_until = -1
        seen.delivered = self.delivered
        seen.round_start = newest.pn >= self._round_end
        if seen.round_start:
            self._round_end = self.next_pn
        seen.rate_size = self.delivered - newest.delivered
        interval: cython.longlong = now - newest.delivered_at
        if interval < newest.sent - newest.first_sent:
            interval = newest.sent - newest.first_sent
        seen.rate_interval = interval
        seen.rate_app_limited = newest.app_limited

    def _find_spurious(self, ack: Ack) -> None:
        """Look among the packets declared lost for some that this ACK says have arrived."""
        record: Sent | None = self.lost_head
        pn: cython.longlong
        while record is not None:
            pn = record.pn
            if record.state != _LATE and (
                ack.first0 <= pn <= ack.last0
                or ack.first1 <= pn <= ack.last1
                or ack.first2 <= pn <= ack.last2
                or ack.first3 <= pn <= ack.last3
            ):
                record.state = _LATE
                self._unnamed -= 1
                self.spurious_packets += 1
                self.reordering = True
                if record.episode == self.episode:
                    self.episode_spurious += 1
                    self.undo = self.episode_spurious == self.episode_lost
            record = record.next

    # Losses -------------------------------------------------------------------------------------------------

    def detect(self, now: Ns) -> cython.bint:
        """Declare holes lost that are due, fill `self.loss`, set `loss_time`; tell whether there were any."""
        following: Sent | None
        previous: Sent | None = self._settled
        record: Sent | None = self.head if previous is None else previous.next
        due: cython.longlong
        self.loss_time = _NEVER
        if self.head is None or self.head.pn > self.largest:
            return False
        self._open_loss(now)
        while record is not None and record.pn < self.largest:
            due = self.lost_at(record)
            following = record.next
            if due == _TIMER_ONLY:
                if previous is self._settled:
                    self._settled = record
                previous = record
            elif due <= now:
                self.unlink(record, previous)
                self._lose(record)
            else:
                self.loss_time = min(self.loss_time, due)
                if self.ordered:
                    break
                previous = record
            record = following
        if record is None:
            self.tail = previous
        self.loss.in_flight = self.in_flight
        return self.loss.lost_packets > 0

    def lose_all(self, now: Ns) -> None:
        """Declare everything in flight lost (RFC 6298 5.4 with RFC 6675 5.1) and fill `self.loss`."""
        following: Sent | None
        record: Sent | None = self.head
        self.loss_time = _NEVER
        self._open_loss(now)
        self.loss.flight = self.in_flight
        self.head = self.tail = self._edge = self._settled = None
        while record is not None:
            following = record.next
            self._lose(record)
            record = following
        self.loss.in_flight = self.in_flight

    def _open_loss(self, now: Ns) -> None:
        self.persistent = False
        self.loss.now = now
        self.loss.fresh = False
        self.loss.lost = 0
        self.loss.lost_packets = 0
        self.loss.next_pn = self.next_pn
        self.loss.srtt = self.rtt.smoothed
        self.loss.flight = self.ack.flight if self.ack.now == now else self.in_flight

    def _lose(self, record: Sent) -> None:
        """Move a record, already unlinked, from in flight to lost."""
        self.keep_lost(record)
        self.lost_packets += 1
        if record.pn >= self.episode_end:
            self.episode += 1
            self.loss.fresh = True
            self.episode_end = self.next_pn
            self.episode_lost = self.episode_spurious = 0
        record.episode = self.episode
        self.episode_lost += 1
        self.loss.lost += record.size
        self.loss.lost_packets += 1
        self.loss.pn = record.pn
        self.loss.sent = record.sent
        if self.persistent_periods > 0:
            self._extend_run(record)

    def _extend_run(self, record: Sent) -> None:
        """Follow runs of consecutive losses: one longer than the limit is persistent congestion (RFC 9002 7.6)."""
        if record.pn != self._run_pn + 1 or self._run_start < 0:
            # 7.6.1: a run counts from a packet sent after the first RTT sample.
            self._run_start = record.sent if 0 <= self.rtt.first_sample < record.sent else -1
        self._run_pn = record.pn
        if self._run_start >= 0 and record.sent - self._run_start > self.persistent_periods * self.rtt.pto():
            self.persistent = True
            self._run_start = -1

    def _backed_off(self, period: Ns) -> Ns:
        """Return a timeout doubled for each one in a row, within 64 times and 60 s."""
        if self.backoff > 0:
            period <<= self.backoff if self.backoff < _MAX_BACKOFF else _MAX_BACKOFF
        return period if period < _MAX_TIMEOUT else _MAX_TIMEOUT
