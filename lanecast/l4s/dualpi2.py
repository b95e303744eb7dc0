"""DualPI2: two queues, one link, one controller; low delay for scalable senders beside classic ones (RFC 9332).

Theory of operation. L4S packets (ECT(1), CE) wait in L, others in C; a scheduler picks. The coupled law of
`coupling.py` acts on both, with q the longer of both queueing delays: p^2 on C, k p on L. The square root that tells
classic from scalable senders is thereby undone, and flows of both kinds get about equal windows. L has its own shallow
marking besides: a step, or a ramp, on the sojourn time.

The order of steps is that of Linux `sch_dualpi2`: pick a queue, judge the packet once it has left the backlog, then the
step; a dropped packet earns no credit, and the next is picked. With a ramp (RFC 9332 A.1) the greater of ramp and
p_CL counts, in one roll. `dualpi2_profiles.py` has the settings and what they mean, `discipline.py` who goes next,
`classifier.py` which queue.

Left out: splitting of segmentation-offload packets (ours are never joined).
"""

from __future__ import annotations

from collections import deque
from typing import Any

import cython

from lanecast.l4s.classifier import BARE, CLASSIC, LOW, MASKS, Classifier
from lanecast.l4s.coupling import PiQueue, Tally
from lanecast.l4s.discipline import NOBODY, Credit, Discipline, TimeShifted, Wrr
from lanecast.l4s.dualpi2_profiles import MTU, Settings, settings_of
from lanecast.transport.rng import Stream
from lanecast.transport.stage import Fifo, Packet
from lanecast.transport.units import Int, Ns

__all__ = ["BARE", "CLASSIC", "LOW", "DualPi2", "Settings", "Tally"]

_CLASSIC, _LOW, _BARE, _NOBODY = CLASSIC, LOW, BARE, NOBODY


