"""Wire format of the datagram token schemes: bytes <-> DATA and ACK frames, and their exact sizes.

Our own design (**assumption**: no published scheme states its format), the same for every datagram scheme
so that byte counts compare. Varints are those of RFC 9000 section 16; other integers are big-endian.

    DATA  type/version u8 | flags u8 | stream u16 | packet number u32 | index of first token u32 | body
    ACK   type/version u8 | flags u8 | stream u16 | cumulative index u32 | largest packet number u32 | options

DATA body: [REPAIR: varint n, then n symbols (varint base, varint count, u16 seed, varint length, bytes)], then
tokens, each a varint length and its bytes, numbered on from the first index up to the end of the datagram. With
RUNS, tokens stand in two or more runs: varint skip (from the last index so far; 0 for the first run only),
varint count, then that many tokens. A frame has exactly one encoding; any other is refused.
With PIECE the body is one part of one token: varint piece, varint pieces, then the rest as its bytes.
FIN says that the stream ends behind the body: its length is the index after the last token carried.
ACK options, in this order: ack delay u16 in units of 8 us; up to three ranges of tokens held beyond the
cumulative index (varint gap, varint length; their number is in the flags); ECT(0), ECT(1), CE as varints.

Numbers never wrap: an index is at most 2^32 - 2 (so that the cumulative index fits u32), a packet number at
most 2^32 - 1. Anything else received raises WireError with the offset; the offered fields raise ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from lanecast.errors import WireError
from lanecast.transport.units import US, Ns
from lanecast.transport.varint import Reader, put_varint, varint_size

VERSION = 1
IP_UDP_BYTES = 28  # IPv4 (RFC 791) 20 + UDP (RFC 768) 8
DATA_HEADER_BYTES = 12
ACK_HEADER_BYTES = 12
PAYLOAD_LIMIT = 1200  # assumption: QUIC's smallest allowed maximum datagram (RFC 9000 14) as the default cap
ACK_DELAY_UNIT = 8 * US  # RFC 9000 18.2: the default ack_delay_exponent of 3
ACK_DELAY_BYTES = 2
MAX_ACK_DELAY = 0xFFFF * ACK_DELAY_UNIT
MAX_RANGES = 3
MAX_INDEX = 0xFFFF_FFFE
MAX_NUMBER = 0xFFFF_FFFF
MAX_PIECES = 4096  # assumption: bounds a receiver's memory; 4.9 MB of one token at the default cap

_DATA = 0x10 | VERSION
_ACK = 0x20 | VERSION
FIN, PROBE, RUNS, BOUNDARY, PIECE, REPAIR = 1, 2, 4, 8, 16, 32
_DATA_FLAGS = FIN | PROBE | RUNS | BOUNDARY | PIECE | REPAIR
_ECN, _DELAY, _RANGES_SHIFT = 1, 2, 2
_ACK_FLAGS = 0x0F

Range = tuple[int, int]  # [start, stop) of token indices


class Repair(msgspec.Struct, frozen=True):
    """One symbol of an erasure code over tokens `base` .. `base + count - 1`; `seed` 0 means plain XOR."""

    base: int
    count: int
    seed: int
    data: bytes


class Piece(NamedTuple):
    """Part `piece` of `pieces` of a token too long for one datagram."""

    piece: int
    pieces: int
    data: bytes


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """One DATA frame; `tokens` are (index, bytes) in rising order, `first` the index of the first one.

    With no token, `first` is where the next one would stand (with `fin`: the length of the stream). A
    frame with a `piece` carries nothing else, of token `first`.
    """

    stream: int = 0
    number: int
    first: int
    tokens: tuple[tuple[int, bytes], ...] = ()
    repairs: tuple[Repair, ...] = ()
    piece: Piece | None = None
    fin: bool = False
    probe: bool = False
    boundary: bool = False

    @property
    def end(self) -> int:
        """Return the index after the last token carried."""
        if self.piece is not None:
            return self.first + 1
        return self.tokens[-1][0] + 1 if self.tokens else self.first


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """One ACK frame: all tokens below `cumulative` and those in `ranges` are held.

    `delay` is ns, a multiple of 8 us when it went over the wire, None when not sent; `ecn` counts
    (ECT(0), ECT(1), CE) since the start, None when not sent.
    """

    stream: int = 0
    cumulative: int
    largest: int
    ranges: tuple[Range, ...] = ()
    delay: Ns | None = None
    ecn: tuple[int, int, int] | None = None


def token_size(text_bytes: int) -> int:
    """Return the bytes that a token of `text_bytes` takes in a DATA body."""
    return varint_size(text_bytes) + text_bytes


def token_sizes(text_bytes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return `token_size` of a whole column: (n,) int64."""
    sizes: npt.NDArray[np.int64] = text_bytes + 1 + (text_bytes >= 64)
    sizes += 2 * (text_bytes >= 16_384) + 4 * (text_bytes >= 1_073_741_824)
    return sizes


