"""Aggregation: packets are collected for a while and come out together.

One stage for many causes: segmentation offload at a sender, receive offload, the aggregates of Wi-Fi's medium access,
and on the return path the bunching of acknowledgements. The first packet starts a clock; when `hold_ns` have passed, or
as soon as a limit is reached, all packets held leave back to back at that instant, in order.
"""

from __future__ import annotations

from lanecast.transport.calendar import Calendar
from lanecast.transport.stage import Fifo, Packet, Stage
from lanecast.transport.units import NEVER, Int, Ns

_NEVER = NEVER


class Aggregate(Stage):
    """Holds packets up to `hold_ns` ns (>= 0) after the first, or up to a number of packets or bytes (0: no limit).

    A packet that would take the aggregate beyond `limit_bytes` lets what is held go first and starts the next
    aggregate. `released` counts aggregates.
    """

    def __init__(
        self,
        calendar: Calendar,
        hold_ns: int,
        *,
        limit_packets: int = 0,
        limit_bytes: int = 0,
        name: str = "",
    ) -> None:
        super().__init__(name)
        if hold_ns < 0 or limit_packets < 0 or limit_bytes < 0:
            raise ValueError(
                f"{self.name}: hold_ns and limits must be >= 0, got {hold_ns} ns, {limit_packets} packets, "
                f"{limit_bytes} bytes"
            )
        self.calendar = calendar
        self.hold_ns = hold_ns
        self.limit_packets = limit_packets
        self.limit_bytes = limit_bytes
        self.released = 0
        self.line = Fifo()
        self._due = _NEVER

    def push(self, now: Ns, packet: Packet) -> None:
        """Hold the packet, or let the full aggregate go."""
        self.pushed += 1
        if self._due <= now or 0 < self.limit_bytes < self.line.size + packet.size:
            self._release(now)
        self.line.append(packet)
        if self.limit_packets == self.line.count or 0 < self.limit_bytes <= self.line.size:
            self._release(now)
        elif self._due == _NEVER:
            self._due = now + self.hold_ns
            self.calendar.at(self._due, self)

    def wake(self, now: Ns) -> None:
        """Let the aggregate go when it is due."""
        if self._due <= now:
            self._release(now)

    def held(self) -> Int:
        """Return the packets held."""
        return self.line.count

    def _release(self, now: Ns) -> None:
        """Let everything held at this moment go, in order."""
        packet: Packet | None
        left = self.line.count
        self._due = _NEVER
        if left > 0:
            self.released += 1
        while left > 0:
            packet = self.line.popleft()
            assert packet is not None, "counted above; only this method takes packets out"
            self.forward(now, packet)
            left -= 1