class DualPi2(PiQueue):
    """Two FIFOs under the coupled law.

    `limit_packets` and `limit_bytes` are other names of `limit` and `memlimit`. `classifier` may overrule the ECN bits.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        profile: str = "linux",
        classifier: Classifier | None = None,
        **changes: Any,
    ) -> None:
        self.low = Fifo()
        self.classic = Fifo()
        self.classifier = classifier
        self.most_packets = 0  # held at once, so far
        self._notes: Any = (
            deque()
        )  # of each packet in L: L's backlog at its arrival, negative where no step applies
        self._bare: Any = set()
        super().__init__(stream, settings_of(profile, **changes))

    def configure(self, now: Ns, **changes: Any) -> None:
        """Change settings in operation; packets, probability and statistics stay, a changed scheduler starts afresh.

        Raises:
            ValueError: a setting is unknown or impossible; nothing has changed then.
        """
        settings = settings_of("linux", self.settings, **changes)
        self.catch_up(now)
        self.adopt(settings)
        while self._noted and len(self._notes) < self.low.count:  # packets that came before notes were needed
            self._notes.append(self.low.size)

    def adopt(self, settings: Settings) -> None:
        """Take over settings."""
        before: Any = self.settings
        scheduler: Any = discipline_of(settings)
        PiQueue.adopt(self, settings)
        self._step = settings.step_thresh
        self._step_packets = settings.step_packets
        self._least_depth = settings.min_qlen_step
        self._ramp = settings.ramp_range
        self._ramp_least = settings.ramp_least
        self._mask = MASKS[settings.ecn_mask]
        self._scaled = settings.sojourn == "scaled"
        self._both = settings.pi_input == "both"
        if not self._scaled and self._least_depth == 0:
            self._notes.clear()
        self._noted = self._scaled or self._least_depth > 0
        if before is None or before.scheduling != settings.scheduling:
            self.scheduler = scheduler

    # What can be read ---------------------------------------------------------------------------------------

    @property
    def credit(self) -> float:
        """The scheduler's balance: above 0 it is C's turn."""
        balance: float = self.scheduler.balance()
        return balance

    @property
    def marked_step(self) -> int:
        """L packets marked by the step."""
        return self.tally_low.marked_step

    @property
    def marked_coupled(self) -> int:
        """L packets marked by the coupled law, or by the ramp where it is greater."""
        return self.tally_low.marked_coupled

    @property
    def dropped_low(self) -> int:
        """L packets dropped by the law (not at a limit)."""
        return self.tally_low.dropped_early

    def head_sojourn(self, now: Ns) -> Ns:
        """Return how long the packet that goes next has waited, 0 when empty."""
        picked: cython.longlong = self.scheduler.pick(self.low, self.classic)
        head: Packet | None = self.low.head if picked == _LOW else self.classic.head
        return 0 if head is None else now - head.enqueued

    def delay_at(self, now: Ns) -> Ns:
        """Return the longer of both heads' waiting times, or C's alone."""
        delay: cython.longlong = 0
        if self.classic.head is not None:
            delay = now - self.classic.head.enqueued
        if self._both and self.low.head is not None:
            delay = max(delay, now - self.low.head.enqueued)
        return delay

    def statistics(self, now: Ns) -> dict[str, float]:
        """Return what `tc -s qdisc` shows of dualpi2, under its names; delays in us, memory in bytes of packets."""
        self.catch_up(now)
        low, classic = self.low.head, self.classic.head
        return {
            "prob": self.probability,
            "delay_c": 0 if classic is None else (now - classic.enqueued) // 1000,
            "delay_l": 0 if low is None else (now - low.enqueued) // 1000,
            "packets_in_c": self.tally_classic.offered - self.tally_classic.dropped_full,
            "packets_in_l": self.tally_low.offered - self.tally_low.dropped_full,
            "maxq": self.most_packets,
            "ecn_mark": self.tally_classic.marked_coupled
            + self.tally_low.marked_coupled
            + self.tally_low.marked_step,
            "step_marks": self.tally_low.marked_step,
            "credit": self.credit,
            "memory_used": self.backlog,
        }

    # The queue ----------------------------------------------------------------------------------------------

    def offer(self, now: Ns, packet: Packet) -> bool:
        """Take the packet into its queue, or drop it."""
        kind: cython.longlong
        is_low: cython.bint
        self.offered += 1
        if self._next_update <= now:
            self.catch_up(now)
        kind = self.kind_of(packet)
        is_low = kind != _CLASSIC
        if is_low:
            self.tally_low.offered += 1
        else:
            self.tally_classic.offered += 1
        if self.is_full(packet.size):
            self.refuse(now, packet, is_low)
            return False
        packet.enqueued = now
        if self._at_arrival and kind != _BARE and not self.judge(now, packet, is_low, 0.0):
            return False
        if is_low:
            if self._noted:
                self._note()
            if kind == _BARE:
                self._bare.add(packet)
            self.keep_in(now, packet, self.low)
        else:
            self.keep_in(now, packet, self.classic)
        self.most_packets = max(self.most_packets, self.count)
        return True

    def take(self, now: Ns) -> Packet | None:
        """Return the next packet to send; others may be dropped on the way, even the last."""
        packet: Packet | None
        is_low: cython.bint
        picked: cython.longlong
        note: cython.longlong
        if self._next_update <= now:
            self.catch_up(now)
        while True:
            picked = self.scheduler.pick(self.low, self.classic)
            if picked == _NOBODY:
                self.scheduler.rest()
                return None
            is_low = picked == _LOW
            packet = self.release_from(self.low if is_low else self.classic)
            assert packet is not None, "a queue is picked only when it holds a packet"
            note = self._notes.popleft() if is_low and self._noted else 0
            if self._survives(now, packet, is_low, note):
                break
        self.scheduler.sent(packet.size, is_low, (self.classic if is_low else self.low).head is not None)
        self.send(now, packet, is_low)
        return packet

    def kind_of(self, packet: Packet) -> Int:
        """Return CLASSIC, LOW or BARE."""
        if self.classifier is not None:
            chosen = self.classifier(packet)
            if chosen is not None:
                return chosen
        return _LOW if packet.ecn & self._mask else _CLASSIC

    def _note(self) -> None:
        """Remember L's backlog at this arrival (this packet left out), negative where the step shall not apply."""
        applies: cython.bint = self.low.count >= self._least_depth
        self._notes.append(self.low.size if applies else -1 - self.low.size)

    def _survives(self, now: Ns, packet: Packet, is_low: cython.bint, note: Ns) -> cython.bint:
        """Judge a packet that has left its queue, then apply L's own marking; False: it was dropped."""
        waited: cython.longlong
        native: cython.double
        if not is_low:
            return self._at_arrival or self.judge(now, packet, is_low, 0.0)
        if self._bare and packet in self._bare:
            self._bare.discard(packet)
            return True
        waited = self.waited(now, packet, note)
        native = self.ramp(waited)
        if self._at_arrival:
            if native > 0.0 and self.hits(native, is_low):
                return self.mark_low(now, packet)
        elif not self.judge(now, packet, is_low, native):
            return False
        return not self._is_over_step(waited, note) or self._mark_step(now, packet)

    def waited(self, now: Ns, packet: Packet, note: Ns) -> Ns:
        """Return the sojourn time, perhaps scaled: by the backlog at departure over that at arrival."""
        waited: cython.longlong = now - packet.enqueued
        before: cython.double
        if not self._scaled:
            return waited
        before = (note if note >= 0 else -1 - note) + packet.size
        return cython.cast(cython.longlong, waited * ((self.low.size + packet.size) / before))

    def ramp(self, waited: Ns) -> float:
        """Return L's own marking probability for a packet that waited so long (RFC 9332 A.1); 0 without a ramp."""
        over: cython.double = waited - self._step
        if self._ramp == 0 or over <= 0 or self.low.count + 1 < self._ramp_least:
            return 0.0
        return min(1.0, over / self._ramp)

    def _is_over_step(self, waited: Ns, note: Ns) -> cython.bint:
        if self._ramp > 0 or note < 0:
            return False
        if self._step_packets > 0:
            return self.low.count > self._step_packets
        return 0 < self._step < waited

    def _mark_step(self, now: Ns, packet: Packet) -> cython.bint:
        """Mark, or drop what is not ECN-capable."""
        if not self.mark(now, packet):
            return self.drop_early(now, packet, True)  # noqa: FBT003 - a typed core call
        self.tally_low.marked_step += 1
        return True


def discipline_of(settings: Settings) -> Discipline:
    """Return a new scheduler of the kind that is set."""
    if isinstance(settings.scheduler, Discipline):
        return settings.scheduler
    makers = {
        "credit": lambda: Credit(settings.classic_protection, MTU),
        "wrr": lambda: Wrr(settings.classic_protection),
        "tsfifo": lambda: TimeShifted(settings.tshift),
        "strict": Discipline,
    }
    return makers[settings.scheduler]()
