"""The shortcuts of the flight (walking only behind the last hole, stopping at the first hole not due) change nothing.

Two recoveries live the same life. The second is denied every shortcut: each of its ACKs claims one more packet received
than it names, so that the whole list is walked, and its law is not known to be ordered, so that every hole is judged.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lanecast.transport.recovery import Recovery
from lanecast.transport.recovery_laws import DupAck, RackTlp, Rfc9002
from lanecast.transport.stage import Ack, make_ack
from lanecast.transport.units import MS

SIZE = 1500


class Receiver:
    """Packet numbers and data units that arrived, as plain sets."""

    def __init__(self) -> None:
        self.numbers: set[int] = set()
        self.units: set[int] = set()
        self.received = 0
        self.acks = 0

    def take(self, now: int, pn: int, index: int) -> Ack:
        self.numbers.add(pn)
        self.units.add(index)
        self.received += 1
        ack = make_ack(0, 52, self.acks, now)
        self.acks += 1
        ack.largest = max(self.numbers)
        ack.received = self.received
        ack.cumulative = next(unit for unit in range(len(self.units) + 1) if unit not in self.units)
        place, top = 0, ack.largest
        while place < 4 and top >= 0:
            if top not in self.numbers:
                top -= 1
                continue
            setattr(ack, f"last{place}", top)
            while top in self.numbers:
                top -= 1
            setattr(ack, f"first{place}", top + 1)
            place += 1
        return ack


def life(recovery: Recovery) -> tuple[object, ...]:
    seen = recovery.ack
    flight = []
    record = recovery.head
    while record is not None:
        flight.append((record.pn, recovery.above(record) if record.pn < recovery.largest else 0))
        record = record.next
    return (
        flight, recovery.tail.pn if recovery.tail is not None else -1, recovery.in_flight, recovery.count,
        recovery.holes, recovery.loss_time, recovery.lost_packets, recovery.spurious_packets, recovery.reordering,
        recovery.largest, recovery.undo, recovery.rtt.smoothed, seen.acked, seen.pn, seen.rtt, seen.round_start,
    )  # fmt: skip


# Each step: what travels how long (ms; None: lost) for the packet and its ACK, and the time to the next packet.
steps = st.lists(
    st.tuples(st.none() | st.integers(10, 60), st.none() | st.integers(10, 40), st.integers(0, 6)),
    min_size=5,
    max_size=60,
)


# An ACK has no room for the fifth range, its packet is declared lost, and the next ACK, with a range less, names it.
FIFTH_RANGE: list[tuple[int | None, int | None, int]] = [
    (None, None, 0), (10, None, 0), (None, None, 0), (10, None, 0), (None, None, 0), (10, None, 0), (11, 10, 0),
    (10, None, 0), (None, None, 0), (10, 10, 0),
]  # fmt: skip


@pytest.mark.parametrize("law", [Rfc9002, RackTlp, DupAck])
@settings(max_examples=120, deadline=None)
@example(plan=FIFTH_RANGE)
@given(plan=steps)
def test_both_lives_are_equal_after_every_event(
    law: type[Recovery], plan: list[tuple[int | None, int | None, int]]
) -> None:
    quick, slow = law(), law()
    slow.ordered = False
    receiver = Receiver()
    arrivals: list[tuple[int, int, int, int | None]] = []
    acks: list[tuple[int, int, Ack]] = []
    now, fresh = 0, 0
    for step, (there, back, gap) in enumerate([*plan, *[(None, None, 20)] * 8]):
        now += gap * MS
        due: list[tuple[int, int, Ack]] = []
        for when, pn, index, answer in sorted(arrivals):
            if when <= now:
                ack = receiver.take(when, pn, index)
                if answer is not None:
                    acks.append((when + answer * MS, ack.pn, ack))
        arrivals = [one for one in arrivals if one[0] > now]
        due = sorted(one for one in acks if one[0] <= now)
        acks = [one for one in acks if one[0] > now]
        for when, _, ack in due:
            received = ack.received
            quick.on_ack(when, ack)
            ack.received = received + ack.pn + 1  # one too many for each ACK so far
            slow.on_ack(when, ack)
            if quick.holes:
                assert quick.detect(when) == slow.detect(when)
            assert life(quick) == life(slow)
        if step >= len(plan):
            continue
        index = fresh
        for recovery in (quick, slow):
            lost = recovery.next_resend()
            if lost is not None:
                index = lost.index
                recovery.resent(lost)
            recovery.track(now, index, SIZE, lost is not None)
        fresh += index == fresh
        if there is not None:
            arrivals.append((now + there * MS, quick.next_pn - 1, index, back))
    assert quick.arrived == slow.arrived
