"""One run, one digest: compiled equals plain, an unrelated component changes nothing, a pool equals a loop.

Every family of stages runs a short scenario whose per-packet log is hashed. Run as a script
(`python tests/unit/test_digest.py`) this file prints the digests of the form in use, which is how the test
obtains both forms.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import pytest

from lanecast.emulation.capacity import Capacity, RateCapacity
from lanecast.emulation.channel import Channel
from lanecast.emulation.cross import ConstantTraffic, OnOffTraffic, PoissonTraffic, ReplayTraffic
from lanecast.emulation.delay import Delay, RandomDelay, TrackDelay
from lanecast.emulation.impair import (
    Corrupt,
    Duplicate,
    GilbertElliott,
    Loss,
    LossProcess,
    Reorder,
    TrackLoss,
)
from lanecast.emulation.link import Link, OpportunityLink
from lanecast.emulation.path import Hops, chain
from lanecast.emulation.simulator import Simulation, Tap
from lanecast.emulation.track import LimitFollower, Track
from lanecast.l4s.queue import Queue
from lanecast.l4s.registry import QUEUES, make_queue
from lanecast.transport import calendar as calendar_module
from lanecast.transport.congestion.registry import make_congestion
from lanecast.transport.receiver import Receiver
from lanecast.transport.sender import Sender
from lanecast.transport.stage import ECT0, Sink, Stage
from lanecast.transport.tokens.endpoint import TokenReceiver, TokenSender
from lanecast.transport.tokens.scheme import SCHEMES, make_scheme
from lanecast.transport.tokens.source import constant_gap
from lanecast.transport.units import MS, SECOND

ROOT = Path(__file__).parents[2]
SEED = 20_260_131
SPAN = 2 * SECOND
FAULT = "fault: "
LIMITS = {  # by default they have none
    "droptail": {"limit_packets": 25},
    "drophead": {"limit_packets": 25},
    "step": {"limit_packets": 30},
    "pi2": {"least_backlog": 0},  # else Not-ECT traffic meets the same law as in DualPI2
}
RATE = 6_000_000  # bit/s offered by the sources below


def offered(sim: Simulation, size: int = 1200) -> Stage:
    """A Poisson source of `RATE`."""
    stream = sim.streams.stream("offered")
    return PoissonTraffic(sim.calendar, 0, stream, rate_bps=RATE, size=size, ecn=ECT0)


def finish(sim: Simulation, *stages: Stage) -> None:
    """Join the stages, log what arrives, run."""
    assert sim.log is not None
    row = [*stages, Tap(sim.log, "end"), Sink("sink")]
    chain(*row)
    sim.extend(row[1:])
    for stage in row:
        queue = getattr(stage, "queue", None)
        if queue is not None:
            sim.watch(queue, f"{stage.name} queue")
        elif hasattr(stage, "log") and not isinstance(stage, Tap):
            sim.watch(stage, stage.name)
    sim.run(SPAN)


def constant_link(sim: Simulation) -> None:
    finish(
        sim,
        offered(sim),
        Link(sim.calendar, Queue(limit_packets=20), Capacity(5_000_000)),
        Delay(sim.calendar, 7 * MS),
    )


def rate_link(sim: Simulation) -> None:
    capacity = RateCapacity(
        [0, 100 * MS, 130 * MS, 333_333_333], [3_000_001, 0, 77_777_777, 4_999_999], 500 * MS
    )
    finish(sim, offered(sim, 997), Link(sim.calendar, Queue(limit_bytes=30_000), capacity))


def opportunity_link(sim: Simulation) -> None:
    times = [MS * (place * place % 97) for place in range(1, 97)]
    link = OpportunityLink(sim.calendar, Queue(limit_packets=50), sorted(times), bytes_each=1504, overhead=4)
    finish(sim, offered(sim, 700), link)


def jitter(sim: Simulation) -> None:
    ordered = RandomDelay(sim.calendar, MS, sim.streams.stream("ordered"), jitter_mean=5 * MS)
    free = RandomDelay(
        sim.calendar, MS, sim.streams.stream("free"), jitter_mean=5 * MS, shape=3, ordered=False
    )
    track = Track([0, 50 * MS, 70 * MS], [10 * MS, 2 * MS, 30 * MS], 100 * MS)
    finish(sim, offered(sim), ordered, free, TrackDelay(sim.calendar, track))


def impairments(sim: Simulation) -> None:
    streams = sim.streams
    bursts = GilbertElliott(
        streams.stream("bursts"), mean_good=90.0 * MS, mean_bad=10.0 * MS, loss_good=0.01, loss_bad=0.9
    )
    finish(
        sim,
        offered(sim),
        Loss(streams.key("bursty loss"), bursts),
        Loss(streams.key("trace loss"), TrackLoss(Track([0, 300 * MS], [0, 2**30], 400 * MS)), "trace loss"),
        Duplicate(streams.stream("duplicate"), 0.03),
        Corrupt(streams.stream("corrupt"), 0.02),
        Reorder(sim.calendar, streams.stream("reorder"), 0.1, 4 * MS),
    )


def channel(sim: Simulation) -> None:
    wire = Channel(sim.calendar, sim.streams.key("wire"), LossProcess(0.1), 20 * MS, jitter_mean=8 * MS)
    finish(sim, offered(sim, 400), wire)


def following_limit(sim: Simulation) -> None:
    queue = Queue()
    limits = Track([0, 200 * MS, 500 * MS], [40, 3, 12], 700 * MS)
    LimitFollower(sim.calendar, queue, limits)
    finish(sim, offered(sim), Link(sim.calendar, queue, Capacity(5_500_000)))


def cross_traffic(sim: Simulation) -> None:
    assert sim.log is not None
    link = Link(sim.calendar, Queue(limit_packets=30), Capacity(8_000_000))
    periods = {"rate_bps": 4_000_000, "mean_on": 50 * MS, "mean_off": 100 * MS}
    sources = [
        ConstantTraffic(sim.calendar, 1, rate_bps=1_000_000, size=300),
        OnOffTraffic(sim.calendar, 2, sim.streams.stream("on off"), **periods),
        OnOffTraffic(sim.calendar, 3, sim.streams.stream("pareto"), shape=1.5, **periods),
        ReplayTraffic(sim.calendar, 4, [0, 5, 5, 10**6], [40, 1500, 700, 64]),
    ]
    for source in sources:
        source.out = link
    finish(sim, offered(sim), link)


def queue_scenario(kind: str) -> Callable[[Simulation], None]:
    """A queue of this kind in front of a link that is offered a fifth too much, then left alone for a while."""

    def run(sim: Simulation) -> None:
        queue = make_queue(kind, stream=sim.streams.stream("aqm"), **LIMITS.get(kind, {}))
        stop = SPAN * 3 // 4
        other = PoissonTraffic(sim.calendar, 1, sim.streams.stream("other"), rate_bps=2_000_000, stop=stop)
        link = Link(sim.calendar, queue, Capacity(6_600_000))
        other.out = link
        finish(sim, offered(sim), link)

    return run


def scheme_scenario(name: str) -> Callable[[Simulation], None]:
    """A token scheme over lossy, jittery wires in both directions."""

    def run(sim: Simulation) -> None:
        assert sim.log is not None
        scheme = make_scheme(name)
        sender = TokenSender(sim.calendar, constant_gap(10 * MS, 150), scheme, warm=60 * MS)
        receiver = TokenReceiver(sim.calendar).follow(scheme)
        wires = [
            Channel(sim.calendar, sim.streams.key(way), LossProcess(0.1), 30 * MS, jitter_mean=3 * MS)
            for way in ("down", "up")
        ]
        for way, wire in zip(("down", "up"), wires, strict=True):
            sim.watch(wire, way)
        chain(
            sender,
            wires[0],
            Tap(sim.log, "at receiver"),
            receiver,
            wires[1],
            Tap(sim.log, "at sender"),
            sender,
        )
        sim.extend(wires)
        sim.run(SPAN)

    return run


def flows(sim: Simulation, count: int = 2) -> None:
    """Cubic and Reno share a lossy dumbbell."""
    assert sim.log is not None
    queue = Queue(limit_packets=60)
    sim.watch(queue, "queue")
    loss = Loss(sim.streams.key("loss"), LossProcess(0.005))
    link = Link(sim.calendar, queue, Capacity(20_000_000))
    hops = Hops(sim.calendar, [loss, link, Delay(sim.calendar, 10 * MS)])
    for flow, law in enumerate(["cubic", "reno"][:count]):
        sender = Sender(sim.calendar, make_congestion(law, mss=1500), flow=flow)
        receiver = Receiver(sim.calendar, flow=flow)
        hops.join(sender, receiver, flow, 10 * MS)
        sender.bulk()
        sender.start(flow * 100 * MS)
    sim.extend(hops.stages)
    sim.run(SPAN)


FAMILIES: dict[str, Callable[[Simulation], None]] = {
    scenario.__name__: scenario
    for scenario in (
        constant_link, rate_link, opportunity_link, jitter, impairments, channel, following_limit, cross_traffic, flows,
    )
}  # fmt: skip
FAMILIES |= {f"queue {kind}": queue_scenario(kind) for kind in QUEUES}
FAMILIES |= {f"scheme {name}": scheme_scenario(name) for name in SCHEMES}


def digest(name: str, *, seed: int = SEED, stranger: bool = False) -> str:
    """Return the hash of a scenario's log, and of how many events it took."""
    sim = Simulation(seed, log_packets=True)
    if stranger:  # a component that has nothing to do with the scenario
        strange = PoissonTraffic(sim.calendar, 99, sim.streams.stream("stranger"), rate_bps=3_000_000)
        strange.out = Sink("nowhere")
    FAMILIES[name](sim)
    assert sim.log is not None
    table = sim.log.table()
    assert len(table) > 200, f"{name}: {len(table)} rows say little"
    events = b"" if stranger else b"%d" % sim.calendar.fired
    return sha256(table.tobytes() + events).hexdigest()


