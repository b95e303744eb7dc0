cimport cython


@cython.final
cdef class RangeSet:
    cdef readonly long long limit
    cdef readonly Py_ssize_t count
    cdef readonly long long forgotten
    cdef readonly long long changes
    cdef readonly long long first
    cdef readonly long long last
    cdef Py_ssize_t _start
    cdef Py_ssize_t _below
    cdef Py_ssize_t _capacity
    cdef long long[::1] _firsts
    cdef long long[::1] _lasts
    cpdef bint add(self, long long number) except -1
    cpdef bint contains(self, long long number) except -1
    cpdef long long first_of(self, Py_ssize_t place) except *
    cpdef long long last_of(self, Py_ssize_t place) except *
    cpdef list ranges(self)
    cdef _join_highest(self)
    cdef bint _add_below(self, long long number) except -1
    cdef Py_ssize_t _search(self, long long number) noexcept
    cdef _insert(self, Py_ssize_t place, long long first, long long last)
    cdef _remove(self, Py_ssize_t place)
    cdef Py_ssize_t _make_room(self) except -1


@cython.final
cdef class Ahead:
    cdef readonly long long count
    cdef long long _mask
    cdef bytearray _flags
    cpdef bint add(self, long long number, long long base) except -1
    cpdef long long advance(self, long long number) except *
    cdef _grow(self, long long base)
