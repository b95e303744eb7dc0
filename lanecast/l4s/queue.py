"""The queue that a link serves: the base of every AQM, and itself a droptail or drophead FIFO.

A link calls `offer(now, packet)` for each arrival and `take(now)` when it can send; between the two the
packet is *held*. Laws at every instant: `offered == taken + dropped + count`, and `backlog` is the sum of the
sizes held. A packet being sent has left the queue and counts against no limit. `take` may return None
although something was held: an AQM may drop the last packet. Dropping and marking go through
`discard` and `mark`, which count and log.

A user's AQM subclasses `Queue` in plain Python and overrides `offer` and/or `take`; it keeps packets in `line`
through `keep` and `release`. A reason is a small int of `REASONS`.
"""

from __future__ import annotations

from lanecast.transport import recorder
from lanecast.transport.recorder import PacketLog
from lanecast.transport.stage import CE, NOT_ECT, Fifo, Packet
from lanecast.transport.units import Int, Ns

TAIL = 0  # a limit was reached, the arrival is dropped
HEAD = 1  # a limit was reached, the oldest is dropped
EARLY = 2  # the AQM's law decided
REASONS = ("tail", "head", "early")

# Typed copies: a module constant used per packet is a C variable when compiled (declared in the `.pxd`).
_CE = CE
_NOT_ECT = NOT_ECT
_TAIL = TAIL
_HEAD = HEAD
_EVENT_ENQUEUE = recorder.ENQUEUE
_EVENT_TAKE = recorder.TAKE
_EVENT_MARK = recorder.MARK
_EVENT_DROP = recorder.DROP


class Queue:
    """A FIFO with optional limits in packets and bytes (0: no limit)."""

    def __init__(self, *, limit_packets: int = 0, limit_bytes: int = 0) -> None:
        if limit_packets < 0 or limit_bytes < 0:
            raise ValueError(f"queue limits must be >= 0, got {limit_packets} packets, {limit_bytes} bytes")
        self.limit_packets = limit_packets
        self.limit_bytes = limit_bytes
        self.line = Fifo()
        self.count = 0
        self.backlog = 0
        self.offered = 0
        self.taken = 0
        self.dropped = 0
        self.marked = 0
        self.dropped_tail = 0
        self.dropped_head = 0
        self.dropped_early = 0
        self.log: PacketLog | None = None
        self.log_id = 0

    def offer(self, now: Ns, packet: Packet) -> bool:
        """Take the packet in (True) or drop it (False)."""
        self.offered += 1
        if self.is_full(packet.size):
            self.discard(now, packet, _TAIL)
            return False
        self.keep(now, packet)
        return True

    def take(self, now: Ns) -> Packet | None:
        """Return the next packet to send, or None when there is none."""
        packet = self.release()
        if packet is not None:
            self.hand_out(now, packet)
        return packet

    def is_full(self, size: Int) -> bool:
        """Tell whether `size` more bytes in one packet would break a limit."""
        if 0 < self.limit_packets <= self.count:
            return True
        return 0 < self.limit_bytes < self.backlog + size

    def head_sojourn(self, now: Ns) -> Ns:
        """Return how long the packet that goes next has waited, 0 when empty."""
        return 0 if self.line.head is None else now - self.line.head.enqueued

    def keep(self, now: Ns, packet: Packet) -> None:
        """Put the packet at the end of `line` and stamp it."""
        self.keep_in(now, packet, self.line)

    def keep_in(self, now: Ns, packet: Packet, line: Fifo) -> None:
        """Do as `keep`, in another line: for queues that hold several."""
        packet.enqueued = now
        line.append(packet)
        self.count += 1
        self.backlog += packet.size
        if self.log is not None:
            self.log.row(now, self.log_id, _EVENT_ENQUEUE, packet, self.backlog)

    def release(self) -> Packet | None:
        """Remove the head of `line`; the caller hands it out or discards it."""
        return self.release_from(self.line)

    def release_from(self, line: Fifo) -> Packet | None:
        """Do as `release`, from another line."""
        packet = line.popleft()
        if packet is not None:
            self.count -= 1
            self.backlog -= packet.size
        return packet

    def hand_out(self, now: Ns, packet: Packet) -> None:
        """Count a packet that leaves to be sent."""
        self.taken += 1
        if self.log is not None:
            self.log.row(now, self.log_id, _EVENT_TAKE, packet, now - packet.enqueued)

    def discard(self, now: Ns, packet: Packet, reason: Int) -> None:
        """Count a dropped packet by its reason."""
        self.dropped += 1
        if reason == _TAIL:
            self.dropped_tail += 1
        elif reason == _HEAD:
            self.dropped_head += 1
        else:
            self.dropped_early += 1
        if self.log is not None:
            self.log.row(now, self.log_id, _EVENT_DROP, packet, reason)

    def mark(self, now: Ns, packet: Packet) -> bool:
        """Set CE on an ECN-capable packet and tell whether that could be done (RFC 3168 5)."""
        if packet.ecn == _NOT_ECT:
            return False
        if packet.ecn != _CE:
            packet.ecn = _CE
            self.marked += 1
            if self.log is not None:
                self.log.row(now, self.log_id, _EVENT_MARK, packet, now - packet.enqueued)
        return True
