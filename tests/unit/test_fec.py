"""The erasure code as algebra and as bytes, and the scheme that sends it at Eloquent's cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanecast.transport import wire
from lanecast.transport.tokens.check import run_scripted
from lanecast.transport.tokens.eloquent import Eloquent
from lanecast.transport.tokens.fec import Fec
from lanecast.transport.tokens.gf256 import Decoder, add, coefficient, encode, inverse, multiply, scale
from lanecast.transport.units import MS

ELEMENTS = st.integers(0, 255)
GAP = 20 * MS
ONE_WAY = 50 * MS


def slow_product(a: int, b: int) -> int:
    """Multiply as polynomials over GF(2) modulo x^8 + x^4 + x^3 + x^2 + 1."""
    total = 0
    for bit in range(8):
        if b >> bit & 1:
            total ^= a << bit
    for bit in range(14, 7, -1):
        if total >> bit & 1:
            total ^= 0x11D << (bit - 8)
    return total


@given(ELEMENTS, ELEMENTS, ELEMENTS)
def test_the_field_is_a_field(a: int, b: int, c: int) -> None:
    assert multiply(a, b) == multiply(b, a) == slow_product(a, b)
    assert multiply(a, multiply(b, c)) == multiply(multiply(a, b), c)
    assert multiply(a, b ^ c) == multiply(a, b) ^ multiply(a, c)


def test_every_element_but_zero_has_an_inverse() -> None:
    assert all(multiply(a, inverse(a)) == 1 for a in range(1, 256))
    with pytest.raises(ZeroDivisionError):
        inverse(0)


@given(st.binary(max_size=9), st.binary(max_size=9), ELEMENTS)
def test_symbols_add_and_scale_byte_by_byte(a: bytes, b: bytes, factor: int) -> None:
    longest = max(len(a), len(b))
    padded = zip(a.ljust(longest, b"\0"), b.ljust(longest, b"\0"), strict=True)
    assert add(a, b) == bytes(x ^ y for x, y in padded)
    assert scale(a, factor) == bytes(multiply(x, factor) for x in a)


@given(st.integers(1, 65_535), st.integers(0, 2**32 - 2))
def test_coefficients_are_never_zero(seed: int, token: int) -> None:
    assert 1 <= coefficient(seed, token) <= 255
    assert coefficient(0, token) == 1


@given(st.data())
def test_as_many_repair_symbols_as_tokens_are_missing_give_the_bytes_back(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    symbols = {t: bytes([t]) + data.draw(st.binary(min_size=3, max_size=3)) for t in range(count)}
    missing = data.draw(st.sets(st.sampled_from(range(count)), min_size=1))
    known = {t: s for t, s in symbols.items() if t not in missing}
    decoder = Decoder(known.get)
    solved: dict[int, bytes] = {}
    seeds = iter(range(1, 200))
    used = 0
    while len(solved) < len(missing):
        seed = next(seeds)
        decoder.add(0, count, seed, encode(symbols, 0, count, seed))
        used += 1
        found = decoder.solved()
        known.update(found)
        solved.update(found)
    assert solved == {t: symbols[t] for t in missing}
    assert used <= len(missing) + 3  # a random square matrix over GF(256) is singular once in 255 times


def test_a_plain_xor_repairs_one_token_and_travels_in_a_frame() -> None:
    symbols = {t: bytes([4]) + bytes([t] * 4) for t in range(7, 11)}
    frame = wire.Data(
        number=3, first=11, tokens=((11, b"next"),), repairs=(wire.Repair(7, 4, 0, encode(symbols, 7, 4, 0)),)
    )
    back = wire.decode(wire.encode_data(frame))
    assert isinstance(back, wire.Data)
    known = {t: s for t, s in symbols.items() if t != 9}
    decoder = Decoder(known.get)
    repair = back.repairs[0]
    decoder.add(repair.base, repair.count, repair.seed, repair.data)
    assert decoder.solved() == {9: symbols[9]}


def test_a_token_that_arrives_meanwhile_helps_to_solve_the_rest() -> None:
    symbols = {t: bytes([t, t]) for t in range(3)}
    known: dict[int, bytes] = {0: symbols[0]}
    decoder = Decoder(known.get)
    decoder.add(0, 3, 5, encode(symbols, 0, 3, 5))
    assert decoder.solved() == {}
    known[1] = symbols[1]
    assert decoder.solved() == {2: symbols[2]}


@pytest.mark.parametrize("code", ["rlc", "xor"])
def test_a_single_loss_is_repaired_by_the_next_packet(code: str) -> None:
    sender, receiver = run_scripted(
        Fec(code=code, rate=1.0), tokens=40, gap=GAP, one_way=ONE_WAY, warm=2 * ONE_WAY,
        data_lost=lambda k, _now: k == 10,
    )  # fmt: skip
    delays = [r - i * GAP - ONE_WAY for i, r in enumerate(receiver.rendered)]
    assert delays[10] == GAP
    assert sum(delays) == GAP
    assert sender.passed == 40


def test_two_losses_need_two_symbols_of_the_linear_code() -> None:
    _, receiver = run_scripted(
        Fec(rate=1.0), tokens=40, gap=GAP, one_way=ONE_WAY, warm=2 * ONE_WAY,
        data_lost=lambda k, _now: k in {10, 11},
    )  # fmt: skip
    delays = [r - i * GAP - ONE_WAY for i, r in enumerate(receiver.rendered)]
    assert delays[10:14] == [3 * GAP, 2 * GAP, GAP, 0]


@pytest.mark.parametrize("gap", [10 * MS, 20 * MS, 50 * MS])
@pytest.mark.parametrize("one_way", [15 * MS, 50 * MS, 100 * MS])
def test_equal_rate_costs_what_eloquent_costs_within_two_percent(gap: int, one_way: int) -> None:
    def loses(k: int, _now: int) -> bool:
        return k * 7919 % 101 < 8

    fec, _ = run_scripted(Fec(), tokens=600, gap=gap, one_way=one_way, warm=2 * one_way, data_lost=loses)
    eloquent, _ = run_scripted(
        Eloquent(), tokens=600, gap=gap, one_way=one_way, warm=2 * one_way, data_lost=loses
    )
    assert abs(fec.sent_bytes / eloquent.sent_bytes - 1) <= 0.02


def test_repair_bytes_equal_the_wire_formats() -> None:
    sender, _ = run_scripted(Fec(rate=2.0), tokens=100, gap=GAP, one_way=ONE_WAY, warm=2 * ONE_WAY)
    size = sender.ledger.sent_prefix[90] - sender.ledger.sent_prefix[89]
    # R / gap = 5 tokens are sent and not yet acknowledged when token 89 leaves, or 4 when the ACK comes first
    assert size in {40 + 5 + 1 + 2 * wire.repair_size(89 - window, window, 5) for window in (4, 5)}
