cimport cython
from cpython.exc cimport PyErr_CheckSignals
from libc.stdlib cimport free, realloc

from lanecast.transport.stage cimport Stage


cdef long long _SLOT_BITS, _SLOT_MASK, _SPIN_LIMIT


@cython.final
cdef class Calendar:
    cdef readonly long long now
    cdef readonly long long posted
    cdef readonly long long fired
    cdef list _stages
    cdef bint _firing
    cdef Py_ssize_t _count
    cdef Py_ssize_t _capacity
    cdef long long _spins
    cdef long long* _time
    cdef long long* _key
    cdef list _heap
    cpdef at(self, long long when, Stage stage)
    cpdef long long next_event(self) except *
    cpdef settle(self, long long until)
    cdef _run_plain(self, long long until)
    cdef _run_compiled(self, long long until)
    cdef _spin(self, long long when, Stage stage)
    cdef _register(self, Stage stage)
    cdef _close_root(self)
    cdef _reserve(self, Py_ssize_t capacity)
    cdef _post(self, long long when, long long key)
    cdef _drop_root(self)
    cdef _sift_down(self, long long when, long long key)
