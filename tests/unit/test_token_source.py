"""Token sources: exact times of the fixed laws, moments of the random ones, the checks of a stream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.transport.rng import Stream, Streams
from lanecast.transport.tokens import source
from lanecast.transport.tokens.source import MAKERS, TokenStream, incomplete_tail
from lanecast.transport.units import MS, SECOND


def draws(seed: int = 1) -> Stream:
    return Streams(seed).stream("tokens")


def made(*texts: bytes) -> TokenStream:
    sizes = np.array([len(text) for text in texts])
    return TokenStream(np.arange(len(texts)) * MS, sizes, texts)


def test_constant_gap_starts_where_told_and_takes_five_wire_bytes_a_token() -> None:
    stream = source.constant_gap(50 * MS, 4, start=7)
    assert stream.times.tolist() == [7, 50 * MS + 7, 100 * MS + 7, 150 * MS + 7]
    assert stream.sizes.tolist() == [4, 4, 4, 4]
    assert stream.wire_sizes.tolist() == [5, 5, 5, 5]


def test_default_answer_has_600_tokens() -> None:
    assert len(source.constant_gap(20 * MS)) == 600


def test_rate_that_does_not_divide_a_second_does_not_drift() -> None:
    stream = source.constant_rate(30, 3001)
    assert int(stream.times[3000]) == 100 * SECOND
    assert set(stream.gaps.tolist()) <= {33_333_333, 33_333_334}


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0 tokens/s"):
        source.constant_rate(rate)


def test_bursts_keep_the_mean_rate() -> None:
    stream = source.bursts(50 * MS, 8, each=4)
    assert stream.times.tolist() == [0] * 4 + [200 * MS] * 4


def test_groups_wait_for_their_last_token() -> None:
    stream = source.constant_gap(10, 5).grouped(2)
    assert stream.times.tolist() == [10, 10, 30, 30, 40]
    with pytest.raises(ValueError, match="at least 1"):
        stream.grouped(0)


def test_pauses_without_probability_are_a_constant_gap() -> None:
    stream = source.pauses(50 * MS, 20, stream=draws(), probability=0)
    assert stream.times.tolist() == source.constant_gap(50 * MS, 20).times.tolist()


def test_pauses_stay_within_their_bounds_and_come_as_often_as_told() -> None:
    gaps = source.pauses(50 * MS, 20_001, stream=draws(3)).gaps
    long = gaps[gaps > 50 * MS] - 50 * MS
    assert len(long)
    assert int(long.min()) >= SECOND
    assert int(long.max()) <= 5 * SECOND
    # binomial, n = 20,000, p = 0.002: mean 40, standard deviation 6.3; 5 of them hold at 10^-6
    assert abs(len(long) - 40) < 5 * 6.32


def test_gamma_gaps_have_their_mean_and_half_as_much_deviation() -> None:
    gaps = source.gamma_gaps(50 * MS, 20_001, stream=draws(4)).gaps / (50 * MS)
    # shape 4: mean 1, deviation 1/2, so the mean of 20,000 deviates by 0.0035; the deviation itself by 0.0032
    assert abs(float(gaps.mean()) - 1) < 5 * 0.0036
    assert abs(float(gaps.std()) - 0.5) < 5 * 0.0040


def test_shape_one_is_exponential() -> None:
    gaps = source.gamma_gaps(SECOND, 20_001, stream=draws(5), shape=1).gaps / SECOND
    assert abs(float((gaps > 1).mean()) - np.exp(-1)) < 5 * 0.0034
    with pytest.raises(ValueError, match="whole number >= 1"):
        source.gamma_gaps(SECOND, 3, stream=draws(), shape=0)


def test_hosted_answer_begins_at_its_ttft() -> None:
    stream = source.hosted(300 * MS, 20 * MS, 100, stream=draws())
    assert int(stream.times[0]) == 300 * MS
    assert (stream.times - 300 * MS).tolist() == source.gamma_gaps(
        20 * MS, 100, stream=draws()
    ).times.tolist()


def test_same_seed_gives_the_same_stream_and_another_one_does_not() -> None:
    one, two, other = (source.gamma_gaps(MS, 50, stream=draws(seed)).times.tolist() for seed in (1, 1, 2))
    assert one == two != other


@pytest.mark.parametrize("name", sorted(MAKERS))
@pytest.mark.parametrize("count", [0, 1, 2])
def test_every_maker_makes_very_short_answers(name: str, count: int) -> None:
    options = {"pause": {"stream": draws()}, "gamma": {"stream": draws()}, "hosted": {"stream": draws()}}
    leading = {"rate": (20.0,), "hosted": (0, 50 * MS)}.get(name, (50 * MS,))
    stream = MAKERS[name](*leading, count, **options.get(name, {}))
    assert len(stream) == count
    assert len(stream.gaps) == max(count - 1, 0)


def test_columns_cannot_be_changed_from_outside() -> None:
    times = np.array([0, 5])
    stream = TokenStream(times, np.array([1, 1]))
    times[1] = 1
    assert stream.times.tolist() == [0, 5]
    with pytest.raises(ValueError, match="read-only"):
        stream.times[0] = 3


@pytest.mark.parametrize(
    ("times", "sizes", "tokens", "message"),
    [
        ([0, 1], [4], None, "2 times but 1 sizes"),
        ([1, 0], [4, 4], None, "never fall"),
        ([-1, 0], [4, 4], None, "start at 0 or later"),
        ([0, 1], [4, -1], None, "sizes must be >= 0 bytes, got -1"),
        ([0, 1], [1, 1], (b"a", b"bc"), "differ from the lengths"),
        ([[0], [1]], [1, 1], None, "one column"),
    ],
)
def test_impossible_streams_are_refused(
    times: list[int], sizes: list[int], tokens: tuple[bytes, ...] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TokenStream(np.array(times), np.array(sizes), tokens)


def test_text_of_a_stream_without_text_is_an_error_but_its_payload_has_the_size() -> None:
    stream = source.constant_gap(1, 2)
    assert stream.payload(1) == b"    "
    with pytest.raises(ValueError, match="sizes but no text"):
        _ = stream.text
    assert made(b"ab", b"c").payload(1) == b"c"
    assert made(b"ab", b"c").text == b"abc"


def test_repeated_goes_on_one_mean_gap_later() -> None:
    stream = made(b"a", b"b", b"c").repeated(7)
    assert stream.times.tolist() == [t * MS for t in (0, 1, 2, 3, 4, 5, 6)]
    assert stream.text == b"abcabca"
    assert made(b"a", b"b").repeated(1).text == b"a"
    with pytest.raises(ValueError, match="cannot repeat an empty stream"):
        made().repeated(1)


def test_delayed_shifts_every_time_and_refuses_to_go_below_zero() -> None:
    assert made(b"a", b"b").delayed(5).times.tolist() == [5, MS + 5]
    with pytest.raises(ValueError, match="start at 0"):
        made(b"a").delayed(-1)


def test_boundaries_tell_where_a_character_is_whole() -> None:
    euro = "€".encode()
    assert made(b"a", euro[:1], euro[1:2], euro[2:], b"").boundaries.tolist() == [
        True,
        False,
        False,
        True,
        True,
    ]
    assert source.constant_gap(1, 3).boundaries.tolist() == [True] * 3


@given(st.text(max_size=20), st.integers(0, 80))
def test_incomplete_tail_is_what_decoding_cannot_use_yet(text: str, cut: int) -> None:
    data = text.encode()[:cut]
    tail = incomplete_tail(data)
    whole = data[: len(data) - tail].decode()
    assert text.startswith(whole)
    assert tail == len(data) - max(
        len(p.encode()) for p in (text[:i] for i in range(len(text) + 1)) if len(p.encode()) <= len(data)
    )


@pytest.mark.parametrize(
    ("data", "tail"), [(b"", 0), (b"\x80\x80\x80\x80", 0), (b"\xff", 0), (b"a\xf0\x9f\x9a", 3)]
)
def test_incomplete_tail_of_bytes_that_are_no_utf8(data: bytes, tail: int) -> None:
    assert incomplete_tail(data) == tail
