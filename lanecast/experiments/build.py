"""From a point to stages: the unit conversion and the wiring that all kinds of plan share.

The `build*.py` files are the only places where a plan's units (`_ms`, `_mbps`, `_kbytes`) become ns,
bit/s and bytes, and where stages meet. Random components are named after what they are, never after the scheme
under test, so every scheme meets the same channel on the same seed.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.emulation.capacity import RateCapacity
from lanecast.emulation.channel import Channel
from lanecast.emulation.cross import PoissonTraffic
from lanecast.emulation.delay import TrackDelay
from lanecast.emulation.impair import LOSS_UNIT, GilbertElliott, LossProcess, TrackLoss
from lanecast.emulation.link import Link, OpportunityLink
from lanecast.emulation.simulator import Simulation
from lanecast.emulation.track import Track
from lanecast.errors import UsageError
from lanecast.experiments.config import Gilbert, Iid, TokenPath, TraceChannel
from lanecast.l4s.registry import make_queue
from lanecast.traces import synthetic
from lanecast.traces.files import load_trace
from lanecast.traces.trace import Opportunities, Trace
from lanecast.transport.rng import Stream, Streams
from lanecast.transport.stage import Demux, Sink, Stage
from lanecast.transport.units import ms

if TYPE_CHECKING:
    from lanecast.l4s.queue import Queue

TRACES = "traces"
SYNTHETIC_S = 600.0  # assumption: length of a synthetic trace; runs start at an offset drawn from the seed
SYNTHETIC_SET = 32  # assumption: synthetic traces 0..31 of one fixed seed stand for the files of a set
SYNTHETIC_SEED = 20_260_101  # any fixed number: the set is the same for every run's seed
BITS_PER_BYTE = 8
BYTES_PER_KBYTE = 1000
SIDES = ("down", "up")
CROSS_FLOW = 1_000_000  # flow number of cross traffic: no endpoint has it


def milliseconds(value: float) -> int:
    """Return a duration given in ms as ns."""
    return ms(value)


def in_ns(options: dict[str, Any]) -> dict[str, Any]:
    """Return a plug-in's options with those ending in `_ms` as ns under their bare name."""
    return {
        name.removesuffix("_ms"): milliseconds(value) if name.endswith("_ms") else value
        for name, value in options.items()
    }


def queue_of(
    kind: str, stream: Stream, *, limit_ms: float = 0.0, options: dict[str, Any] | None = None
) -> Queue:
    """Return a queue by name; `limit_ms` > 0 bounds the sojourn time, options are the queue's own."""
    limits = {"limit_time": milliseconds(limit_ms)} if limit_ms > 0 else {}
    return make_queue(kind, stream=stream, **limits, **in_ns(options or {}))


@functools.cache
def trace_files(data: str, pattern: str) -> tuple[str, ...]:
    """Return the files under DATA/traces that "|"-separated patterns match, each pattern's in order of name.

    Raises:
        UsageError: the folder holds none.
    """
    folder = Path(data) / TRACES
    found: list[str] = []
    for part in pattern.split("|"):
        here = sorted(str(path) for path in folder.glob(part.strip()) if path.is_file())
        if not here:
            raise UsageError(f"--data {data}: no file matches {folder / part.strip()}")
        found += here
    return tuple(found)


@functools.lru_cache(maxsize=64)
def read_trace(file: str) -> Trace:
    """Return a trace file's content; a process reads each file once."""
    return load_trace(file)


@functools.lru_cache(maxsize=64)
def synthetic_trace(name: str, index: int) -> Trace:
    """Return one of the fixed set of synthetic traces of a class."""
    return synthetic.make(name, duration_s=SYNTHETIC_S, seed=SYNTHETIC_SEED, index=index)


def link_of(
    simulation: Simulation, queue: Queue, trace: Trace, name: str, *, overhead_bytes: int = 0
) -> Link | OpportunityLink:
    """Return a link that follows a trace's capacity; `overhead_bytes` are sent with every packet."""
    capacity = trace.required_capacity()
    if isinstance(capacity, Opportunities):
        return OpportunityLink(
            simulation.calendar,
            queue,
            capacity.times.tolist(),
            bytes_each=capacity.bytes_each,
            overhead=overhead_bytes,
            loop=trace.end == "loop",
            name=name,
        )
    law = RateCapacity(capacity.starts.tolist(), capacity.rates.tolist(), capacity.end, after=trace.end)
    return Link(simulation.calendar, queue, law, name=name, overhead=overhead_bytes)


def loss_processes(
    spec: Iid | Gilbert, streams: Streams, *, symmetric: bool, place: int = 0
) -> tuple[LossProcess, LossProcess]:
    """Return the loss processes of both directions: one shared state when symmetric, else two."""
    if isinstance(spec, Iid):
        return LossProcess(spec.loss), LossProcess(spec.loss)

    def gilbert(index: int) -> LossProcess:
        return GilbertElliott(
            streams.stream("channel state", index),
            mean_good=milliseconds(spec.mean_good_ms),
            mean_bad=milliseconds(spec.mean_bad_ms),
            loss_good=spec.loss_good,
            loss_bad=spec.loss_bad,
        )

    down = gilbert(place)
    return down, down if symmetric else gilbert(place + 1)


@dataclass(slots=True)
class Direction:
    """One direction of a token path: its stages in order, and the parts that measurements ask."""

    stages: list[Stage]
    channel: Channel
    link: Link | OpportunityLink | None = None
    trace: Trace | None = None
    excess: Track | None = None


