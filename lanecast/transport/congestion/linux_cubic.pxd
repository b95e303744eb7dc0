from lanecast.transport.congestion.base cimport AckObservation
from lanecast.transport.congestion.reno cimport Reno

cdef long long _BETA_SCALE, _BETA_PARTS, _RATE_SCALE, _FRIENDLY_PARTS
cdef long long _FIRST_STEP, _LEAST_STEP, _FAR, _HOLD, _JIFFY, _TICKS, _MOST_TICKS


cdef class LinuxCubic(Reno):
    cdef readonly bint fast_convergence
    cdef readonly bint tcp_friendliness
    cdef readonly bint uses_hystart
    cdef readonly long long step
    cdef readonly long long plateau
    cdef readonly long long epoch
    cdef readonly long long origin
    cdef readonly long long k
    cdef readonly long long friendly
    cdef long long _acked
    cdef long long _count
    cdef long long _last_window
    cdef long long _last_time
    cdef _forget(self)
    cdef _update(self, AckObservation ack, long long window, long long packets)
    cdef _begin(self, long long now, long long window, long long packets)
    cdef long long _cubic_step(self, AckObservation ack, long long window) except *
    cdef _befriend(self, long long window)
