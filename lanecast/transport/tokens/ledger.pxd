cimport cython

from lanecast.transport.rtt cimport RttEstimator
from lanecast.transport.stage cimport Ack

cdef long long _NEVER


@cython.final
cdef class Ledger:
    cdef readonly RttEstimator rtt
    cdef public long long header
    cdef public long long limit
    cdef public bint finished
    cdef readonly long long generated
    cdef readonly long long unsent
    cdef readonly long long cumulative
    cdef readonly long long acked_count
    cdef readonly long long top
    cdef readonly list born
    cdef readonly list prefix
    cdef readonly list first_sent
    cdef readonly list last_pn
    cdef readonly bytearray acked
    cdef readonly long long next_pn
    cdef readonly list sent_at
    cdef readonly list sent_prefix
    cdef readonly long long last_sent
    cdef readonly long long largest
    cdef readonly long long largest_sent
    cdef readonly long long last_ack
    cdef readonly long long waited
    cdef readonly list news
    cdef readonly bint advanced
    cdef readonly long long received
    cdef readonly long long ce
    cdef readonly long long ce_news
    cdef readonly long long lost
    cdef readonly long long lost_news
    cdef readonly bint grown
    cdef long long _above
    cdef long long _spread
    cdef long long _base
    cdef long long _older
    cdef long long _base_ends
    cdef long long _shortage
    cdef long long _shortage_since
    cdef long long _flight_pn
    cpdef generate(self, long long born, long long size)
    cpdef note_sent(self, long long now, long long size, tuple runs)
    cpdef bint acknowledge(self, long long now, Ack ack) except *
    cdef _hold(self, long long first, long long stop)
    cdef _watch_queue(self, long long now, long long sample)
    cdef _count_losses(self, long long now, Ack ack)
    cpdef declare_lost(self, long long packets)
    cpdef long long in_flight(self, long long now) except *
    cpdef long long flight_ends(self) except *
    cpdef long long outstanding(self) except *
    cpdef long long unacked(self) except *
    cpdef long long overhead(self, tuple runs) except *
    cpdef long long body(self, tuple runs) except *
    cpdef long long size(self, tuple runs) except *
    cpdef tuple runs(self, long long start)
    cdef tuple _unacked_runs(self, long long first, long long stop, long long room)
    cdef tuple _trimmed(self, long long first)


cpdef long long varint_size(long long value) noexcept
