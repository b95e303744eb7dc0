from lanecast.emulation.capacity cimport Capacity
from lanecast.l4s.queue cimport Queue
from lanecast.transport.calendar cimport Calendar
from lanecast.transport.stage cimport Packet, Stage

cdef long long _NEVER


cdef class Link(Stage):
    cdef readonly Calendar calendar
    cdef readonly Queue queue
    cdef readonly Capacity capacity
    cdef readonly long long overhead
    cdef readonly long long sent_bytes
    cdef readonly Packet sending
    cdef long long _due
    cdef _start(self, long long now, bint fresh)


cdef class OpportunityLink(Stage):
    cdef readonly Calendar calendar
    cdef readonly Queue queue
    cdef readonly long long sent_bytes
    cdef readonly Packet sending
    cdef list _times
    cdef long long _period
    cdef long long _bytes_each
    cdef long long _overhead
    cdef bint _loop
    cdef long long _left
    cdef Py_ssize_t _place
    cdef long long _base
    cdef long long _due
    cdef _use(self, long long now)
    cdef _seek(self, long long now)
    cdef long long _next_time(self) except *
    cdef _arm(self)
