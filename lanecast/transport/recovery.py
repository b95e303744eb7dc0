"""Loss detection: which sent packets have arrived, which are lost, and when to stop waiting.

Theory of operation. Packet numbers are never reused; a data unit that is sent again gets a new one. Every
packet in flight has a `Sent` record in one list ordered by packet number. An ACK names up to four ranges of arrived
numbers; the list is walked from its head to the largest of them, arrived records are taken out, and what stays
behind is a *hole*. A law (subclass) says when a hole becomes a loss (`lost_at`), when a timer fires
(`deadline`) and what that means (`on_timeout`):

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
from lanecast.transport.records import LATE, Records, Sent
from lanecast.transport.rtt import RttEstimator
from lanecast.transport.stage import Ack
from lanecast.transport.units import NEVER, Int, Ns

PACKET_THRESHOLD = 3  # RFC 9002 6.1.1 (kPacketThreshold), RFC 5681 3.2 (DupThresh)
PERSISTENT_PERIODS = 3  # RFC 9002 7.6.1 (kPersistentCongestionThreshold)
MAX_TIMEOUT = 60_000_000_000  # RFC 6298 2.5: an upper bound of at least 60 s may be placed on the RTO, ns
MAX_BACKOFF = 6  # doublings: 64 times

# What a timeout means: nothing yet, losses were found, send a probe, everything in flight is lost.
NOTHING, LOSS, PROBE, RTO = range(4)

_NEVER = NEVER
_PACKET_THRESHOLD = PACKET_THRESHOLD
_MAX_TIMEOUT = MAX_TIMEOUT
_MAX_BACKOFF = MAX_BACKOFF
_LATE = LATE
_NOTHING, _LOSS, _PROBE, _RTO = NOTHING, LOSS, PROBE, RTO


def _first_of(ack: Ack, place: Int) -> Int:
    """Return where range `place` (0 highest, 3 lowest) of an ACK begins."""
    if place == 0:
        return ack.first0
    if place == 1:
        return ack.first1
    return ack.first2 if place == 2 else ack.first3


def _last_of(ack: Ack, place: Int) -> Int:
    """Return where range `place` of an ACK ends."""
    if place == 0:
        return ack.last0
    if place == 1:
        return ack.last1
    return ack.last2 if place == 2 else ack.last3


class Recovery(Records):
    """The records of one flow with the judgement of what arrived; a subclass is a law."""

    __slots__ = (
        "_received", "_round_end", "_run_pn", "_run_start", "ack", "backoff", "episode", "episode_end",
        "episode_lost", "episode_spurious", "holes", "largest", "loss", "loss_time", "lost_packets", "marks",
        "newest_rtt", "persistent", "persistent_periods", "reordering", "rtt", "spurious_packets", "undo",
    )  # fmt: skip

    def __init__(self, rtt: RttEstimator | None = None) -> None:
        super().__init__()
        self.rtt = rtt if rtt is not None else RttEstimator()
        self.ack = AckObservation()
        self.loss = LossObservation()
        self.largest = -1  # largest packet number acknowledged
        self.holes = False  # the last ACK left records below the largest number acknowledged
        self.loss_time = _NEVER  # when the next hole becomes a loss
        self.backoff = 0
        self.episode = 0
        self.episode_end = 0
        self.episode_lost = 0
        self.episode_spurious = 0
        self.reordering = False  # a packet was acknowledged after one sent later
        self.persistent_periods = (
            0  # consecutive losses over so many PTOs are persistent congestion; 0: never
        )
        self.persistent = False  # the last detection found persistent congestion
        self.undo = False  # the last ACK showed the last episode to be spurious
        self.lost_packets = 0
        self.spurious_packets = 0
        self.marks = 0
        self._received = 0
        self._round_end = 0
        self.newest_rtt = 0  # RTT of the newest packet delivered (RACK.rtt)
        self._run_start = -1
        self._run_pn = -2

    # The laws -----------------------------------------------------------------------------------------------

    def lost_at(self, record: Sent) -> Ns:
        """Return when this hole becomes a loss: a time not after now means at once, NEVER means not by itself."""
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
        seen.ce = seen.received = 0
        self.undo = False
        if ack.ce > self.marks:
            seen.ce = ack.ce - self.marks
            self.marks = ack.ce
        if ack.received > self._received:
            seen.received = ack.received - self._received
            self._received = ack.received
        if ack.cumulative > self.cumulative:
            self.cumulative = ack.cumulative
        newest: Sent | None = self._take(ack)
        if newest is not None:
            self._measure(now, ack, newest)
            if self.holes:
                self._raise_above(seen.acked_packets, ack.largest)
        else:
            seen.pn = -1
            seen.rtt = seen.rate_interval = 0
            seen.round_start = False
        if not self.holes:
            self.loss_time = _NEVER
        if self.lost_head is not None and seen.received > seen.acked_packets:
            self._find_spurious(ack)
        seen.in_flight = self.in_flight
        return seen.acked > 0 or seen.ce > 0

    def _take(self, ack: Ack) -> Sent | None:
        """Remove the records that arrived, note their sizes and whether holes are left; return the newest."""
        newest: Sent | None = None
        previous: Sent | None = None
        record: Sent | None = self.head
        acked: cython.longlong = 0
        packets: cython.longlong = 0
        holes: cython.bint = False
        place: cython.int = 0  # of the present range; 3 is the lowest
        if record is not None and record.pn < ack.first0:
            place = 3
        first: cython.longlong = _first_of(ack, place)
        last: cython.longlong = _last_of(ack, place)
        # Below the lowest of four ranges only `cumulative` tells.
        unknown: cython.longlong = ack.first3 if ack.last3 >= ack.first3 else 0
        while record is not None and record.pn <= ack.largest:
            while place > 0 and last < record.pn:
                place -= 1
                first = _first_of(ack, place)
                last = _last_of(ack, place)
            if first <= record.pn <= last or (record.pn < unknown and record.index < self.cumulative):
                acked += record.size
                packets += 1
                newest = record
                if record.pn < self.largest and not record.resend:
                    self.reordering = True
                record = record.next
                if previous is None:
                    self.head = record
                else:
                    previous.next = record
            else:
                holes = True
                record.above -= packets
                previous = record
                record = record.next
        if record is None:
            self.tail = previous
        self.holes = holes or (record is not None and record.pn < self.largest)
        self.in_flight -= acked
        self.count -= packets
        self.ack.acked = acked
        self.ack.acked_packets = packets
        return newest

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

    def _raise_above(self, packets: Int, limit: Int) -> None:
        """Give every hole below `limit` its count of later packets (the walk took off the earlier ones)."""
        record: Sent | None = self.head
        while record is not None and record.pn <= limit:
            record.above += packets
            record = record.next

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
        previous: Sent | None = None
        record: Sent | None = self.head
        due: cython.longlong
        self.loss_time = _NEVER
        if record is None or record.pn > self.largest:
            return False
        self._open_loss(now)
        while record is not None and record.pn < self.largest:
            due = self.lost_at(record)
            following = record.next
            if due <= now:
                if previous is None:
                    self.head = following
                else:
                    previous.next = following
                self._lose(record)
            else:
                previous = record
                self.loss_time = min(self.loss_time, due)
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
        self.head = self.tail = None
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
