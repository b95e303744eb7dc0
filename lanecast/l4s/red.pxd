from lanecast.l4s.queue cimport Queue
from lanecast.transport.rng cimport Stream
from lanecast.transport.stage cimport Packet

cdef int _EARLY, _TAIL, _NOT_ECT


cdef class Red(Queue):
    cdef readonly Stream stream
    cdef readonly double weight
    cdef public double min_packets
    cdef public double max_packets
    cdef readonly double max_probability
    cdef readonly bint gentle
    cdef readonly bint ecn
    cdef readonly long long packet_time
    cdef readonly double average
    cdef long long _spared
    cdef long long _idle_since
    cdef _measure(self, long long now)
    cpdef double base_probability(self) except *
    cdef bint _is_unlucky(self) except *