def lossy_directions(
    simulation: Simulation, spec: Iid | Gilbert, path: TokenPath
) -> tuple[Direction, Direction]:
    """Return both directions of a channel without a rate limit."""
    processes = loss_processes(spec, simulation.streams, symmetric=path.coupling == "symmetric")
    down, up = (
        Direction([channel := wire(simulation, process, path, place)], channel)
        for place, process in enumerate(processes)
    )
    return down, up


def wire(simulation: Simulation, process: LossProcess, path: TokenPath, place: int) -> Channel:
    """Return the wire of one direction (0 down, 1 up): loss, RTT/2 and jitter."""
    return simulation.add(
        Channel(
            simulation.calendar,
            simulation.streams.key("wire", place),
            process,
            milliseconds(path.rtt_ms / 2),
            jitter_mean=milliseconds(path.jitter_ms),
            ordered=False,
            name=SIDES[place],
        )
    )


def chosen_trace(data: str, pattern: str, synthetic_class: str, seed: int) -> Trace:
    """Return the trace that a seed meets: a file of the data folder, or one of the synthetic set."""
    if data and pattern:
        files = trace_files(data, pattern)
        return read_trace(files[seed % len(files)])
    return synthetic_trace(synthetic_class, seed % SYNTHETIC_SET)


@functools.lru_cache(maxsize=8)
def stretch(spec: TraceChannel, data: str, seed: int, length: int) -> tuple[Trace, Trace]:
    """Return the part of both directions' traces that a run of `length` ns meets, from an offset of the seed."""
    offset = Streams(seed).stream("trace offset").next_double()
    down = chosen_trace(data, spec.files, spec.synthetic, seed)
    up = chosen_trace(data, spec.up_files or spec.files, spec.synthetic_up or spec.synthetic, seed)
    return turned(down, offset, length), turned(up, offset, length)


def turned(trace: Trace, offset: float, length: int) -> Trace:
    """Return `length` ns of a looped trace from a share `offset` of its period; shorter traces stay whole.

    Where a recording offers nothing for all of `length` (outages of 35 s occur), the stretch goes on to its end.
    """
    period = trace.period_ns
    shifted = trace.with_end("loop").offset(int(offset * period))
    if isinstance(shifted.capacity, Opportunities):
        length = max(length, int(shifted.capacity.times[0]))
    elif shifted.capacity is not None:
        alive = shifted.capacity.starts[shifted.capacity.rates > 0]
        length = max(length, int(alive[0]) + 1) if len(alive) else length
    return shifted.cut(0, length) if length < period else shifted


def traced_directions(
    simulation: Simulation, spec: TraceChannel, path: TokenPath, data: str, length: int
) -> tuple[Direction, Direction]:
    """Return both directions of a trace-driven path: a link with a buffer bounded by time, then the wire."""
    seed = simulation.streams.seed
    made = []
    for place, trace in enumerate(stretch(spec, data, seed, length)):
        queue = queue_of("droptail", simulation.streams.stream("queue", place), limit_ms=spec.buffer_ms)
        link = simulation.add(link_of(simulation, queue, trace, f"link {SIDES[place]}"))
        channel = wire(simulation, _traced_loss(spec, data, seed), path, place)
        excess = _traced_delay(trace)
        direction = Direction([link, channel], channel, link, trace, excess)
        if excess is not None:
            line = TrackDelay(simulation.calendar, excess, name=f"traced delay {SIDES[place]}")
            direction.stages.insert(1, simulation.add(line))
        load = (spec.load, spec.up_load)[place]
        if load > 0:
            cross_load(simulation, link, load * trace.mean_bit_s, place)
            split = simulation.add(Demux(f"exit {SIDES[place]}"))
            split.route(CROSS_FLOW, simulation.add(Sink(f"cross sink {SIDES[place]}")))
            direction.stages.insert(1, split)
        made.append(direction)
    return made[0], made[1]


def _traced_loss(spec: TraceChannel, data: str, seed: int) -> LossProcess:
    if not (data and spec.loss_files):
        return LossProcess(spec.loss)
    starts, values, end = _loss_steps(data, spec.loss_files, seed)
    return TrackLoss(Track(starts, values, end))


@functools.lru_cache(maxsize=8)
def _loss_steps(data: str, pattern: str, seed: int) -> tuple[list[int], list[int], int]:
    """Return the loss that a seed meets as steps: starts (ns), probabilities in units of 2^-32, and the end."""
    loss = chosen_trace(data, pattern, "", seed).loss
    if loss is None:
        raise UsageError(f"{pattern}: the trace has no loss track")
    offset = Streams(seed).stream("loss offset").next_double()
    track = loss.rotated(int(offset * loss.end))
    units = [round(probability * LOSS_UNIT) for probability in track.values.tolist()]
    return track.starts.tolist(), units, track.end


def _traced_delay(trace: Trace) -> Track | None:
    """Return the excess of a trace's delay over its least value, ns."""
    if trace.delay is None:
        return None
    values = trace.delay.values
    return Track(trace.delay.starts.tolist(), (values - values.min()).tolist(), trace.delay.end)


def cross_load(simulation: Simulation, link: Stage, rate_bps: float, place: int) -> Stage:
    """Return Poisson cross traffic into a link."""
    source = PoissonTraffic(
        simulation.calendar,
        CROSS_FLOW,
        simulation.streams.stream("cross", place),
        rate_bps=max(1, round(rate_bps)),
        name=f"cross {SIDES[place]}",
    )
    source.out = link
    return source
