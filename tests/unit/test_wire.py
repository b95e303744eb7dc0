"""Wire format: vectors of RFC 9000, frames written by hand, exact sizes, refusals with their offset."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lanecast.errors import WireError
from lanecast.transport import wire
from lanecast.transport.units import US
from lanecast.transport.varint import MAX_VARINT, Reader, put_varint, varint_size
from lanecast.transport.wire import Ack, Data, Piece, Repair, decode, encode_ack, encode_data


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


# RFC 9000 A.1: the sample encodings of section 16
@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        ("c2197c5eff14e88c", 151_288_809_941_952_652),
        ("9d7f3e7d", 494_878_333),
        ("7bbd", 15_293),
        ("25", 37),
    ],
)
def test_varints_are_those_of_rfc_9000(encoded: str, value: int) -> None:
    out = bytearray()
    put_varint(out, value)
    assert bytes(out) == hexed(encoded)
    assert varint_size(value) == len(out)
    assert Reader(bytes(out)).varint("value") == value


def test_a_varint_longer_than_needed_is_refused() -> None:
    # RFC 9000 A.1: 37 on two bytes; this format has one encoding for each value
    with pytest.raises(WireError, match="byte 0: field is not in its shortest form"):
        Reader(hexed("4025")).varint("field")


@pytest.mark.parametrize("value", [-1, MAX_VARINT + 1])
def test_values_beyond_a_varint_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match="0 to 2\\^62 - 1"):
        put_varint(bytearray(), value)


def test_one_default_token_takes_45_bytes_on_the_wire() -> None:
    payload = encode_data(
        Data(stream=0x0102, number=0x03040506, first=7, tokens=((7, b"abcd"),), boundary=True)
    )
    assert payload == hexed("1108 0102 03040506 00000007 04 61626364")
    assert wire.IP_UDP_BYTES + len(payload) == 45


def test_runs_stand_before_their_tokens() -> None:
    payload = encode_data(
        Data(number=1, first=2, tokens=((2, b"a"), (5, b"b"), (6, b"")), probe=True, fin=True)
    )
    assert payload == hexed("1107 0000 00000001 00000002 0001 0161 0202 0162 00")
    assert wire.runs_of([2, 5, 6]) == [(0, 1), (2, 2)]
    assert wire.runs_size([2, 5, 6]) == 4
    assert wire.runs_size([2, 3, 4]) == wire.runs_size([]) == 0


def test_end_of_stream_without_a_token() -> None:
    got = decode(encode_data(Data(number=9, first=600, fin=True)))
    assert isinstance(got, Data)
    assert (got.end, got.fin, got.tokens) == (600, True, ())


def test_repair_symbols_stand_before_the_tokens() -> None:
    frame = Data(number=1, first=3, tokens=((3, b"x"),), repairs=(Repair(0, 3, 0x0A0B, b"\x01\x02"),))
    assert encode_data(frame) == hexed("1120 0000 00000001 00000003 01 00 03 0a0b 02 0102 01 78")
    assert decode(encode_data(frame)) == frame


def test_ack_has_twelve_bytes_and_options() -> None:
    assert encode_ack(Ack(stream=1, cumulative=5, largest=9)) == hexed("2100 0001 00000005 00000009")
    full = Ack(cumulative=5, largest=9, ranges=((6, 8), (100, 101)), delay=24 * US, ecn=(0, 70, 2))
    assert encode_ack(full) == hexed("210b 0000 00000005 00000009 0003 01 02 405c 01 00 4046 02")
    assert decode(encode_ack(full)) == full


def test_ack_delay_is_rounded_down_to_8_us() -> None:
    got = decode(encode_ack(Ack(cumulative=0, largest=0, delay=23_999)))
    assert isinstance(got, Ack)
    assert got.delay == 16 * US


@pytest.mark.parametrize("value", [0, 1, 2**32 - 2, 2**32 - 1])
def test_u32_fields_do_not_wrap(value: int) -> None:
    ack = Ack(cumulative=value, largest=value)
    assert decode(encode_ack(ack)) == ack
    data = Data(number=value, first=value, fin=True)
    assert decode(encode_data(data)) == data


def test_the_last_index_can_be_carried_and_acknowledged() -> None:
    last = wire.MAX_INDEX
    data = Data(number=0, first=last, tokens=((last, b"z"),), fin=True)
    assert decode(encode_data(data)) == data
    assert data.end == 2**32 - 1
    ack = Ack(cumulative=last - 1, largest=0, ranges=((last, last + 1),))
    assert decode(encode_ack(ack)) == ack


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"number": 2**32}, "packet number must be 0 to 4294967295"),
        ({"first": 2**32}, "first index"),
        ({"first": -1}, "first index"),
        ({"stream": 65_536}, "stream must be 0 to 65535"),
        ({"first": 1, "tokens": ((2, b""),)}, "the first token is 2, but first says 1"),
        ({"first": 1, "tokens": ((1, b""), (1, b""))}, "token index must be 2 to"),
        ({"first": 2**32 - 1, "tokens": ((2**32 - 1, b""),)}, "token index"),
        ({"piece": Piece(0, 1, b""), "tokens": ((0, b""),)}, "stands alone"),
        ({"piece": Piece(1, 1, b"")}, "pieces must be 2 to"),
        ({"piece": Piece(0, 4097, b"")}, "pieces must be 1 to 4096"),
        ({"repairs": (Repair(0, 0, 0, b""),)}, "repair count"),
        ({"repairs": (Repair(0, 1, 65_536, b""),)}, "repair seed"),
        ({"repairs": (Repair(2**32 - 2, 2, 0, b""),)}, "repair count must be 1 to 1"),
    ],
)
def test_impossible_data_fields_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode_data(Data(**{"number": 0, "first": 0, **fields}))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cumulative": 2**32}, "cumulative index"),
        ({"largest": -1}, "largest number"),
        ({"ranges": ((5, 6),)}, "range start must be 6"),
        ({"ranges": ((6, 6),)}, "range end must be 7"),
        ({"ranges": ((6, 8), (8, 9))}, "range start must be 9"),
        ({"ranges": ((6, 7), (8, 9), (10, 11), (12, 13))}, "at most 3 ranges"),
        ({"delay": wire.MAX_ACK_DELAY + 8 * US}, "ack delay"),
        ({"ecn": (0, -1, 0)}, "varint"),
    ],
)
def test_impossible_ack_fields_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode_ack(Ack(**{"cumulative": 5, "largest": 0, **fields}))


@pytest.mark.parametrize(
    ("payload", "offset", "message"),
    [
        ("", 0, "truncated: type needs 1 bytes, 0 left"),
        ("12", 0, "version 2 is unknown, this side speaks 1"),
        ("31", 0, "frame type 3 is unknown"),
        ("1140 0000 00000000 00000000", 1, "unknown DATA flags 0x40"),
        ("2110 0000 00000000 00000000", 1, "unknown ACK flags 0x10"),
        ("1100 0000 000000", 4, "truncated: number needs 4 bytes, 3 left"),
        ("1100 0000 00000000 00000000 05 6162", 13, "truncated: token 0 needs 5 bytes, 2 left"),
        ("1100 0000 00000000 00000000 40", 12, "truncated: token length needs 2 bytes, 1 left"),
        ("1100 0000 00000000 ffffffff 00", 12, "token index 4294967295 is above 4294967294"),
        ("1104 0000 00000000 00000000 0000 00", 13, "run count must be 1"),
        ("1104 0000 00000000 00000000 00", 13, "truncated: run count"),
        ("1104 0000 00000000 00000000 0005 00", 13, "run count must be 1 to 1, got 5"),
        ("1104 0000 00000000 00000000 0101 00", 12, "run skip must be 0 to 0, got 1"),
        ("1104 0000 00000000 00000000 0001 00 0001 00", 15, "run skip must be 1"),
        ("1104 0000 00000000 00000000 0001 00", 1, "there are not two runs"),
        ("1104 0000 00000000 00000000", 1, "there are not two runs"),
        ("1114 0000 00000000 00000000 0001", 1, "a piece stands alone"),
        ("1110 0000 00000000 00000000 0101", 13, "pieces must be 2 to 4096, got 1"),
        ("1120 0000 00000000 00000000 00", 12, "number of repair symbols must be 1"),
        ("1120 0000 00000000 00000000 01 00 00", 14, "repair count"),
        ("2100 0000 00000000 00000000 00", 12, "1 bytes behind the end of the ACK"),
        ("2104 0000 00000005 00000000 00 01", 12, "range gap must be 1"),
        ("2104 0000 00000005 00000000 01 00", 13, "range length must be 1"),
        ("2102 0000 00000005 00000000 00", 12, "truncated: ack delay"),
        ("2104 0000 ffffffff 00000000 01 01", 12, "range gap"),
    ],
)
def test_bad_bytes_are_refused_with_their_offset(payload: str, offset: int, message: str) -> None:
    with pytest.raises(WireError, match=message) as caught:
        decode(hexed(payload))
    assert caught.value.offset == offset


def test_a_long_token_is_split_within_the_limit_and_joined_again() -> None:
    token = bytes(range(256)) * 256
    frames = wire.split_token(5, token, number=100, stream=3)
    payloads = [encode_data(frame) for frame in frames]
    assert max(map(len, payloads)) <= wire.PAYLOAD_LIMIT
    got = [decode(payload) for payload in payloads]
    assert got == frames
    assert [frame.number for frame in frames] == list(range(100, 100 + len(frames)))
    assert {frame.end for frame in frames} == {6}
    assert b"".join(frame.piece.data for frame in frames if frame.piece) == token


def test_a_token_that_fits_is_not_split() -> None:
    room = wire.PAYLOAD_LIMIT - wire.DATA_HEADER_BYTES - 2
    (frame,) = wire.split_token(0, b"x" * room, number=0)
    assert len(encode_data(frame)) == wire.PAYLOAD_LIMIT
    assert len(wire.split_token(0, b"x" * (room + 1), number=0)) == 2


@pytest.mark.parametrize("limit", [0, wire.DATA_HEADER_BYTES + 4, wire.DATA_HEADER_BYTES + 5])
def test_a_limit_that_leaves_too_many_pieces_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="more than 4096 pieces"):
        wire.split_token(0, b"x" * 5000, number=0, limit=limit)


def test_token_sizes_of_a_column_equal_the_single_ones() -> None:
    column = np.array([0, 1, 63, 64, 16_383, 16_384, 2**30 - 1, 2**30])
    assert wire.token_sizes(column).tolist() == [wire.token_size(int(n)) for n in column]
    assert column.tolist()[0] == 0
