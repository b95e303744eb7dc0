"""What the registry makes of options, and small laws of single queues."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from lanecast.errors import LanecastError, UsageError
from lanecast.l4s.check import check_queue
from lanecast.l4s.codel import CoDel
from lanecast.l4s.droptail import DropTail
from lanecast.l4s.fq_codel import FqCoDel
from lanecast.l4s.pie import CERTAIN_FROM, SPARED_BELOW, Pie
from lanecast.l4s.queue import Queue
from lanecast.l4s.red import Red
from lanecast.l4s.registry import OPTIONS, QUEUES, make_queue, wants_stream
from lanecast.transport.recorder import MARK, PacketLog
from lanecast.transport.rng import Stream
from lanecast.transport.stage import DATA, ECT0, NOT_ECT, Packet, make_packet
from lanecast.transport.units import MS


def packet(pn: int = 0, size: int = 1500, ecn: int = NOT_ECT, flow: int = 0) -> Packet:
    return make_packet(flow, DATA, size, ecn, pn, pn, 0)


def stream(name: str = "queue") -> Stream:
    return Stream(1, name)


def test_options_may_be_in_human_units() -> None:
    queue = make_queue("droptail", limit_ms=250, limit_kbytes=37.5, limit_packets=9)
    assert isinstance(queue, DropTail)
    assert (queue.limit_time, queue.limit_bytes, queue.limit_packets) == (250 * MS, 37_500, 9)
    codel = make_queue("codel", target_ms=2.5, interval=40 * MS, ce_threshold_ms=1)
    assert isinstance(codel, CoDel)
    parameters = codel.law.parameters
    assert (parameters.target, parameters.interval, parameters.ce_threshold) == (2_500_000, 40 * MS, MS)


def test_a_mapping_names_its_queue_as_kind_and_is_left_as_it_was() -> None:
    spec = {"kind": "codel", "target_ms": 5, "limit_packets": 100}
    assert isinstance(make_queue(spec), CoDel)
    assert make_queue(spec, limit_packets=7).limit_packets == 7
    assert spec == {"kind": "codel", "target_ms": 5, "limit_packets": 100}
    with pytest.raises(UsageError, match=r"kind.*known: codel"):
        make_queue({"limit_packets": 3})


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("droptail", {"limit_pakets": 3}, r"no option 'limit_pakets'; known: .*limit_time\[_ms\]"),
        ("infinite", {"limit_packets": 3}, "known: none"),
        ("codel", {"ecn_ms": 3}, "no option 'ecn_ms'"),
        ("droptail", {"limit_ms": 3, "limit_time": 3}, "given twice"),
        ("droptail", {"limit_ms": "soon"}, "a finite number expected"),
        ("droptail", {"limit_ms": float("inf")}, "a finite number expected"),
        ("droptail", {"limit_kbytes": float("nan")}, "a finite number expected"),
        ("pie", {"target": 1}, "target >= 2 ns"),
    ],
)
def test_a_wrong_option_is_refused_with_what_would_be_right(
    kind: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_queue(kind, stream=stream(), **options)


@pytest.mark.parametrize("kind", QUEUES)
def test_every_listed_option_is_one_of_the_constructor(kind: str) -> None:
    default: dict[str, Any] = {
        "limit_packets": 10, "limit_bytes": 9000, "limit_time": MS, "target": MS, "interval": 9 * MS, "ecn": True,
        "ce_threshold": MS, "mtu": 1500, "update": MS, "alpha_hz": 1.0, "beta_hz": 1.0, "max_burst": MS,
        "mark_limit": 0.5, "derandomise": True, "weight": 0.5, "min_packets": 1.0, "max_packets": 2.0,
        "max_probability": 0.5, "gentle": False, "packet_time": MS, "queues": 3, "quantum": 300, "drop_batch": 2,
        "key": 5, "ce_threshold_ect1": True, "step_packets": 9, "step_thresh": MS, "drop_not_ect": True,
        "profile": "rfc9332", "classifier": None, "limit": 10, "memlimit": 9000, "tupdate": MS, "alpha": 1.0,
        "beta": 1.0, "coupling_factor": 2.0, "min_qlen_step": 1, "ramp_range": MS, "ramp_least": 1,
        "classic_protection": 20.0,
        "scheduler": "wrr", "tshift": MS, "drop_on_overload": False, "drop_enqueue": True, "least_backlog": 0,
        "ecn_mask": "any_ect", "dice": "recur", "sojourn": "scaled", "pi_input": "classic", "max_rtt": 90 * MS,
        "typical_rtt": 9 * MS, "link_bps": 10_000_000,
    }  # fmt: skip
    assert isinstance(
        make_queue(kind, stream=stream(), **{name: default[name] for name in OPTIONS[kind]}), Queue
    )


def test_the_key_of_fq_codels_hash_comes_from_the_stream() -> None:
    keys = set()
    for seed in range(3):
        queue = make_queue("fq_codel", stream=Stream(seed, "queue"))
        assert isinstance(queue, FqCoDel)
        keys.add(queue.key)
    assert len(keys) == 3
    again = make_queue("fq_codel", stream=Stream(0, "queue"))
    assert isinstance(again, FqCoDel)
    assert again.key in keys
    places = [again.place_of(flow) for flow in range(20_000)]
    assert min(places) >= 0
    assert max(places) <= 1023
    assert len(set(places)) > 1000  # 20,000 flows over 1024 queues leave none empty, but for a few


def test_a_users_factory_gets_a_stream_only_if_it_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_queues_of_a_user.py").write_text(
        "from lanecast.l4s.queue import Queue\n"
        "class Quiet(Queue):\n    pass\n"
        "class Lucky(Queue):\n"
        "    def __init__(self, stream, keep=1.0):\n"
        "        super().__init__()\n        self.stream, self.keep_share = stream, keep\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert isinstance(make_queue("own_queues_of_a_user:Quiet", stream=stream()), Queue)
    own: Any = make_queue({"kind": "own_queues_of_a_user:Lucky", "keep": 0.5}, stream=stream())
    assert (own.keep_share, own.stream.name) == (0.5, "queue")
    with pytest.raises(UsageError, match="needs a random stream"):
        make_queue("own_queues_of_a_user:Lucky")


def test_queues_that_draw_are_known_by_their_parameter() -> None:
    class Own(Pie):
        pass

    assert [wants_stream(one) for one in (Queue, CoDel, FqCoDel, Pie, Red, Own)] == [False] * 3 + [True] * 3


def test_the_check_gives_a_stream_to_queues_that_draw() -> None:
    check_queue(Pie)
    check_queue(Red)


class Sulker(Queue):
    """Hands out nothing while a single packet is held: a link would wait for ever."""

    def take(self, now: int) -> Packet | None:
        return None if self.count == 1 else super().take(now)


class Miscounter(Queue):
    """Counts a drop without `discard`."""

    def offer(self, now: int, packet: Packet) -> bool:
        if packet.pn % 50:
            return super().offer(now, packet)
        self.offered += 1
        self.dropped += 1
        return False


class Shrinker(Queue):
    """Cuts what it hands out."""

    def take(self, now: int) -> Packet | None:
        taken = super().take(now)
        if taken is not None:
            taken.size = min(taken.size, 1500)
        return taken


class Puffed(Queue):
    """Counts a backlog that is a byte too large."""

    def keep(self, now: int, packet: Packet) -> None:
        super().keep(now, packet)
        self.backlog += 1


class Narrow(Queue):
    """Breaks on a flow number that it did not expect."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = [0] * 16

    def offer(self, now: int, packet: Packet) -> bool:
        self.seen[packet.flow] += 1
        return super().offer(now, packet)


