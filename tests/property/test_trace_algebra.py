"""Operations on traces as algebra: cutting and joining undo each other, turning adds up, areas are kept."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lanecast.errors import TraceError
from lanecast.traces.formats.common import scaled
from lanecast.traces.reading import Source
from lanecast.traces.trace import NS_PER_S, Delay, Loss, Opportunities, Rate, Trace

LENGTHS = st.lists(st.integers(1, 10**6), min_size=1, max_size=12)


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    lengths = draw(LENGTHS)
    values = draw(st.lists(st.integers(0, 10**9), min_size=len(lengths), max_size=len(lengths)).filter(any))
    starts = np.concatenate([[0], np.cumsum(lengths[:-1])]).astype(np.int64)
    return Rate(starts, np.array(values), sum(lengths))


@st.composite
def opportunities(draw: st.DrawFn) -> Opportunities:
    gaps = draw(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
    times = np.cumsum(gaps)
    return Opportunities(times, end=int(times[-1]) + draw(st.integers(1, 100)))


def within(draw: st.DataObject, end: int) -> int:
    """A time strictly inside a track."""
    assume(end > 1)
    return draw.draw(st.integers(1, end - 1))


def steps(rate: Rate) -> list[tuple[int, int]]:
    """(start, value), neighbours of equal value merged: what a track says, however it is cut into steps."""
    pairs = list(zip(rate.starts.tolist(), rate.rates.tolist(), strict=True))
    return [pair for k, pair in enumerate(pairs) if k == 0 or pair[1] != pairs[k - 1][1]]


@given(rates(), st.data())
def test_the_value_in_force_is_that_of_the_last_start_at_or_before(rate: Rate, data: st.DataObject) -> None:
    time = data.draw(st.integers(0, 2 * rate.end))
    slow = [value for start, value in zip(rate.starts, rate.rates, strict=True) if start <= time][-1]
    assert rate.at(time) == slow


@given(rates(), st.data())
def test_two_pieces_joined_are_the_whole(rate: Rate, data: st.DataObject) -> None:
    middle = within(data, rate.end)
    pieces = rate.cut(0, middle), rate.cut(middle, rate.end)
    assert sum(piece.total_bit_ns for piece in pieces) == rate.total_bit_ns
    joined = pieces[0].joined(pieces[1])
    assert (steps(joined), joined.end) == (steps(rate), rate.end)


@given(rates(), st.data())
def test_cutting_twice_is_cutting_once(rate: Rate, data: st.DataObject) -> None:
    first = within(data, rate.end)
    piece = rate.cut(first, rate.end)
    second = within(data, piece.end)
    assert piece.cut(second, piece.end) == rate.cut(first + second, rate.end)


@given(rates(), st.data())
def test_turning_by_a_and_b_is_turning_by_their_sum_around_the_period(
    rate: Rate, data: st.DataObject
) -> None:
    trace = Trace(rate)
    first, second = (data.draw(st.integers(0, rate.end - 1)) for _ in range(2))
    both = trace.offset(first).offset(second).required_rate()
    once = trace.offset((first + second) % rate.end).required_rate()
    assert steps(both) == steps(once)
    assert both.total_bit_ns == rate.total_bit_ns


@given(rates(), st.integers(1, 50))
def test_time_stretched_and_back_is_the_same(rate: Rate, factor: int) -> None:
    trace = Trace(rate)
    longer = trace.scale_time(factor)
    assert longer.required_rate().total_bit_ns == factor * rate.total_bit_ns
    assert longer.scale_time(Fraction(1, factor)).capacity == rate


@given(rates(), st.integers(1, 1000))
def test_a_whole_factor_of_the_rate_is_exact(rate: Rate, factor: int) -> None:
    assert Trace(rate).scale_rate(factor).required_rate().total_bit_ns == factor * rate.total_bit_ns


@given(rates(), st.integers(10, 10**6))
def test_bins_keep_the_area_and_binning_again_changes_nothing(rate: Rate, bin_ns: int) -> None:
    assume(
        rate.total_bit_ns > 2 * rate.end
    )  # a trace of less than 2 bit/s may round to nothing, which is refused
    binned = Trace(rate).to_rate(bin_ns).required_rate()
    # The last bin's rounding is carried nowhere: at most half a bit/s for one bin.
    assert abs(binned.total_bit_ns - rate.total_bit_ns) <= bin_ns / 2 + 1e-6 * rate.total_bit_ns
    assert binned.end == rate.end
    assert Trace(binned).to_rate(bin_ns).capacity == binned


@given(rates(), st.integers(1, 10**9), st.integers(1, 10**9))
def test_clipping_bounds_and_twice_is_once(rate: Rate, one: int, other: int) -> None:
    low, high = sorted((one, other))
    clipped = Trace(rate).clip(low, high)
    values = clipped.required_rate().rates
    assert ((low <= values) & (values <= high)).all()
    inside = (rate.rates >= low) & (rate.rates <= high)
    assert (values[inside] == rate.rates[inside]).all()
    assert clipped.clip(low, high).capacity == clipped.capacity


@given(rates(), st.integers(1, 4), st.data())
def test_a_repeated_trace_is_its_loop(rate: Rate, rounds: int, data: st.DataObject) -> None:
    end = data.draw(st.integers(rate.end, rounds * rate.end))
    longer = Trace(rate).repeated(end).required_rate()
    assert longer.end == end
    for time in [0, end - 1, *(data.draw(st.integers(0, end - 1)) for _ in range(5))]:
        assert longer.at(time) == rate.at(time % rate.end)


@pytest.mark.parametrize("end", [0, -1])
def test_a_trace_cannot_be_repeated_to_nothing(end: int) -> None:
    with pytest.raises(ValueError, match="expected > 0 and a looped capacity alone"):
        Trace(Rate(np.array([0]), np.array([1]), 10)).repeated(end)


def test_only_a_looped_capacity_alone_can_be_repeated() -> None:
    rate, delay = Rate(np.array([0]), np.array([1]), 10), Delay(np.array([0]), np.array([5]), 10)
    for trace in (Trace(rate, delay), Trace(rate).with_end("stop")):
        with pytest.raises(ValueError, match="looped capacity alone"):
            trace.repeated(20)
    with pytest.raises(ValueError, match="rounds give more than"):
        Trace(rate).repeated(10**12)


@given(opportunities(), st.data())
def test_every_opportunity_is_in_exactly_one_of_two_pieces(track: Opportunities, data: st.DataObject) -> None:
    middle = within(data, track.end)
    first = [time for time in track.times.tolist() if time <= middle]
    second = [time - middle for time in track.times.tolist() if time > middle]
    for kept, bounds in ((first, (0, middle)), (second, (middle, track.end))):
        if kept:
            assert track.cut(*bounds).times.tolist() == kept
        else:
            with pytest.raises(ValueError, match="no opportunities between"):
                track.cut(*bounds)


@given(opportunities(), st.data())
def test_turned_opportunities_are_as_many_and_come_back(track: Opportunities, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, track.end - 1))
    turned = track.rotated(start)
    assert turned.total_bits == track.total_bits
    back = turned.rotated((track.end - start) % track.end)
    # An opportunity at 0 and one at the period's end are the same instant of a loop.
    assert sorted(t % track.end for t in back.times.tolist()) == sorted(
        t % track.end for t in track.times.tolist()
    )


@given(opportunities(), st.fractions(min_value=Fraction(1, 20), max_value=20, max_denominator=50))
def test_thinning_keeps_the_last_and_its_share(track: Opportunities, factor: Fraction) -> None:
    made = track.thinned(factor.numerator, factor.denominator)
    assert made.times.size == -(-track.times.size * factor.numerator // factor.denominator)
    assert made.times[-1] == track.times[-1]
    assert set(made.times.tolist()) <= set(track.times.tolist())
    assert made.end == track.end


@given(opportunities(), st.integers(1, 2000))
def test_bits_by_a_time_agree_with_counting(track: Opportunities, time: int) -> None:
    assert track.bits_by([time])[0] == 12_000 * sum(t <= time for t in track.times.tolist())


def test_pieces_of_all_tracks_are_cut_together() -> None:
    trace = Trace(
        Rate(np.array([0, 10]), np.array([5, 7]), 20),
        delay=Delay(np.array([0, 15]), np.array([1, 2]), 20),
        loss=Loss(np.array([0]), np.array([0.5]), 10),
    )
    piece = trace.cut(12, 18)
    assert piece.required_rate().rates.tolist() == [7]
    assert piece.delay is not None
    assert piece.loss is not None
    assert (piece.delay.starts.tolist(), piece.delay.delays.tolist()) == ([0, 3], [1, 2])
    assert (piece.loss.probabilities.tolist(), piece.period_ns) == ([0.5], 6)


NUMBERS = st.from_regex(r"\A[0-9]{1,14}(\.[0-9]{0,12})?\Z") | st.from_regex(r"\A\.[0-9]{1,6}(e-?[0-9])?\Z")


@given(NUMBERS, st.sampled_from([0, 3, 6, 9]))
def test_decimal_text_is_scaled_as_decimal_arithmetic_does(text: str, exponent: int) -> None:
    # The readers' short cut for plain numbers against the decimal module, half to even.
    wanted = int((Decimal(text) * 10**exponent).to_integral_value(ROUND_HALF_EVEN))
    with Source.from_bytes(b"") as source:
        assert scaled(source, 1, text, "x", exponent=exponent, high=10**30) == wanted


@pytest.mark.parametrize(
    "text", ["", ".", "1.2.3", "\uff11", "0x1", "1_0", " 1", "-1", "+", "1e", "nan", "²", "1,5"]
)
def test_what_is_no_plain_decimal_number_is_refused(text: str) -> None:
    with (
        Source.from_bytes(b"", "some.txt") as source,
        pytest.raises(TraceError, match=r"some\.txt:7: rate is"),
    ):
        scaled(source, 7, text, "rate", exponent=6)


@pytest.mark.parametrize(("text", "whole"), [("1000", 10**3 * NS_PER_S), ("1000.000000001", 10**12 + 1)])
def test_the_limit_is_kept_on_the_short_way_too(text: str, whole: int) -> None:
    with Source.from_bytes(b"", "f") as source:
        assert scaled(source, 1, text, "time", exponent=9, high=whole) == whole
        with pytest.raises(TraceError, match=f"time is {text}, expected at most"):
            scaled(source, 1, text, "time", exponent=9, high=whole - 1)
