from lanecast.l4s.queue cimport Queue
from lanecast.transport.stage cimport Packet

cdef int _EARLY, _TAIL, _NOT_ECT


cdef class Step(Queue):
    cdef public long long step_packets
    cdef public long long step_thresh
    cdef public bint drop_not_ect
