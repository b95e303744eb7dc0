from lanecast.l4s.dualpi2 cimport DualPi2

cdef int _TAIL, _CLASSIC, _LOW


cdef class Pi2(DualPi2):
    pass
