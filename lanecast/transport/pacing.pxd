cimport cython


@cython.final
cdef class Pacer:
    cdef public long long burst
    cdef public double gain
    cdef public double slow_start_gain
    cdef readonly long long due
    cpdef long long release(self) except *
    cpdef sent(self, long long now, long long size, double rate_bps)
    cpdef double window_rate_bps(self, double cwnd, double ssthresh, long long srtt) except *
