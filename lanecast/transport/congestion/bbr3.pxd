from lanecast.transport.congestion.base cimport AckObservation
from lanecast.transport.congestion.bbr cimport PathModel
from lanecast.transport.rng cimport uniform_at

cdef int _STARTUP, _DRAIN, _PROBE_RTT, _DOWN, _CRUISE, _REFILL, _UP
cdef long long _MIN_RTT_WINDOW, _PROBE_RTT_WINDOW
cdef double _UNLIMITED, _KEPT, _HEADROOM, _LOSS_THRESHOLD, _ECN_THRESHOLD, _ECN_GAIN, _ECN_FACTOR, _PROBE_RTT_GAIN


cdef class Bbr3(PathModel):
    cdef readonly long long ecn_max_rtt
    cdef readonly long long seed
    cdef readonly double high
    cdef readonly double low
    cdef readonly double low_bandwidth
    cdef readonly double alpha
    cdef readonly long long cycles
    cdef readonly long long cycle_start
    cdef readonly long long wait
    cdef readonly long long probe_rtt_min
    cdef readonly long long probe_rtt_at
    cdef double _this_cycle
    cdef double _last_cycle
    cdef long long _rounds_since_probe
    cdef double _latest
    cdef double _latest_flight
    cdef long long _lost
    cdef long long _loss_events
    cdef long long _ce
    cdef long long _received
    cdef long long _marked_rounds
    cdef bint _judging
    cdef long long _up_rounds
    cdef double _up_acked
    cdef double _up_step
    cdef bint _flat
    cpdef bint uses_marks(self) except *
    cpdef double headroom(self) except *
    cdef _learn(self, AckObservation ack)
    cdef _end_round(self, AckObservation ack)
    cdef _check_heavy(self, AckObservation ack)
    cdef _lower(self, bint marked)
    cdef _forget_low(self)
    cdef _go_back(self, long long now, double flight, bint app_limited)
    cdef _check_flat(self, AckObservation ack)
    cdef _advance(self, AckObservation ack)
    cdef bint _is_time_to_probe(self, long long now) except *
    cdef _enter_down(self, long long now)
    cdef _enter_refill(self, long long now)
    cdef _enter_up(self, AckObservation ack)
    cdef _steepen(self)
    cdef _raise_high(self, AckObservation ack)
    cdef _learn_min_rtt(self, AckObservation ack)
    cdef double _probe_flight(self) except *
    cdef _leave_probe_rtt(self, long long now)
    cdef _set_window(self, AckObservation ack)
