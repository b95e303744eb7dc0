"""Speed and exactness of the engine, as commands: `lanecast bench engine` and `lanecast bench exactness`.

Speed is CPU time of the run alone (not building, not importing), best of several repetitions. The dumbbell: long
flows at 1500-byte packets over one 100 Mbit/s bottleneck with PIE and 20 ms base RTT; a packet is a data packet
through the bottleneck, its ACK not counted. Delivered goodput, drops and marks stand beside each speed: an engine that
models less, or delivers less, is not faster. The cost curve runs flows and rates from small to large at about the same
number of packets; beside the cost of a packet stands that of an event, since small windows need more events for one.
Against ns-3 the same dumbbell is built from `benchmarks/ns3_dumbbell.cc` where a compiler and Debian's libns3-dev are
installed.
"""

from __future__ import annotations

import heapq
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from lanecast.emulation.capacity import Capacity
from lanecast.emulation.link import Link
from lanecast.emulation.path import Hops
from lanecast.emulation.simulator import Simulation
from lanecast.l4s.registry import make_queue
from lanecast.transport.congestion.base import AckObservation, CongestionControl, LossObservation
from lanecast.transport.congestion.registry import make_congestion
from lanecast.transport.marking import Marker
from lanecast.transport.pacing import prague_pacer
from lanecast.transport.receiver import HEADER, Receiver
from lanecast.transport.sender import Sender
from lanecast.transport.stage import NOT_ECT
from lanecast.transport.units import MS, SECOND

RATE_BPS = 100_000_000
RTT = 20 * MS
FLOWS = 10
CALIBRATION_REFERENCE_NS = 354  # `calibration` on the machine of the stated bounds
CURVE = ((10, 10), (10, 100), (10, 1000), (10, 10_000), (100, 1000), (1000, 1000))  # flows, Mbit/s
CURVE_BITS = 10_000_000_000  # what the bottleneck could send in each run of the curve, bits


class PlainReno(CongestionControl):
    """AIMD in plain Python, to time the bridge between the compiled core and a user's controller."""

    def __init__(self, *, mss: int = 1500) -> None:
        super().__init__(mss=mss)

    def on_ack(self, ack: AckObservation) -> None:
        """Slow start below ssthresh, one packet a round trip above (RFC 5681 3.1)."""
        if self.cwnd < self.ssthresh:
            self.cwnd += ack.acked
        else:
            self.cwnd += ack.acked * self.mss / self.cwnd

    def on_loss(self, loss: LossObservation) -> None:
        """Halve once a round trip (RFC 5681 3.2)."""
        if loss.fresh:
            self.ssthresh = self.cwnd = max(self.cwnd / 2, 2.0 * self.mss)


class Speed(NamedTuple):
    """What one dumbbell run cost and did."""

    packets: int
    cpu_seconds: float
    events: int
    goodput_mbps: float
    dropped: int

    @property
    def packets_per_cpu_second(self) -> float:
        """Return data packets through the bottleneck for each CPU second."""
        return self.packets / self.cpu_seconds


