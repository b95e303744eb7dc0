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
    cdef readonly bint prr
    cdef readonly bint reducing
    cdef double _flight
    cdef long long _delivered
    cpdef reduce(self, long long now, long long next_pn, long long flight, double factor)
    cpdef double lowered(self, long long flight, double factor) except *
    cpdef save(self)
    cpdef restore(self, long long now)
    cpdef reduced(self, long long now)
    cpdef avoid(self, AckObservation ack, double acked)
    cdef double _slow_start(self, AckObservation ack, double acked) except *
    cdef _follow_prr(self, AckObservation ack)
