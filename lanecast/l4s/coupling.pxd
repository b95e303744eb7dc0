from lanecast.l4s.queue cimport Queue
from lanecast.transport.rng cimport Stream
from lanecast.transport.stage cimport Packet

cdef int _EARLY, _TAIL
cdef long long _SECOND


cdef class Tally:
    cdef public long long offered, sent, marked_coupled, marked_step, dropped_full, dropped_early
    cdef public long long waited_sum, waited_most
    cpdef long long dropped(self) except *
    cpdef double mean_wait(self) except *


cdef class PiQueue(Queue):
    cdef readonly Stream stream
    cdef readonly object settings
    cdef public double probability
    cdef readonly Tally tally_low
    cdef readonly Tally tally_classic
    cdef long long _last_delay, _next_update, _target, _tupdate, _least
    cdef double _alpha, _beta, _k, _ceiling, _debt_low, _debt_classic
    cdef bint _drops_low, _at_arrival, _recur
    cpdef adopt(self, settings)
    cpdef probabilities(self)
    cpdef bint judge(self, long long now, Packet packet, bint is_low, double native) except *
    cpdef double low_probability(self, double coupled, double native) except *
    cpdef bint hits_classic(self, double p, bint is_low) except *
    cpdef bint hits(self, double p, bint is_low) except *
    cdef bint mark_low(self, long long now, Packet packet) except *
    cdef bint drop_early(self, long long now, Packet packet, bint is_low) except *
    cdef refuse(self, long long now, Packet packet, bint is_low)
    cdef send(self, long long now, Packet packet, bint is_low)
    cpdef long long delay_at(self, long long now) except *
    cpdef catch_up(self, long long now)
    cdef _update_at(self, long long now)
