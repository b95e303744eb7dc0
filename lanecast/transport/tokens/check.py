"""Conformance check of token schemes, for plug-ins of a user's own.

`check_scheme` runs a scheme between two endpoints over a small channel of its own: loss-free, with scripted losses,
with all ACKs lost for a second. It reports everything that is wrong, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.base import CongestionControl
from lanecast.transport.stage import Packet, Stage
from lanecast.transport.tokens.endpoint import TokenReceiver, TokenSender
from lanecast.transport.tokens.scheme import Coded, TokenScheme
from lanecast.transport.units import MS, NEVER, SECOND, Ns

ONE_WAY = 25 * MS
GAP = 20 * MS
TOKENS = 60
TOKEN_BYTES = 5
END = 300 * SECOND  # a scheme that needs longer is stuck


class ScriptedLoss(Stage):
    """A delay line that loses what `loses(k, now)` says, k counting packets."""

    def __init__(self, calendar: Calendar, delay: Ns, loses: Callable[[int, Ns], bool]) -> None:
        super().__init__("scripted loss")
        self.calendar = calendar
        self.delay = delay
        self.loses = loses
        self.waiting: list[tuple[Ns, Packet]] = []

    def push(self, now: Ns, packet: Packet) -> None:
        """Lose the packet, or hold it for the delay."""
        self.pushed += 1
        if self.loses(self.pushed - 1, now):
            self.drop(now, packet)
            return
        self.waiting.append((now + self.delay, packet))
        self.calendar.at(now + self.delay, self)

    def wake(self, now: Ns) -> None:
        """Let out what is due."""
        while self.waiting and self.waiting[0][0] <= now:
            self.forward(now, self.waiting.pop(0)[1])

    def held(self) -> int:
        """Return the packets inside."""
        return len(self.waiting)


class _Times:
    """A stream of equal tokens at equal gaps."""

    def __init__(self, count: int, gap: Ns) -> None:
        self.times = np.arange(count, dtype=np.int64) * gap
        self.wire_sizes = np.full(count, TOKEN_BYTES, dtype=np.int64)


def run_scripted(
    scheme: TokenScheme,
    *,
    tokens: int = TOKENS,
    gap: Ns = GAP,
    one_way: Ns = ONE_WAY,
    data_lost: Callable[[int, Ns], bool] = lambda _k, _now: False,
    acks_lost: Callable[[int, Ns], bool] = lambda _k, _now: False,
    warm: Ns = 0,
    controller: CongestionControl | None = None,
    watch: Stage | None = None,
) -> tuple[TokenSender, TokenReceiver]:
    """Run a scheme over scripted losses until all is acknowledged; `watch` sees data packets before they are lost.

    Raises:
        RuntimeError: the scheme is not done after 300 s of virtual time.
    """
    calendar = Calendar()
    sender = TokenSender(calendar, _Times(tokens, gap), scheme, warm=warm, controller=controller)
    receiver = TokenReceiver(calendar).follow(scheme)
    wire = ScriptedLoss(calendar, one_way, data_lost)
    back = ScriptedLoss(calendar, one_way, acks_lost)
    if watch is None:
        sender.out = wire
    else:
        sender.out, watch.out = watch, wire
    wire.out, receiver.out, back.out = receiver, back, sender
    while not sender.is_done():
        due = calendar.next_event()
        if due == NEVER or due > END:
            raise RuntimeError(
                f"{sender.ledger.acked_count} of {tokens} tokens acknowledged, then nothing happens"
            )
        calendar.settle(due)
    return sender, receiver


class _Watch(Stage):
    """Looks at every packet that a scheme makes."""

    def __init__(self) -> None:
        super().__init__("watch")
        self.faults: list[str] = []
        self.fates: list[tuple[Ns, int, Any]] = []

    def push(self, now: Ns, packet: Packet) -> None:
        """Check the payload and pass it on."""
        self.pushed += 1
        payload: Any = packet.payload
        runs = payload.runs if isinstance(payload, Coded) else payload
        self.fates.append((now, packet.size, runs))
        edges = list(runs)
        if not edges or len(edges) % 2 or any(a >= b for a, b in zip(edges, edges[1:], strict=False)):
            self.faults.append(f"runs must be rising, non-empty pairs, got {runs!r}")
        if packet.size > 1228:
            self.faults.append(f"a packet of {packet.size} bytes exceeds the payload limit of 1200 + 28")
        self.forward(now, packet)


def check_scheme(make: Callable[[], TokenScheme]) -> list[str]:
    """Return what is wrong with the schemes that `make()` returns: one sentence a fault, none when all is well."""
    faults: list[str] = []
    cases: dict[str, dict[str, Any]] = {
        "no loss": {},
        "every third packet lost": {"data_lost": lambda k, _now: k % 3 == 1},
        "first and last packets lost": {
            "data_lost": lambda k, now: k == 0 or now in {59 * GAP, 59 * GAP + 1}
        },
        "ACKs lost for a second": {"acks_lost": lambda _k, now: now < SECOND},
        "bursts of 300 ms": {"data_lost": lambda _k, now: now % (900 * MS) < 300 * MS and now < 8 * SECOND},
    }
    for name, case in cases.items():
        try:
            first, second = _Watch(), _Watch()
            sender, _ = run_scripted(make(), watch=first, **case)
            run_scripted(make(), watch=second, **case)
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises is its fault, and is reported
            faults.append(f"{name}: {type(error).__name__}: {error}")
            continue
        faults += [f"{name}: {fault}" for fault in dict.fromkeys(first.faults)]
        if first.fates != second.fates:
            faults.append(f"{name}: two equal runs sent different packets")
        if name == "no loss" and sender.ledger.unsent != TOKENS:
            faults.append(f"{name}: only {sender.ledger.unsent} of {TOKENS} tokens were sent")
    return faults