def runs_of(indices: Sequence[int]) -> list[tuple[int, int]]:
    """Return rising token indices as runs (skip from the last index so far, count)."""
    runs: list[tuple[int, int]] = []
    at = indices[0] if indices else 0
    for index in indices:
        if runs and index == at:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((index - at, 1))
        at = index + 1
    return runs


def runs_size(indices: Sequence[int]) -> int:
    """Return the bytes that RUNS adds for these rising indices: 0 when they have no hole."""
    if not indices or indices[-1] - indices[0] + 1 == len(indices):
        return 0
    return sum(varint_size(skip) + varint_size(count) for skip, count in runs_of(indices))


def repair_size(base: int, count: int, length: int) -> int:
    """Return the bytes of one repair symbol (the varint number of symbols in the frame not included)."""
    return varint_size(base) + varint_size(count) + 2 + token_size(length)


def data_size(indices: Sequence[int], body_bytes: int, repair_bytes: int = 0, repairs: int = 0) -> int:
    """Return the UDP payload of a DATA frame, bytes (without `IP_UDP_BYTES`).

    `body_bytes` is the sum of `token_size` over the tokens, `repair_bytes` that of `repair_size`.
    """
    extra = repair_bytes + varint_size(repairs) if repairs else 0
    return DATA_HEADER_BYTES + runs_size(indices) + body_bytes + extra


def ack_size(
    cumulative: int,
    ranges: Sequence[Range] = (),
    *,
    delay: bool = False,
    ecn: tuple[int, int, int] | None = None,
) -> int:
    """Return the UDP payload of an ACK frame, bytes (without `IP_UDP_BYTES`)."""
    size = ACK_HEADER_BYTES + (ACK_DELAY_BYTES if delay else 0)
    at = cumulative
    for start, stop in ranges:
        size += varint_size(start - at) + varint_size(stop - start)
        at = stop
    return size if ecn is None else size + sum(varint_size(n) for n in ecn)


def encode_data(frame: Data) -> bytes:
    """Return the UDP payload of a DATA frame.

    Raises:
        ValueError: a field is out of range, tokens do not rise from `first`, or a piece is not alone.
    """
    _check_data(frame)
    indices = [index for index, _ in frame.tokens]
    runs = runs_of(indices) if runs_size(indices) else []
    flags = FIN * frame.fin | PROBE * frame.probe | RUNS * bool(runs) | BOUNDARY * frame.boundary
    flags |= PIECE * (frame.piece is not None) | REPAIR * bool(frame.repairs)
    out = bytearray((_DATA, flags))
    out += frame.stream.to_bytes(2, "big") + frame.number.to_bytes(4, "big") + frame.first.to_bytes(4, "big")
    if frame.repairs:
        _put_repairs(out, frame.repairs)
    if frame.piece is not None:
        put_varint(out, frame.piece.piece)
        put_varint(out, frame.piece.pieces)
        out += frame.piece.data
    at = 0
    for skip, count in runs or [(0, len(indices))]:
        if runs:
            put_varint(out, skip)
            put_varint(out, count)
        for _, text in frame.tokens[at : at + count]:
            put_varint(out, len(text))
            out += text
        at += count
    return bytes(out)


