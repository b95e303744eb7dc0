"""A conformance test for congestion controllers, for users to run on their own.

`check_congestion(factory)` drives two controllers made by `factory` through the same life (a transfer with losses,
marks, probe timeouts, an idle time, a timeout, a spurious loss, and extreme observations) and raises
`LanecastError` with all that is wrong: a window under one packet or not a number, a pacing rate that is no whole
number of bit/s, an exception, different answers to equal input, or an observation that was kept. Two more lives tell
whether it answers losses: a path that loses in every round trip must not see the window grow on and on, and the losses
of one round trip must not reduce it twice.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator

from lanecast.errors import LanecastError
from lanecast.transport.congestion.base import AckObservation, CongestionControl, LossObservation

MSS = 1500  # bytes
RTT = 40_000_000  # ns, of the transfer that is played
EXTREMES = (0, 1, RTT, 3_600_000_000_000)  # ns: RTTs from nothing to one hour
LARGE = 2**40  # bytes acknowledged at once
ROUNDS = 60  # round trips of the transfer
LOSS_EVERY = 9  # rounds
MARK_EVERY = 7  # rounds
LOSSY_ROUNDS = 40  # round trips of the path that always loses
LOSSY_GROWTH = 1.5  # times that the window may grow in their second half; assumption

Step = tuple[str, Callable[[CongestionControl], None]]


class Script:
    """Plays one life; every step is named, so that a fault can be located."""

    def __init__(self) -> None:
        self.ack = AckObservation()
        self.loss = LossObservation()
        self.now = 0
        self.pn = 0

    def steps(self) -> Iterator[Step]:
        """Yield (name, call) in order."""
        for number in range(ROUNDS):
            yield from self._round(number)
        yield "on_pto", lambda control: control.on_pto(self.now, 1)
        yield "on_idle", lambda control: control.on_idle(self.now, 10 * RTT)
        yield "on_rto", self.lose(20)
        yield "on_loss and on_persistent_congestion", self._persist
        for rtt in EXTREMES:
            for size in (0, 1, LARGE):
                yield f"on_ack with rtt {rtt} ns and {size} bytes", self.acknowledge(rtt, size)

    def _round(self, number: int) -> Iterator[Step]:
        yield "on_sent", lambda control: control.on_sent(self.now, MSS, 10 * MSS)
        for part in range(10):
            marks = 1 if number % MARK_EVERY == MARK_EVERY - 1 and part == 3 else 0
            yield "on_ack", self.acknowledge(RTT + part, 2 * MSS, marks)
        if number % LOSS_EVERY == LOSS_EVERY - 1:
            yield "on_loss", self.lose(2)
        if number == 2 * LOSS_EVERY - 1:
            yield "on_spurious", lambda control: control.on_spurious(self.now)

    def acknowledge(self, rtt: int, size: int, marks: int = 0) -> Callable[[CongestionControl], None]:
        """Return a call that tells of `size` bytes acknowledged, `marks` packets of them marked."""

        def call(control: CongestionControl) -> None:
            seen = self.ack
            seen.now, seen.rtt, seen.srtt, seen.min_rtt = self.now, rtt, rtt, rtt
            seen.acked, seen.acked_packets, seen.ce, seen.received = (
                size,
                -(-size // MSS),
                marks,
                -(-size // MSS),
            )
            seen.flight, seen.in_flight = 20 * MSS + size, 20 * MSS
            seen.pn, seen.next_pn, seen.round_start = self.pn, self.pn + 20, self.pn % 20 == 0
            seen.delivered += size
            seen.rate_size, seen.rate_interval = 20 * MSS, rtt
            control.on_ack(seen)

        return call

    def lose(self, packets: int) -> Callable[[CongestionControl], None]:
        """Return a call that tells of lost packets, of 20 as a timeout."""

        def call(control: CongestionControl) -> None:
            self.fill_loss(packets)
            (control.on_loss if packets < 20 else control.on_rto)(self.loss)

        return call

    def _persist(self, control: CongestionControl) -> None:
        self.fill_loss(5)
        control.on_loss(self.loss)
        control.on_persistent_congestion(self.loss)

    def fill_loss(self, packets: int) -> None:
        """Make the observation tell of fresh losses."""
        lost = self.loss
        lost.now, lost.sent, lost.srtt = self.now, self.now - RTT, RTT
        lost.lost, lost.lost_packets, lost.fresh = packets * MSS, packets, True
        lost.flight, lost.in_flight = 20 * MSS, (20 - packets) * MSS
        lost.pn, lost.next_pn = self.pn, self.pn + 20

    def advance(self) -> None:
        """Let time go on between two steps."""
        self.now += RTT // 10
        self.pn += 2


def play(factory: Callable[..., CongestionControl]) -> tuple[list[tuple[float, int]], list[str]]:
    """Return the answers (cwnd, pacing rate) after every step, and the faults found."""
    control, wrong = make(factory)
    if control is None:
        return [], [wrong]
    script = Script()
    answers: list[tuple[float, int]] = []
    faults: list[str] = []
    held = (sys.getrefcount(script.ack), sys.getrefcount(script.loss))
    for name, call in script.steps():
        try:
            call(control)
        except Exception as error:  # noqa: BLE001 - the edge to a user's code: reported below
            return answers, [*faults, f"{name}: raised {type(error).__name__}: {error}"]
        answers.append((control.cwnd, control.pacing_rate_bps))
        faults.extend(f"{name}: {fault}" for fault in judge(control))
        script.advance()
    del call
    kept = (sys.getrefcount(script.ack) > held[0], sys.getrefcount(script.loss) > held[1])
    for name, is_kept in zip(("AckObservation", "LossObservation"), kept, strict=True):
        if is_kept:
            faults.append(f"keeps the {name}, which is reused: copy its values instead")
    return answers, faults


def make(factory: Callable[..., CongestionControl]) -> tuple[CongestionControl | None, str]:
    """Return a new controller, or None and what is wrong with its making."""
    try:
        control = factory(mss=MSS)
    except Exception as error:  # noqa: BLE001 - the edge to a user's code: reported below
        return None, f"the factory, called with mss={MSS}, raised {type(error).__name__}: {error}"
    if not isinstance(control, CongestionControl):
        return None, f"the factory must return a CongestionControl, got {type(control).__name__}"
    if getattr(control, "mss", 0) != MSS or not hasattr(control, "cwnd"):
        return (
            None,
            "the base is not set up: call super().__init__(mss=mss) first in __init__, with the mss given",
        )
    return control, ""


def answers_losses(factory: Callable[..., CongestionControl]) -> list[str]:
    """Return what is wrong with a controller's answer to losses; it has passed `play`."""
    faults = []
    control = factory(mss=MSS)
    script = Script()
    windows = []
    for _ in range(LOSSY_ROUNDS):
        for _ in range(10):
            script.advance()
            script.acknowledge(RTT, 2 * MSS)(control)
        script.lose(2)(control)
        windows.append(control.cwnd)
    if windows[-1] > LOSSY_GROWTH * windows[LOSSY_ROUNDS // 2]:
        faults.append("on_loss: the window grows on and on although every round trip loses packets")
    before = control.cwnd
    script.pn += 1  # sent before the last reduction, like those that it was told of
    script.fill_loss(1)
    script.loss.fresh, script.loss.next_pn = False, script.pn + 19
    control.on_loss(script.loss)
    if control.cwnd < before:
        faults.append(
            "on_loss: reduces again for a loss of the same round trip: act on loss.fresh alone, "
            "or set recovery_end = loss.next_pn and ask is_fresh(loss.pn)"
        )
    return faults


def judge(control: CongestionControl) -> list[str]:
    """Return what is wrong with a controller's present answers."""
    faults = []
    cwnd: object = control.cwnd
    rate: object = control.pacing_rate_bps
    if not isinstance(cwnd, (int, float)) or not math.isfinite(cwnd) or cwnd < control.mss:
        faults.append(f"cwnd is {cwnd!r}; a finite number >= mss ({control.mss} bytes) expected")
    if not isinstance(rate, int) or rate < 0:
        faults.append(f"pacing_rate_bps is {rate!r}; a whole number >= 0 expected")
    return faults


def check_congestion(factory: Callable[..., CongestionControl]) -> None:
    """Check controllers made by `factory(mss=...)`.

    Raises: LanecastError listing the distinct faults.
    """
    first, faults = play(factory)
    second, _ = play(factory)
    if first != second:
        step = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
        faults.append(f"equal input gave different answers at step {step}")
    if not faults:
        faults = answers_losses(factory)
    if faults:
        name = getattr(factory, "__name__", str(factory))
        raise LanecastError(
            f"{name} is no proper congestion controller:\n  " + "\n  ".join(dict.fromkeys(faults))
        )
