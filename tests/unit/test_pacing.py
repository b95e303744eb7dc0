from __future__ import annotations

import pytest

from lanecast.transport.pacing import Pacer, linux_pacer, prague_pacer
from lanecast.transport.units import MS


def test_packets_are_spaced_by_their_time_at_the_rate() -> None:
    pacer = Pacer(burst=0)
    pacer.sent(0, 1500, 12e6)  # 1500 bytes at 12 Mbit/s take exactly 1 ms
    assert pacer.release() == MS
    pacer.sent(MS, 750, 12e6)
    assert pacer.release() == MS + MS // 2


def test_a_late_packet_earns_no_credit_beyond_the_burst() -> None:
    pacer = Pacer(burst=2 * MS)
    pacer.sent(100 * MS, 1500, 12e6)
    assert pacer.release() == 99 * MS
    pacer.sent(100 * MS, 1500, 12e6)
    pacer.sent(100 * MS, 1500, 12e6)
    assert pacer.release() == 101 * MS  # two packets at once, and the third's time is still to come


def test_window_rate_sends_the_window_in_a_fraction_of_the_round_trip() -> None:
    pacer = Pacer(gain=1.25, slow_start_gain=2.0)
    assert pacer.window_rate_bps(100_000.0, 50_000.0, 80 * MS) == pytest.approx(1.25 * 10e6)
    assert pacer.window_rate_bps(100_000.0, 1e18, 80 * MS) == pytest.approx(2 * 10e6)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="burst must be >= 0"):
        Pacer(burst=-1)
    with pytest.raises(ValueError, match="gains > 0"):
        Pacer(gain=0.0)
    with pytest.raises(ValueError, match="quantum >= 1"):
        Pacer(quantum=0)
    with pytest.raises(ValueError, match="slow_start_share must lie"):
        Pacer(slow_start_share=0.0)
    with pytest.raises(ValueError, match="late_share in"):
        Pacer(late_share=1.5)


def departures(pacer: Pacer, rate_bps: float, packets: int, *, start: int = 0) -> list[int]:
    """Return when packets of 1500 bytes leave, each as early as the pacer lets it."""
    now, left = start, []
    for _ in range(packets):
        now = max(now, pacer.release_at(now))
        pacer.sent(now, 1500, rate_bps)
        left.append(now)
    return left


def test_groups_leave_at_one_instant_and_the_rate_is_kept() -> None:
    assert departures(Pacer(burst=0, quantum=3), 12e6, 7) == [0, 0, 0, 3 * MS, 3 * MS, 3 * MS, 6 * MS]


def test_a_group_cut_short_pays_only_for_what_left() -> None:
    pacer = Pacer(burst=0, quantum=4)
    pacer.sent(0, 1500, 12e6)
    assert pacer.release_at(0) == 0
    assert pacer.release_at(MS // 2) == MS  # the window closed after one packet: no credit is left over


def test_a_late_group_makes_up_for_at_most_its_share() -> None:
    for late_by, expected in ((0, 4), (MS, 3), (10 * MS, 2)):
        pacer = Pacer(burst=0, quantum=4, late_share=0.5)
        departures(pacer, 12e6, 4, start=MS)  # the next group is due at 5 ms
        now = 5 * MS + late_by
        departures(pacer, 12e6, 4, start=now)
        assert pacer.release() == now + expected * MS


def test_linux_groups_hold_a_millisecond_of_data_two_packets_at_least_and_64_kb_at_most() -> None:
    pacer = linux_pacer()
    assert [pacer.group(1500, rate * 1e6) for rate in (1, 20, 30, 100, 1000)] == [2, 2, 2, 8, 43]
    # 120 % of cwnd/srtt, 200 % below half of ssthresh (tcp_update_pacing_rate)
    assert pacer.window_rate_bps(100_000.0, 200_000.0, 80 * MS) == pytest.approx(12e6)
    assert pacer.window_rate_bps(99_000.0, 200_000.0, 80 * MS) == pytest.approx(19.8e6)


def test_prague_groups_hold_a_quarter_of_a_millisecond_and_one_packet_at_least() -> None:
    pacer = prague_pacer()
    assert [pacer.group(1500, rate * 1e6) for rate in (1, 50, 100, 200)] == [1, 1, 2, 4]
    assert departures(pacer, 100e6, 4, start=MS)[:2] == [MS, MS]
    assert pacer.window_rate_bps(100_000.0, 100_000.0, 80 * MS) == pytest.approx(10e6)
