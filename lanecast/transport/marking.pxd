from lanecast.transport.congestion.base cimport AckObservation


cdef class Marker:
    cdef readonly int constant
    cpdef long long label(self, long long now, long long pn, long long size) except *
    cpdef on_ack(self, AckObservation ack)
