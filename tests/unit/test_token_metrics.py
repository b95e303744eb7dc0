"""Stall metrics against arithmetic done by hand, and their undefined cases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.transport.tokens.metrics import (
    CURVE_THRESHOLDS,
    TokenMetrics,
    closed_share,
    nearest_rank,
    overdue_time,
    stall_metrics,
)
from lanecast.transport.units import MS, NEVER, SECOND

# By hand, ms. generated 0 50 100 150 200 460, shown 25 75 475 475 475 705 (one loss repaired late, then a gap):
# gaps 50 400 0 0 230, span 680; over 200: 200 + 30; whole gaps over 200: 400 + 230; own gaps 50 50 50 50 260 take
# away the last one; d0 = 25, due 25 75 125 175 225 485: overdue in [125, 475] and [485, 705].
GENERATED = [t * MS for t in (0, 50, 100, 150, 200, 460)]
SHOWN = [t * MS for t in (25, 75, 475, 475, 475, 705)]


def hand() -> TokenMetrics:
    return stall_metrics(GENERATED, SHOWN)


def test_four_stall_ratios_of_the_six_token_example() -> None:
    got = hand()
    assert got.span == 680 * MS
    assert (got.sr200, got.sr200_full) == (230 / 680, 630 / 680)
    assert (got.sr_wait, got.sr_net) == (570 / 680, 200 / 680)


def test_counts_and_times_of_the_six_token_example() -> None:
    got = hand()
    assert (got.tokens, got.missing, got.stalls) == (6, 0, 2)
    assert (got.stall, got.longest_gap, got.longest_stall) == (230 * MS, 400 * MS, 400 * MS)
    assert (got.stall_s, got.ttft) == (0.23, 25 * MS)


def test_delay_percentiles_are_observed_delays() -> None:
    # delays by hand, in order: 25 25 245 275 325 375
    got = hand()
    assert (got.delay_p50, got.delay_p95, got.delay_p99) == (245 * MS, 375 * MS, 375 * MS)


def test_threshold_curve_of_the_six_token_example() -> None:
    assert [t // MS for t in CURVE_THRESHOLDS] == [100, 150, 200, 250, 300, 400, 500]
    assert hand().curve == tuple(over / 680 for over in (300 + 130, 250 + 80, 200 + 30, 150, 100, 0, 0))


def test_a_gap_of_exactly_the_threshold_is_no_stall() -> None:
    got = stall_metrics([0, 1], [0, 200 * MS])
    assert (got.stalls, got.sr200, got.longest_stall, got.longest_gap) == (0, 0.0, 0, 200 * MS)
    assert stall_metrics([0, 1], [0, 200 * MS + 1]).stalls == 1


def test_own_threshold_replaces_200_ms() -> None:
    got = stall_metrics(GENERATED, SHOWN, 300 * MS)
    assert (got.stalls, got.sr200) == (1, 100 / 680)


def test_one_token_has_no_ratio_to_speak_of() -> None:
    got = stall_metrics([10], [60])
    assert (got.span, got.sr200, got.sr200_full, got.sr_wait, got.sr_net) == (0, 0.0, 0.0, 0.0, 0.0)
    assert (got.ttft, got.delay_p50, got.delay_p99, got.stalls) == (60, 50, 50, 0)


def test_all_shown_at_one_instant_after_waiting_is_undefined_for_sr_wait_only() -> None:
    got = stall_metrics([0, 50], [100, 100])
    assert math.isnan(got.sr_wait)
    assert (got.sr200, got.sr200_full, got.sr_net) == (0.0, 0.0, 0.0)


def test_steady_delay_gives_no_stall_and_nothing_overdue() -> None:
    generated = np.arange(100) * 50 * MS
    got = stall_metrics(generated, generated + 15 * MS)
    assert (got.sr200, got.sr_wait, got.stalls, got.delay_p99) == (0.0, 0.0, 0, 15 * MS)


def test_missing_tokens_count_as_shown_at_the_horizon() -> None:
    got = stall_metrics([0, 50 * MS, 100 * MS], [10 * MS, NEVER, NEVER], horizon=2 * SECOND)
    assert (got.missing, got.stalls, got.longest_gap) == (2, 1, 1990 * MS)
    assert got.sr200 == 1790 / 1990
    assert got.delay_p50 == 1900 * MS


def test_nothing_shown_at_all_counts_from_the_horizon() -> None:
    got = stall_metrics([0, 50], [NEVER, NEVER], horizon=1000)
    assert (got.missing, got.ttft, got.span, got.sr200) == (2, 1000, 0, 0.0)


@pytest.mark.parametrize(
    ("generated", "shown", "options", "message"),
    [
        ([], [], {}, "length >= 1"),
        ([0, 1], [0], {}, "one length"),
        ([0, 1], [2, 1], {}, "never fall"),
        ([1, 0], [2, 2], {}, "never fall"),
        ([0, 5], [0, 4], {}, "token 1 is shown at 4 ns, before its generation at 5 ns"),
        ([0, 5], [0, NEVER], {}, "1 tokens were never shown"),
        ([0, 5], [9, NEVER], {"horizon": 8}, "horizon >= 9"),
        ([0, 15], [9, NEVER], {"horizon": 14}, "horizon >= 15"),
    ],
)
def test_bad_columns_are_refused(
    generated: list[int], shown: list[int], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        stall_metrics(generated, shown, **options)


def test_closed_share_is_one_at_the_oracle_and_zero_at_the_base() -> None:
    assert closed_share(0.10, 0.02, 0.02) == 1.0
    assert closed_share(0.10, 0.10, 0.02) == 0.0
    assert closed_share(0.10, 0.06, 0.02) == pytest.approx(0.5)
    assert closed_share(0.10, 0.12, 0.02) < 0


@pytest.mark.parametrize(("base", "oracle"), [(0.0004, 0.0), (0.1, 0.1), (0.1, 0.2), (0.0, 0.0)])
def test_closed_share_is_undefined_where_nothing_is_reducible(base: float, oracle: float) -> None:
    assert math.isnan(closed_share(base, 0.0, oracle))


def test_nearest_rank_needs_no_interpolation() -> None:
    hundred = np.arange(1, 101)
    assert [nearest_rank(hundred, p) for p in (0, 1, 50, 95, 99, 100)] == [1, 1, 50, 95, 99, 100]
    assert nearest_rank(np.array([7]), 99) == 7


columns = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 900)), min_size=1, max_size=30)


@given(columns)
def test_all_ratios_equal_a_slow_count_of_every_millisecond(steps: list[tuple[int, int]]) -> None:
    """Walk through the answer one ms at a time instead of using differences and maxima."""
    generated, shown, now, latest = [], [], 0, 0
    for gap, delay in steps:
        now += gap
        latest = max(latest, now + delay)
        generated.append(now)
        shown.append(latest)
    slack = min(r - g for g, r in zip(generated, shown, strict=True))
    overdue = {t for g, r in zip(generated, shown, strict=True) for t in range(g + slack, r)}
    over = full = net = 0
    for i in range(1, len(shown)):
        wait = shown[i] - shown[i - 1]
        allowed = max(200, generated[i] - generated[i - 1])
        over += len(range(200, wait))
        net += len(range(allowed, wait))
        full += wait if wait > 200 else 0
    assert overdue_time(np.array(generated), np.array(shown)) == len(overdue)
    got = stall_metrics([t * MS for t in generated], [t * MS for t in shown])
    span = shown[-1] - shown[0]
    if span:
        expected = [part / span for part in (over, full, len(overdue), net)]
        assert [got.sr200, got.sr200_full, got.sr_wait, got.sr_net] == expected
        assert got.sr_net <= got.sr200 <= got.sr200_full <= 1
        assert list(got.curve) == sorted(got.curve, reverse=True)
