cdef long long _NEVER, _BIT_NS


cdef class Capacity:
    cdef readonly long long rate_bps
    cdef long long _carry
    cdef long long _per_byte
    cdef long long _rate
    cpdef long long finish(self, long long now, long long size, bint fresh) except *


cdef class RateCapacity(Capacity):
    cdef list _starts
    cdef list _rates
    cdef long long _end
    cdef bint _loop
    cdef bint _hold
    cdef Py_ssize_t _place
    cdef long long _base
    cdef long long _until
    cdef _seek(self, long long now)
    cdef _enter(self, long long place)
