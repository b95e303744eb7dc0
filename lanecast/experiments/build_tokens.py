"""Token streaming from a point: the answer, the scheme, both endpoints, the channel between them, the metrics.

A run has one answer from `TokenSender` to `TokenReceiver` and ACKs back (`build_shared.py`: several on one
bottleneck). It ends when every token is shown and acknowledged, or `HORIZON` after the last token was generated;
tokens not shown by then count as shown at the horizon. Oracles stand in for a sender: they know the channel's future.
"""

from __future__ import annotations

import inspect
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lanecast.emulation.path import chain
from lanecast.emulation.simulator import Simulation, Tap
from lanecast.errors import PlanError
from lanecast.experiments.build import Direction, in_ns, lossy_directions, milliseconds, traced_directions
from lanecast.experiments.config import Bottleneck, SchemeChoice, TokenApp, TokenPlan, TraceChannel
from lanecast.experiments.measure import Outcome, advance, capacity_columns, log_columns, measure
from lanecast.experiments.oracles import ORACLES, OracleRun
from lanecast.transport.tokens.endpoint import TokenReceiver, TokenSender
from lanecast.transport.tokens.recorded import default_recording, load_recorded
from lanecast.transport.tokens.scheme import TokenScheme, make_scheme
from lanecast.transport.tokens.source import MAKERS, TokenStream, constant_gap
from lanecast.transport.tokens.text import cut, load_text, timed
from lanecast.transport.units import SECOND

if TYPE_CHECKING:
    from lanecast.transport.rng import Streams
    from lanecast.transport.stage import Stage

TOKEN_FLOW = 0
MARGIN = 5 * SECOND  # of a trace beyond the last token; a run that lasts longer meets the stretch again


def token_stream(app: TokenApp, streams: Streams, index: int = 0) -> TokenStream:
    """Return answer number `index` of those that a plan describes.

    Raises:
        PlanError: the source or one of its options is unknown.
    """
    options = in_ns(app.source_options)
    try:
        if app.source == "recorded":
            stream = load_recorded(options.pop("file")) if "file" in options else default_recording()
            stream = stream.repeated(app.tokens)
        elif app.source == "text":
            tokens = cut(
                load_text(options.pop("file")), stream=streams.stream("token text", index), **options
            )
            stream = timed(tokens, constant_gap(milliseconds(app.gap_ms), app.tokens)).head(app.tokens)
        elif app.source == "model":
            from lanecast.predictors.token_model import answer  # noqa: PLC0415 - heavy, optional

            drawn = streams.stream("language model", index)
            gap, clock = milliseconds(app.gap_ms), time.perf_counter_ns
            stream = answer(count=app.tokens, gap=gap, stream=drawn, clock=clock, **options)
        else:
            stream = _made(app, options, streams, index)
    except (TypeError, KeyError) as error:
        raise PlanError("plan", "app.source_options", f"do not fit source {app.source!r}: {error}") from None
    return stream.grouped(app.group)


def _made(app: TokenApp, options: dict[str, Any], streams: Streams, index: int) -> TokenStream:
    if app.source not in MAKERS:
        known = ", ".join([*MAKERS, "recorded", "text", "model"])
        raise PlanError("plan", "app.source", f"is {app.source!r}, expected one of {known}")
    maker = MAKERS[app.source]
    wanted = inspect.signature(maker).parameters
    gap = milliseconds(app.gap_ms)
    given: dict[str, Any] = {"gap": gap, "mean_gap": gap, "itl": gap, "tokens_per_s": SECOND / gap}
    chosen = {name: value for name, value in given.items() if name in wanted} | options
    if "stream" in wanted:
        chosen["stream"] = streams.stream("token source", index)
    return maker(count=app.tokens, size=app.token_bytes, **chosen)


def token_scheme(point: TokenPlan) -> TokenScheme:
    """Return the scheme of a point: a `[scheme.NAME]` table's base with its options, or a registered name.

    Raises:
        PlanError: there is no such scheme, or it does not take the options.
    """
    name = point.app.scheme
    choice = point.scheme.get(name, SchemeChoice(base=name))
    try:
        return make_scheme(choice.base, **in_ns(choice.options))
    except (TypeError, ValueError) as error:
        where = f"scheme.{name}" if name in point.scheme else "app.scheme"
        raise PlanError("plan", where, str(error)) from None


@dataclass(slots=True)
class TokenRun:
    """One answer over one channel, ready to run."""

    simulation: Simulation
    stream: TokenStream
    sender: TokenSender
    receiver: TokenReceiver
    down: Direction
    up: Direction

    def run(self) -> Outcome:
        """Run to the end and measure."""
        end = advance(self.simulation, [self.sender], [self.receiver], [self.stream])
        self.simulation.check()
        metrics, columns = measure(self.stream, self.sender, self.receiver, end)
        columns |= log_columns(self.simulation)
        columns |= capacity_columns(self.down)
        drops = {"down lost": self.down.channel.dropped, "up lost": self.up.channel.dropped}
        for name, direction in (("down", self.down), ("up", self.up)):
            if direction.link is not None:
                drops[f"{name} queue"] = direction.link.queue.dropped
        notes = {"stages": self.simulation.log.stages} if self.simulation.log is not None else {}
        return Outcome(metrics, columns, drops, notes)


def build_tokens(point: TokenPlan, data: str = "") -> TokenRun | OracleRun:
    """Wire a point with one answer; `data` is the folder with traces, empty for synthetic ones."""
    spec = point.channel[point.path.channel]
    simulation = Simulation(point.run.seed, log_packets=point.run.log)
    stream = token_stream(point.app, simulation.streams)
    if isinstance(spec, TraceChannel):
        length = int(stream.times[-1]) + MARGIN
        down, up = traced_directions(simulation, spec, point.path, data, length)
    elif isinstance(spec, Bottleneck):
        raise TypeError("a shared bottleneck is wired by build_shared")
    else:
        down, up = lossy_directions(simulation, spec, point.path)
    choice = point.scheme.get(point.app.scheme, SchemeChoice(base=point.app.scheme))
    if choice.base in ORACLES:
        return OracleRun(choice.base, stream, down, **choice.options)
    sender, receiver = endpoints(point, simulation, stream, TOKEN_FLOW)
    watch(simulation, down, up)
    ends: list[Stage] = [Tap(simulation.log, "receiver")] if simulation.log is not None else []
    chain(sender, *down.stages, *ends, receiver, *up.stages, sender)
    return TokenRun(simulation, stream, sender, receiver, down, up)


def endpoints(
    point: TokenPlan, simulation: Simulation, stream: TokenStream, flow: int
) -> tuple[TokenSender, TokenReceiver]:
    """Return the sender and the receiver of one answer."""
    scheme = token_scheme(point)
    sender = TokenSender(
        simulation.calendar,
        stream,
        scheme,
        flow,
        warm=milliseconds(point.path.rtt_ms) if point.path.warm else 0,
        payload_limit=point.app.payload_bytes,
        name=f"sender {flow}",
    )
    receiver = TokenReceiver(simulation.calendar, flow, name=f"receiver {flow}").follow(scheme)
    return sender, receiver


def watch(simulation: Simulation, down: Direction, up: Direction) -> None:
    """Let both directions write into the per-packet log, if there is one."""
    for name, direction in (("down", down), ("up", up)):
        simulation.watch(direction.channel, f"{name} wire")
        if direction.link is not None:
            simulation.watch(direction.link.queue, f"{name} queue")
