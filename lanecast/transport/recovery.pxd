from lanecast.transport.congestion.base cimport AckObservation, LossObservation
from lanecast.transport.feedback cimport Feedback
from lanecast.transport.flight cimport Flight
from lanecast.transport.records cimport Sent
from lanecast.transport.rtt cimport RttEstimator
from lanecast.transport.stage cimport Ack

cdef long long _NEVER, _PACKET_THRESHOLD, _MAX_TIMEOUT, _MAX_BACKOFF, _TIMER_ONLY
cdef int _LATE, _NOTHING, _LOSS, _PROBE, _RTO


cdef class Recovery(Flight):
    cdef readonly RttEstimator rtt
    cdef readonly AckObservation ack
    cdef readonly LossObservation loss
    cdef public long long loss_time
    cdef public int backoff
    cdef readonly long long episode
    cdef readonly long long episode_end
    cdef readonly long long episode_lost
    cdef readonly long long episode_spurious
    cdef public long long persistent_periods
    cdef readonly bint persistent
    cdef readonly bint undo
    cdef readonly long long lost_packets
    cdef readonly long long spurious_packets
    cdef readonly long long marks
    cdef public Feedback feedback
    cdef public bint ordered
    cdef long long _mark_bytes
    cdef long long _unnamed
    cdef long long _received
    cdef long long _round_end
    cdef readonly long long newest_rtt
    cdef long long _run_start
    cdef long long _run_pn
    cpdef long long lost_at(self, Sent record) except *
    cpdef long long deadline(self) except *
    cpdef long long on_timeout(self, long long now) except *
    cpdef Sent probe_record(self)
    cpdef bint on_ack(self, long long now, Ack ack) except -1
    cdef _measure(self, long long now, Ack ack, Sent newest)
    cdef _find_spurious(self, Ack ack)
    cpdef bint detect(self, long long now) except -1
    cpdef lose_all(self, long long now)
    cdef _open_loss(self, long long now)
    cdef _lose(self, Sent record)
    cdef _extend_run(self, Sent record)
    cdef long long _backed_off(self, long long period) except *
