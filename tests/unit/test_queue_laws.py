from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lanecast.errors import UsageError
from lanecast.l4s.codel import CoDel
from lanecast.l4s.droptail import DropHead, DropTail
from lanecast.l4s.fq_codel import FqCoDel
from lanecast.l4s.pie import Pie, scale
from lanecast.l4s.queue import Queue
from lanecast.l4s.red import Red
from lanecast.l4s.registry import QUEUES, make_queue
from lanecast.transport.rng import Stream
from lanecast.transport.stage import CE, DATA, ECT0, NOT_ECT, Packet, make_packet
from lanecast.transport.units import MS

UPDATE = 15 * MS


def packet(pn: int = 0, size: int = 1500, ecn: int = NOT_ECT, flow: int = 0) -> Packet:
    return make_packet(flow, DATA, size, ecn, pn, pn, 0)


def test_a_packet_being_sent_counts_against_no_limit() -> None:
    queue = Queue(limit_packets=1)
    assert queue.offer(0, packet(0))
    assert not queue.offer(0, packet(1))
    assert queue.take(0) is not None
    assert queue.offer(0, packet(2))
    assert (queue.dropped_tail, queue.backlog) == (1, 1500)


def test_byte_limit_admits_exactly_up_to_its_value() -> None:
    queue = DropTail(limit_bytes=3000)
    assert [queue.offer(0, packet(size=size)) for size in (1500, 1500, 1)] == [True, True, False]


def test_drophead_keeps_the_newest_and_refuses_only_what_never_fits() -> None:
    queue = DropHead(limit_bytes=3000)
    for pn in range(4):
        assert queue.offer(0, packet(pn))
    assert not queue.offer(0, packet(9, size=3001))
    assert queue.count == 2, "a packet that never fits costs no other"
    assert (queue.dropped_head, queue.dropped_tail) == (2, 1)
    assert queue.offer(0, packet(10, size=3000))
    assert (queue.count, queue.dropped_head) == (1, 4)


def test_drophead_flushes_what_is_late_for_a_packet_that_fits() -> None:
    queue = DropHead(limit_bytes=3000, limit_time=MS)
    queue.offer(0, packet(0))
    assert not queue.offer(2 * MS, packet(1, size=3001))
    assert queue.count == 1
    assert queue.offer(2 * MS, packet(2))
    assert (queue.count, queue.dropped_head) == (1, 1)


def test_marking_never_touches_packets_that_are_not_ecn_capable() -> None:
    queue = Queue()
    capable, other, marked = packet(ecn=ECT0), packet(), packet(ecn=CE)
    assert [queue.mark(0, p) for p in (capable, other, marked)] == [True, False, True]
    assert (capable.ecn, other.ecn, marked.ecn, queue.marked) == (CE, NOT_ECT, CE, 1)


def test_codel_drops_nothing_when_the_delay_stays_below_target() -> None:
    queue = CoDel()
    for step in range(2000):
        queue.offer(step * MS, packet(step))
        if step >= 4:
            queue.take(step * MS)
    assert queue.dropped == 0


def test_codel_spaces_its_drops_by_the_inverse_square_root() -> None:
    """A standing queue of 50 ms: the first drop after one interval, the next ones interval / sqrt(count) apart."""
    queue = CoDel()
    drops: list[int] = []
    pn = 0
    for _ in range(50):
        queue.offer(0, packet(pn))
        pn += 1
    for step in range(50, 600):
        now, before = step * MS, queue.dropped
        while queue.count < 50:
            queue.offer(now, packet(pn))
            pn += 1
        queue.take(now)
        drops.extend([now] * (queue.dropped - before))
    gaps = [b - a for a, b in zip(drops, drops[1:], strict=False)][:4]
    assert all(
        abs(gap - 100 * MS / count**0.5) <= 2 * MS for gap, count in zip(gaps, (1, 2, 3, 4), strict=True)
    )


def test_ce_threshold_marks_ecn_capable_packets_that_waited_longer() -> None:
    queue = CoDel(ce_threshold=MS)
    for ecn in (ECT0, NOT_ECT):
        queue.offer(0, packet(ecn=ecn))
    queue.offer(2 * MS, packet(ecn=ECT0))
    taken = [queue.take(2 * MS) for _ in range(3)]
    assert [p.ecn for p in taken if p is not None] == [CE, NOT_ECT, ECT0]


def test_pie_moves_its_probability_by_alpha_and_beta_in_the_scaled_steps() -> None:
    """Delay jumps from 0 to 30 ms - enqueue time, at the first update after the burst allowance is spent."""
    queue = Pie(Stream(1, "pie"), max_burst=0)
    for pn in range(3):
        queue.offer(0, packet(pn))
    queue.offer(UPDATE, packet(3))  # update at 15 ms: delay 15 ms, old 0: beta 15 ms, scaled by 1/2048
    first = (0.125 * 0.0 + 1.25 * 0.015) / 2048
    assert queue.probability == pytest.approx(first, rel=1e-12)
    queue.offer(2 * UPDATE, packet(4))
    second = first + (0.125 * 0.015 + 1.25 * 0.015) * scale(first)
    assert queue.probability == pytest.approx(second, rel=1e-12)


