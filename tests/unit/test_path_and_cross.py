from __future__ import annotations

import math

import pytest

from lanecast.emulation.capacity import Capacity
from lanecast.emulation.cross import ConstantTraffic, OnOffTraffic, PoissonTraffic, ReplayTraffic
from lanecast.emulation.delay import Delay
from lanecast.emulation.link import Link
from lanecast.emulation.path import Hops, Path, chain
from lanecast.emulation.simulator import Simulation, Tap
from lanecast.l4s.queue import Queue
from lanecast.transport.calendar import Calendar
from lanecast.transport.recorder import COLUMNS, DELIVER, DROP, ENQUEUE, TAKE, PacketLog
from lanecast.transport.rng import Streams
from lanecast.transport.stage import DATA, NOT_ECT, Packet, Sink, Stage, make_packet
from lanecast.transport.units import MS, NEVER, SECOND


def packet(flow: int, pn: int, now: int = 0, size: int = 1500) -> Packet:
    return make_packet(flow, DATA, size, NOT_ECT, pn, pn, now)


def test_a_path_is_pushed_and_pulled_at_its_edge() -> None:
    calendar = Calendar()
    path = Path(calendar, Link(calendar, Queue(), Capacity(12_000_000)), Delay(calendar, 10 * MS))
    assert path.next_event() == NEVER
    path.push(0, packet(0, 1))
    path.push(0, packet(0, 2))
    assert path.next_event() == MS
    assert path.pull(11 * MS - 1) is None
    first = path.pull(11 * MS)
    assert first is not None
    assert (first.pn, first.enqueued) == (1, 11 * MS)
    assert path.pull(11 * MS) is None
    late = path.pull(SECOND)  # the driver is late: the model's own time stays exact
    assert late is not None
    assert (late.pn, late.enqueued) == (2, 12 * MS)
    assert path.next_event() == NEVER


def test_flows_enter_and_leave_a_row_of_hops_where_they_like() -> None:
    calendar = Calendar()
    hops = Hops(calendar, [Delay(calendar, 10)], [Delay(calendar, 20)], [Delay(calendar, 40)])
    seen: list[tuple[int, int]] = []

    class Note(Stage):
        def push(self, now: int, packet: Packet) -> None:
            seen.append((packet.flow, now))

    for flow, (first, last) in enumerate([(0, 2), (0, 0), (1, 1), (2, 2), (1, 2)]):
        source = Stage(f"source {flow}")
        hops.enter(source, flow, Note(), first=first, last=last)
        source.push(0, packet(flow, 0))
    calendar.settle(1000)
    assert sorted(seen) == [(0, 70), (1, 10), (2, 20), (3, 40), (4, 60)]
    with pytest.raises(ValueError, match="enters at hop 2 but leaves after hop 1"):
        hops.enter(Stage(), 9, Stage(), first=2, last=1)
    with pytest.raises(ValueError, match="at least one hop"):
        Hops(calendar)


def test_acks_come_back_over_shared_delay_lines() -> None:
    calendar = Calendar()
    hops = Hops(calendar, [Delay(calendar, 10)])
    senders = [Sink(f"sender {flow}") for flow in range(3)]
    receivers = [Stage(f"receiver {flow}") for flow in range(3)]
    for flow, delay in enumerate([100, 100, 300]):
        hops.join(senders[flow], receivers[flow], flow, delay)
    for flow in range(3):
        receivers[flow].push(0, packet(flow, 0))
    calendar.settle(200)
    assert [sender.pushed for sender in senders] == [1, 1, 0]
    calendar.settle(300)
    assert senders[2].pushed == 1


def arrivals(make: type[ConstantTraffic], seconds_long: int = 100, **options: float) -> list[int]:
    calendar = Calendar()
    times: list[int] = []

    class Note(Stage):
        def push(self, now: int, packet: Packet) -> None:
            assert packet.pn == len(times)
            times.append(now)

    arguments = (calendar, 0) if make is ConstantTraffic else (calendar, 0, Streams(1).stream("cross"))
    source = make(*arguments, rate_bps=1_200_000, **options)  # type: ignore[arg-type]
    source.out = Note()
    calendar.settle(seconds_long * SECOND)
    assert source.passed == len(times)
    return times


