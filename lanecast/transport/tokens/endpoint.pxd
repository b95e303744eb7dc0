cimport cython

from lanecast.transport.calendar cimport Calendar
from lanecast.transport.congestion.base cimport AckObservation, CongestionControl, LossObservation
from lanecast.transport.rtt cimport RttEstimator
from lanecast.transport.stage cimport Ack, Packet, Stage, make_packet
from lanecast.transport.tokens.ledger cimport Ledger
from lanecast.transport.tokens.scheme cimport TokenScheme

cdef long long _NEVER
cdef int _DATA, _ACK


cdef class TokenSender(Stage):
    cdef readonly Calendar calendar
    cdef readonly TokenScheme scheme
    cdef readonly CongestionControl controller
    cdef readonly Ledger ledger
    cdef readonly long long flow
    cdef readonly int ecn
    cdef readonly long long sent_bytes
    cdef readonly long long blocked
    cdef readonly long long refused
    cdef list _times
    cdef list _sizes
    cdef long long _count
    cdef bint _open
    cdef long long _armed
    cdef bint _is_blocked
    cdef AckObservation _ack
    cdef LossObservation _loss
    cdef long long _round_end
    cdef long long _max_body
    cdef _check_sizes(self)
    cpdef offer(self, long long now, long long size)
    cpdef close(self, long long now)
    cpdef is_done(self)
    cdef _act(self, long long now)
    cdef _send_all(self, long long now)
    cdef long long _needed(self) except *
    cdef long long _send(self, long long now, payload) except *
    cdef _arm(self, long long now)
    cdef _tell_controller(self, long long now, long long before, long long flight)
    cdef _tell_loss(self, long long now, long long flight)
