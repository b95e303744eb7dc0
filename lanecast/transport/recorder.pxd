cimport cython

from lanecast.transport.stage cimport Packet


@cython.final
cdef class PacketLog:
    cdef readonly long long count
    cdef readonly list stages
    cdef long long[:, ::1] _rows
    cpdef row(self, long long now, long long stage, long long event, Packet packet, long long value)
    cdef _fill(self, long long now, long long stage, long long event, Packet packet, long long value)
