"""FQ-CoDel: a hashed FIFO for each flow, served by deficit round robin, each under CoDel (RFC 8290).

Theory of operation (RFC 8290 4). An arrival goes to flow queue hash(flow, perturbation). A queue that was empty
joins the *new* list with one quantum of credit; new queues are served before *old* ones, so sparse flows skip
ahead. A queue out of credit gets another quantum and goes to the end of the old list; an empty new queue goes
there too (so that a flow cannot stay new by pausing), an empty old one leaves. Over the limit, the fattest queue
loses half its bytes, at most `drop_batch` packets, from its front (as Linux; RFC 8290 4.1 says half its packets); that
repeats until the limits hold. CoDel's "at most one MTU left" looks at the flow's own queue.
"""

from __future__ import annotations

from collections import deque

import cython

from lanecast.l4s.codel import INTERVAL, MTU, TARGET, CodelLaw, CodelParameters
from lanecast.l4s.queue import HEAD, Queue
from lanecast.transport.rng import uniform_at
from lanecast.transport.stage import Fifo, Packet
from lanecast.transport.units import Int, Ns

QUEUES = 1024  # RFC 8290 5.2.3
QUANTUM = 1514  # bytes, RFC 8290 5.2.2
LIMIT_PACKETS = 10_240  # RFC 8290 5.2.1
LIMIT_BYTES = 32 * 2**20  # Linux sch_fq_codel memory_limit
DROP_BATCH = 64  # Linux sch_fq_codel drop_batch

_HEAD = HEAD
_IDLE, _NEW, _OLD = 0, 1, 2


class FlowQueue:
    """One flow's FIFO, its CoDel state and its credit in bytes."""

    def __init__(self, owner: Queue, parameters: CodelParameters) -> None:
        self.line = Fifo()
        self.law = CodelLaw(owner, self.line, parameters)
        self.credit = 0
        self.list_kind = _IDLE


class FqCoDel(Queue):
    """Flow queueing with CoDel; `key` perturbs the hash."""

    def __init__(
        self,
        *,
        limit_packets: int = LIMIT_PACKETS,
        limit_bytes: int = LIMIT_BYTES,
        queues: int = QUEUES,
        quantum: int = QUANTUM,
        drop_batch: int = DROP_BATCH,
        target: int = TARGET,
        interval: int = INTERVAL,
        ecn: bool = True,
        ce_threshold: int = 0,
        ce_threshold_ect1: bool = False,
        mtu: int = MTU,
        key: int = 0,
    ) -> None:
        super().__init__(limit_packets=limit_packets, limit_bytes=limit_bytes)
        if queues < 1 or quantum < 1 or drop_batch < 1:
            raise ValueError(
                f"queues, quantum and drop_batch must be >= 1, got {queues}, {quantum}, {drop_batch}"
            )
        self.quantum = quantum
        self.drop_batch = drop_batch
        self.key = key
        self._parameters = CodelParameters(
            target=target,
            interval=interval,
            ecn=ecn,
            ce_threshold=ce_threshold,
            ce_threshold_ect1=ce_threshold_ect1,
            mtu=mtu,
        )
        self._queues: list[FlowQueue | None] = [None] * queues
        self._new: deque[FlowQueue] = deque()
        self._old: deque[FlowQueue] = deque()

    def place_of(self, flow: Int) -> Int:
        """Return the flow queue that `flow` is hashed to."""
        return int(uniform_at(self.key, flow, 0) * len(self._queues))

    def offer(self, now: Ns, packet: Packet) -> bool:
        """Take the packet in; over the limit the fattest flow pays, and that may be this one."""
        self.offered += 1
        place: cython.Py_ssize_t = self.place_of(packet.flow)
        queue: FlowQueue | None = self._queues[place]
        if queue is None:
            queue = FlowQueue(self, self._parameters)
            self._queues[place] = queue
        self.keep_in(now, packet, queue.line)
        if queue.list_kind == _IDLE:
            queue.list_kind = _NEW
            queue.credit = self.quantum
            self._new.append(queue)
        while 0 < self.limit_packets < self.count or 0 < self.limit_bytes < self.backlog:
            self._shed(now)
        return queue.line.tail is packet

    def take(self, now: Ns) -> Packet | None:
        """Return the next packet to send, or None; CoDel may drop the last one held."""
        while self._new or self._old:
            queue: FlowQueue = self._new[0] if self._new else self._old[0]
            if queue.credit <= 0:
                queue.credit += self.quantum
                self._rotate(queue)
                continue
            packet: Packet | None = queue.law.take(now)
            if packet is None:
                if queue.list_kind == _NEW:
                    self._rotate(queue)
                else:
                    self._old.popleft()
                    queue.list_kind = _IDLE
                continue
            queue.credit -= packet.size
            self.hand_out(now, packet)
            return packet
        return None

    def head_sojourn(self, now: Ns) -> Ns:
        """Return how long the head of the queue at turn has waited, 0 when all are empty."""
        queue: FlowQueue
        for queue in (*self._new, *self._old):
            if queue.line.head is not None:
                return now - queue.line.head.enqueued
        return 0

    def _rotate(self, queue: FlowQueue) -> None:
        """Move the queue at the head of its list to the end of the old list."""
        if queue.list_kind == _NEW:
            self._new.popleft()
        else:
            self._old.popleft()
        queue.list_kind = _OLD
        self._old.append(queue)

    def _shed(self, now: Ns) -> None:
        """Drop from the front of the fattest queue, the first in turn among equals."""
        queue: FlowQueue
        fattest: FlowQueue | None = None
        for queue in (*self._new, *self._old):
            if fattest is None or queue.line.size > fattest.line.size:
                fattest = queue
        assert fattest is not None, "a queue over its limit holds packets"
        goal: cython.longlong = fattest.line.size // 2
        for _ in range(self.drop_batch):
            packet: Packet | None = self.release_from(fattest.line)
            if packet is None:
                break
            self.discard(now, packet, _HEAD)
            if fattest.line.size <= goal:
                break
