from libc.math cimport log

from lanecast.transport.calendar cimport Calendar
from lanecast.transport.rng cimport Stream
from lanecast.transport.stage cimport Packet, Stage, make_packet

cdef int _CROSS
cdef long long _NEVER


cdef class ConstantTraffic(Stage):
    cdef readonly Calendar calendar
    cdef readonly long long flow
    cdef readonly long long size
    cdef readonly long long stop
    cdef readonly int ecn
    cdef readonly long long gap
    cdef long long _pn
    cdef long long _due
    cpdef long long next_gap(self) except *
    cpdef long long next_size(self) except *


cdef class PoissonTraffic(ConstantTraffic):
    cdef readonly Stream stream


cdef class OnOffTraffic(ConstantTraffic):
    cdef readonly Stream stream
    cdef readonly long long mean_on
    cdef readonly long long mean_off
    cdef readonly double shape
    cdef long long _left
    cdef long long _period(self, long long mean) except *


cdef class ReplayTraffic(ConstantTraffic):
    cdef readonly list times
    cdef readonly list sizes
