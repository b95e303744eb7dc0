from lanecast.l4s.queue cimport Queue
from lanecast.transport.rng cimport Stream
from lanecast.transport.stage cimport Packet

cdef int _EARLY, _TAIL, _NOT_ECT
cdef long long _HIGH_DELAY, _SECOND, _SAFE_PACKETS
cdef double _SAFE_PROBABILITY, _SPARED_BELOW, _CERTAIN_FROM


cdef class Pie(Queue):
    cdef readonly Stream stream
    cdef public long long target
    cdef readonly long long update
    cdef readonly double alpha_hz
    cdef readonly double beta_hz
    cdef readonly long long max_burst
    cdef readonly bint ecn
    cdef readonly double mark_limit
    cdef readonly bint derandomise
    cdef readonly double gathered
    cdef readonly double probability
    cdef readonly long long burst_left
    cdef long long _old_delay
    cdef long long _next_update
    cdef bint _is_unlucky(self) except *
    cdef _catch_up(self, long long now)
    cdef _update_at(self, long long now)


cpdef double scale(double probability) except *
