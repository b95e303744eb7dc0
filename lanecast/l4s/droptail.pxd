from lanecast.l4s.queue cimport Queue
from lanecast.transport.stage cimport Packet

cdef int _TAIL, _HEAD


cdef class DropTail(Queue):
    cdef public long long limit_time
    cpdef is_late(self, long long now)


cdef class DropHead(DropTail):
    pass
