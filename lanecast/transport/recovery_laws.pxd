from lanecast.transport.records cimport Sent
from lanecast.transport.recovery cimport Recovery

cdef long long _NEVER, _TIMER_ONLY, _GRANULARITY, _PACKET_THRESHOLD, _RACK_MAX_ACK_DELAY, _RACK_NO_SAMPLE, _RACK_PERSIST
cdef int _NOTHING, _LOSS, _PROBE, _RTO


cdef class Rfc9002(Recovery):
    pass


cdef class TcpRecovery(Recovery):
    cdef readonly long long rto_min
    cdef readonly bint double_srtt
    cpdef long long rto(self) except *


cdef class DupAck(TcpRecovery):
    pass


cdef class RackTlp(TcpRecovery):
    cdef readonly long long window_factor
    cdef long long _persist
    cdef long long _seen_spurious
    cdef long long _seen_episode
    cdef long long _factor_end
    cdef long long _probe_end
    cpdef long long reorder_window(self, Sent record) except *
    cdef bint _may_probe(self) noexcept
