"""Delay lines: every packet comes out a time after it went in.

`Delay` is constant; `TrackDelay` follows a trace; `RandomDelay` adds jitter from a named stream. A line is ordered
(a packet never leaves before an earlier one: its due time is raised to the last one's) unless `ordered=False`,
which lets packets overtake. One event pends per line: that of the packet that leaves next.
While a packet is in the line its `enqueued` holds the time at which it is due out.
"""

# ruff: noqa: PLR1730 - uncompiled, a comparison costs less than a call of max()
from __future__ import annotations

import heapq

import cython

from lanecast.emulation.track import Track
from lanecast.transport.calendar import Calendar
from lanecast.transport.rng import Stream
from lanecast.transport.stage import Fifo, Packet, Stage
from lanecast.transport.units import NEVER, Int, Ns

if not cython.compiled:
    from math import log  # compiled, the `.pxd` brings the C library's: the same bits

_NEVER = NEVER


class Delay(Stage):
    """A line of constant delay (ns, >= 0); subclasses override `delay_of`."""

    def __init__(self, calendar: Calendar, delay: int, *, ordered: bool = True, name: str = "") -> None:
        super().__init__(name)
        if delay < 0:
            raise ValueError(f"{self.name}: delay must be >= 0 ns, got {delay}")
        self.calendar = calendar
        self.delay = delay
        self.ordered = ordered
        self.line = Fifo()
        self._heap: list[tuple[int, int, Packet]] = []  # used only when packets may overtake
        self._due = _NEVER
        self._last = 0

    def delay_of(self, now: Ns, packet: Packet) -> Ns:
        """Return this packet's delay."""
        return self.delay

    def push(self, now: Ns, packet: Packet) -> None:
        """Take the packet in."""
        due: cython.longlong = now + self.delay_of(now, packet)
        self.pushed += 1
        if self._due <= now:
            self.wake(now)
        if self.ordered:
            if due < self._last:
                due = self._last
            self._last = due
            packet.enqueued = due
            self.line.append(packet)
        else:
            packet.enqueued = due
            heapq.heappush(self._heap, (due, self.pushed, packet))
        if due < self._due:
            self._due = due
            self.calendar.at(due, self)

    def wake(self, now: Ns) -> None:
        """Let out what is due."""
        packet: Packet | None
        if self._due > now:
            return
        self._due = _NEVER
        if self.ordered:
            packet = self.line.head
            while packet is not None and packet.enqueued <= now:
                self.line.popleft()
                self.forward(now, packet)
                packet = self.line.head
        else:
            packet = self._release(now)
        if packet is not None and packet.enqueued < self._due:
            self._due = packet.enqueued
            self.calendar.at(self._due, self)

    def held(self) -> Int:
        """Return the packets in the line."""
        return self.line.count + len(self._heap)

    def _release(self, now: Ns) -> Packet | None:
        """Let out what is due of packets that may overtake; return the one that leaves next."""
        while self._heap and self._heap[0][0] <= now:
            self.forward(now, heapq.heappop(self._heap)[2])
        return self._heap[0][2] if self._heap else None


class TrackDelay(Delay):
    """Delay follows a track (ns), read when the packet arrives."""

    def __init__(self, calendar: Calendar, track: Track, *, ordered: bool = True, name: str = "") -> None:
        super().__init__(calendar, 0, ordered=ordered, name=name)
        self.track = track

    def delay_of(self, now: Ns, packet: Packet) -> Ns:
        """Return the track's value now."""
        return self.track.at(now)


class RandomDelay(Delay):
    """Constant delay plus Erlang jitter: the sum of `shape` exponentials with the given mean (ns) in all."""

    def __init__(
        self,
        calendar: Calendar,
        delay: int,
        stream: Stream,
        *,
        jitter_mean: int,
        shape: int = 2,
        ordered: bool = True,
        name: str = "",
    ) -> None:
        super().__init__(calendar, delay, ordered=ordered, name=name)
        if jitter_mean < 0 or shape < 1:
            raise ValueError(f"jitter_mean must be >= 0 ns and shape >= 1, got {jitter_mean} and {shape}")
        self.stream = stream
        self.jitter_mean = jitter_mean
        self.shape = shape

    def delay_of(self, now: Ns, packet: Packet) -> Ns:
        """Return the base delay plus a fresh draw."""
        total: cython.double = 0.0
        part: cython.longlong
        for part in range(self.shape):  # noqa: B007 - a typed loop variable
            total -= log(1.0 - self.stream.next_double())
        part = int(total * self.jitter_mean / self.shape)
        return self.delay + part
