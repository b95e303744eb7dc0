from lanecast.transport.congestion.base cimport AckObservation
from lanecast.transport.congestion.reno cimport Reno

cdef double _C, _MOST_GROWTH


cdef class Cubic(Reno):
    cdef readonly bint fast_convergence
    cdef readonly double alpha
    cdef readonly double w_max
    cdef readonly double k
    cdef readonly double w_est
    cdef readonly long long epoch
    cdef double _prior
    cdef long long _last
    cdef double _saved_w_max
    cdef double _saved_prior
    cpdef double window(self, double elapsed) except *
    cdef _begin(self, long long now)
