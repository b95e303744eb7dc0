cimport cython

cdef int _ACK, _NOT_ECT


cdef class Packet:
    cdef public long long flow
    cdef public int kind
    cdef public int label
    cdef public long long size
    cdef public int ecn
    cdef public int cwr
    cdef public long long pn
    cdef public long long index
    cdef public long long sent
    cdef public long long enqueued
    cdef public object payload
    cdef public Packet next


@cython.final
cdef class Ack(Packet):
    cdef public long long largest
    cdef public long long cumulative
    cdef public long long delay
    cdef public long long first0
    cdef public long long last0
    cdef public long long first1
    cdef public long long last1
    cdef public long long first2
    cdef public long long last2
    cdef public long long first3
    cdef public long long last3
    cdef public long long ect0
    cdef public long long ect1
    cdef public long long ce
    cdef public long long ect0_bytes
    cdef public long long ect1_bytes
    cdef public long long ce_bytes
    cdef public int ece
    cdef public long long received
    cdef public long long received_bytes


cpdef Packet make_packet(long long flow, int kind, long long size, int ecn, long long pn, long long index, long long sent)

cpdef Ack make_ack(long long flow, long long size, long long pn, long long sent)

cpdef Ack new_ack(long long flow, long long size, long long pn, long long sent)


cpdef Packet copy_packet(Packet packet)

cdef _copy_report(Ack source, Ack target)


cdef class Stage:
    cdef public str name
    cdef public Stage out
    cdef public long long slot
    cdef public long long pushed
    cdef public long long passed
    cdef public long long dropped
    cpdef push(self, long long now, Packet packet)
    cpdef wake(self, long long now)
    cpdef forward(self, long long now, Packet packet)
    cpdef drop(self, long long now, Packet packet)
    cpdef long long held(self) except *


@cython.final
cdef class Fifo:
    cdef public Packet head
    cdef public Packet tail
    cdef public long long count
    cdef public long long size
    cpdef append(self, Packet packet)
    cpdef Packet popleft(self)


cdef class Outbox(Stage):
    cdef public Fifo line
    cpdef Packet pull(self)


cdef class Sink(Stage):
    cdef public long long size


cdef class Demux(Stage):
    cdef public list routes
