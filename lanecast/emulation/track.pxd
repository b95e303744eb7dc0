from lanecast.l4s.queue cimport Queue
from lanecast.transport.calendar cimport Calendar
from lanecast.transport.stage cimport Stage

cdef long long _NEVER


cdef class Track:
    cdef list _starts
    cdef list _values
    cdef long long _end
    cdef bint _loop
    cdef long long _from
    cdef long long _until
    cdef long long _value
    cpdef long long at(self, long long now) except *
    cpdef long long next_change(self, long long now) except *
    cdef _seek(self, long long now)


cdef class LimitFollower(Stage):
    cdef readonly Calendar calendar
    cdef readonly Queue queue
    cdef readonly Track track
    cdef readonly bint in_packets
