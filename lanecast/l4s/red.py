"""RED: drop early with a probability that grows with the average queue length (Floyd and Jacobson 1993).

The average is an exponential mean of the length in packets at each arrival; after idle time it decays as if
`idle / packet_time` small packets had left. Between `min_packets` and `max_packets` the base probability rises to
`max_probability`; the count since the last drop spreads drops evenly. `gentle` (Floyd 2000) goes on rising to 1 at
2 x max. With `ecn`, an ECN-capable packet is marked below `max_packets` and dropped above (RFC 3168 7).
"""

from __future__ import annotations

import cython

from lanecast.l4s.queue import EARLY, TAIL, Queue
from lanecast.transport.rng import Stream
from lanecast.transport.stage import NOT_ECT, Packet
from lanecast.transport.units import Ns

WEIGHT = 0.002  # Floyd and Jacobson 1993, 6
MIN_PACKETS = 5.0  # Floyd and Jacobson 1993
MAX_PACKETS = 15.0  # three times the minimum (Floyd 1997)
MAX_PROBABILITY = 0.1  # Floyd 1997
PACKET_TIME = 120_000  # ns, 1500 bytes at 100 Mbit/s: assumption, set it to the link's own

_EARLY, _TAIL, _NOT_ECT = EARLY, TAIL, NOT_ECT


class Red(Queue):
    """One FIFO under RED; `stream` decides the drops."""

    def __init__(
        self,
        stream: Stream,
        *,
        limit_packets: int = 0,
        limit_bytes: int = 0,
        weight: float = WEIGHT,
        min_packets: float = MIN_PACKETS,
        max_packets: float = MAX_PACKETS,
        max_probability: float = MAX_PROBABILITY,
        gentle: bool = True,
        ecn: bool = False,
        packet_time: int = PACKET_TIME,
    ) -> None:
        super().__init__(limit_packets=limit_packets, limit_bytes=limit_bytes)
        if not 0.0 < weight <= 1.0 or not 0.0 < max_probability <= 1.0:
            raise ValueError(
                f"weight and max_probability must be within 0..1, got {weight} and {max_probability}"
            )
        if not 0.0 < min_packets < max_packets or packet_time <= 0:
            raise ValueError(
                f"RED needs 0 < min_packets < max_packets and packet_time > 0; "
                f"got {min_packets}, {max_packets}, {packet_time}"
            )
        self.stream = stream
        self.weight = weight
        self.min_packets = min_packets
        self.max_packets = max_packets
        self.max_probability = max_probability
        self.gentle = gentle
        self.ecn = ecn
        self.packet_time = packet_time
        self.average = 0.0
        self._spared = -1  # packets since the last drop or mark; -1 below the minimum
        self._idle_since = 0

    def offer(self, now: Ns, packet: Packet) -> bool:
        """Take the packet in, perhaps marked, or drop it."""
        self.offered += 1
        self._measure(now)
        if self.is_full(packet.size):
            self._spared = 0
            self.discard(now, packet, _TAIL)
            return False
        if not self._is_unlucky():
            self.keep(now, packet)
            return True
        self._spared = 0
        if self.ecn and self.average < self.max_packets and packet.ecn != _NOT_ECT:
            self.keep(now, packet)
            self.mark(now, packet)
            return True
        self.discard(now, packet, _EARLY)
        return False

    def take(self, now: Ns) -> Packet | None:
        """Return the next packet to send."""
        packet: Packet | None = Queue.take(self, now)
        if packet is not None and self.count == 0:
            self._idle_since = now
        return packet

    def _measure(self, now: Ns) -> None:
        """Update the average with the length that the arrival meets."""
        kept: cython.double = 1.0 - self.weight
        if self.count > 0:
            self.average = kept * self.average + self.weight * self.count
        else:
            self.average = kept ** ((now - self._idle_since) / self.packet_time) * self.average

    def base_probability(self) -> float:
        """Return the probability that the average length alone gives, in [0, 1]."""
        if self.average < self.min_packets:
            return 0.0
        if self.average < self.max_packets:
            return (
                self.max_probability
                * (self.average - self.min_packets)
                / (self.max_packets - self.min_packets)
            )
        if self.gentle and self.average < 2.0 * self.max_packets:
            return (
                self.max_probability
                + (1.0 - self.max_probability) * (self.average - self.max_packets) / self.max_packets
            )
        return 1.0

    def _is_unlucky(self) -> cython.bint:
        """Draw with the spread probability p / (1 - count p)."""
        base: cython.double = self.base_probability()
        if base <= 0.0:
            self._spared = -1
            return False
        self._spared += 1
        if base >= 1.0 or self._spared * base >= 1.0:
            return True
        return self.stream.next_double() < base / (1.0 - self._spared * base)
