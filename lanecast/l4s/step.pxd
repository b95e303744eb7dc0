from lanecast.l4s.queue cimport Queue

cdef int _TAIL


cdef class Step(Queue):
    cdef readonly long long packets
    cdef readonly long long sojourn
