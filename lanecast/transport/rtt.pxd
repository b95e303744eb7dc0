cimport cython

cdef long long _GRANULARITY


@cython.final
cdef class RttEstimator:
    cdef public long long max_ack_delay
    cdef readonly long long samples
    cdef readonly long long latest
    cdef readonly long long min_rtt
    cdef readonly long long smoothed
    cdef readonly long long rttvar
    cdef readonly long long first_sample
    cdef readonly long long timeout
    cdef bint _warm
    cpdef update(self, long long now, long long sample, long long ack_delay)
    cpdef forget_minimum(self)
    cpdef long long pto(self) except *
    cpdef long long rto(self) except *
    cpdef long long larger(self) except *
