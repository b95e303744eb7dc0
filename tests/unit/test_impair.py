from __future__ import annotations

import math

import pytest

from lanecast.emulation.channel import Channel
from lanecast.emulation.impair import (
    LOSS_UNIT,
    SLOT,
    Corrupt,
    Duplicate,
    GilbertElliott,
    Loss,
    LossProcess,
    Reorder,
    SlotDraws,
    TrackLoss,
)
from lanecast.emulation.track import Track
from lanecast.transport.calendar import Calendar
from lanecast.transport.rng import Streams
from lanecast.transport.stage import CORRUPT, DATA, NOT_ECT, Packet, Stage, make_packet
from lanecast.transport.units import MS, SECOND


class Notes(Stage):
    def __init__(self) -> None:
        super().__init__("notes")
        self.rows: list[tuple[int, int, int]] = []

    def push(self, now: int, packet: Packet) -> None:
        self.rows.append((now, packet.pn, packet.kind))


def packet(pn: int, now: int = 0) -> Packet:
    return make_packet(0, DATA, 100, NOT_ECT, pn, pn, now)


def test_independent_loss_has_its_rate_and_no_memory() -> None:
    """5 standard deviations of n = 50,000 draws; successive losses are independent (runs test)."""
    n, p = 50_000, 0.1
    draws = SlotDraws(Streams(3).key("loss"), LossProcess(p))
    fates = [draws.lost_at(i // 5, i % 5) for i in range(n)]
    assert abs(sum(fates) - n * p) < 5 * math.sqrt(n * p * (1 - p))
    changes = sum(a != b for a, b in zip(fates, fates[1:], strict=False))
    expected = 2 * n * p * (1 - p)
    assert abs(changes - expected) < 5 * math.sqrt(expected)


@pytest.mark.parametrize(
    ("good_s", "bad_s", "p_good", "p_bad", "share", "loss"),
    [
        (1.5, 0.1, 0.005, 0.8, 0.0625, 0.0547),
        (1.8, 0.2, 0.02, 0.9, 0.1, 0.108),
        (4.5, 0.5, 0.01, 1.0, 0.1, 0.109),
    ],
)
def test_gilbert_elliott_keeps_share_burst_and_loss(
    good_s: float, bad_s: float, p_good: float, p_bad: float, share: float, loss: float
) -> None:
    """Over T = 20,000 s the share's standard error is about share sqrt(2 bad (1 - share) / (share T)); 5 of them."""
    total = 20_000 * SECOND
    process = GilbertElliott(
        Streams(5).stream("channel"),
        mean_good=good_s * SECOND,
        mean_bad=bad_s * SECOND,
        loss_good=p_good,
        loss_bad=p_bad,
    )
    step = 10 * MS
    bad = [process.is_bad(t) for t in range(0, total, step)]
    error = share * math.sqrt(2 * bad_s * (1 - share) / (share * 20_000))
    assert abs(sum(bad) / len(bad) - share) < 5 * error
    entries = sum(b and not a for a, b in zip(bad, bad[1:], strict=False))
    burst = sum(bad) * step / entries / SECOND
    assert abs(burst / bad_s - 1) < 5 / math.sqrt(entries) + step / SECOND / bad_s
    mean_loss = sum(process.at(t) for t in range(0, total, step)) / len(bad)
    assert abs(mean_loss - loss) < 5 * error * (p_bad - p_good) + 1e-3


def test_a_realisation_does_not_depend_on_who_asks_when() -> None:
    def make() -> GilbertElliott:
        return GilbertElliott(
            Streams(8).stream("c"), mean_good=SECOND, mean_bad=SECOND // 5, loss_good=0.0, loss_bad=1.0
        )

    forward, backward = make(), make()
    times = list(range(0, 30 * SECOND, 37 * MS))
    assert [forward.at(t) for t in times] == [backward.at(t) for t in reversed(times)][::-1]


def test_schemes_that_send_in_the_same_slot_meet_the_same_fate() -> None:
    def survivors(times: list[int]) -> set[int]:
        calendar = Calendar()
        channel = Channel(calendar, Streams(4).key("down"), LossProcess(0.5), 10 * MS, jitter_mean=3 * MS)
        notes = Notes()
        channel.out = notes
        for pn, time in enumerate(times):
            calendar.settle(time)
            channel.push(time, packet(pn, time))
        calendar.settle(10 * SECOND)
        assert channel.pushed == channel.passed + channel.dropped + channel.held()
        return {(now, times[pn]) for now, pn, _ in notes.rows}  # type: ignore[misc]

    sparse = [i * 20 * MS for i in range(200)]
    dense = sorted(sparse + [time + 7 * MS for time in sparse])
    assert survivors(sparse) <= survivors(dense)


def test_an_oracle_can_ask_for_the_fate_and_delay_that_a_packet_meets() -> None:
    calendar = Calendar()
    channel = Channel(calendar, 99, LossProcess(0.3), 5 * MS, jitter_mean=2 * MS)
    notes = Notes()
    channel.out = notes
    expected = []
    for pn in range(300):
        time, n = (pn // 3) * SLOT + 17, pn % 3
        calendar.settle(time)
        if not channel.lost_at(time // SLOT, n):
            expected.append((time + channel.delay_at(time // SLOT, n), pn))
        channel.push(time, packet(pn, time))
    calendar.settle(SECOND)
    assert sorted((now, pn) for now, pn, _ in notes.rows) == sorted(expected)


def test_certain_and_impossible_loss_need_no_draw() -> None:
    for probability, passed in ((0.0, 50), (1.0, 0)):
        stage = Loss(1, LossProcess(probability))
        for pn in range(50):
            stage.push(pn, packet(pn))
        assert (stage.passed, stage.dropped) == (passed, 50 - passed)


def test_loss_follows_its_track() -> None:
    stage = Loss(1, TrackLoss(Track([0, 10 * MS], [0, LOSS_UNIT], 20 * MS)))
    for pn, time in enumerate([0, 5 * MS, 10 * MS, 19 * MS, 20 * MS]):
        stage.push(time, packet(pn))
    assert (stage.passed, stage.dropped) == (3, 2)


def test_duplicates_are_created_and_counted() -> None:
    notes, stage = Notes(), Duplicate(Streams(1).stream("dup"), 0.25)
    stage.out = notes
    for pn in range(4000):
        stage.push(pn, packet(pn))
    assert stage.pushed + stage.created == stage.passed == len(notes.rows)
    assert abs(stage.created - 1000) < 5 * math.sqrt(4000 * 0.25 * 0.75)


def test_corrupted_packets_are_delivered_but_marked_undecodable() -> None:
    notes, stage = Notes(), Corrupt(Streams(1).stream("corrupt"), 0.5)
    stage.out = notes
    for pn in range(100):
        stage.push(pn, packet(pn))
    assert len(notes.rows) == 100
    assert sum(kind == CORRUPT for _, _, kind in notes.rows) == stage.corrupted > 0


def test_reordering_holds_single_packets_back() -> None:
    calendar, notes = Calendar(), Notes()
    stage = Reorder(calendar, Streams(2).stream("reorder"), 0.3, 5 * MS)
    stage.out = notes
    for pn in range(200):
        calendar.settle(pn * MS)
        stage.push(pn * MS, packet(pn))
        assert stage.pushed == stage.passed + stage.held()
    calendar.settle(SECOND)
    late = {pn for now, pn, _ in notes.rows if now == (pn + 5) * MS}
    assert 0 < len(late) < 200
    assert all(now in (pn * MS, (pn + 5) * MS) for now, pn, _ in notes.rows)
    assert [pn for _, pn, _ in notes.rows] != list(range(200))


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_probabilities_outside_zero_to_one_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="within 0..1"):
        LossProcess(bad)
