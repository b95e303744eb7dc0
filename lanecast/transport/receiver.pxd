cimport cython

from lanecast.transport.calendar cimport Calendar
from lanecast.transport.rangeset cimport Ahead, RangeSet
from lanecast.transport.stage cimport Ack, Packet, Stage, new_ack

cdef long long _NEVER
cdef int _CE, _ECT1, _NOT_ECT, _CORRUPT


cdef class Application:
    cdef public long long target
    cpdef on_data(self, long long now, long long cumulative)
    cpdef on_unit(self, long long now, long long index)


@cython.final
cdef class Receiver(Stage):
    cdef readonly Calendar calendar
    cdef readonly long long flow
    cdef readonly long long ack_every
    cdef readonly long long max_ack_delay
    cdef readonly bint ack_on_ce
    cdef readonly bint coalesce
    cdef readonly long long quick_acks
    cdef readonly long long ack_size
    cdef readonly long long header
    cdef readonly long long window
    cdef public Application application
    cdef readonly bint unordered
    cdef readonly RangeSet numbers
    cdef readonly Ahead units
    cdef readonly long long largest
    cdef readonly long long cumulative
    cdef readonly long long received
    cdef readonly long long received_bytes
    cdef readonly long long goodput_bytes
    cdef readonly long long duplicates
    cdef readonly long long reordered
    cdef readonly long long ect0
    cdef readonly long long ect1
    cdef readonly long long ce
    cdef readonly long long ect0_bytes
    cdef readonly long long ect1_bytes
    cdef readonly long long ce_bytes
    cdef readonly bint ece
    cdef readonly long long corrupted
    cdef readonly long long bleached
    cdef readonly long long ce_on_not_ect
    cdef readonly long long created
    cdef long long _largest_at
    cdef int _last_ecn
    cdef long long _changes
    cdef long long _first1
    cdef long long _last1
    cdef long long _first2
    cdef long long _last2
    cdef long long _first3
    cdef long long _last3
    cdef long long _unacked
    cdef long long _due
    cdef long long _armed
    cdef _jump(self, long long now, long long pn)
    cdef _plan(self, long long when)
    cdef _refuse(self, long long now, Packet packet)
    cdef bint _read_ecn(self, Packet packet) noexcept
    cdef _hold(self, long long now, long long index, long long size)
    cdef _tell(self, long long now, long long index)
    cdef _acknowledge(self, long long now)
    cdef _read_below(self)