def test_pie_at_rest_skips_updates_without_changing_anything() -> None:
    queue = Pie(Stream(1, "pie"))
    queue.offer(10**15 + 1, packet())
    assert (queue.probability, queue.burst_left) == (0.0, queue.max_burst)


def test_red_probability_is_piecewise_linear_and_gentle() -> None:
    queue = Red(Stream(1, "red"), weight=1.0, min_packets=2, max_packets=6)
    curve = []
    for pn in range(13):
        queue.line.append(packet(pn))
        queue.count += 1
        queue._measure(0) if hasattr(queue, "_measure") else queue.offer(0, packet(99))
        curve.append((queue.average, queue.base_probability()))
    for average, probability in curve:
        if average < 2:
            expected = 0.0
        elif average < 6:
            expected = 0.1 * (average - 2) / 4
        else:
            expected = min(1.0, 0.1 + 0.9 * (average - 6) / 6)
        assert probability == pytest.approx(expected, rel=1e-12)


def test_fq_codel_lets_a_sparse_flow_pass_a_bulk_flow() -> None:
    queue = FqCoDel()
    bulk, sparse = 1, 2
    assert queue.place_of(bulk) != queue.place_of(sparse)
    for pn in range(20):
        queue.offer(0, packet(pn, flow=bulk))
    first, second = queue.take(0), queue.take(0)
    assert [p.flow for p in (first, second) if p] == [bulk, bulk]
    queue.offer(0, packet(50, size=100, flow=sparse))
    third = queue.take(0)
    assert third is not None
    assert third.flow == sparse


def test_fq_codel_shares_bytes_evenly_between_backlogged_flows_of_different_packet_sizes() -> None:
    queue = FqCoDel()
    for pn in range(3000):
        queue.offer(0, packet(pn, size=1500, flow=1))
        queue.offer(0, packet(pn, size=300, flow=2))
    sent = {1: 0, 2: 0}
    for _ in range(1200):
        taken = queue.take(0)
        assert taken is not None
        sent[taken.flow] += taken.size
    assert abs(sent[1] - sent[2]) <= 2 * 1514


def test_the_registry_names_what_it_knows() -> None:
    for kind in QUEUES:
        assert isinstance(make_queue(kind, stream=Stream(1, kind)), Queue)
    with pytest.raises(
        UsageError, match="known: codel, drophead, droptail, dualpi2, fq_codel, infinite, pi2, pie, red, step"
    ):
        make_queue("cake")
    with pytest.raises(UsageError, match="limit_pakets"):
        make_queue("droptail", limit_pakets=3)
    with pytest.raises(UsageError, match="needs a random stream"):
        make_queue("pie")
    with pytest.raises(UsageError, match="cannot be loaded"):
        make_queue("no.such.module:Thing")
    with pytest.raises(UsageError, match="a Queue expected"):
        make_queue("builtins:dict")
    assert isinstance(make_queue("lanecast.l4s.codel:CoDel", target=MS), CoDel)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("droptail", {"limit_packets": -1}),
        ("droptail", {"limit_time": -1}),
        ("codel", {"target": 0}),
        ("pie", {"mark_limit": 2.0}),
        ("red", {"min_packets": 9.0, "max_packets": 3.0}),
        ("fq_codel", {"queues": 0}),
        ("step", {"step_packets": 0}),
        ("step", {"step_thresh": -1}),
        ("pi2", {"scheduler": "strict"}),
        ("pi2", {"alpha": 0}),
        ("dualpi2", {"profile": "windows"}),
        ("dualpi2", {"limit_packets": -1}),
        ("dualpi2", {"classic_protection": 0, "scheduler": "wrr"}),
        ("dualpi2", {"typical_rtt_ms": 50, "max_rtt_ms": 40}),
    ],
)
def test_impossible_options_are_refused(kind: str, options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=kind):
        make_queue(kind, stream=Stream(1, "x"), **options)


SCENARIO = """
from hashlib import sha256
from lanecast.l4s.check import Life
from lanecast.l4s.dualpi2_profiles import PROFILES
from lanecast.l4s.registry import QUEUES, make_queue
from lanecast.transport.rng import Stream
kinds = [{"kind": kind} for kind in QUEUES]
kinds += [{"kind": "dualpi2", "profile": name, "sojourn": "scaled"} for name in PROFILES]
stories = [Life(make_queue(kind, stream=Stream(3, "x")), load).play() for kind in kinds for load in (0.5, 0.7)]
print(sha256(repr(stories).encode()).hexdigest())
"""


def test_compiled_and_plain_queues_decide_alike() -> None:
    digests = set()
    for pure in ("0", "1"):
        environment = {**os.environ, "LANECAST_PURE": pure}
        done = subprocess.run(
            [sys.executable, "-c", SCENARIO], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(done.stdout)
    assert len(digests) == 1
