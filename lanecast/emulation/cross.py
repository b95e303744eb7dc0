"""Cross traffic: open-loop sources that share a link with the flows under test and never look at feedback.

Every source is a stage that creates packets of kind CROSS (`passed` counts them) from `start` to `stop`. Rates are
those of the wire, headers included. Means are exact in law: Poisson and on/off times come from a named stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cython

from lanecast.transport.calendar import Calendar
from lanecast.transport.rng import Stream
from lanecast.transport.stage import CROSS, NOT_ECT, Packet, Stage, make_packet
from lanecast.transport.units import NEVER, Ns, transmit_time

if not cython.compiled:
    from math import log  # compiled, the `.pxd` brings the C library's: the same bits

_CROSS = CROSS
_NEVER = NEVER


class ConstantTraffic(Stage):
    """Packets of `size` bytes at a constant rate; the base of the random sources."""

    def __init__(
        self,
        calendar: Calendar,
        flow: int,
        *,
        rate_bps: int,
        size: int = 1500,
        start: int = 0,
        stop: int = NEVER,
        ecn: int = NOT_ECT,
        name: str = "",
    ) -> None:
        super().__init__(name)
        if rate_bps <= 0 or size <= 0:
            raise ValueError(f"{self.name}: rate and size must be > 0, got {rate_bps} bit/s and {size} bytes")
        self.calendar = calendar
        self.flow = flow
        self.size = size
        self.stop = stop
        self.ecn = ecn
        self.gap = transmit_time(size, rate_bps)
        self._pn = 0
        self._due = start
        calendar.at(start, self)

    def next_gap(self) -> Ns:
        """Return the time from this packet to the next, ns; NEVER ends the source."""
        return self.gap

    def next_size(self) -> Ns:
        """Return the size of the packet to be sent now, bytes."""
        return self.size

    def wake(self, now: Ns) -> None:
        """Send the packet that is due and ask for the next."""
        gap: cython.longlong
        if now < self._due or now >= self.stop:
            return
        packet: Packet = make_packet(self.flow, _CROSS, self.next_size(), self.ecn, self._pn, -1, now)
        self._pn += 1
        self.forward(now, packet)
        gap = self.next_gap()
        if gap < _NEVER - now:
            self._due = now + gap
            self.calendar.at(self._due, self)
        else:
            self._due = _NEVER


class PoissonTraffic(ConstantTraffic):
    """Exponential gaps of the same mean rate."""

    def __init__(
        self, calendar: Calendar, flow: int, stream: Stream, *, rate_bps: int, **options: Any
    ) -> None:
        super().__init__(calendar, flow, rate_bps=rate_bps, **options)
        self.stream = stream

    def next_gap(self) -> Ns:
        """Return an exponential gap."""
        return int(-log(1.0 - self.stream.next_double()) * self.gap)


class OnOffTraffic(ConstantTraffic):
    """Sends at `rate_bps` while on, nothing while off; means of the periods in ns.

    Periods are exponential, or Pareto with `shape` > 1 (infinite variance below 2), whose aggregate is
    long-range dependent (Willinger et al. 1997).
    """

    def __init__(
        self,
        calendar: Calendar,
        flow: int,
        stream: Stream,
        *,
        rate_bps: int,
        mean_on: int,
        mean_off: int,
        shape: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(calendar, flow, rate_bps=rate_bps, **options)
        if mean_on <= 0 or mean_off <= 0:
            raise ValueError(f"{self.name}: mean periods must be > 0 ns, got {mean_on} and {mean_off}")
        if shape != 0.0 and shape <= 1.0:
            raise ValueError(f"{self.name}: a Pareto period has a mean only for shape > 1, got {shape}")
        self.stream = stream
        self.mean_on = mean_on
        self.mean_off = mean_off
        self.shape = shape
        self._left = self._period(mean_on)  # on time left

    def next_gap(self) -> Ns:
        """Return the gap; when the on period is over, an off period is added."""
        self._left -= self.gap
        if self._left > 0:
            return self.gap
        self._left = self._period(self.mean_on)
        return self.gap + self._period(self.mean_off)

    def _period(self, mean: Ns) -> Ns:
        survival: cython.double = 1.0 - self.stream.next_double()
        if self.shape == 0.0:
            return int(-log(survival) * mean)
        # A Pareto variable of minimum m has mean m shape / (shape - 1).
        return int(mean * (self.shape - 1.0) / self.shape * survival ** (-1.0 / self.shape))


class ReplayTraffic(ConstantTraffic):
    """Packets of recorded sizes (bytes) at recorded times (ns, non-decreasing)."""

    def __init__(
        self, calendar: Calendar, flow: int, times: Sequence[int], sizes: Sequence[int], **options: Any
    ) -> None:
        if len(times) == 0 or len(times) != len(sizes):
            raise ValueError(f"need as many times as sizes, at least one; got {len(times)} and {len(sizes)}")
        if min(sizes) <= 0 or any(b < a for a, b in zip(times, times[1:], strict=False)):
            raise ValueError("sizes must be > 0 and times must not go back")
        super().__init__(calendar, flow, rate_bps=1, start=int(times[0]), **options)
        self.times = [int(time) for time in times]
        self.sizes = [int(size) for size in sizes]

    def next_gap(self) -> Ns:
        """Return the recorded gap."""
        place: cython.Py_ssize_t = self._pn
        return self.times[place] - self.times[place - 1] if place < len(self.times) else _NEVER

    def next_size(self) -> Ns:
        """Return the recorded size."""
        return self.sizes[self._pn]
