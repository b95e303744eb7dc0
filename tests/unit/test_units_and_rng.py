from __future__ import annotations

import math
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.transport.rng import BLOCK, Streams, uniform_at
from lanecast.transport.units import MS, SECOND, mbps, ms, seconds, transmit_time


def test_a_1500_byte_packet_at_12_mbit_takes_exactly_one_millisecond() -> None:
    assert transmit_time(1500, 12_000_000) == MS


@given(st.integers(1, 10**9), st.integers(1, 10**11))
def test_transmit_time_is_rounded_up_and_never_more_than_one_ns_late(size: int, rate: int) -> None:
    time = transmit_time(size, rate)
    assert (time - 1) * rate < size * 8 * SECOND <= time * rate


def test_durations_are_rounded_up_to_whole_ns() -> None:
    assert (ms(1.5), seconds(0.25), mbps(12.5)) == (1_500_000, 250_000_000, 12_500_000)
    assert seconds(1e-10) == 1


def test_prefetched_draws_equal_single_draws_of_the_generator() -> None:
    stream = Streams(7).stream("loss", 3)
    sequence = np.random.SeedSequence(entropy=7, spawn_key=(crc32(b"loss"), 3))
    single = np.random.Generator(np.random.PCG64DXSM(sequence))
    assert [stream.next_double() for _ in range(2 * BLOCK + 5)] == [
        single.random() for _ in range(2 * BLOCK + 5)
    ]


def test_another_component_leaves_all_other_streams_as_they_were() -> None:
    alone = Streams(1).stream("jitter").next_double()
    streams = Streams(1)
    streams.stream("loss")
    streams.stream("jitter", 1)
    assert streams.stream("jitter").next_double() == alone


def test_a_stream_is_handed_out_once_and_name_clashes_are_errors() -> None:
    streams = Streams(1)
    streams.stream("plumless")
    with pytest.raises(ValueError, match="clashes with 'plumless'"):
        streams.stream("plumless")
    with pytest.raises(ValueError, match="clashes with 'plumless'"):
        streams.key("buckeroo")  # the two words have the same CRC-32
    with pytest.raises(ValueError, match="seed must be >= 0"):
        Streams(-1)


def test_slot_draws_are_uniform_and_uncorrelated() -> None:
    """Bounds hold at about 5 standard deviations of n = 40,000 uniform draws."""
    n = 40_000
    draws = np.array([uniform_at(12345, slot, place) for slot in range(n // 4) for place in range(4)])
    assert draws.min() >= 0.0
    assert draws.max() < 1.0
    assert abs(draws.mean() - 0.5) < 5 * math.sqrt(1 / 12 / n)
    for lag in (1, 4):
        assert abs(np.corrcoef(draws[:-lag], draws[lag:])[0, 1]) < 5 / math.sqrt(n)
    counts, _ = np.histogram(draws, bins=64, range=(0, 1))
    chi_square = float(((counts - n / 64) ** 2 / (n / 64)).sum())
    assert chi_square < 63 + 5 * math.sqrt(2 * 63)


def test_slot_draws_are_the_same_in_both_forms_over_the_whole_range_of_keys() -> None:
    """Worked with unbounded integers from SplitMix64's definition."""

    def mix(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    for key in (0, 1, 2**63 - 1, 2**64 - 1, 0x61C8864680B583EB, 0x61C8864680B583EC):
        for a, b in ((0, 0), (2**63 - 1, 2**63 - 1), (2**64 - 1, 2**64 - 1)):
            expected = mix(
                mix(mix((key + 0x9E3779B97F4A7C15) % 2**64) ^ a) ^ (b * 0xD1342543DE82EF95 % 2**64)
            )
            assert uniform_at(key, a, b) == (expected >> 11) / 2**53


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**40), st.integers(0, 2**20))
def test_a_slot_draw_depends_on_nothing_else(key: int, slot: int, n: int) -> None:
    assert uniform_at(key, slot, n) == uniform_at(key, slot, n)
    assert uniform_at(key, slot, n) != uniform_at(key ^ 1, slot, n)
