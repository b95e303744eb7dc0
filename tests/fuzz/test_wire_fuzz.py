"""Arbitrary bytes raise WireError or give a frame that encodes to the same bytes; nothing else happens."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lanecast.errors import WireError
from lanecast.transport.tokens.render import Renderer
from lanecast.transport.wire import Ack, Data, Piece, Repair, decode, encode_ack, encode_data

heads = st.sampled_from([b"\x11", b"\x21"])
SEEDS = [
    encode_data(Data(number=1, first=2, tokens=((2, b"a"), (5, "€".encode()), (6, b"")), fin=True)),
    encode_data(Data(number=1, first=3, tokens=((3, b"x"),), repairs=(Repair(0, 3, 1, b"ab"),))),
    encode_data(Data(number=1, first=3, piece=Piece(1, 3, b"middle"))),
    encode_ack(Ack(cumulative=5, largest=9, ranges=((6, 8), (100, 101)), delay=800_000, ecn=(0, 70, 2))),
]


def same_or_refused(payload: bytes) -> Data | Ack | None:
    try:
        frame = decode(payload)
    except WireError as error:
        refused_at = error.offset
        frame = None
    if frame is None:
        assert 0 <= refused_at <= len(payload)
        return None
    assert payload == (encode_ack(frame) if isinstance(frame, Ack) else encode_data(frame))
    return frame


@settings(max_examples=200)
@given(st.builds(bytes.__add__, heads, st.binary(max_size=80)))
@example(b"\x11\x04" + b"\x00" * 10 + b"\xff" * 16)
def test_bytes_with_a_known_type_are_read_or_refused(payload: bytes) -> None:
    same_or_refused(payload)


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    same_or_refused(payload)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_truncation_is_refused_or_is_a_shorter_frame(seed: bytes) -> None:
    for length in range(len(seed)):
        frame = same_or_refused(seed[:length])
        if isinstance(frame, Ack):
            pytest.fail(f"an ACK cut to {length} bytes was taken")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_single_bit_error_is_read_or_refused(seed: bytes) -> None:
    for place in range(len(seed) * 8):
        broken = bytearray(seed)
        broken[place // 8] ^= 1 << place % 8
        same_or_refused(bytes(broken))


@given(st.lists(st.builds(bytes.__add__, st.just(b"\x11"), st.binary(min_size=11, max_size=40)), max_size=12))
def test_a_renderer_fed_with_any_frames_keeps_its_laws(payloads: list[bytes]) -> None:
    renderer, shown = Renderer(), ""
    for payload in payloads:
        frame = same_or_refused(payload)
        if not isinstance(frame, Data):
            continue
        for index, text in frame.tokens:
            shown += renderer.arrive(0, index, text)
        if frame.piece is not None:
            shown += renderer.arrive_piece(0, frame.first, frame.piece)
        if frame.fin:
            shown += renderer.finish(frame.end)
        assert shown == renderer.text
        assert renderer.slots.next_index <= renderer.slots.held
        assert renderer.end is None or renderer.slots.stop <= renderer.end
