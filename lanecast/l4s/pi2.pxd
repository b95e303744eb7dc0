from lanecast.l4s.coupling cimport PiQueue
from lanecast.transport.stage cimport Packet


cdef class Pi2(PiQueue):
    cdef int _mask
