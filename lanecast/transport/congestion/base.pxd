cimport cython

cdef double _MAX_PACING_BPS


@cython.final
cdef class AckObservation:
    cdef public long long now
    cdef public long long rtt
    cdef public long long srtt
    cdef public long long min_rtt
    cdef public long long acked
    cdef public long long acked_packets
    cdef public long long ce
    cdef public long long ce_bytes
    cdef public long long received
    cdef public long long in_flight
    cdef public long long flight
    cdef public bint app_limited
    cdef public long long pn
    cdef public long long next_pn
    cdef public bint round_start
    cdef public long long delivered
    cdef public long long rate_size
    cdef public long long rate_interval
    cdef public bint rate_app_limited
    cpdef long long delivery_rate_bps(self) except *


@cython.final
cdef class LossObservation:
    cdef public long long now
    cdef public long long lost
    cdef public long long lost_packets
    cdef public long long in_flight
    cdef public long long flight
    cdef public long long pn
    cdef public long long sent
    cdef public long long next_pn
    cdef public long long srtt
    cdef public bint fresh
    cdef public bint app_limited


cdef class CongestionControl:
    cdef public long long mss
    cdef public double initial_cwnd
    cdef public double cwnd
    cdef public double ssthresh
    cdef public long long pacing_rate_bps
    cdef public long long recovery_end
    cpdef on_sent(self, long long now, long long size, long long in_flight)
    cpdef on_ack(self, AckObservation ack)
    cpdef on_loss(self, LossObservation loss)
    cpdef on_pto(self, long long now, long long count)
    cpdef on_rto(self, LossObservation loss)
    cpdef on_persistent_congestion(self, LossObservation loss)
    cpdef on_spurious(self, long long now)
    cpdef on_idle(self, long long now, long long idle)
    cpdef bint is_fresh(self, long long pn) except *
    cpdef pace_at(self, double rate_bps)
