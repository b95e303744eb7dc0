cimport cython

cdef double _DEVIATION, _DEPTH, _L4S, _CLASSIC, _MOST, _SHARE, _LEAST
cdef long long _SHIFT


@cython.final
cdef class ClassicDetector:
    cdef readonly double srtt
    cdef readonly double deviation
    cdef readonly double score
    cpdef hear(self, long long rtt, double ssthresh)
    cpdef judge(self, long long min_rtt)
    cpdef double share(self) except *
