"""Laws of every queue under arbitrary calls: conservation, backlog, order within a flow, limits, live changes."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.l4s.droptail import DropHead, DropTail
from lanecast.l4s.queue import Queue
from lanecast.l4s.registry import QUEUES, make_queue
from lanecast.transport.recorder import DROP, ENQUEUE, MARK, TAKE, PacketLog
from lanecast.transport.rng import Stream
from lanecast.transport.stage import CE, DATA, ECT0, ECT1, NOT_ECT, make_packet
from lanecast.transport.units import MS

STRICT = sorted(set(QUEUES) - {"infinite"})  # kinds that take limits
arrival = st.tuples(
    st.integers(0, 3), st.sampled_from((40, 576, 1500, 9000)), st.sampled_from((NOT_ECT, ECT1, ECT0, CE))
)
call = st.tuples(st.integers(0, 60), st.one_of(st.none(), arrival))  # ms since the last call, what arrives
calls = st.lists(call, max_size=120)


def made(kind: str, seed: int = 1) -> Queue:
    """A queue whose law acts early, so that short lives meet drops and marks."""
    eager: dict[str, dict[str, Any]] = {
        "codel": {"target_ms": 1, "interval_ms": 10, "ecn": True},
        "fq_codel": {"target_ms": 1, "interval_ms": 10, "queues": 3, "drop_batch": 2},
        "pie": {"max_burst": 0, "target_ms": 2, "ecn": True, "alpha_hz": 30.0, "beta_hz": 300.0},
        "step": {"step_packets": 1, "step_thresh_ms": 2, "drop_not_ect": True},
        "pi2": {"target_ms": 2, "tupdate_ms": 2, "alpha": 30.0, "beta": 300.0, "least_backlog": 0},
        "dualpi2": {"target_ms": 2, "tupdate_ms": 2, "alpha": 30.0, "beta": 300.0, "least_backlog": 0},
        "red": {"min_packets": 0.5, "max_packets": 3.0, "weight": 0.5, "ecn": True},
    }
    return make_queue(kind, stream=Stream(seed, "law"), **eager.get(kind, {}))


def sizes_by_event(log: PacketLog) -> dict[int, list[int]]:
    columns = log.columns()
    found: dict[int, list[int]] = defaultdict(list)
    for event, size in zip(columns["event"].tolist(), columns["size"].tolist(), strict=True):
        found[event].append(size)
    return found


@pytest.mark.parametrize("kind", QUEUES)
@given(calls=calls)
def test_what_was_offered_is_taken_dropped_or_held(
    kind: str, calls: list[tuple[int, tuple[int, int, int] | None]]
) -> None:
    queue, now, in_bytes, out_bytes = made(kind), 0, 0, 0
    queue.log = PacketLog()
    last: dict[tuple[int, bool], int] = {}
    in_l: dict[int, bool] = {}  # dual queues part packets of one flow by their ECN field
    for pn, (gap, what) in enumerate(calls):
        now += gap * MS
        if what is None:
            packet = queue.take(now)
            if packet is None:
                assert queue.count == 0
            else:
                lane = packet.flow, in_l[packet.pn]
                assert packet.pn > last.get(lane, -1)
                last[lane] = packet.pn
                out_bytes += packet.size
        else:
            flow, size, ecn = what
            in_bytes += size
            in_l[pn] = kind == "dualpi2" and ecn in (ECT1, CE)
            queue.offer(now, make_packet(flow, DATA, size, ecn, pn, pn, now))
        assert queue.offered == queue.taken + queue.dropped + queue.count
    events = sizes_by_event(queue.log)
    assert queue.backlog == in_bytes - out_bytes - sum(events[DROP])
    assert len(events[DROP]) == queue.dropped == queue.dropped_tail + queue.dropped_head + queue.dropped_early
    assert len(events[TAKE]) == queue.taken
    assert len(events[MARK]) == queue.marked
    assert len(events[ENQUEUE]) <= queue.offered


@pytest.mark.parametrize("kind", STRICT)
@given(calls=calls, packets=st.integers(1, 6), size=st.integers(1500, 20_000))
def test_limits_hold_after_every_arrival_and_can_be_set_at_any_time(
    kind: str, calls: list[tuple[int, tuple[int, int, int] | None]], packets: int, size: int
) -> None:
    queue, now = made(kind), 0
    for pn, (gap, what) in enumerate(calls):
        now += gap * MS
        if pn == len(calls) // 2:
            queue.limit_packets, queue.limit_bytes = packets, size
        before = queue.count, queue.backlog
        if what is None:
            queue.take(now)
        else:
            queue.offer(now, make_packet(what[0], DATA, what[1], what[2], pn, pn, now))
        if pn >= len(calls) // 2 and what is not None:
            assert queue.count <= max(packets, before[0])
            assert queue.backlog <= max(size, before[1])


@pytest.mark.parametrize("kind", QUEUES)
@given(calls=calls)
def test_a_mark_is_only_set_on_ecn_capable_packets(
    kind: str, calls: list[tuple[int, tuple[int, int, int] | None]]
) -> None:
    queue, now = made(kind), 0
    offered: dict[int, int] = {}
    for pn, (gap, what) in enumerate([*calls, *[(1, None)] * len(calls)]):
        now += gap * MS
        if what is not None:
            offered[pn] = what[2]
            queue.offer(now, make_packet(what[0], DATA, what[1], what[2], pn, pn, now))
        elif (packet := queue.take(now)) is not None:
            was = offered[packet.pn]
            assert packet.ecn == was or (packet.ecn == CE and was != NOT_ECT)


@given(calls=calls, limit=st.integers(1, 100))
def test_a_time_limit_refuses_arrivals_exactly_while_the_head_has_waited_that_long(
    calls: list[tuple[int, tuple[int, int, int] | None]], limit: int
) -> None:
    for queue in (DropTail(limit_time=limit * MS), DropHead(limit_time=limit * MS)):
        now = 0
        for pn, (gap, what) in enumerate(calls):
            now += gap * MS
            if what is None:
                queue.take(now)
                continue
            late = queue.count > 0 and queue.head_sojourn(now) >= limit * MS
            accepted = queue.offer(now, make_packet(0, DATA, what[1], what[2], pn, pn, now))
            if isinstance(queue, DropHead):
                assert accepted
                assert queue.head_sojourn(now) < limit * MS
            else:
                assert accepted == (not late)
