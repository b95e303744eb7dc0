from lanecast.transport.congestion.base cimport CongestionControl


cdef class Fixed(CongestionControl):
    pass
