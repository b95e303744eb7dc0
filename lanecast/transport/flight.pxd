from lanecast.transport.records cimport Records, Sent
from lanecast.transport.stage cimport Ack

cdef long long _NEVER


cdef long long _first_of(Ack ack, int place) noexcept

cdef long long _last_of(Ack ack, int place) noexcept


cdef class Flight(Records):
    cdef readonly long long largest
    cdef readonly bint holes
    cdef readonly bint reordering
    cdef readonly long long arrived
    cdef readonly long long taken
    cdef readonly long long taken_packets
    cdef Sent _edge
    cdef Sent _settled
    cdef long long _lowest
    cpdef long long above(self, Sent record) except *
    cdef Sent take(self, Ack ack, long long received)
    cdef bint _is_all_above(self, Ack ack, long long received) except -1
    cdef Sent _take_run(self, long long last)
    cdef Sent _walk(self, Ack ack, Sent previous)
    cdef _note_arrived(self, long long acked, long long packets)
    cdef _unlink_arrived(self, Sent record, Sent previous)
    cdef unlink(self, Sent record, Sent previous)
    cdef _pass_hole(self, Sent record, long long before)
