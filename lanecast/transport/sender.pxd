cimport cython

from lanecast.transport.calendar cimport Calendar
from lanecast.transport.congestion.base cimport CongestionControl
from lanecast.transport.feedback cimport Feedback
from lanecast.transport.marking cimport Marker
from lanecast.transport.pacing cimport Pacer
from lanecast.transport.records cimport Sent
from lanecast.transport.recovery cimport Recovery
from lanecast.transport.rtt cimport RttEstimator
from lanecast.transport.stage cimport Ack, Packet, Stage, make_packet

cdef long long _NEVER
cdef long long _ECN_PACKETS, _ECN_TIMEOUTS
cdef int _ACK, _CORRUPT, _DATA, _NOT_ECT, _LOSS, _PROBE, _RTO


@cython.final
cdef class Sender(Stage):
    cdef readonly Calendar calendar
    cdef readonly CongestionControl congestion
    cdef readonly long long flow
    cdef readonly Recovery recovery
    cdef readonly Pacer pacer
    cdef readonly Marker marker
    cdef readonly Feedback feedback
    cdef readonly long long packet_size
    cdef readonly long long header
    cdef readonly long long window
    cdef readonly bint restart_after_idle
    cdef readonly long long limit
    cdef readonly long long next_index
    cdef readonly long long created
    cdef readonly long long retransmitted
    cdef readonly long long probes
    cdef readonly long long timeouts
    cdef readonly long long undone
    cdef readonly bint app_limited
    cdef readonly long long plain
    cdef readonly bint ecn_failed
    cdef bint _testing
    cdef object _shorts
    cdef long long _short_index
    cdef long long _free
    cdef long long _release
    cdef long long _armed
    cdef bint _tells_sent
    cpdef start(self, long long when)
    cpdef bulk(self)
    cpdef write(self, long long now, long long units)
    cpdef long long units_of(self, long long size) except *
    cpdef long long write_bytes(self, long long now, long long size) except *
    cpdef is_done(self)
    cdef _test_ecn(self, Ack ack)
    cdef _time_out(self, long long now)
    cdef _count_timeout(self)
    cdef _hear_losses(self, long long now)
    cdef _probe(self, long long now)
    cdef bint _has_new(self) noexcept
    cdef _transmit(self, long long now)
    cdef _note_limited(self)
    cdef _pass_short(self)
    cdef _hear_idle(self, long long now)
    cdef _send(self, long long now, long long index, long long size, bint resend)
    cdef _pace(self, long long now, long long size)
    cdef _arm(self, long long now)