def test_constant_traffic_keeps_its_rate_start_and_stop() -> None:
    times = arrivals(ConstantTraffic, start=5 * MS, stop=105 * MS)
    assert times == [5 * MS + i * 10 * MS for i in range(10)]


def test_poisson_traffic_has_its_mean_rate_and_exponential_gaps() -> None:
    times = arrivals(PoissonTraffic)
    assert abs(len(times) - 10_000) < 5 * math.sqrt(10_000)
    gaps = [b - a for a, b in zip(times, times[1:], strict=False)]
    mean = sum(gaps) / len(gaps)
    variation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) / mean
    assert abs(variation - 1) < 0.06


@pytest.mark.parametrize("shape", [0.0, 1.5])
def test_on_off_traffic_sends_at_its_duty_cycle(shape: float) -> None:
    """Mean on 200 ms, off 300 ms at 100 packets/s: 40 packets/s. Pareto means converge slowly: 25 %."""
    times = arrivals(OnOffTraffic, 400, mean_on=200 * MS, mean_off=300 * MS, shape=shape)
    assert abs(len(times) / 400 / 40 - 1) < (0.25 if shape else 0.12)
    assert max(b - a for a, b in zip(times, times[1:], strict=False)) > 500 * MS


def test_replayed_traffic_repeats_times_and_sizes() -> None:
    calendar = Calendar()
    seen: list[tuple[int, int]] = []

    class Note(Stage):
        def push(self, now: int, packet: Packet) -> None:
            seen.append((now, packet.size))

    source = ReplayTraffic(calendar, 0, [3, 3, 50], [100, 200, 300])
    source.out = Note()
    calendar.settle(1000)
    assert seen == [(3, 100), (3, 200), (50, 300)]
    with pytest.raises(ValueError, match="as many times as sizes"):
        ReplayTraffic(calendar, 0, [1], [])


def test_the_packet_log_tells_every_event_of_a_packet_in_ns() -> None:
    sim = Simulation(1, log_packets=True)
    assert sim.log is not None
    queue = Queue(limit_packets=1)
    sim.watch(queue, "queue")
    link = sim.add(Link(sim.calendar, queue, Capacity(12_000_000)))
    chain(link, sim.add(Tap(sim.log, "end")), Sink())
    for pn in range(3):
        link.push(0, packet(0, pn))
    sim.run(SECOND)
    columns = sim.log.columns()
    assert tuple(columns) == COLUMNS
    rows = list(zip(*(columns[name].tolist() for name in ("time_ns", "event", "pn", "value")), strict=True))
    assert rows == [
        (0, ENQUEUE, 0, 1500),
        (0, TAKE, 0, 0),
        (0, ENQUEUE, 1, 1500),
        (0, DROP, 2, 0),
        (MS, TAKE, 1, MS),
        (MS, DELIVER, 0, MS),
        (2 * MS, DELIVER, 1, 2 * MS),
    ]
    assert sim.log.stages == ["queue", "end"]


def test_the_log_grows_beyond_its_first_allocation() -> None:
    log = PacketLog()
    one = packet(1, 2, 3)
    for time in range(10_000):
        log.row(time, 0, DELIVER, one, -time)
    table = log.table()
    assert table.shape == (10_000, 9)
    assert table[:, 0].tolist() == list(range(10_000))
    assert table[-1].tolist() == [9999, 0, DELIVER, 1, DATA, 2, 1500, NOT_ECT, -9999]


def test_a_stage_that_loses_a_packet_unaccounted_for_is_named() -> None:
    class Leaky(Stage):
        def push(self, now: int, packet: Packet) -> None:
            self.pushed += 1

    sim = Simulation(1)
    sim.add(Leaky("leaky")).push(0, packet(0, 0))
    with pytest.raises(RuntimeError, match="leaky: 1 pushed"):
        sim.run(1)
