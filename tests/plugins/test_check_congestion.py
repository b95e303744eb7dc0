"""The conformance check accepts the built-in controllers and catches deliberately broken ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from lanecast.errors import LanecastError
from lanecast.transport.congestion.base import AckObservation, CongestionControl, LossObservation
from lanecast.transport.congestion.check import check_congestion
from lanecast.transport.congestion.prague import MODES, Prague
from lanecast.transport.congestion.registry import CONTROLLERS

OPTIONS: dict[str, dict[str, object]] = {"fixed": {"packets": 20}}


@pytest.mark.parametrize("name", list(CONTROLLERS))
def test_built_in_controllers_conform(name: str) -> None:
    check_congestion(lambda mss: CONTROLLERS[name](mss=mss, **OPTIONS.get(name, {})))


@pytest.mark.parametrize("name", ["cubic", "reno"])
@pytest.mark.parametrize("option", ["hystart", "prr"])
def test_controllers_with_options_conform(name: str, option: str) -> None:
    check_congestion(lambda mss: CONTROLLERS[name](mss=mss, **{option: True}))


@pytest.mark.parametrize("mode", list(MODES))
def test_prague_conforms_in_every_mode(mode: str) -> None:
    check_congestion(lambda mss: Prague(mss=mss, rtt_scaling=mode, stepwise=False))


class Shrinks(CongestionControl):
    def on_loss(self, loss: LossObservation) -> None:
        self.cwnd /= 2


class Overflows(CongestionControl):
    def on_ack(self, ack: AckObservation) -> None:
        self.cwnd *= 1e30


class PacesBackwards(CongestionControl):
    def on_ack(self, ack: AckObservation) -> None:
        self.pacing_rate_bps = -1


class DividesByRtt(CongestionControl):
    def on_ack(self, ack: AckObservation) -> None:
        self.pacing_rate_bps = int(self.cwnd * 8e9 // ack.rtt)


class KeepsTheObservation(CongestionControl):
    last: AckObservation | None = None

    def on_ack(self, ack: AckObservation) -> None:
        self.last = ack


class KeepsTheLoss(CongestionControl):
    def __init__(self, *, mss: int) -> None:
        super().__init__(mss=mss)
        self.losses: list[LossObservation] = []

    def on_loss(self, loss: LossObservation) -> None:
        self.losses.append(loss)


class CountsInstances(CongestionControl):
    """Different from one instance to the next."""

    count = itertools.count()

    def __init__(self, *, mss: int) -> None:
        super().__init__(mss=mss)
        self.step = next(CountsInstances.count)

    def on_ack(self, ack: AckObservation) -> None:
        self.cwnd += self.step


class ForgetsTheBase(CongestionControl):
    def __init__(self, *, mss: int) -> None:
        self.packet = mss


class TakesNoSize(CongestionControl):
    def __init__(self) -> None:
        super().__init__(mss=1500)


class NeverBacksOff(CongestionControl):
    def on_ack(self, ack: AckObservation) -> None:
        self.cwnd = min(self.cwnd + ack.acked, 1e12)


class ReducesForEveryLoss(CongestionControl):
    def on_ack(self, ack: AckObservation) -> None:
        self.cwnd = min(self.cwnd + ack.acked, 1e12)

    def on_loss(self, loss: LossObservation) -> None:
        self.cwnd = max(self.cwnd / 2, self.mss)


class NotANumber(CongestionControl):
    def on_ack(self, ack: AckObservation) -> None:
        self.cwnd = float("nan")


class NoController:
    def __init__(self, *, mss: int) -> None:
        self.mss = mss


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (Shrinks, "on_loss: cwnd is .* >= mss"),
        (Overflows, "cwnd is inf"),
        (PacesBackwards, "pacing_rate_bps is -1"),
        (DividesByRtt, "rtt 0 ns and 0 bytes: raised ZeroDivisionError"),
        (KeepsTheObservation, "keeps the AckObservation"),
        (KeepsTheLoss, "keeps the LossObservation"),
        (CountsInstances, "different answers at step"),
        (ForgetsTheBase, r"call super\(\).__init__\(mss=mss\)"),
        (TakesNoSize, "called with mss=1500, raised TypeError"),
        (NeverBacksOff, "grows on and on although every round trip loses"),
        (ReducesForEveryLoss, "reduces again for a loss of the same round trip"),
        (NotANumber, "cwnd is nan"),
        (NoController, "must return a CongestionControl, got NoController"),
    ],
)
def test_broken_controllers_are_caught(broken: Callable[..., CongestionControl], complaint: str) -> None:
    with pytest.raises(LanecastError, match=complaint) as caught:
        check_congestion(broken)
    assert "is no proper congestion controller" in str(caught.value)


def test_all_faults_are_listed_once() -> None:
    with pytest.raises(LanecastError) as caught:
        check_congestion(PacesBackwards)
    assert str(caught.value).count("on_ack: pacing_rate_bps is -1") == 1
