"""Links: a queue served at a capacity.

`Link` sends one packet after another at a `Capacity` (constant or piecewise constant rate).
`OpportunityLink` sends at given instants, each worth a number of bytes: the semantics of Mahimahi's
packet-delivery traces (ravinet/mahimahi, `link_queue.cc`), restated on an exact clock:

1. Opportunity k of round r is at r * period + times[k]; the period is the last time.
2. An arrival at T is first served by an opportunity strictly later than T.
3. Each opportunity has `bytes_each` of credit. The packet in transit is served first, then the queue's
   head, and so on; credit that finds nothing to send is lost.
4. A packet departs at the opportunity that sends its last byte. In transit it counts against no limit.

Tie rule of both: what is due by T happens before an arrival at T is looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import cython

from lanecast.emulation.capacity import Capacity
from lanecast.l4s.queue import Queue
from lanecast.transport.calendar import Calendar
from lanecast.transport.stage import Packet, Stage
from lanecast.transport.units import NEVER, Int, Ns

_NEVER = NEVER


class Link(Stage):
    """A bottleneck: `queue` served at `capacity`. `dropped` is the queue's.

    `overhead` bytes of framing are sent with every packet (Ethernet: 14); `sent_bytes` does not count them.
    """

    def __init__(
        self, calendar: Calendar, queue: Queue, capacity: Capacity, name: str = "", *, overhead: int = 0
    ) -> None:
        super().__init__(name)
        if overhead < 0:
            raise ValueError(f"{self.name}: overhead must be >= 0 bytes, got {overhead}")
        self.calendar = calendar
        self.queue = queue
        self.capacity = capacity
        self.overhead = overhead
        self.sent_bytes = 0
        self.sending: Packet | None = None
        self._due = _NEVER

    def push(self, now: Ns, packet: Packet) -> None:
        """Offer the packet to the queue; an idle link starts to send at once."""
        self.pushed += 1
        if self._due <= now:
            self.wake(now)
        self.queue.offer(now, packet)
        if self.sending is None:
            self._start(now, True)  # noqa: FBT003 - a typed core call
        self.dropped = self.queue.dropped

    def wake(self, now: Ns) -> None:
        """Let the packet depart whose last bit is out, and start the next."""
        packet: Packet | None = self.sending
        if packet is None or self._due > now:
            return
        self._start(now, False)  # noqa: FBT003 - a typed core call
        self.dropped = self.queue.dropped
        self.sent_bytes += packet.size
        self.forward(now, packet)

    def held(self) -> Int:
        """Return the packets queued and the one being sent."""
        return self.queue.count + (0 if self.sending is None else 1)

    def _start(self, now: Ns, fresh: cython.bint) -> None:
        packet: Packet | None = self.queue.take(now)
        due: cython.longlong = _NEVER
        self.sending = packet
        if packet is not None:
            due = self.capacity.finish(now, packet.size + self.overhead, fresh)
            if due < _NEVER:
                self.calendar.at(due, self)
        self._due = due


class OpportunityLink(Stage):
    """A queue served at the opportunities of a trace.

    `times` are ns, non-decreasing, the last above 0. `overhead` bytes are added to every packet's length
    (Mahimahi's TUN header: `bytes_each=1504, overhead=4`). Without `loop` the link is dead after the last time.
    """

    def __init__(
        self,
        calendar: Calendar,
        queue: Queue,
        times: Sequence[int],
        *,
        bytes_each: int = 1500,
        overhead: int = 0,
        loop: bool = True,
        name: str = "",
    ) -> None:
        super().__init__(name)
        if len(times) == 0 or times[-1] <= 0 or times[0] < 0:
            raise ValueError("opportunities need times >= 0 and a last time above 0")
        if bytes_each <= 0 or overhead < 0:
            raise ValueError(f"bytes_each must be > 0 and overhead >= 0, got {bytes_each} and {overhead}")
        self.calendar = calendar
        self.queue = queue
        self.sent_bytes = 0
        self.sending: Packet | None = None
        self._times = [int(time) for time in times]
        if any(b < a for a, b in zip(self._times, self._times[1:], strict=False)):
            raise ValueError("opportunities must not go back in time")
        self._period = self._times[-1]
        self._bytes_each = bytes_each
        self._overhead = overhead
        self._loop = loop
        self._left = 0  # bytes of the packet in transit still to send
        self._place = 0
        self._base = 0
        self._due = _NEVER  # the opportunity waited for

    def push(self, now: Ns, packet: Packet) -> None:
        """Offer the packet to the queue, after the opportunities due by now."""
        self.pushed += 1
        if self._due <= now:
            self.wake(now)
        self.queue.offer(now, packet)
        self.dropped = self.queue.dropped
        if self._due == _NEVER and self.queue.count > 0:
            self._seek(now)
            self._arm()

    def wake(self, now: Ns) -> None:
        """Use the opportunity that is due, and those of the same instant."""
        if self._due > now:
            return
        when: cython.longlong = self._due
        while self._due == when:
            self._due = _NEVER
            self._use(now)
            self._place += 1
            if self._place == len(self._times):
                self._place = 0 if self._loop else self._place
                self._base += self._period
            if self.queue.count > 0 or self.sending is not None:
                self._due = self._next_time()
        self.dropped = self.queue.dropped
        if self._due < _NEVER:
            self.calendar.at(self._due, self)

    def held(self) -> Int:
        """Return the packets queued and the one in transit."""
        return self.queue.count + (0 if self.sending is None else 1)

    def _use(self, now: Ns) -> None:
        """Spend one opportunity's credit."""
        credit: cython.longlong = self._bytes_each
        packet: Packet | None
        while credit > 0:
            if self.sending is None:
                self.sending = self.queue.take(now)
                if self.sending is None:
                    return
                self._left = self.sending.size + self._overhead
            if self._left > credit:
                self._left -= credit
                return
            credit -= self._left
            packet = self.sending
            self.sending = None
            self.sent_bytes += packet.size
            self.forward(now, packet)

    def _seek(self, now: Ns) -> None:
        """Go to the first opportunity strictly after `now`."""
        rounds: cython.longlong = now // self._period
        if not self._loop and rounds > 0:
            self._place = len(self._times)
            return
        self._base = rounds * self._period
        self._place = bisect_right(self._times, now - self._base)

    def _next_time(self) -> Ns:
        return self._base + self._times[self._place] if self._place < len(self._times) else _NEVER

    def _arm(self) -> None:
        self._due = self._next_time()
        if self._due < _NEVER:
            self.calendar.at(self._due, self)
