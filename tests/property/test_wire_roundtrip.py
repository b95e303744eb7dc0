"""Every frame comes back from its bytes, and the size functions tell the length of those bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lanecast.transport import wire
from lanecast.transport.units import US
from lanecast.transport.wire import Ack, Data, Piece, Range, Repair, decode, encode_ack, encode_data

u16, u32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
varints = st.one_of(st.integers(0, 70), st.integers(16_380, 16_390), st.integers(0, (1 << 62) - 1))


@st.composite
def token_lists(draw: st.DrawFn) -> tuple[int, tuple[tuple[int, bytes], ...]]:
    first = draw(st.integers(0, 2**31))
    gaps = draw(st.lists(st.one_of(st.just(1), st.integers(1, 20_000)), max_size=12))
    texts = draw(st.lists(st.binary(max_size=70), min_size=len(gaps), max_size=len(gaps)))
    indices, at = [], first
    for place, gap in enumerate(gaps):
        at += gap if place else 0
        indices.append(at)
    return first, tuple(zip(indices, texts, strict=True))


@st.composite
def repair_symbols(draw: st.DrawFn) -> Repair:
    base = draw(st.integers(0, wire.MAX_INDEX))
    count = draw(st.integers(1, wire.MAX_INDEX + 1 - base))
    return Repair(base, count, draw(u16), draw(st.binary(max_size=80)))


@st.composite
def acks(draw: st.DrawFn) -> Ack:
    cumulative = draw(st.integers(0, 2**31))
    ranges: list[Range] = []
    at = cumulative
    for _ in range(draw(st.integers(0, 3))):
        start = at + draw(st.integers(1, 20_000))
        at = start + draw(st.integers(1, 20_000))
        ranges.append((start, at))
    delay = draw(st.none() | st.integers(0, 0xFFFF).map(lambda units: units * 8 * US))
    ecn = draw(st.none() | st.tuples(varints, varints, varints))
    return Ack(
        stream=draw(u16), cumulative=cumulative, largest=draw(u32), ranges=tuple(ranges), delay=delay, ecn=ecn
    )


@given(token_lists(), st.lists(repair_symbols(), max_size=3), u16, u32, st.tuples(*[st.booleans()] * 3))
def test_data_round_trip_and_size(
    listed: tuple[int, tuple[tuple[int, bytes], ...]],
    repairs: list[Repair],
    stream: int,
    number: int,
    flags: tuple[bool, bool, bool],
) -> None:
    first, tokens = listed
    fin, probe, boundary = flags
    frame = Data(
        stream=stream,
        number=number,
        first=first,
        tokens=tokens,
        repairs=tuple(repairs),
        fin=fin,
        probe=probe,
        boundary=boundary,
    )
    payload = encode_data(frame)
    assert decode(payload) == frame
    body = sum(wire.token_size(len(text)) for _, text in tokens)
    repair_bytes = sum(wire.repair_size(r.base, r.count, len(r.data)) for r in repairs)
    indices = [index for index, _ in tokens]
    assert wire.data_size(indices, body, repair_bytes, len(repairs)) == len(payload)


@given(acks())
def test_ack_round_trip_and_size(ack: Ack) -> None:
    payload = encode_ack(ack)
    assert decode(payload) == ack
    size = wire.ack_size(ack.cumulative, ack.ranges, delay=ack.delay is not None, ecn=ack.ecn)
    assert size == len(payload)


@given(st.integers(0, wire.MAX_INDEX), st.data(), st.binary(max_size=100))
def test_piece_round_trip(first: int, data: st.DataObject, text: bytes) -> None:
    pieces = data.draw(st.integers(1, wire.MAX_PIECES))
    piece = Piece(data.draw(st.integers(0, pieces - 1)), pieces, text)
    frame = Data(number=1, first=first, piece=piece)
    assert decode(encode_data(frame)) == frame


@given(st.binary(min_size=1, max_size=9000), st.integers(40, 1500))
def test_split_tokens_respect_every_limit(text: bytes, limit: int) -> None:
    frames = wire.split_token(7, text, number=0, limit=limit)
    assert max(len(encode_data(frame)) for frame in frames) <= limit
    joined = [frame.piece.data if frame.piece else frame.tokens[0][1] for frame in frames]
    assert b"".join(joined) == text
