cimport cython

from lanecast.transport.congestion.base cimport AckObservation

cdef long long _NEVER, _MIN_THRESHOLD, _MAX_THRESHOLD, _DIVISOR, _SAMPLES, _ROUNDS
cdef double _GROWTH_DIVISOR


@cython.final
cdef class HyStart:
    cdef readonly bint conservative
    cdef readonly bint done
    cdef readonly long long rounds
    cdef readonly long long samples
    cdef readonly long long round_min
    cdef readonly long long last_min
    cdef readonly long long baseline
    cpdef double growth(self, AckObservation ack, double acked) except *
    cdef _next_round(self)
    cdef _judge(self)
