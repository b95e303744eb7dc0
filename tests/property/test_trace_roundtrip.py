"""Write then read gives the trace back: every stamp, every bit; rounding writers never drift by more than a unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.traces.formats.registry import FORMATS
from lanecast.traces.reading import Source
from lanecast.traces.trace import NS_PER_S, Delay, Limit, Loss, Opportunities, Rate, Trace

MS = 1_000_000
EXACT = ("pensieve", "oboe", "sabre", "alphartc", "netem-trace")
BITS = st.integers(0, 10**10)


def again(name: str, trace: Trace, reading: dict[str, Any] | None = None, **writing: Any) -> Trace:
    """Return what a reader makes of what the writer wrote."""
    entry = FORMATS[name]
    assert entry.dump is not None
    text = "".join(f"{line}\n" for line in entry.dump(trace, **writing).lines)
    with Source.from_bytes(text.encode(), name) as source:
        return entry.load(source, **(reading or {}))


@st.composite
def rates(draw: st.DrawFn, unit: int = 1, max_steps: int = 30) -> Rate:
    lengths = draw(st.lists(st.integers(1, 10**10), min_size=1, max_size=max_steps))
    values = draw(st.lists(BITS, min_size=len(lengths), max_size=len(lengths)).filter(any))
    starts = np.concatenate([[0], np.cumsum(lengths[:-1])]).astype(np.int64) * unit
    return Rate(starts, np.array(values), sum(lengths) * unit)


@pytest.mark.parametrize("name", EXACT)
@given(rate=rates())
def test_every_stamp_and_bit_of_a_rate_comes_back(name: str, rate: Rate) -> None:
    back = again(name, Trace(rate)).required_rate()
    assert back.total_bit_ns == rate.total_bit_ns
    assert set(rate.starts.tolist()) <= set(back.starts.tolist())
    assert back.end == rate.end
    assert [back.at(t) for t in rate.starts.tolist()] == rate.rates.tolist()


@given(rates())
def test_pensieve_backward_hold_comes_back_exactly(rate: Rate) -> None:
    assert again("pensieve", Trace(rate), {"hold": "backward"}, hold="backward").capacity == rate


@given(rates(unit=1000))
def test_theaterq_keeps_every_track_at_its_microsecond(rate: Rate) -> None:
    n = rate.starts.size
    delay = Delay(rate.starts, np.arange(n) + 1, rate.end, "one-way", np.arange(n) + 7)
    loss = Loss(rate.starts[:1], np.array([1 / (2**32 - 1)]), rate.end)
    limit = Limit(rate.starts, np.arange(n), rate.end)
    back = again("theaterq", Trace(rate, delay, loss, limit))
    assert (back.capacity, back.delay, back.limit) == (rate, delay, limit)
    assert back.loss is not None
    assert set(back.loss.probabilities.tolist()) == {1 / (2**32 - 1)}


@given(rates())
def test_theaterq_off_its_grid_never_drifts_by_more_than_half_a_unit(rate: Rate) -> None:
    if (
        rate.end < 1000 or rate.mean_bit_s < 1
    ):  # less than a microsecond, or less than a bit/s: nothing to write
        return
    written = again("theaterq", Trace(rate)).required_rate()
    longest = int(written.lengths.max())
    assert abs(written.total_bit_ns - rate.total_bit_ns) <= longest / 2 + 1000 * int(rate.rates.max())


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=200).filter(lambda t: max(t) > 0))
def test_opportunities_come_back_at_their_millisecond(marks: list[int]) -> None:
    capacity = Opportunities(np.sort(np.array(marks)) * MS)
    for header in (False, True):
        assert again("mahimahi", Trace(capacity), header=header).capacity == capacity


@given(rates(unit=MS, max_steps=4))
def test_opportunities_of_a_rate_carry_every_whole_packet(rate: Rate) -> None:
    slow = Rate(rate.starts, rate.rates % 50_000_000, rate.end)
    cut = slow.until(min(slow.end, 20 * NS_PER_S))
    if not cut.rates.any() or not cut.total_bits // 12_000 > 0:
        return
    back = again("mahimahi", Trace(cut)).capacity
    assert isinstance(back, Opportunities)
    assert back.times.size == cut.total_bits // 12_000
    # the n-th line stands at the first whole ms by which n packets are earned
    for n in {1, back.times.size // 2 + 1, back.times.size}:
        mark = int(back.times[n - 1])
        assert offered(cut, mark) >= n * 12_000 * NS_PER_S
        assert offered(cut, mark - MS) < n * 12_000 * NS_PER_S


def offered(rate: Rate, time: int) -> int:
    """Bit-ns offered in [0, time)."""
    steps = zip(rate.starts.tolist(), rate.lengths.tolist(), rate.rates.tolist(), strict=True)
    return sum(max(0, min(time - start, length)) * value for start, length, value in steps)


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=100).filter(any), st.sampled_from([1, 4, 10, 1000])
)
def test_jens_keeps_whole_kbit_s_and_its_frequency(values: list[int], hertz: int) -> None:
    step = NS_PER_S // hertz
    rate = Rate(np.arange(len(values)) * step, np.array(values) * 1000, len(values) * step)
    assert again("jens", Trace(rate)).capacity == rate


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=100))
def test_rounding_writers_never_drift_by_more_than_one_unit(values: list[int]) -> None:
    if max(values) < 1000:
        return
    rate = Rate(np.arange(len(values)) * 100 * MS, np.array(values), len(values) * 100 * MS)
    for name, options in (("jens", {"hertz": 10}), ("sabre", {"integers": True})):
        back = again(name, Trace(rate), None, **options).required_rate()
        for time in rate.starts.tolist():
            assert abs(offered(back, time) - offered(rate, time)) <= 1000 * 100 * MS  # 1 kbit/s for one step


@given(st.lists(st.integers(0, 10**5), min_size=1, max_size=100))
def test_whole_ms_delays_come_back(values: list[int]) -> None:
    track = Delay(np.arange(len(values)) * 10 * MS, np.array(values) * MS, len(values) * 10 * MS)
    assert again("leocc-delay", Trace(delay=track)).delay == track


@given(rates(), st.integers(1, 3 * 10**9))
def test_resampling_keeps_the_total_to_a_bit_a_bin(rate: Rate, width: int) -> None:
    if rate.end // width > 2000:
        return
    back = Trace(rate).to_rate(width) if rate.mean_bit_s >= 2 else None
    if back is not None:
        step = min(width, rate.end)
        assert abs(back.required_rate().total_bit_ns - rate.total_bit_ns) <= step + rate.total_bit_ns * 1e-12


@given(rates(), st.floats(0, 1))
def test_offset_keeps_the_total_and_turning_back_gives_the_trace(rate: Rate, share: float) -> None:
    at = int(rate.end * share) % rate.end
    turned = Trace(rate).offset(at)
    assert turned.required_rate().total_bit_ns == rate.total_bit_ns
    back = turned.offset((rate.end - at) % rate.end).required_rate()
    assert [back.at(t) for t in rate.starts.tolist()] == rate.rates.tolist()
