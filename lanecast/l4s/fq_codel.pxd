from lanecast.l4s.codel cimport CodelLaw, CodelParameters
from lanecast.l4s.queue cimport Queue
from lanecast.transport.rng cimport uniform_at
from lanecast.transport.stage cimport Fifo, Packet

cdef int _HEAD, _IDLE, _NEW, _OLD


cdef class FlowQueue:
    cdef readonly Fifo line
    cdef readonly CodelLaw law
    cdef readonly long long credit
    cdef readonly int list_kind


cdef class FqCoDel(Queue):
    cdef readonly long long quantum
    cdef readonly long long drop_batch
    cdef readonly unsigned long long key
    cdef readonly CodelParameters _parameters
    cdef list _queues
    cdef object _new
    cdef object _old
    cpdef long long place_of(self, long long flow) except *
    cdef _rotate(self, FlowQueue queue)
    cdef _shed(self, long long now)
