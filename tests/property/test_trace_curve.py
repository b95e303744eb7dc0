"""The integer service curve: vectors equal big integers, the inverse is exact, nothing overflows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.traces.curve import ServiceCurve
from lanecast.traces.trace import NS_PER_S, UNLIMITED_BIT_S, Rate

RATES = st.one_of(st.just(0), st.integers(1, 10), st.integers(1, 10**10), st.just(UNLIMITED_BIT_S))
LENGTHS = st.one_of(st.integers(1, 100), st.integers(1, 10**10))


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    steps = draw(
        st.lists(st.tuples(LENGTHS, RATES), min_size=1, max_size=6).filter(lambda s: any(r for _, r in s))
    )
    lengths = [length for length, _ in steps]
    starts = np.concatenate([[0], np.cumsum(lengths[:-1])]).astype(np.int64)
    return Rate(starts, np.array([r for _, r in steps]), sum(lengths))


def offered_by(rate: Rate, time: int, end: str) -> int:
    """Bits offered in [0, time) by walking the steps: the slow, obvious way."""
    total, clock = 0, 0
    while clock < time:
        for length, value in zip(rate.lengths.tolist(), rate.rates.tolist(), strict=True):
            span = min(length, time - clock)
            total += span * value
            clock += span
        if end != "loop":
            total += (time - clock) * rate.rates.tolist()[-1] if end == "hold" else 0
            break
    return total // NS_PER_S


@given(
    rates(),
    st.lists(st.integers(0, 3 * 10**10), min_size=1, max_size=8),
    st.sampled_from(["loop", "hold", "stop"]),
)
def test_vectors_equal_big_integers_equal_walking(rate: Rate, times: list[int], end: str) -> None:
    times = [min(t, 200 * rate.end) for t in times]  # walking 200 periods is slow enough
    curve = ServiceCurve(rate, end=end)
    walked = [offered_by(rate, t, end) for t in times]
    assert [curve.bits_at(t) for t in times] == walked
    assert curve.bits_at_many(times).tolist() == walked


@given(rates(), st.lists(st.floats(0, 1), min_size=1, max_size=8), st.sampled_from(["loop", "hold", "stop"]))
def test_inverse_is_the_first_time_that_offers_the_bits(rate: Rate, shares: list[float], end: str) -> None:
    curve = ServiceCurve(rate, end=end)
    most = curve.bits_at(rate.end * (50 if end == "loop" else 1))
    wanted = [int(most * share) for share in shares]
    found = [curve.time_at(bits) for bits in wanted]
    assert curve.times_at_many(wanted).tolist() == found
    for bits, time in zip(wanted, found, strict=True):
        assert curve.bits_at(time) >= bits
        assert time == 0 or curve.bits_at(time - 1) < bits


@given(rates(), st.integers(0, 10**11))
def test_inverse_of_the_curve_brackets_the_time(rate: Rate, time: int) -> None:
    curve = ServiceCurve(rate)
    bits = curve.bits_at(time)
    assert curve.time_at(bits) <= time < curve.time_at(bits + 1)


def test_ten_gbit_s_for_100000_s_does_not_overflow() -> None:
    curve = ServiceCurve(Rate(np.array([0]), np.array([10**10]), 10**5 * NS_PER_S))
    assert curve.bits_at(10**5 * NS_PER_S) == 10**15
    assert curve.bits_at_many([10**5 * NS_PER_S, 3]).tolist() == [10**15, 30]
    assert curve.times_at_many([10**15]).tolist() == [10**5 * NS_PER_S]


def test_an_outage_jumps_to_the_next_positive_step() -> None:
    curve = ServiceCurve(Rate(np.array([0, 100]), np.array([0, NS_PER_S]), 200))
    assert [curve.time_at(bits) for bits in (0, 1, 100, 101)] == [0, 101, 200, 301]


def test_bits_that_never_come_are_refused() -> None:
    curve = ServiceCurve(Rate(np.array([0, 100]), np.array([NS_PER_S, 0]), 200), end="hold")
    assert curve.time_at(100) == 100
    for ask in (lambda: curve.time_at(101), lambda: curve.times_at_many([101])):
        with pytest.raises(ValueError, match="100 bits"):
            ask()


def test_an_all_zero_rate_has_no_curve() -> None:
    with pytest.raises(ValueError, match="zero throughout"):
        ServiceCurve(Rate(np.array([0]), np.array([0]), 5))