def dumbbell(
    simulated: int = 10 * SECOND,
    *,
    flows: int = FLOWS,
    rate_bps: int = RATE_BPS,
    controller: str = "cubic",
    kind: str = "pie",
    seed: int = 1,
    log_packets: bool = False,
) -> Speed:
    """Run the dumbbell for `simulated` ns and return its cost; several controllers ("prague+cubic") take turns."""
    sim = Simulation(seed, log_packets=log_packets)
    limit = max(100, 1000 * rate_bps // RATE_BPS)  # 1000 packets at 100 Mbit/s, as in the ns-3 program
    queue = make_queue(kind, stream=sim.streams.stream("aqm"), limit_packets=limit)
    sim.watch(queue, "bottleneck")
    link = sim.add(Link(sim.calendar, queue, Capacity(rate_bps)))
    hops = Hops(sim.calendar, [link])
    senders, names = [], controller.split("+")
    for flow in range(flows):
        law = make_congestion(names[flow % len(names)], mss=1500)
        pacer = prague_pacer() if law.paced else None
        marker = Marker(law.ecn_codepoint) if law.ecn_codepoint != NOT_ECT else None
        sender = Sender(sim.calendar, law, flow=flow, pacer=pacer, marker=marker)
        hops.join(sender, Receiver(sim.calendar, flow=flow), flow, RTT)
        sender.bulk()
        sender.start(flow * MS * 10 // flows)
        senders.append(sender)
    sim.extend(hops.stages[1:])
    begin = time.process_time()
    sim.run(simulated)
    cpu = time.process_time() - begin
    units = sum(sender.recovery.cumulative for sender in senders)
    goodput = units * (1500 - HEADER) * 8 / (simulated / SECOND) / 1e6
    return Speed(link.passed, cpu, sim.calendar.fired, goodput, queue.dropped)


def best_of(repetitions: int, **options: Any) -> Speed:
    """Return the cheapest of several equal runs."""
    return min((dumbbell(**options) for _ in range(repetitions)), key=lambda speed: speed.cpu_seconds)


def calibration() -> float:
    """Return the CPU time (ns) of `heapq.heapreplace` with 25 pending tuples, to compare machines by."""
    best = float("inf")
    for _ in range(5):
        heap = [(place, place) for place in range(25)]
        begin = time.process_time()
        for step in range(100_000):
            heapq.heapreplace(heap, (heap[0][0] + 25 + step % 7, step))
        best = min(best, time.process_time() - begin)
    return best / 100_000 * 1e9


def _in_subprocess(code: str, *, pure: bool = False) -> dict[str, Any]:
    """Run code that prints one JSON object, in a fresh interpreter."""
    environment = {**os.environ, "LANECAST_PURE": "1" if pure else "0", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measured_here(simulated: int, controller: str, repetitions: int) -> str:
    """Return, as JSON, the speed of the form (compiled or plain) that this interpreter runs; for `_in_subprocess`."""
    speed = best_of(repetitions, simulated=simulated, controller=controller)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    memory = (
        int(status["VmHWM"].split()[0]) / 1024
    )  # of this program alone; ru_maxrss would count its parent's
    return json.dumps({**speed._asdict(), "memory_mb": memory})


def _subprocess_speed(
    simulated: int, *, controller: str = "cubic", repetitions: int = 1, pure: bool = False
) -> dict[str, Any]:
    call = f"measured_here({simulated}, {controller!r}, {repetitions})"
    return _in_subprocess(f"from lanecast.experiments.bench import measured_here; print({call})", pure=pure)


def ns3_speed(simulated: int) -> dict[str, Any] | None:
    """Build and run the same dumbbell in ns-3; None where no compiler or no libns3-dev is found."""
    source = Path("benchmarks/ns3_dumbbell.cc")
    if not source.is_file() or shutil.which("g++") is None or not Path("/usr/include/ns3").is_dir():
        return None
    modules = ("core", "network", "internet", "point-to-point", "traffic-control", "applications")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "ns3_dumbbell"
        libraries = [f"-lns3-{module}" for module in modules]
        build = ["g++", "-O3", "-std=c++17", str(source), "-o", str(program), *libraries]
        subprocess.run(build, check=True, capture_output=True)
        runs: list[dict[str, Any]] = [
            json.loads(
                subprocess.run(
                    [program, f"--seconds={simulated / SECOND}"], check=True, capture_output=True
                ).stdout
            )
            for _ in range(3)
        ]
    return min(runs, key=lambda run: float(run["cpu_seconds"]))


def engine(*, fast: bool = False) -> dict[str, Any]:
    """Measure the dumbbell: compiled, with plain controllers, uncompiled, against ns-3, over size, over time."""
    simulated, repetitions = (2 * SECOND, 3) if fast else (10 * SECOND, 40)
    compiled = best_of(repetitions, simulated=simulated)
    users = best_of(repetitions, simulated=simulated, controller="lanecast.experiments.bench:PlainReno")
    dual = best_of(repetitions, simulated=simulated, controller="prague+cubic", kind="dualpi2")
    logged = best_of(min(repetitions, 5), simulated=simulated, log_packets=True)
    plain = _subprocess_speed(10 * SECOND, repetitions=1 if fast else 3, pure=True)
    short, long = (_subprocess_speed(length * SECOND) for length in (10, 60))
    scale = calibration() / CALIBRATION_REFERENCE_NS
    figures: dict[str, Any] = {
        "packets_per_cpu_second": round(compiled.packets_per_cpu_second),
        "packets_per_cpu_second_plain_controllers": round(users.packets_per_cpu_second),
        "packets_per_cpu_second_uncompiled": round(plain["packets"] / plain["cpu_seconds"]),
        "packets_per_cpu_second_dualpi2": round(dual.packets_per_cpu_second),
        "goodput_mbps_dualpi2": round(dual.goodput_mbps, 2),
        "events_per_packet": round(compiled.events / compiled.packets, 3),
        "log_cost_ratio": round(logged.cpu_seconds / compiled.cpu_seconds, 2),
        "goodput_mbps": round(compiled.goodput_mbps, 2),
        "packets": compiled.packets,
        "dropped": compiled.dropped,
        "memory_mb_10s": round(short["memory_mb"], 1),
        "memory_mb_60s": round(long["memory_mb"], 1),
        "machine_scale": round(scale, 2),
        "load_average": os.getloadavg()[0],
    }
    ns3 = None if fast else ns3_speed(simulated)
    if ns3 is not None:
        speed = ns3["packets"] / ns3["cpu_seconds"]
        figures["ns3_packets_per_cpu_second"] = round(speed)
        figures["ns3_goodput_mbps"] = ns3["goodput_mbps"]
        figures["ratio_to_ns3"] = round(compiled.packets_per_cpu_second / speed, 1)
    figures |= curve(CURVE_BITS // 20 if fast else CURVE_BITS, 1 if fast else 3)
    return figures


def curve(bits: int, repetitions: int) -> dict[str, Any]:
    """Return the cost of a packet and of an event, ns, over numbers of flows and rates."""
    figures: dict[str, Any] = {}
    for flows, megabits in CURVE:
        rate_bps = megabits * 1_000_000
        speed = best_of(repetitions, simulated=bits * SECOND // rate_bps, flows=flows, rate_bps=rate_bps)
        place = f"{flows}_flows_{megabits}_mbps"
        figures[f"ns_per_packet_{place}"] = round(1e9 * speed.cpu_seconds / speed.packets)
        figures[f"ns_per_event_{place}"] = round(1e9 * speed.cpu_seconds / speed.events)
    return figures
