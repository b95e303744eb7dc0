cimport cython

cdef unsigned long long _GOLDEN, _FIRST, _SECOND, _STRIDE, _MASK
cdef double _UNIT


@cython.final
cdef class Stream:
    cdef readonly str name
    cdef readonly object generator
    cdef Py_ssize_t _place
    cdef double[::1] _block
    cpdef double next_double(self) except *


cpdef double uniform_at(unsigned long long key, unsigned long long a, unsigned long long b) except *

cdef unsigned long long _mix(unsigned long long value) noexcept
