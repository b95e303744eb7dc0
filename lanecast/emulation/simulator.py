"""The virtual-time driver: it owns nothing but the end time.

A `Simulation` bundles what every run needs (calendar, random streams, optional per-packet log) and, at the end,
checks that no stage made or lost a packet unaccounted for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from lanecast.l4s.queue import Queue
from lanecast.transport.calendar import Calendar
from lanecast.transport.recorder import DELIVER, PacketLog
from lanecast.transport.rng import Streams
from lanecast.transport.stage import Packet, Stage
from lanecast.transport.units import Ns

AnyStage = TypeVar("AnyStage", bound=Stage)


class Tap(Stage):
    """Logs every packet that passes, with its one-way delay since it was sent."""

    def __init__(self, log: PacketLog, name: str, event: int = DELIVER) -> None:
        super().__init__(name)
        self.log = log
        self.log_id = log.register(self.name)
        self.event = event

    def push(self, now: Ns, packet: Packet) -> None:
        """Log and pass."""
        self.pushed += 1
        self.log.row(now, self.log_id, self.event, packet, now - packet.sent)
        self.forward(now, packet)


class Simulation:
    """One run in virtual time."""

    def __init__(self, seed: int, *, log_packets: bool = False) -> None:
        self.calendar = Calendar()
        self.streams = Streams(seed)
        self.log = PacketLog() if log_packets else None
        self.stages: list[Stage] = []

    def add(self, stage: AnyStage) -> AnyStage:
        """Register a stage whose packets must add up, and return it."""
        self.stages.append(stage)
        return stage

    def extend(self, stages: Iterable[Stage]) -> None:
        """Register several stages."""
        self.stages.extend(stages)

    def watch(self, loggable: Stage | Queue, name: str) -> None:
        """Let a queue or an impairment write into the per-packet log, if there is one."""
        if self.log is not None:
            loggable.log = self.log  # type: ignore[union-attr]
            loggable.log_id = self.log.register(name)  # type: ignore[union-attr]

    def run(self, until: Ns) -> None:
        """Advance to `until` and check conservation."""
        self.calendar.settle(until)
        self.check()

    def check(self) -> None:
        """Raise RuntimeError naming the first stage whose packets do not add up."""
        for stage in self.stages:
            created: int = getattr(stage, "created", 0)
            if stage.pushed + created != stage.passed + stage.dropped + stage.held():
                raise RuntimeError(
                    f"{stage.name}: {stage.pushed} pushed + {created} created != {stage.passed} passed"
                    f" + {stage.dropped} dropped + {stage.held()} held"
                )
