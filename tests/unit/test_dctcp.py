"""DCTCP against a naive recomputation of RFC 8257; packets of 1000 bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.transport.congestion.base import AckObservation, LossObservation
from lanecast.transport.congestion.dctcp import Dctcp
from lanecast.transport.stage import ECT0

MSS = 1000


def acked(dctcp: Dctcp, pn: int, ce: int = 0, packets: int = 1, window: int = 20) -> None:
    seen = AckObservation()
    seen.acked, seen.acked_packets, seen.received, seen.ce = packets * MSS, packets, packets, ce
    seen.pn, seen.next_pn, seen.flight = pn, pn + window, window * MSS
    dctcp.on_ack(seen)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=300))
def test_alpha_equals_a_naive_recomputation(acks: list[tuple[int, int]]) -> None:
    dctcp = Dctcp(mss=MSS)
    alpha, received, marked, end, pn = 1.0, 0, 0, 0, 0
    for packets, marks in acks:
        ce = min(packets, marks)
        received, marked = received + packets, marked + ce
        if pn >= end:
            alpha += (marked / received - alpha) / 16
            received = marked = 0
            end = pn + 20
        acked(dctcp, pn, ce, packets)
        assert dctcp.alpha == alpha
        pn += packets


def test_window_falls_by_half_of_alpha_once_a_window() -> None:
    dctcp = Dctcp(mss=MSS, initial_packets=40, initial_alpha=0.5)
    acked(dctcp, 0, ce=1)
    alpha = 0.5 + (1 - 0.5) / 16
    assert dctcp.cwnd == pytest.approx(40 * MSS * (1 - alpha / 2))
    before = dctcp.cwnd
    for pn in range(1, 20):
        acked(dctcp, pn, ce=1)
    assert dctcp.cwnd == before


def test_full_marking_halves_and_no_marking_leaves_the_window() -> None:
    full, none = Dctcp(mss=MSS, initial_packets=40), Dctcp(mss=MSS, initial_alpha=0.0)
    acked(full, 0, ce=1)
    assert full.cwnd == 20 * MSS
    acked(none, 0)
    assert none.cwnd > 10 * MSS


def test_a_loss_halves_whatever_alpha_says() -> None:
    dctcp = Dctcp(mss=MSS, initial_packets=40, initial_alpha=0.0)
    loss = LossObservation()
    loss.flight, loss.pn, loss.next_pn = 40 * MSS, 3, 43
    dctcp.on_loss(loss)
    assert dctcp.cwnd == 20 * MSS


def test_the_window_stays_at_two_packets_or_more() -> None:
    dctcp = Dctcp(mss=MSS)
    for window in range(20):
        acked(dctcp, 20 * window, ce=1)
    assert dctcp.cwnd == 2 * MSS


def test_dctcp_is_labelled_ect0_and_refuses_wrong_options() -> None:
    assert (Dctcp.ecn_codepoint, Dctcp.paced) == (ECT0, False)
    with pytest.raises(ValueError, match="gain in"):
        Dctcp(gain=1.5)
