cimport cython

from lanecast.transport.recorder cimport PacketLog
from lanecast.transport.stage cimport Fifo, Packet

cdef int _CE, _NOT_ECT, _TAIL, _HEAD
cdef long long _EVENT_ENQUEUE, _EVENT_TAKE, _EVENT_MARK, _EVENT_DROP


cdef class Queue:
    cdef public long long limit_packets
    cdef public long long limit_bytes
    cdef public Fifo line
    cdef public long long count
    cdef public long long backlog
    cdef public long long offered
    cdef public long long taken
    cdef public long long dropped
    cdef public long long marked
    cdef public long long dropped_tail
    cdef public long long dropped_head
    cdef public long long dropped_early
    cdef public PacketLog log
    cdef public long long log_id
    cpdef offer(self, long long now, Packet packet)
    cpdef Packet take(self, long long now)
    cpdef is_full(self, long long size)
    cpdef long long head_sojourn(self, long long now) except *
    cpdef keep(self, long long now, Packet packet)
    cpdef keep_in(self, long long now, Packet packet, Fifo line)
    cpdef Packet release(self)
    cpdef Packet release_from(self, Fifo line)
    cpdef hand_out(self, long long now, Packet packet)
    cpdef discard(self, long long now, Packet packet, long long reason)
    cpdef mark(self, long long now, Packet packet)
