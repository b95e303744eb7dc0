from lanecast.transport.congestion.base cimport AckObservation
from lanecast.transport.stage cimport Ack

cdef long long _ACE_START, _ACE_MASK, _ACE_SURE, _BYTES_MASK

cpdef long long ace_encode(long long ce_packets) except *

cpdef long long ace_delta(long long ace, long long ce_packets) except *

cpdef long long ace_decode(long long ace, long long ce_packets, long long covered, long long ce_bytes, long long covered_bytes) except *

cpdef long long bytes_encode(long long counted, long long start) except *

cpdef long long bytes_delta(long long field, long long counted, long long start) except *


cdef class Feedback:
    cdef readonly long long packets
    cdef readonly long long size
    cdef public bint cwr
    cpdef read(self, Ack ack, AckObservation seen)


cdef class AccEcn(Feedback):
    cdef readonly bint option
    cdef long long _newest
    cdef long long _received
    cdef long long _received_bytes


cdef class Classic(Feedback):
    cdef long long _end
    cdef long long _largest


cdef class Nothing(Feedback):
    pass
