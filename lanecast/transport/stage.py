"""Packets, and the stages that they pass.

A stage is *pushed* packets and *woken* at times that it asked a calendar for; it hands packets on through
`out`. No stage reads a clock: `now` is an argument of every call and never goes back. A packet belongs to
one stage at a time and is never copied or renumbered on its way; a stage that drops one counts it.
Conservation holds for every stage at every instant: `pushed == passed + dropped + held()` (a stage that
creates packets, such as a sender or a duplicating impairment, says so in its class text).

`Packet` has room for everything that per-packet code touches as plain integers; `payload` carries an object
for endpoints that need one (tokens, frames) and is None for bulk data.
"""

from __future__ import annotations

import cython

from lanecast.transport.units import Int, Ns

# The two ECN bits of the IP header (RFC 3168 5, RFC 9331 4.1).
NOT_ECT = 0
ECT1 = 1
ECT0 = 2
CE = 3

# What a packet is; drivers and logs use it, queues do not look.
DATA = 0
ACK = 1
CROSS = 2
CORRUPT = 3  # arrives, but cannot be decoded: endpoints count it and look no further


_ACK = ACK
_NOT_ECT = NOT_ECT


# Cython reads these decorators here, not in the `.pxd`. Packets hold no endpoints, so they are in no cycle.
@cython.no_gc
@cython.freelist(16384)
@cython.cclass
class Packet:
    """One packet; `size` is the IP length in bytes, times are ns."""

    __slots__ = (
        "cwr", "ecn", "enqueued", "flow", "index", "kind", "label", "next", "payload", "pn", "sent", "size",
    )  # fmt: skip

    flow: int  # which endpoint pair it belongs to; demultiplexers look here
    kind: int  # DATA, ACK, CROSS or CORRUPT
    size: int  # bytes, IP header included
    ecn: int  # NOT_ECT, ECT1, ECT0 or CE
    label: int  # the codepoint that its sender gave it; queues and wires change `ecn` only
    cwr: int  # 1: the sender has reduced its window (RFC 3168 6.1.2)
    pn: int  # packet number of its flow, never reused
    index: int  # index of the first data unit (segment, token) inside; -1 when it carries none
    sent: Ns  # when the endpoint sent it
    enqueued: Ns  # when the queue that holds it took it in
    payload: object
    next: Packet | None  # link of the FIFO that holds it


@cython.no_gc
@cython.cclass
class Ack(Packet):
    """An acknowledgement: what the receiver holds, repeated in every one, so that lost ACKs do no harm.

    `cumulative` is the first data unit not yet held. `first0..last0` is the most recent range of received
    packet numbers (it contains `largest`), ranges 1 to 3 follow downwards; an unused range has first > last.
    The ECN counters are cumulative packets (RFC 9000 19.3.2) and bytes (RFC 9768 3.2.3) by arriving codepoint;
    `received_bytes` counts all data. `ece` is the congestion echo of RFC 3168.
    """

    __slots__ = (
        "ce", "ce_bytes", "cumulative", "delay", "ece", "ect0", "ect0_bytes", "ect1", "ect1_bytes", "first0",
        "first1", "first2", "first3", "largest", "last0", "last1", "last2", "last3", "received",
        "received_bytes",
    )  # fmt: skip

    largest: int  # largest packet number received
    cumulative: int  # first data unit not yet received
    delay: Ns  # from the arrival of `largest` to this ACK
    first0: int
    last0: int
    first1: int
    last1: int
    first2: int
    last2: int
    first3: int
    last3: int
    ect0: int
    ect1: int
    ce: int
    ect0_bytes: int
    ect1_bytes: int
    ce_bytes: int
    ece: int  # 1: a CE mark came and no CWR since (RFC 3168 6.1.3)
    received: int  # data packets received, duplicates included
    received_bytes: int


def make_packet(flow: Int, kind: Int, size: Int, ecn: Int, pn: Int, index: Int, sent: Ns) -> Packet:
    """Return a packet with every field set (recycled memory never shows through)."""
    packet: Packet = Packet.__new__(Packet)
    packet.flow = flow
    packet.kind = kind
    packet.size = size
    packet.ecn = ecn
    packet.label = ecn
    packet.cwr = 0
    packet.pn = pn
    packet.index = index
    packet.sent = sent
    packet.enqueued = sent
    packet.payload = None
    packet.next = None
    return packet


def make_ack(flow: Int, size: Int, pn: Int, sent: Ns) -> Ack:
    """Return an acknowledgement with no ranges and zero counters."""
    ack: Ack = new_ack(flow, size, pn, sent)
    ack.largest = -1
    ack.cumulative = 0
    ack.delay = 0
    ack.first0 = ack.first1 = ack.first2 = ack.first3 = 0
    ack.last0 = ack.last1 = ack.last2 = ack.last3 = -1
    ack.ect0 = ack.ect1 = ack.ce = 0
    ack.ect0_bytes = ack.ect1_bytes = ack.ce_bytes = 0
    ack.ece = 0
    ack.received = 0
    ack.received_bytes = 0
    return ack


def new_ack(flow: Int, size: Int, pn: Int, sent: Ns) -> Ack:
    """Return an acknowledgement whose report the caller fills in, every field of it."""
    ack: Ack = Ack.__new__(Ack)
    ack.flow = flow
    ack.kind = _ACK
    ack.size = size
    ack.ecn = _NOT_ECT
    ack.label = _NOT_ECT
    ack.cwr = 0
    ack.pn = pn
    ack.index = -1
    ack.sent = sent
    ack.enqueued = sent
    ack.payload = None
    ack.next = None
    return ack


