cimport cython


@cython.final
cdef class RangeSet:
    cdef readonly long long limit
    cdef readonly Py_ssize_t count
    cdef readonly long long forgotten
    cdef Py_ssize_t _capacity
    cdef long long[::1] firsts
    cdef long long[::1] lasts
    cpdef bint add(self, long long number) except -1
    cpdef bint contains(self, long long number) except -1
    cpdef pop_lowest(self)
    cpdef list ranges(self)
    cdef Py_ssize_t _search(self, long long number) noexcept
    cdef _insert(self, Py_ssize_t place, long long number)
    cdef _remove(self, Py_ssize_t place)
    cdef _grow(self)
