from lanecast.transport.congestion.reno cimport Reno


cdef class Dctcp(Reno):
    cdef readonly double gain
    cdef readonly double alpha
    cdef long long _ce
    cdef long long _received
    cdef long long _window_end
