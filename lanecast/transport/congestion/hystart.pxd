from lanecast.transport.congestion.base cimport AckObservation

cdef long long _NEVER, _MIN_THRESHOLD, _MAX_THRESHOLD, _DIVISOR, _SAMPLES, _ROUNDS
cdef long long _LINUX_ACK_GAP
cdef double _GROWTH_DIVISOR, _LINUX_LOW_WINDOW


cdef class HyStart:
    cdef readonly bint conservative
    cdef readonly bint done
    cdef readonly long long rounds
    cdef readonly long long samples
    cdef readonly long long round_min
    cdef readonly long long last_min
    cdef readonly long long baseline
    cpdef double growth(self, AckObservation ack, double acked, double packets) except *
    cdef _next_round(self)
    cdef _judge(self)


cdef class LinuxHyStart(HyStart):
    cdef readonly long long round_start
    cdef readonly long long last_ack
