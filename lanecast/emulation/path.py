"""Stages joined into paths, and the pull interface at a path's edge.

`chain` joins stages in order. `Path` is the edge: whoever owns a clock pushes packets in, pulls packets out, and
asks when something will happen next; the same stages run under virtual time, real time and replay.
`Hops` joins any number of links into a row that flows enter and leave where they like: one hop is a dumbbell,
several with flows over parts of the row are a parking lot.
"""

from __future__ import annotations

from collections.abc import Sequence

from lanecast.emulation.delay import Delay
from lanecast.transport.calendar import Calendar
from lanecast.transport.stage import Demux, Outbox, Packet, Stage
from lanecast.transport.units import Ns


def chain(*stages: Stage) -> Stage:
    """Set each stage's `out` to the next and return the first."""
    for earlier, later in zip(stages, stages[1:], strict=False):
        earlier.out = later
    return stages[0]


class Path:
    """A row of stages with an edge: `push / pull / next_event`."""

    def __init__(self, calendar: Calendar, *stages: Stage) -> None:
        self.calendar = calendar
        self.outbox = Outbox("edge")
        self.stages = stages
        self.first = chain(*stages, self.outbox)

    def push(self, now: Ns, packet: Packet) -> None:
        """Settle what is due by now, then let the packet in."""
        self.calendar.settle(now)
        self.first.push(now, packet)

    def pull(self, now: Ns) -> Packet | None:
        """Return the oldest packet that has come out by now, or None."""
        self.calendar.settle(now)
        return self.outbox.pull()

    def next_event(self) -> Ns:
        """Return when something will happen inside, NEVER when idle."""
        return self.calendar.next_event()


class Hops:
    """Links in a row. Each hop is a sequence of stages (impairments, link, delay) entered at its first."""

    def __init__(self, calendar: Calendar, *hops: Sequence[Stage]) -> None:
        if not hops or not all(hops):
            raise ValueError("a row of hops needs at least one hop, each with at least one stage")
        self.calendar = calendar
        self.heads = [hop[0] for hop in hops]
        self.exits = [Demux(f"exit {place}") for place in range(len(hops))]
        self.stages: list[Stage] = []
        self._returns: dict[int, tuple[Delay, Demux]] = {}
        for place, hop in enumerate(hops):
            chain(*hop, self.exits[place])
            self.stages.extend((*hop, self.exits[place]))
        for demux, head in zip(self.exits, self.heads[1:], strict=False):
            demux.out = head

    def enter(self, source: Stage, flow: int, target: Stage, *, first: int = 0, last: int = -1) -> None:
        """Let `source`'s packets enter at hop `first`; those of `flow` leave after hop `last` to `target`."""
        last = range(len(self.heads))[last]
        if not 0 <= first <= last:
            raise ValueError(f"a flow enters at hop {first} but leaves after hop {last}")
        source.out = self.heads[first]
        self.exits[last].route(flow, target)

    def join(
        self, sender: Stage, receiver: Stage, flow: int, return_delay: int, *, first: int = 0, last: int = -1
    ) -> None:
        """Let a sender and its receiver meet over the hops; ACKs come back after `return_delay` ns, unqueued.

        Flows with the same return delay share one delay line, so that pending events do not grow with flows.
        """
        self.enter(sender, flow, receiver, first=first, last=last)
        if return_delay not in self._returns:
            line = Delay(self.calendar, return_delay, name=f"return {return_delay}")
            demux = Demux(f"return {return_delay} exit")
            line.out = demux
            self._returns[return_delay] = (line, demux)
            self.stages.extend((line, demux))
        line, demux = self._returns[return_delay]
        receiver.out = line
        demux.route(flow, sender)
