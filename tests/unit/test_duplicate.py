"""Duplication: when copies leave, and what they repair."""

from __future__ import annotations

import pytest

from lanecast.transport.tokens.check import run_scripted
from lanecast.transport.tokens.duplicate import Duplicate
from lanecast.transport.tokens.endpoint import TokenSender
from lanecast.transport.units import MS, Ns

GAP = 50 * MS
ONE_WAY = 50 * MS
STEPS = {"0": 0, "half": GAP // 2, "20ms": 20 * MS}


def run(spacing: str, lost: set[int], copies: int = 2) -> tuple[TokenSender, list[Ns]]:
    sender, receiver = run_scripted(
        Duplicate(spacing=spacing, copies=copies),
        tokens=30,
        gap=GAP,
        one_way=ONE_WAY,
        warm=2 * ONE_WAY,
        data_lost=lambda k, _now: k in lost,
    )
    return sender, [r - i * GAP - ONE_WAY for i, r in enumerate(receiver.rendered)]


@pytest.mark.parametrize("spacing", sorted(STEPS))
def test_without_loss_every_token_is_sent_exactly_twice(spacing: str) -> None:
    sender, delays = run(spacing, set())
    assert sender.passed == 60
    assert sender.sent_bytes == 60 * 45
    assert max(delays) == 0


@pytest.mark.parametrize("spacing", sorted(STEPS))
def test_with_both_copies_alive_or_one_lost_the_other_decides(spacing: str) -> None:
    step = STEPS[spacing]
    assert run(spacing, {20})[1][10] == step
    assert run(spacing, {21})[1][10] == 0


def test_copies_leave_at_their_spacing() -> None:
    for spacing, step in STEPS.items():
        sent = run(spacing, set())[0].ledger.sent_at
        assert sent[11] - sent[10] == step


def test_three_copies_over_the_gap_leave_a_third_apart() -> None:
    sent = run("half", set(), copies=3)[0].ledger.sent_at
    assert [b - a for a, b in zip(sent[3:6], sent[4:6], strict=False)] == [GAP // 3, GAP // 3]


def test_when_all_copies_are_lost_rack_repairs_once() -> None:
    sender, delays = run("0", {20, 21})
    # found with the next token's first ACK, a gap and a round trip after the loss, the window being over
    assert delays[10] == GAP + 2 * ONE_WAY
    assert sender.passed == 61


def test_an_acknowledged_token_is_not_copied_any_more() -> None:
    sender, _ = run_scripted(Duplicate(spacing="20ms"), tokens=10, gap=GAP, one_way=5 * MS, warm=10 * MS)
    assert sender.passed == 10
