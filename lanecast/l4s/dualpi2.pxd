from lanecast.l4s.queue cimport Queue
from lanecast.transport.rng cimport Stream
from lanecast.transport.stage cimport Fifo, Packet

cdef int _EARLY, _TAIL, _CLASSIC, _LOW, _BARE, _NOBODY
cdef long long _SECOND


cdef class DualPi2(Queue):
    cdef readonly Stream stream
    cdef readonly object settings
    cdef readonly Fifo low
    cdef readonly Fifo classic
    cdef public object classifier
    cdef public double probability
    cdef readonly double credit
    cdef readonly long long marked_step
    cdef readonly long long marked_coupled
    cdef readonly long long dropped_low
    cdef long long _last_delay, _next_update, _target, _tupdate, _step, _ramp, _tshift
    cdef long long _step_packets, _least_depth, _ramp_least, _least
    cdef double _alpha, _beta, _k, _ceiling, _wc, _wl, _rest, _debt_low, _debt_classic
    cdef bint _strict, _drops_low, _at_arrival, _recur, _scaled, _both, _noted
    cdef int _mask
    cdef object _notes
    cdef set _bare
    cpdef probabilities(self)
    cdef int _classify(self, Packet packet) except *
    cdef _note(self)
    cdef int _pick(self, long long now) except *
    cdef double _price(self, Packet packet, bint low) except *
    cdef bint _survives(self, long long now, Packet packet, bint low, long long note) except *
    cdef long long _waited(self, long long now, Packet packet, long long note) except *
    cpdef bint _coupled(self, long long now, Packet packet, bint low) except *
    cdef double _ramped(self, long long now, Packet packet) except *
    cdef bint _mark_or_drop(self, long long now, Packet packet) except *
    cdef bint _drop_low(self, long long now, Packet packet) except *
    cdef bint _hits(self, double p, bint low) except *
    cpdef bint _hits_twice(self, double p, bint low) except *
    cdef _catch_up(self, long long now)
    cdef _update_at(self, long long now)
