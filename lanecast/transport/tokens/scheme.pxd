from lanecast.transport.tokens.ledger cimport Ledger

cdef long long _NEVER


cdef class Coded:
    cdef readonly tuple runs
    cdef readonly tuple repairs
    cdef readonly long long repair_bytes


cdef class TokenScheme:
    cdef public long long header
    cdef public int ecn
    cdef public long long ack_every
    cdef public long long ack_delay
    cdef public long long heartbeat
    cdef public bint reduces
    cdef public bint gated
    cpdef on_token(self, Ledger ledger, long long now, long long index)
    cpdef on_ack(self, Ledger ledger, long long now)
    cpdef on_timer(self, Ledger ledger, long long now)
    cpdef carry(self, Ledger ledger, long long now)
    cpdef on_sent(self, Ledger ledger, long long now, long long size)
    cpdef long long deadline(self, Ledger ledger, long long now) except *
    cpdef make_decoder(self)
