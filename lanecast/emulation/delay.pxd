from libc.math cimport log

from lanecast.emulation.track cimport Track
from lanecast.transport.calendar cimport Calendar
from lanecast.transport.rng cimport Stream
from lanecast.transport.stage cimport Fifo, Packet, Stage

cdef long long _NEVER


cdef class Delay(Stage):
    cdef readonly Calendar calendar
    cdef public long long delay
    cdef readonly bint ordered
    cdef Fifo line
    cdef list _heap
    cdef long long _due
    cdef long long _last
    cpdef long long delay_of(self, long long now, Packet packet) except *
    cdef Packet _release(self, long long now)


cdef class TrackDelay(Delay):
    cdef readonly Track track


cdef class RandomDelay(Delay):
    cdef readonly Stream stream
    cdef readonly long long jitter_mean
    cdef readonly long long shape
