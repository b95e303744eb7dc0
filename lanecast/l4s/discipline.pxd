from lanecast.transport.stage cimport Fifo

cdef int _LOW, _CLASSIC, _NOBODY


cdef class Discipline:
    cpdef long long pick(self, Fifo low, Fifo classic) except *
    cpdef sent(self, long long size, bint is_low, bint contended)
    cpdef rest(self)
    cpdef double balance(self) except *


cdef class Credit(Discipline):
    cdef readonly double credit
    cdef double _wc, _wl, _start


cdef class Wrr(Discipline):
    cdef double _quantum_low, _quantum_classic, _left_low, _left_classic
    cdef bint _at_low


cdef class TimeShifted(Discipline):
    cdef long long _tshift
