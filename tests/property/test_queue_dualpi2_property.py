"""DualPI2 and PI2 under arbitrary calls and changes in operation: each queue's counters add up at every instant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.l4s.classifier import FlowClasses
from lanecast.l4s.coupling import PiQueue, Tally
from lanecast.l4s.dualpi2 import DualPi2
from lanecast.l4s.dualpi2_profiles import PROFILES
from lanecast.l4s.pi2 import Pi2
from lanecast.transport.recorder import DROP, MARK, PacketLog
from lanecast.transport.rng import Stream
from lanecast.transport.stage import CE, DATA, ECT0, ECT1, NOT_ECT, make_packet
from lanecast.transport.units import MS

EAGER: dict[str, Any] = {
    "target": MS,
    "alpha": 40.0,
    "beta": 400.0,
    "least_backlog": 0,
}  # acts within short lives
CHANGES: list[dict[str, Any]] = [
    {"limit": 4}, {"memlimit": 4000}, {"target": 3 * MS}, {"tupdate": 5 * MS}, {"coupling_factor": 1.5},
    {"drop_on_overload": False}, {"dice": "recur"}, {"ecn_mask": "any_ect"}, {"least_backlog": 3000},
]  # fmt: skip
DUAL_CHANGES: list[dict[str, Any]] = [
    *CHANGES, {"min_qlen_step": 2}, {"min_qlen_step": 0}, {"sojourn": "scaled"}, {"sojourn": "plain"},
    {"step_packets": 1}, {"ramp_range": MS}, {"scheduler": "wrr"}, {"scheduler": "tsfifo", "tshift": MS},
    {"scheduler": "strict"}, {"classic_protection": 60.0}, {"drop_enqueue": True}, {"pi_input": "classic"},
]  # fmt: skip
arrival = st.tuples(
    st.integers(0, 3), st.sampled_from((40, 576, 1500, 9000)), st.sampled_from((NOT_ECT, ECT1, ECT0, CE))
)


def calls(changes: list[dict[str, Any]]) -> st.SearchStrategy[list[tuple[int, Any]]]:
    what = st.one_of(st.none(), arrival, arrival, st.sampled_from(changes))
    return st.lists(st.tuples(st.integers(0, 30), what), max_size=80)


def held(tally: Tally) -> int:
    return tally.offered - tally.sent - tally.dropped()


def play(queue: PiQueue, script: list[tuple[int, Any]]) -> None:
    queue.log = PacketLog()
    now, in_bytes, out_bytes = 0, 0, 0
    for pn, (gap, what) in enumerate(script):
        now += gap * MS
        if what is None:
            packet = queue.take(now)
            assert packet is not None or queue.count == 0
            out_bytes += 0 if packet is None else packet.size
        elif isinstance(what, dict):
            queue.configure(now, **what)  # type: ignore[attr-defined]
        else:
            in_bytes += what[1]
            queue.offer(now, make_packet(what[0], DATA, what[1], what[2], pn, pn, now))
        assert held(queue.tally_low) + held(queue.tally_classic) == queue.count
        if isinstance(queue, DualPi2):
            assert (held(queue.tally_low), held(queue.tally_classic)) == (
                queue.low.count,
                queue.classic.count,
            )
            assert queue.low.size + queue.classic.size == queue.backlog
        assert 0.0 <= queue.probability <= 1.0
        assert queue.offered == queue.taken + queue.dropped + queue.count
    check_log(queue, in_bytes - out_bytes)


def check_log(queue: PiQueue, held_bytes: int) -> None:
    """The log tells the same drops and marks as the counters; a mark on CE is a decision, but no event."""
    assert queue.log is not None
    columns = queue.log.columns()
    drops, marks = columns["event"] == DROP, columns["event"] == MARK
    assert queue.backlog == held_bytes - int(columns["size"][drops].sum())
    assert int(drops.sum()) == queue.dropped == queue.tally_low.dropped() + queue.tally_classic.dropped()
    decided = sum(t.marked_coupled + t.marked_step for t in (queue.tally_low, queue.tally_classic))
    assert int(marks.sum()) == queue.marked <= decided


@pytest.mark.parametrize("profile", PROFILES)
@given(script=calls(DUAL_CHANGES))
def test_dualpi2_accounts_for_every_packet_of_each_queue(profile: str, script: list[tuple[int, Any]]) -> None:
    classifier = FlowClasses({2: "bare", 3: "classic"})
    play(DualPi2(Stream(1, "dice"), profile=profile, classifier=classifier, **EAGER), script)


@given(script=calls(CHANGES))
def test_pi2_accounts_for_every_packet(script: list[tuple[int, Any]]) -> None:
    # a packet's kind is read again at departure: a change of the mask while it waits would move it between tallies
    play(Pi2(Stream(1, "dice"), **EAGER), [one for one in script if one[1] != {"ecn_mask": "any_ect"}])


@given(script=calls([{}]), p=st.floats(0.01, 0.5))
def test_the_l_queue_is_never_dropped_from_by_the_law_below_overload(
    script: list[tuple[int, Any]], p: float
) -> None:
    queue = DualPi2(Stream(1, "dice"), alpha=1e-30, beta=1e-30)
    queue.probability = p
    play(queue, script)
    assert queue.tally_low.dropped() == 0
