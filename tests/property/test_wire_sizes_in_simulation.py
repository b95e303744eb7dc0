"""The virtual-time endpoints count exactly the bytes that the real frames would have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lanecast.transport.calendar import Calendar
from lanecast.transport.rtt import RttEstimator
from lanecast.transport.stage import DATA, Ack, Outbox, make_packet
from lanecast.transport.tokens.endpoint import TokenReceiver
from lanecast.transport.tokens.ledger import Ledger
from lanecast.transport.wire import IP_UDP_BYTES, Data, Range, encode_ack, encode_data, token_size
from lanecast.transport.wire import Ack as AckFrame

runs_of_tokens = st.lists(st.tuples(st.integers(1, 400), st.integers(1, 70)), min_size=1, max_size=6)


@given(runs_of_tokens, st.lists(st.integers(0, 80), min_size=1, max_size=20), st.integers(0, 20_000))
def test_ledger_sizes_are_those_of_encoded_data_frames(
    gaps: list[tuple[int, int]], lengths: list[int], start: int
) -> None:
    runs: list[int] = []
    at = start
    for place, (gap, count) in enumerate(gaps):
        at += gap if place else 0
        runs += (at, at + count)
        at += count
    ledger = Ledger(RttEstimator())
    sizes = [lengths[i % len(lengths)] for i in range(at)]
    for size in sizes:
        ledger.generate(0, token_size(size))
    indices = [i for k in range(0, len(runs), 2) for i in range(runs[k], runs[k + 1])]
    tokens = tuple((i, b" " * sizes[i]) for i in indices)
    frame = encode_data(Data(number=0, first=indices[0], tokens=tokens))
    assert ledger.size(tuple(runs)) == IP_UDP_BYTES + len(frame)


def frame_of(ack: Ack, *, delayed: bool) -> AckFrame:
    slots = ((ack.first1, ack.last1), (ack.first2, ack.last2), (ack.first3, ack.last3))
    ranges: tuple[Range, ...] = tuple((first, last + 1) for first, last in slots if last >= 0)
    ecn = (ack.ect0, ack.ect1, ack.ce)
    return AckFrame(
        cumulative=ack.cumulative,
        largest=ack.largest,
        ranges=ranges,
        delay=ack.delay if delayed else None,
        ecn=ecn if any(ecn) else None,
    )


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=40),
    st.sampled_from([1, 2]),
)
def test_receiver_s_acks_have_the_size_of_encoded_ack_frames(
    arrivals: list[tuple[int, int, int]], ack_every: int
) -> None:
    calendar, edge = Calendar(), Outbox()
    receiver = TokenReceiver(calendar, ack_every=ack_every, ack_delay=25_000_000)
    receiver.out = edge
    for pn, (first, count, ecn) in enumerate(arrivals):
        packet = make_packet(0, DATA, 40, ecn, pn, first, 0)
        packet.payload = (first, first + count)
        calendar.settle(pn * 1_000_003)
        receiver.push(calendar.now, packet)
    calendar.settle(1_000_000_000)
    assert edge.pushed == receiver.acks > 0
    for _ in range(edge.pushed):
        ack = edge.pull()
        assert isinstance(ack, Ack)
        assert ack.size == IP_UDP_BYTES + len(encode_ack(frame_of(ack, delayed=ack_every > 1)))
