"""A lossy, jittery one-way channel with common random numbers: the wire of the token-streaming experiments.

Loss and jitter of a packet are pure functions of (key, slot, n) as in `impair`; packets may overtake.
Jitter is Erlang: the sum of two exponentials (shape 2). An oracle asks `lost_at` and `delay_at` for any
slot and n, whatever a scheme has sent.
"""

from __future__ import annotations

import cython

from lanecast.emulation.delay import Delay
from lanecast.emulation.impair import LossProcess, SlotDraws
from lanecast.transport import recorder
from lanecast.transport.calendar import Calendar
from lanecast.transport.recorder import PacketLog
from lanecast.transport.rng import uniform_at
from lanecast.transport.stage import Packet
from lanecast.transport.units import Int, Ns

if not cython.compiled:
    from math import log  # compiled, the `.pxd` brings the C library's: the same bits

_EVENT_LOSE = recorder.LOSE


class Channel(Delay):
    """Loses or delays each packet; `base` is the constant part of the delay (ns), `jitter_mean` the rest's mean."""

    def __init__(
        self,
        calendar: Calendar,
        key: int,
        process: LossProcess,
        base: int,
        *,
        jitter_mean: int = 0,
        ordered: bool = False,
        name: str = "",
    ) -> None:
        super().__init__(calendar, base, ordered=ordered, name=name)
        if jitter_mean < 0:
            raise ValueError(f"{self.name}: jitter_mean must be >= 0 ns, got {jitter_mean}")
        self.draws = SlotDraws(key, process)
        self.jitter_mean = jitter_mean
        self.log: PacketLog | None = None
        self.log_id = 0

    def push(self, now: Ns, packet: Packet) -> None:
        """Lose the packet or put it on its way."""
        self.draws.count(now)
        if self.draws.lost_at(self.draws.slot, self.draws.n):
            self.pushed += 1
            self.dropped += 1
            if self.log is not None:
                self.log.row(now, self.log_id, _EVENT_LOSE, packet, 0)
            return
        Delay.push(self, now, packet)

    def delay_of(self, now: Ns, packet: Packet) -> Ns:
        """Return the delay of the packet counted last."""
        return self.delay_at(self.draws.slot, self.draws.n)

    def lost_at(self, slot: Int, n: Int) -> bool:
        """Tell whether the n-th packet (from 0) of a slot is lost."""
        return self.draws.lost_at(slot, n)

    def delay_at(self, slot: Int, n: Int) -> Ns:
        """Return the delay of the n-th packet (from 0) of a slot, ns."""
        if self.jitter_mean == 0:
            return self.delay
        # Two draws of their own: odd multiples keep them apart from the loss draw of (slot, n).
        first = uniform_at(self.draws.key + 1, slot, 2 * n)
        second = uniform_at(self.draws.key + 1, slot, 2 * n + 1)
        return self.delay + int(-(log(1.0 - first) + log(1.0 - second)) * (self.jitter_mean / 2))
