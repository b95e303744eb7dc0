cimport cython

cdef long long _WATCH_LIMIT
cdef int _IN_FLIGHT, _LOST, _RESENT


@cython.final
cdef class Sent:
    cdef public long long pn
    cdef public long long index
    cdef public long long size
    cdef public long long sent
    cdef public long long delivered
    cdef public long long delivered_at
    cdef public long long first_sent
    cdef public long long base
    cdef public long long episode
    cdef public int state
    cdef public bint app_limited
    cdef public bint resend
    cdef public Sent next


cdef class Records:
    cdef readonly Sent head
    cdef readonly Sent tail
    cdef readonly long long in_flight
    cdef readonly long long count
    cdef readonly long long next_pn
    cdef readonly long long cumulative
    cdef readonly Sent lost_head
    cdef readonly Sent lost_tail
    cdef readonly Sent waiting
    cdef readonly long long watched
    cdef public long long timer_base
    cdef readonly long long last_sent
    cdef readonly long long delivered
    cdef readonly long long delivered_at
    cdef readonly long long first_sent
    cdef readonly long long app_limited_until
    cpdef track(self, long long now, long long index, long long size, bint resend)
    cpdef Sent next_resend(self)
    cpdef resent(self, Sent record)
    cpdef note_app_limited(self)
    cdef keep_lost(self, Sent record)
    cdef _pass_waiting(self, Sent record)
    cdef _unlink(self)
