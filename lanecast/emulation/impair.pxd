from libc.math cimport log

from lanecast.emulation.track cimport Track
from lanecast.transport.calendar cimport Calendar
from lanecast.transport.recorder cimport PacketLog
from lanecast.transport.rng cimport Stream, uniform_at
from lanecast.transport.stage cimport Packet, Stage, copy_packet

cdef long long _SLOT
cdef int _EVENT_LOSE, _CORRUPT


cdef class LossProcess:
    cdef readonly double probability
    cpdef double at(self, long long now) except *


cdef class TrackLoss(LossProcess):
    cdef readonly Track track


cdef class GilbertElliott(LossProcess):
    cdef readonly Stream stream
    cdef readonly double mean_good
    cdef readonly double mean_bad
    cdef readonly double loss_bad
    cdef readonly bint starts_bad
    cdef list _edges
    cdef long long _last
    cpdef bint is_bad(self, long long now) except *
    cdef _extend(self)


cdef class SlotDraws:
    cdef readonly unsigned long long key
    cdef readonly LossProcess process
    cdef readonly long long slot
    cdef readonly long long n
    cpdef bint lost_at(self, long long slot, long long n) except *
    cpdef count(self, long long now)


cdef class Loss(Stage):
    cdef readonly SlotDraws draws
    cdef public PacketLog log
    cdef public long long log_id


cdef class Duplicate(Stage):
    cdef readonly Stream stream
    cdef readonly double probability
    cdef readonly long long created


cdef class Corrupt(Stage):
    cdef readonly Stream stream
    cdef readonly double probability
    cdef readonly long long corrupted


cdef class Remark(Stage):
    cdef readonly Stream stream
    cdef readonly double probability
    cdef readonly list table
    cdef readonly long long remarked
    cdef bint _strikes(self) except *


cdef class Bleach(Remark):
    pass


cdef class ClearCe(Remark):
    pass


cdef class SetCe(Remark):
    pass


cdef class Reorder(Stage):
    cdef readonly Calendar calendar
    cdef readonly Stream stream
    cdef readonly double probability
    cdef readonly long long extra
    cdef list _waiting
