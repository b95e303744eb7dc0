cimport cython

cdef double _BIT_NS


@cython.final
cdef class Pacer:
    cdef public long long burst
    cdef public double gain
    cdef public double slow_start_gain
    cdef public double slow_start_share
    cdef readonly long long quantum
    cdef readonly long long quantum_time
    cdef readonly long long quantum_bytes
    cdef readonly double late_share
    cdef readonly long long due
    cdef bint _grouped
    cdef long long _began
    cdef long long _left
    cpdef long long release(self) except *
    cpdef long long release_at(self, long long now) except *
    cpdef sent(self, long long now, long long size, double rate_bps)
    cpdef long long group(self, long long size, double rate_bps) except *
    cpdef double window_rate_bps(self, double cwnd, double ssthresh, long long srtt) except *
    cdef _begin(self, long long now, long long size, double rate_bps, long long interval)
