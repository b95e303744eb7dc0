"""The packet layer: opportunities keep the rate, and follow each other as told."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from lanecast.traces import synthetic
from lanecast.traces.packetfit import fit_packets, targets
from lanecast.traces.packets import (
    BURST_PROBABILITIES,
    CELL_NS,
    NS_PER_MS,
    PACKET_BITS,
    PacketParameters,
    operational_time,
    place,
)
from lanecast.traces.statistics import index_of_dispersion, packet_statistics, window_counts
from lanecast.traces.trace import NS_PER_S, Opportunities, Trace

SINGLES = PacketParameters(
    burst=tuple(1.0 for _ in BURST_PROBABILITIES),
    burst_packets=1.0,
    reference_mbps=1.0,
    growth=0.0,
    regularity=1.0,
    quiet=0.0,
    quiet_s=0.1,
    flicker=0.0,
)


def placed(parameters: PacketParameters, mbps: float = 2.4, seconds: int = 200, seed: int = 1) -> np.ndarray:
    rates = np.full(seconds, round(mbps * 1e6), dtype=np.int64)
    return place(rates, NS_PER_S, parameters, np.random.default_rng(seed))


def test_times_are_whole_milliseconds_in_order() -> None:
    times = placed(msgspec.structs.replace(SINGLES, flicker=1.0, quiet=0.3, burst_packets=4.0))
    assert not (times % NS_PER_MS).any()
    assert (np.diff(times) >= 0).all()
    assert times[0] >= 0
    assert times[-1] <= 200 * NS_PER_S


@pytest.mark.parametrize("burst", [1.0, 5.0])
def test_every_second_keeps_its_count_but_for_a_burst(burst: float) -> None:
    rng = np.random.default_rng(3)
    rates = rng.integers(500_000, 20_000_000, 100)
    parameters = msgspec.structs.replace(SINGLES, burst_packets=burst, flicker=0.8, quiet=0.2, quiet_s=0.2)
    times = place(rates, NS_PER_S, parameters, np.random.default_rng(4))
    by_second = np.searchsorted(times, np.arange(1, 101) * NS_PER_S, side="right")
    due = np.cumsum(rates) / PACKET_BITS
    assert np.abs(by_second - due).max() <= burst + 1


def test_single_memoryless_packets_are_a_poisson_process_within_their_steps() -> None:
    # One step of 200 s: within it only the total is fixed, so IDC(10 ms) = 1 - 10 ms / 200 s.
    rates = np.array([2_400_000], dtype=np.int64)
    times = place(rates, 200 * NS_PER_S, SINGLES, np.random.default_rng(5))
    # Standard error of a variance ratio over 20,000 windows: sqrt(2 / 20000) = 0.01 plus the Poisson's own 0.005.
    assert index_of_dispersion(times, 10 * NS_PER_MS) == pytest.approx(1, abs=0.08)


def test_regularity_above_one_is_smoother_than_memoryless_and_below_one_rougher() -> None:
    dispersion = [
        index_of_dispersion(placed(msgspec.structs.replace(SINGLES, regularity=shape)), 50 * NS_PER_MS)
        for shape in (0.3, 1.0, 16.0)
    ]
    assert dispersion[0] > 1.5
    assert 0.5 < dispersion[1] < 1.2
    assert dispersion[2] < 0.5


def test_bursts_share_a_millisecond() -> None:
    times = placed(msgspec.structs.replace(SINGLES, burst_packets=5.0, regularity=16.0))
    _, sizes = np.unique(times, return_counts=True)
    assert np.median(sizes) == 5


def test_burst_size_grows_with_the_rate() -> None:
    growing = msgspec.structs.replace(
        SINGLES, burst_packets=2.0, reference_mbps=2.4, growth=1.0, regularity=16.0
    )
    low, high = (np.unique(placed(growing, mbps), return_counts=True)[1].mean() for mbps in (2.4, 9.6))
    assert low == pytest.approx(2, abs=0.2)
    assert high == pytest.approx(8, abs=0.5)


def test_quiet_times_leave_slots_empty() -> None:
    shares = []
    for quiet in (0.0, 0.4):
        times = placed(msgspec.structs.replace(SINGLES, quiet=quiet, quiet_s=0.2, regularity=16.0), 12.0)
        shares.append(float(np.mean(window_counts(times, CELL_NS) == 0)))
    assert shares[0] == 0
    assert shares[1] == pytest.approx(0.4, abs=0.08)


def test_operational_time_never_runs_back_and_ends_with_what_is_due() -> None:
    parameters = msgspec.structs.replace(SINGLES, quiet=0.9, quiet_s=2.0, flicker=2.0)
    rates = np.array([0, 12_000, 24_000_000], dtype=np.int64)
    clock = operational_time(rates, NS_PER_S, parameters, np.random.default_rng(0))
    assert (np.diff(clock) >= 0).all()
    assert clock[[0, 100, 200, 300]] == pytest.approx([0, 0, 1, 2001])


def test_nothing_due_places_nothing() -> None:
    assert place(np.zeros(5, dtype=np.int64), NS_PER_S, SINGLES, np.random.default_rng(0)).size == 0


def test_a_step_that_is_no_whole_number_of_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a multiple of 10000000"):
        place(np.ones(5, dtype=np.int64), NS_PER_S + 1, SINGLES, np.random.default_rng(0))


def test_made_opportunities_carry_the_rate_forms_mean() -> None:
    for name in ("lte-driving-down", "starlink"):
        as_rate = synthetic.make(name, duration_s=300, seed=2)
        as_packets = synthetic.make(name, duration_s=300, seed=2, form="opportunities")
        assert isinstance(as_packets.capacity, Opportunities)
        assert as_packets.period_ns == as_rate.period_ns
        assert as_packets.mean_bit_s == pytest.approx(as_rate.mean_bit_s, rel=0.01)


def test_lte_opportunities_are_far_from_memoryless() -> None:
    found = packet_statistics(
        synthetic.make("lte-driving-down", duration_s=300, seed=2, form="opportunities")
    )
    assert found.idc_10ms > 3
    assert found.idc_100ms > found.idc_10ms
    assert 0.1 < found.empty_10ms_share < 0.6


def test_a_trace_too_short_for_one_packet_is_refused() -> None:
    with pytest.raises(ValueError, match="offers no packet in 1000 ns, expected a longer duration_s"):
        synthetic.make("umts-up", duration_s=1e-6, seed=1, form="opportunities")


def test_fit_finds_the_layer_it_was_given() -> None:
    truth = msgspec.structs.replace(
        SINGLES, burst_packets=3.0, regularity=4.0, quiet=0.2, quiet_s=0.12, flicker=0.4
    )
    times = placed(truth, 6.0, 60)
    found = fit_packets([Trace(capacity=Opportunities(times))])
    assert found.burst_packets == pytest.approx(3.0, rel=0.15)
    remade = placed(found, 6.0, 60, seed=9)
    for wanted, made in zip(targets(times), targets(remade), strict=True):
        assert made == pytest.approx(wanted, rel=0.25, abs=0.03)


def test_fit_refuses_rates_and_emptiness() -> None:
    with pytest.raises(ValueError, match="no traces"):
        fit_packets([])
    with pytest.raises(ValueError, match="not to rates"):
        fit_packets([synthetic.make("starlink", duration_s=60, seed=1)])
