from __future__ import annotations

import pytest

from lanecast.transport.pacing import Pacer
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
