"""What a flow has sent: the records of its packets, in flight or lost.

One `Sent` record a packet. Those in flight form a list in order of packet number. Those declared lost move to a second
list, in the order of that: first those whose data were sent again (they are *watched*: an acknowledgement of their
number shows that the loss was spurious), then, from `waiting` on, those still to be sent again. Watched records are
forgotten beyond a limit, so memory is bounded by the window.
"""

from __future__ import annotations

import cython

from lanecast.transport.units import Int, Ns

WATCH_LIMIT = 256  # records kept to see spurious losses; assumption

# States of a record.
IN_FLIGHT, LOST, RESENT, LATE = range(4)

_WATCH_LIMIT = WATCH_LIMIT
_IN_FLIGHT, _LOST, _RESENT = IN_FLIGHT, LOST, RESENT


@cython.no_gc  # these two work only here, not in the `.pxd`; a record refers to nothing but the next one
@cython.freelist(16384)
@cython.cclass
class Sent:
    """One packet that was sent; times in ns, sizes in bytes."""

    __slots__ = (
        "app_limited", "base", "delivered", "delivered_at", "episode", "first_sent", "index", "next", "pn",
        "resend", "sent", "size", "state",
    )  # fmt: skip

    pn: int
    index: int  # the data unit inside
    size: int
    sent: Ns
    delivered: int  # bytes delivered over the connection when this was sent
    delivered_at: Ns  # when that count last grew
    first_sent: Ns  # when the packet was sent whose ACK made it grow
    app_limited: bool
    resend: bool  # carries a unit that was sent before
    base: int  # of a hole: all packets acknowledged but those that were sent later
    episode: int  # loss episode it was lost in
    state: int
    next: Sent | None


@cython.no_gc_clear  # so that `__dealloc__` still finds the lists
@cython.cclass
class Records:
    """The records of one flow.

    `in_flight` is the sum of the sizes of the records in flight, `count` their number.
    """

    __slots__ = (
        "app_limited_until", "count", "cumulative", "delivered", "delivered_at", "first_sent", "head", "in_flight",
        "last_sent", "lost_head", "lost_tail", "next_pn", "tail", "timer_base", "waiting", "watched",
    )  # fmt: skip

    def __init__(self) -> None:
        self.head: Sent | None = None
        self.tail: Sent | None = None
        self.in_flight = 0
        self.count = 0
        self.next_pn = 0
        self.cumulative = 0  # first data unit that the receiver lacks
        self.lost_head: Sent | None = None
        self.lost_tail: Sent | None = None
        self.waiting: Sent | None = None  # first lost record not yet sent again
        self.watched = 0
        self.timer_base = 0  # when the retransmission timer was last restarted
        self.last_sent = 0
        self.delivered = 0
        self.delivered_at = 0  # when `delivered` last grew
        self.first_sent = 0  # when the packet was sent whose ACK made it grow
        self.app_limited_until = (
            -1
        )  # rate samples are app-limited until so much is delivered; -1: they are not

    def __dealloc__(self) -> None:
        if cython.compiled:  # unlink one by one: freeing a long chain would recurse
            self._unlink()

    def track(self, now: Ns, index: Int, size: Int, resend: cython.bint) -> None:
        """Note a packet sent now; its number was `next_pn`."""
        record: Sent = Sent.__new__(Sent)
        tail: Sent | None = self.tail
        record.pn = self.next_pn
        record.index = index
        record.size = size
        record.sent = now
        record.resend = resend
        record.base = 0
        record.episode = 0
        record.state = _IN_FLIGHT
        record.next = None
        if self.count == 0:
            self.first_sent = now
            self.delivered_at = now
            self.timer_base = now
        record.delivered = self.delivered
        record.delivered_at = self.delivered_at
        record.first_sent = self.first_sent
        record.app_limited = self.app_limited_until >= 0
        if tail is None:
            self.head = record
        else:
            tail.next = record
        self.tail = record
        self.next_pn += 1
        self.count += 1
        self.in_flight += size
        self.last_sent = now

    def next_resend(self) -> Sent | None:
        """Return the first lost record whose data are still missing, or None."""
        record: Sent | None = self.waiting
        while record is not None:
            if record.state == _LOST and record.index >= self.cumulative:
                break
            self._pass_waiting(record)
            record = self.waiting
        return record

    def resent(self, record: Sent) -> None:
        """Note that the data of `record` (the last `next_resend`) were sent again."""
        record.state = _RESENT
        self._pass_waiting(record)

    def note_app_limited(self) -> None:
        """Note that the application had nothing to send: rate samples until this flight is delivered say so."""
        self.app_limited_until = self.delivered + self.in_flight

    def keep_lost(self, record: Sent) -> None:
        """Put a record that left the flight at the end of the lost list."""
        record.next = None
        record.state = _LOST
        self.in_flight -= record.size
        self.count -= 1
        if self.lost_tail is None:
            self.lost_head = record
        else:
            self.lost_tail.next = record
        self.lost_tail = record
        if self.waiting is None:
            self.waiting = record

    def _pass_waiting(self, record: Sent) -> None:
        """Move the border between watched and waiting records behind `record`; forget the oldest watched."""
        self.waiting = record.next
        self.watched += 1
        while self.watched > _WATCH_LIMIT:
            assert self.lost_head is not None, "watched counts records of the lost list"
            self.lost_head = self.lost_head.next
            if self.lost_head is None:
                self.lost_tail = None
            self.watched -= 1

    def _unlink(self) -> None:
        record: Sent | None
        while self.head is not None:
            record = self.head
            self.head = record.next
            record.next = None
        while self.lost_head is not None:
            record = self.lost_head
            self.lost_head = record.next
            record.next = None
