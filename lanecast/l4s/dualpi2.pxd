from lanecast.l4s.coupling cimport PiQueue, Tally
from lanecast.l4s.discipline cimport Discipline
from lanecast.transport.stage cimport Fifo, Packet

cdef int _CLASSIC, _LOW, _BARE, _NOBODY


cdef class DualPi2(PiQueue):
    cdef readonly Fifo low
    cdef readonly Fifo classic
    cdef readonly Discipline scheduler
    cdef public object classifier
    cdef readonly long long most_packets
    cdef long long _step, _ramp, _step_packets, _least_depth, _ramp_least
    cdef bint _scaled, _both, _noted
    cdef int _mask
    cdef object _notes
    cdef set _bare
    cpdef long long kind_of(self, Packet packet) except *
    cdef _note(self)
    cdef bint _survives(self, long long now, Packet packet, bint is_low, long long note) except *
    cpdef long long waited(self, long long now, Packet packet, long long note) except *
    cpdef double ramp(self, long long waited) except *
    cdef bint _is_over_step(self, long long waited, long long note) except *
    cdef bint _mark_step(self, long long now, Packet packet) except *
