"""AccECN's short fields carry the exact counts, whatever ACKs are lost, repeated or overtaken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lanecast.transport.congestion.base import AckObservation
from lanecast.transport.feedback import AccEcn, ace_decode, ace_encode, bytes_delta, bytes_encode
from lanecast.transport.stage import Ack, make_ack

STEPS = 100


def report(pn: int, received: int, ce: int, size: int) -> Ack:
    ack = make_ack(0, 52, pn, 0)
    ack.received, ack.received_bytes = received, size * received
    ack.ce, ack.ce_bytes = ce, size * ce
    return ack


def acks_of(marks: list[bool], size: int, start: int) -> list[Ack]:
    """One ACK a packet of `size` bytes; `start` packets, all marked, came before."""
    acks = []
    ce = start
    for place, marked in enumerate(marks):
        ce += marked
        acks.append(report(STEPS + place, start + place + 1, ce, size))
    return acks


@given(
    marks=st.lists(st.booleans(), min_size=1, max_size=200),
    size=st.integers(60, 1500),
    start=st.sampled_from([0, 5, 11_180, 100_000]),  # 11,180 packets of 1500 bytes: the byte counter wraps
    data=st.data(),
)
def test_with_the_byte_option_every_pattern_of_lost_acks_decodes_right(
    marks: list[bool], size: int, start: int, data: st.DataObject
) -> None:
    acks = acks_of(marks, size, start)
    order = data.draw(st.lists(st.sampled_from(range(len(acks))), max_size=40))
    feedback, seen = AccEcn(), AckObservation()
    for step in range(STEPS):  # the history, in steps that the fields can carry
        done = start * (step + 1) // STEPS
        feedback.read(report(step, done, done, size), seen)
    assert feedback.packets == start
    told, heard = 0, 0
    for place in [*order, len(acks) - 1]:
        feedback.read(acks[place], seen)
        told += seen.ce
        heard = max(heard, place)
        assert feedback.packets == acks[heard].ce
    assert told == acks[-1].ce - start
    assert (feedback.packets, feedback.size) == (acks[-1].ce, acks[-1].ce_bytes)


@given(known=st.integers(0, 2**31), covered=st.integers(0, 7), data=st.data())
def test_ace_alone_is_exact_for_up_to_seven_packets(known: int, covered: int, data: st.DataObject) -> None:
    new = data.draw(st.integers(0, covered))
    assert ace_decode(ace_encode(known + new), known, covered, -1, covered * 100) == new


@given(known=st.integers(0, 2**31), covered=st.integers(8, 10_000), data=st.data())
def test_without_bytes_the_count_is_never_too_small(known: int, covered: int, data: st.DataObject) -> None:
    new = data.draw(st.integers(0, covered))
    found = ace_decode(ace_encode(known + new), known, covered, -1, covered * 1500)
    assert new <= found <= covered
    assert (found - new) % 8 == 0


@given(counted=st.integers(0, 2**40), grown=st.integers(0, 2**24 - 1), start=st.integers(0, 1))
def test_byte_counters_survive_wrapping(counted: int, grown: int, start: int) -> None:
    assert bytes_delta(bytes_encode(counted + grown, start), counted, start) == grown
