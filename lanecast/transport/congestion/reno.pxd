from lanecast.transport.congestion.base cimport AckObservation, CongestionControl, LossObservation
from lanecast.transport.congestion.hystart cimport HyStart

cdef long long _MINIMUM_PACKETS


cdef class Reno(CongestionControl):
    cdef readonly double loss_factor
    cdef readonly double mark_factor
    cdef readonly HyStart hystart
    cdef readonly double minimum_cwnd
    cdef double _saved_cwnd
    cdef double _saved_ssthresh
    cpdef reduce(self, long long now, long long next_pn, long long flight, double factor)
    cpdef save(self)
    cpdef restore(self, long long now)
    cpdef reduced(self, long long now)
    cpdef avoid(self, AckObservation ack, double acked)
    cdef double _slow_start(self, AckObservation ack, double acked) except *
