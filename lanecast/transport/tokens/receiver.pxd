cimport cython

from lanecast.transport.calendar cimport Calendar
from lanecast.transport.stage cimport Ack, Packet, Stage, make_ack
from lanecast.transport.tokens.ledger cimport varint_size
from lanecast.transport.tokens.scheme cimport TokenScheme

cdef long long _NEVER, _LAST_BEAT
cdef int _DATA, _CE, _ECT0, _ECT1


cdef class TokenReceiver(Stage):
    cdef readonly Calendar calendar
    cdef readonly long long flow
    cdef readonly long long ack_every
    cdef readonly long long ack_delay
    cdef readonly long long heartbeat
    cdef readonly long long heartbeats
    cdef readonly object decoder
    cdef readonly list arrivals
    cdef readonly list rendered
    cdef readonly long long cumulative
    cdef readonly long long top
    cdef readonly long long largest
    cdef readonly long long largest_at
    cdef readonly long long received
    cdef readonly long long received_bytes
    cdef readonly long long duplicates
    cdef readonly long long undecodable
    cdef readonly long long ect0
    cdef readonly long long ect1
    cdef readonly long long ce
    cdef readonly long long acks
    cdef readonly long long ack_bytes
    cdef long long _last_token
    cdef long long _unacked
    cdef long long _ack_due
    cdef long long _quiet_due
    cdef long long _quiet_posted
    cdef long long _arrival_gap
    cdef long long _raised_at
    cdef readonly long long last_arrival
    cdef _learn(self, long long now)
    cdef _listen(self, long long now)
    cdef _beat(self, long long now)
    cpdef TokenReceiver follow(self, TokenScheme scheme)
    cdef _count(self, long long now, Packet packet)
    cdef _take(self, long long now, tuple runs)
    cpdef hold(self, long long now, long long index)
    cdef _decode(self, long long now, payload)
    cdef _render(self, long long now)
    cdef _acknowledge(self, long long now, bint beat)
    cdef _fill_ranges(self, Ack ack)
    cdef _write_ranges(self, Ack ack, list ranges)

