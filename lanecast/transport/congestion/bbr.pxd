from lanecast.transport.congestion.base cimport AckObservation, CongestionControl

cdef double _MARGIN, _GROWTH, _HIGH_GAIN, _QUANTUM_S
cdef long long _FLAT_ROUNDS, _PROBE_RTT_TIME, _PHASES, _QUANTUM_PACKETS, _QUANTUM_BYTES, _QUANTA
cdef int _STARTUP, _DRAIN, _PROBE_BW, _PROBE_RTT


cdef class PathModel(CongestionControl):
    cdef readonly long long state
    cdef readonly double startup_gain
    cdef readonly double startup_window
    cdef readonly double pacing_gain
    cdef readonly double window_gain
    cdef readonly double minimum_cwnd
    cdef readonly double bandwidth
    cdef readonly long long min_rtt
    cdef readonly long long min_rtt_at
    cdef readonly long long rounds
    cdef readonly bint full
    cdef readonly long long flat_rounds
    cdef readonly double plateau
    cdef readonly long long probe_end
    cdef readonly bint probe_round
    cdef readonly double prior_cwnd
    cdef readonly bint idle_restart
    cdef readonly long long sample_start
    cpdef double bdp(self, double gain) except *
    cpdef double flight_target(self, double gain) except *
    cpdef check_full(self, AckObservation ack)
    cpdef set_rate(self, AckObservation ack)
    cpdef bint is_sample(self, AckObservation ack, double rate) except *
    cpdef double usable_bandwidth(self) except *
    cpdef hold_probe(self, AckObservation ack, double floor)
    cpdef enter_probe_rtt(self)
    cpdef restore_window(self)
    cpdef grow_towards(self, AckObservation ack, double target)


cdef class Bbr(PathModel):
    cdef readonly long long first_phase
    cdef readonly long long phase
    cdef readonly long long phase_start
    cdef readonly list maxima
    cdef readonly bint lost
    cdef long long _place
    cdef bint _turn
    cdef _learn_bandwidth(self, AckObservation ack)
    cdef _advance(self, AckObservation ack)
    cdef bint _is_phase_over(self, AckObservation ack) except *
    cdef _enter_probe_bw(self, long long now)
    cdef _set_phase(self, long long phase, long long now)
    cdef _learn_min_rtt(self, AckObservation ack)
