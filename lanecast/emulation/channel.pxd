from libc.math cimport log

from lanecast.emulation.delay cimport Delay
from lanecast.emulation.impair cimport LossProcess, SlotDraws
from lanecast.transport.calendar cimport Calendar
from lanecast.transport.recorder cimport PacketLog
from lanecast.transport.rng cimport uniform_at
from lanecast.transport.stage cimport Packet

cdef int _EVENT_LOSE


cdef class Channel(Delay):
    cdef readonly SlotDraws draws
    cdef readonly long long jitter_mean
    cdef public PacketLog log
    cdef public long long log_id
    cpdef lost_at(self, long long slot, long long n)
    cpdef long long delay_at(self, long long slot, long long n) except *
