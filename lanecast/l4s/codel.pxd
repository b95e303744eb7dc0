from lanecast.l4s.queue cimport Queue
from lanecast.transport.stage cimport Fifo, Packet

cdef int _EARLY, _ECT1
cdef long long _RESUME_INTERVALS


cdef class CodelParameters:
    cdef readonly long long target
    cdef readonly long long interval
    cdef readonly bint ecn
    cdef readonly long long ce_threshold
    cdef readonly bint ce_threshold_ect1
    cdef readonly long long mtu


cdef class CodelLaw:
    cdef readonly Queue owner
    cdef readonly Fifo line
    cdef readonly CodelParameters parameters
    cdef readonly bint dropping
    cdef readonly long long count
    cdef readonly long long last_count
    cdef readonly long long drop_next
    cdef long long _first_above
    cdef bint _ok_to_drop
    cpdef Packet take(self, long long now)
    cdef bint _is_late(self, long long now, Packet packet) except *
    cdef Packet _pull(self, long long now)
    cdef bint _punish(self, long long now, Packet packet) except *
    cdef _begin(self, long long now)
    cdef long long _after(self, long long time) except *


cdef class CoDel(Queue):
    cdef readonly CodelLaw law