def all_digests() -> dict[str, str]:
    """Return what the form in use gives, and which form it is."""
    form = "plain" if calendar_module.__file__.endswith(".py") else "compiled"
    return {"form": form, **{name: _digest_or_fault(name) for name in FAMILIES}}


def _digest_or_fault(name: str) -> str:
    """Return the digest, or what went wrong: one broken family must not hide the others."""
    try:
        return digest(name)
    except Exception as error:  # noqa: BLE001 - the edge of this process: the text is compared and shown
        return f"{FAULT}{type(error).__name__}: {error}"


def run_form(pure: str) -> dict[str, str]:
    """Return the digests of one form, from a process of its own."""
    environment = {**os.environ, "LANECAST_PURE": pure, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": pure}
    command = [sys.executable, __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    digests: dict[str, str] = json.loads(done.stdout)
    return digests


@pytest.fixture(scope="module")
def plain() -> dict[str, str]:
    return run_form("1")


@pytest.fixture(scope="module")
def compiled() -> dict[str, str]:
    digests = run_form("0")
    if digests["form"] != "compiled":
        pytest.skip("the core is not compiled here: there is only one form")
    return digests


def test_the_two_processes_run_the_two_forms(plain: dict[str, str], compiled: dict[str, str]) -> None:
    assert (plain["form"], compiled["form"]) == ("plain", "compiled")


@pytest.mark.parametrize("name", list(FAMILIES))
def test_compiled_equals_plain_bit_for_bit(
    plain: dict[str, str], compiled: dict[str, str], name: str
) -> None:
    assert not plain[name].startswith(FAULT), plain[name]
    assert compiled[name] == plain[name]


@pytest.mark.parametrize("name", list(FAMILIES))
def test_hash_seed_and_process_do_not_matter(plain: dict[str, str], name: str) -> None:
    assert digest(name) == plain[name]


def test_every_family_and_every_seed_has_its_own_digest() -> None:
    names = [name for name in FAMILIES if not name.startswith("scheme ")]  # schemes may well decide alike
    found = {digest(name) for name in names} | {digest(name, seed=SEED + 1) for name in names}
    assert len(found) == 2 * len(names)


@pytest.mark.parametrize("name", ["jitter", "impairments", "channel", "flows"])
def test_unrelated_component_changes_no_packet(name: str) -> None:
    sim = Simulation(SEED, log_packets=True)
    FAMILIES[name](sim)
    assert sim.log is not None
    assert digest(name, stranger=True) == sha256(sim.log.table().tobytes()).hexdigest()


def test_pool_of_processes_equals_a_loop() -> None:
    seeds = [SEED + place for place in range(4)]
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("fork")) as pool:
        parallel = list(pool.map(_channel_digest, seeds))
    assert parallel == [_channel_digest(seed) for seed in seeds]


def _channel_digest(seed: int) -> str:
    return digest("channel", seed=seed)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(all_digests()))
