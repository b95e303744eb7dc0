from lanecast.transport.congestion.base cimport AckObservation, CongestionControl
from lanecast.transport.congestion.classic_ecn cimport ClassicDetector

cdef double _GAIN, _FLOOR
cdef long long _MAX_SCALED_RTT, _RTT_UNIT, _R0, _R1
cdef int _NONE, _RATE, _SCALABLE, _ADDITIVE


cdef class Prague(CongestionControl):
    cdef readonly long long mode
    cdef readonly long long rtt_target
    cdef readonly long long after
    cdef readonly bint stepwise
    cdef readonly ClassicDetector detector
    cdef readonly double alpha
    cdef readonly double window
    cdef readonly double minimum_cwnd
    cdef readonly double least_window
    cdef readonly bint saw_mark
    cdef readonly long long rounds
    cdef readonly long long reductions
    cdef long long _ce
    cdef long long _received
    cdef long long _period_end
    cdef long long _period_start
    cdef long long _reduced_end
    cdef long long _reduced_at
    cdef double _saved
    cpdef bint is_independent(self) except *
    cpdef long long virtual_rtt(self, long long srtt) except *
    cpdef double scale(self, long long srtt) except *
    cdef _hear_mark(self, AckObservation ack)
    cdef _shrink(self, double size)
    cdef _grow(self, AckObservation ack, long long packets)
    cdef long long _whole(self) except *
    cdef _adjust(self)
    cdef _end_period(self, AckObservation ack)
    cdef _pace(self, long long srtt)