def copy_packet(packet: Packet) -> Packet:
    """Return a second packet with the same fields (and, for an `Ack`, the same report)."""
    if isinstance(packet, Ack):
        report: Ack = make_ack(packet.flow, packet.size, packet.pn, packet.sent)
        report.kind = packet.kind
        report.ecn = packet.ecn
        report.label = packet.label
        report.payload = packet.payload
        _copy_report(packet, report)
        return report
    copy: Packet = make_packet(
        packet.flow, packet.kind, packet.size, packet.ecn, packet.pn, packet.index, packet.sent
    )
    copy.label = packet.label
    copy.cwr = packet.cwr
    copy.payload = packet.payload
    return copy


def _copy_report(source: Ack, target: Ack) -> None:
    target.largest = source.largest
    target.cumulative = source.cumulative
    target.delay = source.delay
    target.first0, target.last0 = source.first0, source.last0
    target.first1, target.last1 = source.first1, source.last1
    target.first2, target.last2 = source.first2, source.last2
    target.first3, target.last3 = source.first3, source.last3
    target.ect0, target.ect1, target.ce = source.ect0, source.ect1, source.ce
    target.ect0_bytes, target.ect1_bytes = source.ect0_bytes, source.ect1_bytes
    target.ce_bytes, target.ece = source.ce_bytes, source.ece
    target.received = source.received
    target.received_bytes = source.received_bytes


class Stage:
    """Anything that packets pass. Subclasses override `push`, and `wake` if they ask for wake-ups."""

    def __init__(self, name: str = "") -> None:
        self.name = name or type(self).__name__
        self.out: Stage | None = None
        self.slot = -1  # place in the calendar, given at the first request
        self.pushed = 0
        self.passed = 0
        self.dropped = 0

    def push(self, now: Ns, packet: Packet) -> None:
        """Take a packet that arrives here, now. The base passes it on."""
        self.pushed += 1
        self.forward(now, packet)

    def wake(self, now: Ns) -> None:
        """Act on everything due by now. A hint, not a promise: check what is really due."""

    def forward(self, now: Ns, packet: Packet) -> None:
        """Count a packet out and hand it to the next stage."""
        out: Stage | None = self.out
        self.passed += 1
        if out is not None:
            out.push(now, packet)

    def drop(self, now: Ns, packet: Packet) -> None:
        """Count a dropped packet; subclasses that know the reason count it too."""
        self.dropped += 1

    def held(self) -> Int:
        """Return the number of packets inside."""
        return 0


@cython.no_gc
@cython.cclass
class Fifo:
    """First-in first-out line of packets, linked through `Packet.next`; `size` is the sum of bytes held."""

    def __init__(self) -> None:
        self.head: Packet | None = None
        self.tail: Packet | None = None
        self.count = 0
        self.size = 0

    def __dealloc__(self) -> None:
        # Links are cut one by one: a long chain would otherwise be freed by recursion (compiled form).
        while self.head is not None:
            self.popleft()

    def append(self, packet: Packet) -> None:
        """Put a packet at the end."""
        tail: Packet | None = self.tail
        packet.next = None
        if tail is None:
            self.head = packet
        else:
            tail.next = packet
        self.tail = packet
        self.count += 1
        self.size += packet.size

    def popleft(self) -> Packet | None:
        """Remove and return the first packet, or None when empty."""
        packet = self.head
        if packet is None:
            return None
        following: Packet | None = packet.next
        self.head = following
        if following is None:
            self.tail = None
        else:
            packet.next = None
        self.count -= 1
        self.size -= packet.size
        return packet


class Outbox(Stage):
    """The far edge of a path: keeps arrived packets until somebody pulls them."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.line = Fifo()

    def push(self, now: Ns, packet: Packet) -> None:
        """Keep the packet."""
        self.pushed += 1
        packet.enqueued = now
        self.line.append(packet)

    def pull(self) -> Packet | None:
        """Return the oldest packet not yet pulled, or None; its `enqueued` is its arrival time here."""
        packet = self.line.popleft()
        if packet is not None:
            self.passed += 1
        return packet

    def held(self) -> Int:
        """Return the number of packets not yet pulled."""
        return self.line.count


class Sink(Stage):
    """Swallows packets, counting them and their bytes."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.size = 0

    def push(self, now: Ns, packet: Packet) -> None:
        """Count and forget."""
        self.pushed += 1
        self.passed += 1
        self.size += packet.size


class Demux(Stage):
    """Hands each packet to the stage registered for its flow; an unknown flow goes to `out` or is dropped."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.routes: list[Stage | None] = []

    def route(self, flow: int, stage: Stage) -> None:
        """Send packets of `flow` (a small non-negative int) to `stage` from now on."""
        if flow < 0:
            raise ValueError(f"{self.name}: flow must be >= 0, got {flow}")
        self.routes.extend([None] * (flow + 1 - len(self.routes)))
        self.routes[flow] = stage

    def push(self, now: Ns, packet: Packet) -> None:
        """Hand the packet on by its flow."""
        self.pushed += 1
        routes: list[Stage | None] = self.routes
        flow: cython.Py_ssize_t = packet.flow
        stage: Stage | None = routes[flow] if 0 <= flow < len(routes) else None
        if stage is None:
            stage = self.out
            if stage is None:
                self.drop(now, packet)
                return
        self.passed += 1
        stage.push(now, packet)
