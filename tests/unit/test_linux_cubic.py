"""Linux's Cubic against the arithmetic of tcp_cubic.c, recomputed plainly; packets of 1000 bytes."""

from __future__ import annotations

import pytest

from lanecast.transport.congestion.base import AckObservation, LossObservation
from lanecast.transport.congestion.hystart import LinuxHyStart
from lanecast.transport.congestion.linux_cubic import LinuxCubic
from lanecast.transport.units import MS, SECOND

MSS = 1000


def ack_of(
    now: int, packets: int = 1, rtt: int = 40 * MS, pn: int = 1000, **fields: object
) -> AckObservation:
    seen = AckObservation()
    seen.now, seen.rtt, seen.srtt, seen.min_rtt = now, rtt, rtt, rtt
    seen.acked, seen.acked_packets, seen.pn, seen.next_pn = packets * MSS, packets, pn, pn + 100
    for name, value in fields.items():
        setattr(seen, name, value)
    return seen


def reduced(window: int, **options: bool) -> LinuxCubic:
    cubic = LinuxCubic(mss=MSS, initial_packets=window, prr=False, **options)
    loss = LossObservation()
    loss.flight, loss.pn, loss.next_pn = window * MSS, 0, 1
    cubic.on_loss(loss)
    return cubic


def naive(window: int, seconds: float, rtt: int, friendly: bool) -> list[int]:
    """Return the windows after each ACK of one packet, computed as tcp_cubic.c does, in plain integers."""
    plateau, cwnd, count, acks, reno = window, window * 717 // 1024, 0, 0, 0
    epoch = last_time = last_cwnd = origin = -1
    step, now, k, out = 1, 0, 0, []
    while now < seconds * SECOND:
        now += rtt // cwnd
        acks += 1
        if not (last_cwnd == cwnd and now - last_time <= SECOND // 32):
            if epoch < 0 or now // MS != last_time // MS:
                last_cwnd, last_time = cwnd, now
                if epoch < 0:
                    epoch, acks, reno = now, 1, cwnd
                    k = int(((plateau - cwnd) * 1024 / 410) ** (1 / 3) * 1024) if plateau > cwnd else 0
                    origin = max(plateau, cwnd)
                ticks = ((now - epoch) // MS + -(-rtt // MS)) * 1024 // 1000
                rise = (410 * abs(ticks - k) ** 3) >> 40
                target = origin - rise if ticks < k else origin + rise
                step = cwnd // (target - cwnd) if target > cwnd else 100 * cwnd
            if friendly:
                while acks > cwnd * 15 >> 3:
                    acks -= cwnd * 15 >> 3
                    reno += 1
                if reno > cwnd:
                    step = min(step, cwnd // (reno - cwnd))
            step = max(step, 2)
        if count >= step:
            count, cwnd = 0, cwnd + 1
        count += 1
        if count >= step:
            cwnd += count // step
            count %= step
        out.append(cwnd)
    return out


@pytest.mark.parametrize("window", [20, 100, 500])
@pytest.mark.parametrize("rtt_ms", [10, 40, 100])
@pytest.mark.parametrize("friendly", [True, False])
def test_growth_equals_the_plain_recomputation(window: int, rtt_ms: int, friendly: bool) -> None:
    rtt = rtt_ms * MS
    cubic = reduced(window, tcp_friendliness=friendly)
    now, ours = 0, []
    expected = naive(window, 3.0, rtt, friendly)
    while now < 3 * SECOND:
        now += rtt // int(cubic.cwnd / MSS)
        cubic.on_ack(ack_of(now, rtt=rtt))
        ours.append(int(cubic.cwnd / MSS))
    assert ours == expected


def test_beta_is_717_of_1024_and_the_window_whole_packets() -> None:
    assert reduced(100).cwnd == 70 * MSS
    assert reduced(101).cwnd == (101 * 717 // 1024) * MSS
    assert reduced(2).cwnd == 2 * MSS


def test_fast_convergence_lowers_the_plateau() -> None:
    for fast, expected in ((True, 70 * (1024 + 717) // 2048), (False, 70)):
        cubic = reduced(100, fast_convergence=fast)
        loss = LossObservation()
        loss.pn, loss.next_pn, loss.flight = 200, 300, 70 * MSS
        cubic.on_loss(loss)
        assert cubic.plateau == expected


def test_before_the_first_reduction_the_step_is_at_most_20_packets() -> None:
    cubic = LinuxCubic(mss=MSS, initial_packets=100)
    cubic.ssthresh = 100.0 * MSS
    cubic.on_ack(ack_of(MS))
    assert cubic.step == 20


def test_reductions_follow_prr_for_marks_too() -> None:
    cubic = LinuxCubic(mss=MSS, initial_packets=40)
    cubic.on_ack(ack_of(MS, pn=10, ce=1, flight=40 * MSS, in_flight=39 * MSS, next_pn=50))
    assert cubic.reducing
    assert cubic.ssthresh == 28 * MSS
    assert cubic.cwnd == 40 * MSS
    cubic.on_ack(ack_of(2 * MS, pn=50, in_flight=28 * MSS))
    assert cubic.cwnd == pytest.approx(28 * MSS, abs=MSS)


def test_a_timeout_forgets_the_plateau_and_slow_start_watches_the_delay_again() -> None:
    cubic = reduced(100)
    loss = LossObservation()
    loss.pn, loss.next_pn = 300, 400
    cubic.on_rto(loss)
    assert (cubic.plateau, cubic.cwnd) == (0, MSS)
    assert isinstance(cubic.hystart, LinuxHyStart)


def test_an_idle_time_shifts_the_epoch() -> None:
    cubic = reduced(100)
    cubic.on_ack(ack_of(SECOND))
    epoch = cubic.epoch
    cubic.on_idle(9 * SECOND, 5 * SECOND)
    assert cubic.epoch == epoch + 5 * SECOND


def test_hystart_ends_slow_start_by_a_long_ack_train() -> None:
    cubic = LinuxCubic(mss=MSS, initial_packets=20)
    for place in range(25):
        cubic.on_ack(ack_of(100 * MS + place * MS, round_start=place == 0))
    # 40 ms least RTT: the train must be longer than 20 ms
    assert cubic.ssthresh == pytest.approx(41 * MSS, abs=MSS)


def test_hystart_ends_slow_start_by_the_delay_from_the_ninth_sample_on() -> None:
    for rise, expected in ((4, False), (6, True)):
        cubic = LinuxCubic(mss=MSS, initial_packets=20)
        for place in range(9):
            cubic.on_ack(ack_of(place, rtt=(40 + rise) * MS, min_rtt=40 * MS, round_start=place == 0))
        assert (cubic.ssthresh < 100 * MSS) == expected


def test_hystart_lets_windows_under_16_packets_grow() -> None:
    cubic = LinuxCubic(mss=MSS, initial_packets=4)
    for place in range(11):
        cubic.on_ack(ack_of(place, rtt=80 * MS, min_rtt=40 * MS, round_start=place == 0))
    assert cubic.ssthresh > 100 * MSS
