"""Sliding-window random linear code over GF(256): repair symbols and their decoder.

A repair symbol is the sum of c_t * s_t over a window of tokens; the coefficients come from a 16-bit seed in the
packet (RFC 8681 is the standard of this family; our generator of coefficients is simpler, **assumption**), all 1
for seed 0: a plain XOR. Field: polynomial x^8 + x^4 + x^3 + x^2 + 1 (RFC 5510 8.1), generator 2. Symbols are byte
strings, padded with zeros to the longest of their window, and start with the token's own length.

The decoder also runs on empty symbols: coefficients alone tell *whether* a token can be decoded, which is all that a
simulation needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

_POLYNOMIAL = 0x11D  # RFC 5510 8.1


def _tables() -> tuple[bytes, bytes]:
    power = bytearray(512)
    log = bytearray(256)
    value = 1
    for exponent in range(255):
        power[exponent] = power[exponent + 255] = value
        log[value] = exponent
        value = value << 1 ^ (_POLYNOMIAL if value & 0x80 else 0)
    return bytes(power), bytes(log)


_POWER, _LOG = _tables()
_TIMES = tuple(bytes(_POWER[_LOG[a] + _LOG[b]] if a and b else 0 for b in range(256)) for a in range(256))


def multiply(a: int, b: int) -> int:
    """Return the product of two field elements."""
    return _TIMES[a][b]


def inverse(a: int) -> int:
    """Return 1 / a, a != 0."""
    if a == 0:
        raise ZeroDivisionError("0 has no inverse in GF(256)")
    return _POWER[255 - _LOG[a]]


def scale(symbol: bytes, factor: int) -> bytes:
    """Return a symbol times a field element."""
    return symbol.translate(_TIMES[factor])


def add(a: bytes, b: bytes) -> bytes:
    """Return the sum of two symbols, as long as the longer."""
    size = max(len(a), len(b))
    return (int.from_bytes(a.ljust(size, b"\0")) ^ int.from_bytes(b.ljust(size, b"\0"))).to_bytes(size)


def coefficient(seed: int, token: int) -> int:
    """Return token's coefficient (1..255) in the symbol of `seed`; 1 for seed 0."""
    if seed == 0:
        return 1
    mixed = (
        seed * 0x9E3779B1 + token * 0x85EBCA77
    ) & 0xFFFFFFFF  # odd multipliers of xxHash32 and Fibonacci hashing
    mixed = (mixed ^ mixed >> 15) * 0x2C1B3C6D & 0xFFFFFFFF
    mixed = (mixed ^ mixed >> 12) * 0x297A2D39 & 0xFFFFFFFF
    return 1 + (mixed >> 8) % 255


def encode(symbols: Mapping[int, bytes], base: int, count: int, seed: int) -> bytes:
    """Return the repair symbol over tokens base .. base + count - 1."""
    total = b""
    for token in range(base, base + count):
        total = add(total, scale(symbols[token], coefficient(seed, token)))
    return total


class Decoder:
    """Collects repair symbols until unknown tokens can be solved (Gauss-Jordan over the missing tokens).

    `symbol_of(t)` returns a token that is held, as bytes, or None. Every kept row has its own pivot, which
    appears in no other row.
    """

    def __init__(self, symbol_of: Callable[[int], bytes | None]) -> None:
        self.symbol_of = symbol_of
        self.rows: dict[int, tuple[dict[int, int], bytes]] = {}  # pivot -> (coefficients, symbol)

    def add(self, base: int, count: int, seed: int, symbol: bytes) -> None:
        """Take in a repair symbol."""
        self._insert({token: coefficient(seed, token) for token in range(base, base + count)}, symbol)

    def solved(self) -> dict[int, bytes]:
        """Take out and return all tokens that have become known, with their symbols."""
        found: dict[int, bytes] = {}
        self._settle()
        for pivot in [pivot for pivot, (row, _) in self.rows.items() if len(row) == 1]:
            found[pivot] = self.rows.pop(pivot)[1]
        return found

    def _settle(self) -> None:
        """Take tokens that have arrived meanwhile out of the kept rows."""
        for pivot, (row, symbol) in list(self.rows.items()):
            if any(self.symbol_of(token) is not None for token in row):
                del self.rows[pivot]
                self._insert(row, symbol)

    def _insert(self, row: dict[int, int], symbol: bytes) -> None:
        for token in list(row):
            known = self.symbol_of(token)
            if known is not None:
                symbol = add(symbol, scale(known, row.pop(token)))
        for token in list(row):
            if token in self.rows and token in row:
                symbol = self._subtract(row, symbol, token)
        if not row:
            return
        pivot = min(row)
        factor = inverse(row[pivot])
        row = {token: multiply(value, factor) for token, value in row.items()}
        symbol = scale(symbol, factor)
        self.rows[pivot] = (row, symbol)
        for other, (held, data) in list(self.rows.items()):
            if other != pivot and pivot in held:
                self.rows[other] = (held, self._subtract(held, data, pivot))

    def _subtract(self, row: dict[int, int], symbol: bytes, pivot: int) -> bytes:
        """Take the pivot's row out of `row` (in place) and return the changed symbol."""
        factor = row[pivot]
        other, data = self.rows[pivot]
        for token, value in other.items():
            left = row.get(token, 0) ^ multiply(value, factor)
            if left:
                row[token] = left
            else:
                row.pop(token, None)
        return add(symbol, scale(data, factor))