def encode_ack(frame: Ack) -> bytes:
    """Return the UDP payload of an ACK frame; the ack delay is rounded down to 8 us.

    Raises:
        ValueError: a field is out of range, or ranges touch, overlap or number more than three.
    """
    _check_ack(frame)
    flags = _ECN * (frame.ecn is not None) | _DELAY * (frame.delay is not None)
    out = bytearray((_ACK, flags | len(frame.ranges) << _RANGES_SHIFT))
    out += frame.stream.to_bytes(2, "big")
    out += frame.cumulative.to_bytes(4, "big") + frame.largest.to_bytes(4, "big")
    if frame.delay is not None:
        out += (frame.delay // ACK_DELAY_UNIT).to_bytes(ACK_DELAY_BYTES, "big")
    at = frame.cumulative
    for start, stop in frame.ranges:
        put_varint(out, start - at)
        put_varint(out, stop - start)
        at = stop
    for count in frame.ecn or ():
        put_varint(out, count)
    return bytes(out)


def decode(payload: bytes) -> Data | Ack:
    """Return the frame in a UDP payload.

    Raises:
        WireError: the type or version is unknown, the bytes are truncated, or a field is out of range.
    """
    reader = Reader(payload)
    kind = reader.uint(1, "type")
    if kind & 0x0F != VERSION:
        raise WireError(0, f"version {kind & 0x0F} is unknown, this side speaks {VERSION}")
    if kind not in (_DATA, _ACK):
        raise WireError(0, f"frame type {kind >> 4} is unknown")
    return _decode_data(reader) if kind == _DATA else _decode_ack(reader)


def split_token(
    index: int, text: bytes, *, stream: int = 0, number: int, limit: int = PAYLOAD_LIMIT
) -> list[Data]:
    """Return the DATA frames (packet numbers from `number` on) that carry one token within `limit` bytes each.

    Raises:
        ValueError: the token needs more than 4096 pieces, or the limit leaves no room for text.
    """
    if DATA_HEADER_BYTES + token_size(len(text)) <= limit:
        return [Data(stream=stream, number=number, first=index, tokens=((index, text),))]
    room = limit - DATA_HEADER_BYTES - 2 * varint_size(MAX_PIECES)
    pieces = -(-len(text) // room) if room > 0 else MAX_PIECES + 1
    if pieces > MAX_PIECES:
        raise ValueError(f"{len(text)} bytes in pieces of {room} need more than {MAX_PIECES} pieces")
    return [
        Data(
            stream=stream,
            number=number + i,
            first=index,
            piece=Piece(i, pieces, text[i * room : (i + 1) * room]),
        )
        for i in range(pieces)
    ]


def _put_repairs(out: bytearray, repairs: Sequence[Repair]) -> None:
    put_varint(out, len(repairs))
    for repair in repairs:
        put_varint(out, repair.base)
        put_varint(out, repair.count)
        out += repair.seed.to_bytes(2, "big")
        put_varint(out, len(repair.data))
        out += repair.data


def _decode_data(reader: Reader) -> Data:
    flags = reader.uint(1, "flags")
    if flags & ~_DATA_FLAGS:
        raise WireError(1, f"unknown DATA flags 0x{flags & ~_DATA_FLAGS:02x}")
    stream, number, first = reader.uint(2, "stream"), reader.uint(4, "number"), reader.uint(4, "first index")
    repairs = tuple(_read_repairs(reader)) if flags & REPAIR else ()
    piece = _read_piece(reader, flags) if flags & PIECE else None
    tokens = tuple(_read_tokens(reader, first, bool(flags & RUNS)))
    if flags & RUNS and (not tokens or tokens[-1][0] + 1 == first + len(tokens)):
        raise WireError(1, "RUNS is set, but there are not two runs")
    return Data(
        stream=stream,
        number=number,
        first=first,
        tokens=tokens,
        repairs=repairs,
        piece=piece,
        fin=bool(flags & FIN),
        probe=bool(flags & PROBE),
        boundary=bool(flags & BOUNDARY),
    )


def _read_repairs(reader: Reader) -> Iterator[Repair]:
    for _ in range(reader.bounded("number of repair symbols", 1, reader.left - 1)):
        base = reader.bounded("repair base", 0, MAX_INDEX)
        count = reader.bounded("repair count", 1, MAX_INDEX + 1 - base)
        seed = reader.uint(2, "repair seed")
        yield Repair(base, count, seed, reader.take(reader.varint("repair length"), "repair symbol"))


def _read_piece(reader: Reader, flags: int) -> Piece:
    if flags & (RUNS | REPAIR):
        raise WireError(1, "a piece stands alone: RUNS and REPAIR must be clear")
    number = reader.bounded("piece", 0, MAX_PIECES - 1)
    pieces = reader.bounded("pieces", number + 1, MAX_PIECES)
    return Piece(number, pieces, reader.rest())


def _read_tokens(reader: Reader, first: int, in_runs: bool) -> Iterator[tuple[int, bytes]]:
    at = first
    while reader.left:
        start, count = reader.at, 1
        if in_runs:
            # the first run begins at the first index, the others leave a hole
            at += (
                reader.bounded("run skip", 0, 0) if at == first else reader.bounded("run skip", 1, MAX_INDEX)
            )
            count = reader.bounded("run count", 1, reader.left - 1)
        for _ in range(count):
            if at > MAX_INDEX:
                raise WireError(start, f"token index {at} is above {MAX_INDEX}")
            yield at, reader.take(reader.varint("token length"), f"token {at}")
            at += 1


def _decode_ack(reader: Reader) -> Ack:
    flags = reader.uint(1, "flags")
    if flags & ~_ACK_FLAGS:
        raise WireError(1, f"unknown ACK flags 0x{flags & ~_ACK_FLAGS:02x}")
    stream, cumulative = reader.uint(2, "stream"), reader.uint(4, "cumulative index")
    largest = reader.uint(4, "largest number")
    delay = reader.uint(ACK_DELAY_BYTES, "ack delay") * ACK_DELAY_UNIT if flags & _DELAY else None
    ranges: list[Range] = []
    at = cumulative
    for _ in range(flags >> _RANGES_SHIFT):
        start = at + reader.bounded("range gap", 1, MAX_INDEX - at)
        at = start + reader.bounded("range length", 1, MAX_INDEX + 1 - start)
        ranges.append((start, at))
    ecn = (reader.varint("ECT(0)"), reader.varint("ECT(1)"), reader.varint("CE")) if flags & _ECN else None
    if reader.left:
        raise WireError(reader.at, f"{reader.left} bytes behind the end of the ACK")
    return Ack(
        stream=stream, cumulative=cumulative, largest=largest, ranges=tuple(ranges), delay=delay, ecn=ecn
    )


def _check(what: str, value: int, most: int, least: int = 0) -> None:
    if not least <= value <= most:
        raise ValueError(f"{what} must be {least} to {most}, got {value}")


def _check_data(frame: Data) -> None:
    _check("stream", frame.stream, 0xFFFF)
    _check("packet number", frame.number, MAX_NUMBER)
    _check("first index", frame.first, MAX_NUMBER)
    at = frame.first
    for place, (index, _) in enumerate(frame.tokens):
        _check("token index", index, MAX_INDEX, at if place else frame.first)
        if not place and index != frame.first:
            raise ValueError(f"the first token is {index}, but first says {frame.first}")
        at = index + 1
    for repair in frame.repairs:
        _check("repair base", repair.base, MAX_INDEX)
        _check("repair count", repair.count, MAX_INDEX + 1 - repair.base, 1)
        _check("repair seed", repair.seed, 0xFFFF)
    if frame.piece is not None:
        if frame.tokens or frame.repairs:
            raise ValueError("a piece stands alone: no tokens and no repair symbols beside it")
        _check("piece", frame.piece.piece, MAX_PIECES - 1)
        _check("pieces", frame.piece.pieces, MAX_PIECES, frame.piece.piece + 1)


def _check_ack(frame: Ack) -> None:
    _check("stream", frame.stream, 0xFFFF)
    _check("cumulative index", frame.cumulative, MAX_NUMBER)
    _check("largest number", frame.largest, MAX_NUMBER)
    if len(frame.ranges) > MAX_RANGES:
        raise ValueError(f"an ACK carries at most {MAX_RANGES} ranges, got {len(frame.ranges)}")
    if frame.delay is not None:
        _check("ack delay", frame.delay, MAX_ACK_DELAY + ACK_DELAY_UNIT - 1)
    at = frame.cumulative
    for start, stop in frame.ranges:
        _check("range start", start, MAX_INDEX, at + 1)
        _check("range end", stop, MAX_INDEX + 1, start + 1)
        at = stop
