"""Variable-length integers of RFC 9000 section 16, and a cursor that reads them from received bytes.

Written in their shortest form only, and refused in any other, so that every frame has one encoding and its
size is a function of its fields.
"""

from __future__ import annotations

from lanecast.errors import WireError

MAX_VARINT = (1 << 62) - 1  # RFC 9000 16


def varint_size(value: int) -> int:
    """Return the bytes of `value` as a varint: 1, 2, 4 or 8 (RFC 9000 16)."""
    if value < 64:
        return 1
    if value < 16_384:
        return 2
    return 4 if value < 1_073_741_824 else 8


def put_varint(out: bytearray, value: int) -> None:
    """Append `value` as the shortest varint.

    Raises:
        ValueError: the value is negative or above 2^62 - 1.
    """
    if not 0 <= value <= MAX_VARINT:
        raise ValueError(f"a varint holds 0 to 2^62 - 1, got {value}")
    size = varint_size(value)
    out += (value | (size.bit_length() - 1) << (8 * size - 2)).to_bytes(size, "big")


class Reader:
    """A cursor over received bytes; every read that cannot be done raises WireError at its offset.

    `what` names the field for the message.
    """

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    @property
    def left(self) -> int:
        """Return how many bytes have not been read."""
        return len(self.data) - self.at

    def take(self, size: int, what: str) -> bytes:
        """Return the next `size` bytes."""
        if size > self.left:
            raise WireError(self.at, f"truncated: {what} needs {size} bytes, {self.left} left")
        self.at += size
        return self.data[self.at - size : self.at]

    def rest(self) -> bytes:
        """Return all bytes that are left."""
        return self.take(self.left, "rest")

    def uint(self, size: int, what: str) -> int:
        """Return the next `size` bytes as a big-endian number."""
        return int.from_bytes(self.take(size, what), "big")

    def varint(self, what: str) -> int:
        """Return the next varint, which must be in its shortest form."""
        start = self.at
        size = 1 << (self.uint(1, what) >> 6)
        self.at = start
        value = self.uint(size, what) & ((1 << (8 * size - 2)) - 1)
        if varint_size(value) != size:
            raise WireError(start, f"{what} is not in its shortest form")
        return value

    def bounded(self, what: str, least: int, most: int) -> int:
        """Return the next varint, which must be `least` to `most`."""
        start = self.at
        value = self.varint(what)
        if not least <= value <= most:
            raise WireError(start, f"{what} must be {least} to {most}, got {value}")
        return value
