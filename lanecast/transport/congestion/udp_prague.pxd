from lanecast.transport.congestion.base cimport AckObservation, CongestionControl

cdef double _GAIN, _SWING, _BIT_NS
cdef long long _RTT_TARGET, _GROWTH_TIME, _SHORT_RTT


cdef class UdpPrague(CongestionControl):
    cdef readonly double initial_rate
    cdef readonly double least_rate
    cdef readonly double most_rate
    cdef readonly long long rtt_target
    cdef readonly double alpha
    cdef readonly double rate
    cdef readonly double window
    cdef readonly bint by_rate
    cdef readonly long long quiet
    cdef bint _started
    cdef long long _ce
    cdef long long _received
    cdef long long _alpha_end
    cdef long long _alpha_at
    cdef long long _reduced_end
    cdef long long _reduce_after
    cdef long long _lost_at
    cdef double _saved
    cdef long long _saved_quiet
    cdef _choose_mode(self, long long srtt)
    cdef _average(self, AckObservation ack, long long vrtt)
    cdef _grow(self, long long packets, long long srtt, long long vrtt)
    cdef _multiply(self, double factor)
    cdef _align(self, long long now, long long srtt, long long vrtt)
