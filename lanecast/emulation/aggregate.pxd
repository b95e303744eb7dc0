from lanecast.transport.calendar cimport Calendar
from lanecast.transport.stage cimport Fifo, Packet, Stage

cdef long long _NEVER


cdef class Aggregate(Stage):
    cdef readonly Calendar calendar
    cdef public long long hold_ns
    cdef readonly long long limit_packets
    cdef readonly long long limit_bytes
    cdef readonly long long released
    cdef readonly Fifo line
    cdef long long _due
    cdef _release(self, long long now)
