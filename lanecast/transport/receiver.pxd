cimport cython

from lanecast.transport.calendar cimport Calendar
from lanecast.transport.rangeset cimport RangeSet
from lanecast.transport.stage cimport Ack, Packet, Stage, make_ack

cdef long long _NEVER
cdef int _CE, _ECT1, _NOT_ECT


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
    cdef readonly long long ack_size
    cdef readonly long long header
    cdef readonly long long window
    cdef public Application application
    cdef readonly bint unordered
    cdef readonly RangeSet numbers
    cdef readonly RangeSet units
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
    cdef readonly long long created
    cdef long long _largest_at
    cdef int _last_ecn
    cdef long long _unacked
    cdef long long _due
    cdef long long _armed
    cdef _count(self, long long ecn)
    cdef _hold(self, long long now, long long index, long long size)
    cdef _tell(self, long long now, long long index)
    cdef _acknowledge(self, long long now)
