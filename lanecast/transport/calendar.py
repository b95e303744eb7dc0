"""The calendar: which stage is to be woken next, and when.

Entries are ordered by (time, sequence), where the sequence counts posts: equal times fire in the order in
which they were asked for. The calendar never advances by itself; a driver calls `settle(until)`, which
fires every event due, each at its own time, and only then sets `now = until`.

Two bodies share one behaviour: compiled, two C arrays hold a binary heap of (time, sequence << 20 | slot);
as plain Python, `heapq` holds tuples. In both, the entry being fired stays at the root until its stage
posts again (one sift instead of two: most stages re-arm at once) or returns without posting.
"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace

import cython

from lanecast.transport.stage import Stage
from lanecast.transport.units import NEVER, Int, Ns

SLOT_BITS = 20  # 2^20 stages and 2^43 posts fit one 64-bit key
SPIN_LIMIT = 10_000  # wake-ups at one instant, per stage, before the calendar calls it a bug
_SLOT_BITS = SLOT_BITS
_SLOT_MASK = (1 << SLOT_BITS) - 1
_SPIN_LIMIT = SPIN_LIMIT


class Calendar:
    """Pending wake-ups of stages, in virtual time."""

    def __init__(self) -> None:
        self.now = 0
        self.posted = 0
        self.fired = 0
        self._stages: list[Stage] = []
        self._firing = False  # the root is the entry being fired
        self._count = 0
        self._spins = 0
        if cython.compiled:
            self._reserve(64)
        else:
            self._heap: list[tuple[Ns, int, Stage]] = []

    def __dealloc__(self) -> None:
        if cython.compiled:
            free(self._time)  # type: ignore[name-defined]  # noqa: F821
            free(self._key)  # type: ignore[name-defined]  # noqa: F821

    def at(self, when: Ns, stage: Stage) -> None:
        """Wake `stage` at `when` (>= now)."""
        if when < self.now:
            raise ValueError(f"{stage.name}: asked to be woken at {when} ns, but it is {self.now} ns already")
        if stage.slot < 0:
            self._register(stage)
        posted: cython.longlong = self.posted + 1
        self.posted = posted
        if cython.compiled:
            self._post(when, (posted << _SLOT_BITS) | stage.slot)
        elif self._firing:
            self._firing = False
            heapreplace(self._heap, (when, posted, stage))
        else:
            heappush(self._heap, (when, posted, stage))

    def next_event(self) -> Ns:
        """Return the least pending time, NEVER when idle."""
        self._close_root()
        if cython.compiled:
            return self._time[0] if self._count > 0 else NEVER
        else:  # noqa: RET505 - each form compiles to its own body
            return self._heap[0][0] if self._heap else NEVER

    def settle(self, until: Ns) -> None:
        """Fire every event due by `until`, each at its own due time; then `now = until`."""
        if until < self.now:
            raise ValueError(f"calendar: time would go back from {self.now} to {until} ns")
        if cython.compiled:
            self._run_compiled(until)
        else:
            self._run_plain(until)
        self.now = until

    def _run_plain(self, until: Ns) -> None:
        heap = self._heap
        now = self.now
        while heap:
            when, _, stage = heap[0]
            if when > until:
                break
            self.fired += 1
            if when > now:
                self.now = now = when
                self._spins = 0
            else:
                self._spin(when, stage)
            self._firing = True
            stage.wake(when)
            if self._firing:
                self._firing = False
                heappop(heap)

    def _run_compiled(self, until: Ns) -> None:
        when: cython.longlong
        stage: Stage
        while self._count > 0 and self._time[0] <= until:
            when = self._time[0]
            stage = self._stages[self._key[0] & _SLOT_MASK]
            self.fired += 1
            if when > self.now:
                self.now = when
                self._spins = 0
            else:
                self._spin(when, stage)
            if self.fired & 0xFFFF == 0:
                PyErr_CheckSignals()  # type: ignore[name-defined]  # noqa: F821 - Ctrl-C is seen in long runs
            self._firing = True
            stage.wake(when)
            if self._firing:
                self._firing = False
                self._drop_root()

    def _spin(self, when: Ns, stage: Stage) -> None:
        """Count a wake-up at the same instant; too many are a bug of a stage."""
        self._spins += 1
        if self._spins > _SPIN_LIMIT * len(self._stages):
            raise RuntimeError(
                f"no progress: {self._spins} wake-ups at {when} ns, last of stage {stage.name!r}"
            )

    def _register(self, stage: Stage) -> None:
        if len(self._stages) >= 1 << SLOT_BITS:
            raise RuntimeError(f"calendar: more than {1 << SLOT_BITS} stages")
        stage.slot = len(self._stages)
        self._stages.append(stage)

    def _close_root(self) -> None:
        """Remove the entry being fired, so that the root is a pending one."""
        if self._firing:
            self._firing = False
            if cython.compiled:
                self._drop_root()
            else:
                heappop(self._heap)

    def _reserve(self, capacity: Int) -> None:
        size: cython.Py_ssize_t = capacity * 8
        self._time = cython.cast(cython.p_longlong, realloc(self._time, size))  # type: ignore  # noqa: F821, PGH003
        self._key = cython.cast(cython.p_longlong, realloc(self._key, size))  # type: ignore  # noqa: F821, PGH003
        if not self._time or not self._key:
            raise MemoryError
        self._capacity = capacity

    def _post(self, when: Ns, key: Int) -> None:
        if self._firing:
            self._firing = False
            self._sift_down(when, key)
            return
        if self._count == self._capacity:
            self._reserve(2 * self._capacity)
        place: cython.Py_ssize_t = self._count
        parent: cython.Py_ssize_t
        self._count += 1
        while place > 0:  # a new key is the largest of its time: compare times only
            parent = (place - 1) >> 1
            if self._time[parent] <= when:
                break
            self._time[place] = self._time[parent]
            self._key[place] = self._key[parent]
            place = parent
        self._time[place] = when
        self._key[place] = key

    def _drop_root(self) -> None:
        self._count -= 1
        if self._count > 0:
            self._sift_down(self._time[self._count], self._key[self._count])

    def _sift_down(self, when: Ns, key: Int) -> None:
        """Put (when, key) at the root and let it sink to its place."""
        place: cython.Py_ssize_t = 0
        child: cython.Py_ssize_t = 1
        while child < self._count:
            if child + 1 < self._count and (
                self._time[child + 1] < self._time[child]
                or (self._time[child + 1] == self._time[child] and self._key[child + 1] < self._key[child])
            ):
                child += 1
            if when < self._time[child] or (when == self._time[child] and key < self._key[child]):
                break
            self._time[place] = self._time[child]
            self._key[place] = self._key[child]
            place = child
            child = 2 * place + 1
        self._time[place] = when
        self._key[place] = key
