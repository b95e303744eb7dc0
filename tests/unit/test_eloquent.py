"""Eloquent, its probes and its k-fold form: closed forms to the nanosecond, and the bound on extra packets."""

from __future__ import annotations

from typing import Any

import pytest

from lanecast.transport.tokens.bucket import ExtraBucket
from lanecast.transport.tokens.check import run_scripted
from lanecast.transport.tokens.eloquent import Eloquent, EloquentProbes, EloquentTimes
from lanecast.transport.tokens.scheme import TokenScheme
from lanecast.transport.units import MS, SECOND, Ns

GAP = 20 * MS
ONE_WAY = 50 * MS
RTT = 2 * ONE_WAY


def late(scheme: TokenScheme, lost: set[int], tokens: int = 40, gap: Ns = GAP) -> list[Ns]:
    _, receiver = run_scripted(
        scheme, tokens=tokens, gap=gap, one_way=ONE_WAY, warm=RTT, data_lost=lambda k, _now: k in lost
    )
    return [r - i * gap - ONE_WAY for i, r in enumerate(receiver.rendered)]


def timeout(samples: int) -> Ns:
    """Return srtt + max(4 rttvar, 1 ms) after so many exact samples of a warm estimator."""
    var = RTT // 4
    for _ in range(samples):
        var = 3 * var // 4
    return RTT + max(4 * var, MS)


def test_a_single_loss_is_repaired_by_the_next_packet() -> None:
    delays = late(Eloquent(), {10})
    assert delays[10] == GAP
    assert sum(delays) == GAP


def test_k_losses_in_a_row_are_repaired_by_the_packet_after_them() -> None:
    delays = late(Eloquent(), {10, 11, 12})
    assert delays[10:14] == [3 * GAP, 2 * GAP, GAP, 0]


def test_a_packet_carries_a_round_trips_worth_of_tokens() -> None:
    sender, _ = run_scripted(Eloquent(), tokens=200, gap=GAP, one_way=ONE_WAY, warm=RTT)
    assert sender.passed == 200
    # ACKs come back R / gap packets later, at the instant of a new token; pushed in the order of the calendar
    steady = sender.ledger.sent_prefix[150] - sender.ledger.sent_prefix[149]
    assert steady in {40 + 5 * (RTT // GAP), 40 + 5 * (RTT // GAP + 1)}


def test_the_last_token_waits_for_twice_the_round_trip_and_then_four_times() -> None:
    assert late(Eloquent(), {39})[39] == 2 * RTT
    assert late(Eloquent(), {39, 40})[39] == 2 * RTT + 4 * RTT


def test_a_probe_repairs_the_last_token_after_srtt_4_var_and_5_ms() -> None:
    assert late(EloquentProbes(), {39})[39] == timeout(39) + 5 * MS


def test_probes_come_every_spacing_until_one_gets_through() -> None:
    delays = late(EloquentProbes(spacing=50 * MS), {39, 40, 41, 42})
    assert delays[39] == timeout(39) + 5 * MS + 3 * 50 * MS


def test_probe_spacing_doubles_after_fifty() -> None:
    scheme = EloquentProbes(spacing=20 * MS)
    scheme.probes = 50
    assert scheme.pace() == 20 * MS
    scheme.probes = 52
    assert scheme.pace() == 80 * MS
    scheme.probes = 1000
    assert scheme.pace() == 1280 * MS


def test_an_empty_bucket_slows_probes_to_the_published_timer() -> None:
    scheme = EloquentProbes(bucket_rate=0.0, bucket_burst=1)
    delays = late(scheme, {39, 40, 41}, tokens=40)
    assert delays[39] == timeout(39) + 5 * MS + 2 * 2 * RTT
    assert scheme.bucket.spent == 1


def test_k_times_sends_k_packets_a_gap_evenly() -> None:
    sender, receiver = run_scripted(EloquentTimes(times=4), tokens=40, gap=GAP, one_way=ONE_WAY, warm=RTT)
    assert sender.passed == 4 * 40 - 3  # the first token has no gap before it
    times = sender.ledger.sent_at
    assert {b - a for a, b in zip(times[1:], times[2:], strict=False)} == {GAP // 4}
    assert receiver.duplicates > 0


def test_k_times_repairs_a_single_loss_after_a_kth_of_the_gap() -> None:
    # token 10's first packet is number 1 + 4 * 9
    assert late(EloquentTimes(times=4), {1 + 4 * 9})[10] == GAP // 4


def test_a_bucket_never_goes_below_zero_or_above_its_burst() -> None:
    bucket = ExtraBucket(rate=0.5, burst=3)
    taken = [bucket.spend() for _ in range(5)]
    assert taken == [True, True, True, False, False]
    bucket.earn()
    assert not bucket.has()
    bucket.earn()
    assert bucket.spend()
    for _ in range(100):
        bucket.earn()
    assert bucket.level == 3
    assert bucket.spent <= bucket.earned
    assert bucket.refused == 2


@pytest.mark.parametrize("options", [{"rate": -1.0}, {"burst": 0}, {"rate": float("nan")}])
def test_an_impossible_bucket_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        ExtraBucket(**options)


def test_probes_stay_within_the_bucket_in_a_long_outage() -> None:
    scheme = EloquentProbes(bucket_rate=1.0, bucket_burst=5)
    sender, _ = run_scripted(
        scheme,
        tokens=200,
        gap=GAP,
        one_way=ONE_WAY,
        warm=RTT,
        data_lost=lambda _k, now: SECOND <= now < 3 * SECOND,
    )
    assert scheme.bucket.spent <= scheme.bucket.earned <= 205
    assert sender.passed <= 200 + scheme.bucket.earned + scheme.bucket.refused