@pytest.mark.parametrize(
    ("broken", "complaint", "error"),
    [
        (Sulker, "None although 1 packets are held", LanecastError),
        (Miscounter, "went through `discard`", LanecastError),
        (Shrinker, "changed beyond its ECN field", LanecastError),
        (Puffed, "backlog", LanecastError),
        (Narrow, "index", IndexError),
    ],
)
def test_the_check_sees_what_would_hurt_a_link(
    broken: type[Queue], complaint: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match=complaint):
        check_queue(broken)


def test_derandomised_pie_spares_the_first_arrivals_and_bounds_the_gap() -> None:
    """alpha 0 keeps the probability where one update of beta put it: signals are 0.85/p to 8.5/p arrivals apart."""
    queue = Pie(stream(), max_burst=0, derandomise=True, alpha_hz=0.0, beta_hz=1000.0, target=2)
    for pn in range(4):
        queue.offer(0, packet(pn))
    queue.take(15 * MS)  # update: delay 15 ms, old 0
    queue.take(15 * MS)
    queue.offer(15 * MS, packet())
    probability = queue.probability
    assert 0 < probability < 0.1
    dropped = [pn for pn in range(30_000) if not queue.offer(15 * MS, packet(pn))]
    gaps = [b - a for a, b in zip(dropped, dropped[1:], strict=False)]
    assert len(gaps) > 50
    assert min(gaps) >= SPARED_BELOW / probability - 1
    assert max(gaps) <= CERTAIN_FROM / probability + 1


def test_an_arrival_that_is_marked_is_logged_with_no_sojourn_time() -> None:
    for queue in (
        Pie(stream(), max_burst=0, ecn=True, mark_limit=1.0, alpha_hz=2.0, beta_hz=0.0, target=2),
        Red(stream(), ecn=True, weight=0.9, min_packets=0.1, max_packets=50.0, max_probability=1.0),
    ):
        queue.log = PacketLog()
        for pn in range(400):
            late = packet(pn, ecn=ECT0)
            late.enqueued = 7  # as an earlier hop left it
            queue.offer(100 * MS + pn * MS, late)
        columns = queue.log.columns()
        values = columns["value"][columns["event"] == MARK].tolist()
        assert queue.marked == len(values) > 0
        assert set(values) == {0}


def test_fq_codel_keeps_its_byte_limit_whatever_the_sizes() -> None:
    queue = FqCoDel(limit_bytes=10_000, drop_batch=1)
    for pn in range(400):
        queue.offer(pn, packet(pn, size=9000 if pn % 7 == 0 else 60, flow=pn % 50))
        assert queue.backlog <= 10_000
    assert not queue.offer(400, packet(400, size=20_000, flow=3))
    assert queue.backlog <= 10_000


def test_ecn_capable_packets_pass_codel_marked_where_others_are_dropped() -> None:
    kept = {}
    for ecn in (NOT_ECT, ECT0):
        queue = CoDel(ecn=True, target=MS, interval=10 * MS)
        out = []
        for pn in range(400):
            queue.offer(pn * MS, packet(pn, ecn=ecn))
            if pn > 20 and pn % 5:
                out.append(queue.take(pn * MS))
        kept[ecn] = queue.dropped, queue.marked
        assert all(one is not None for one in out)
    assert kept[NOT_ECT][0] > 0
    assert kept[NOT_ECT][1] == 0
    assert kept[ECT0][0] == 0
    assert kept[ECT0][1] > 0
