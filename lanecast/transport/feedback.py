"""How congestion marks get back to the sender: exact counts, AccECN's short fields, or the classic echo.

The receiver's `Ack` carries everything it counted. A `Feedback` stands between that and the sender's loss recovery and
lets through only what its wire form could have carried:

- `Feedback` ("exact"): cumulative packet and byte counts (the ECN counts of QUIC's ACK frame, RFC 9000 19.3.2);
- `AccEcn` ("accecn"): the 3-bit CE packet counter ACE and three 24-bit byte counters (RFC 9768 3.2);
- `Classic` ("classic"): one echo bit, held until the sender says that it has reduced its window (RFC 3168 6.1);
- `Nothing` ("none").

All counters are cumulative and only go forward, so lost, repeated and overtaken ACKs change nothing but the time at
which the sender learns. ACE alone is sure for at most 7 CE packets between two ACKs that arrive; beyond that the byte
counter decides which of the values 8 apart is meant, and without the option the safest is taken (RFC 9768 A.2.1). Byte
counters are sure below 16 MiB between two ACKs.

Left out: the handshake's negotiation, the counters' order in the option, and zeroed or mangled options.
"""

from __future__ import annotations

import cython

from lanecast.transport.congestion.base import AckObservation
from lanecast.transport.stage import Ack
from lanecast.transport.units import Int

ACE_START = 5  # RFC 9768 3.2.2: r.cep and s.cep begin at 5
ACE_MASK = 7  # 3 bits
ACE_SURE = 7  # packets that one ACK may cover newly before ACE alone is ambiguous
BYTES_MASK = 0xFFFFFF  # RFC 9768 3.2.3: 24 bits
CE_BYTES_START = 0  # RFC 9768 3.2.1: initial byte counters
ECT0_BYTES_START = 1
ECT1_BYTES_START = 1
OPTION_BYTES = 11  # RFC 9768 3.2.3: kind, length and three counters

_ACE_START, _ACE_MASK, _ACE_SURE, _BYTES_MASK = ACE_START, ACE_MASK, ACE_SURE, BYTES_MASK


def ace_encode(ce_packets: Int) -> Int:
    """Return the 3-bit ACE field for `ce_packets` CE packets received in all."""
    return (_ACE_START + ce_packets) & _ACE_MASK


def ace_delta(ace: Int, ce_packets: Int) -> Int:
    """Return the smallest number of further CE packets, 0..7, by which field and known count `ce_packets` agree."""
    return (ace - _ACE_START - ce_packets) & _ACE_MASK


def ace_decode(ace: Int, ce_packets: Int, covered: Int, ce_bytes: Int, covered_bytes: Int) -> Int:
    """Return how many further CE packets the ACK tells of.

    It covers `covered` packets of `covered_bytes` in all that no ACK covered before; `ce_bytes` is the growth of the
    CE byte counter, -1 without the option. Up to 7 packets ACE is taken as it is; beyond, the value (8 apart) nearest
    to `ce_bytes` over the mean packet size, or without the option the largest within `covered`.
    """
    least: cython.longlong = ace_delta(ace, ce_packets)
    safest: cython.longlong
    likely: cython.longlong
    if covered <= _ACE_SURE:
        return least
    safest = least + (covered - least) // 8 * 8
    if ce_bytes < 0 or covered_bytes <= 0:
        return safest
    likely = (ce_bytes * covered + covered_bytes // 2) // covered_bytes
    if likely <= least:
        return least
    return min(safest, least + (likely - least + 4) // 8 * 8)


def bytes_encode(counted: Int, start: Int) -> Int:
    """Return the 24-bit field of a byte counter that began at `start`."""
    return (start + counted) & _BYTES_MASK


def bytes_delta(field: Int, counted: Int, start: Int) -> Int:
    """Return the smallest growth, 0..2^24 - 1 bytes, by which field and known count agree."""
    return (field - start - counted) & _BYTES_MASK


class Feedback:
    """Exact counts. `packets` and `size` are the CE packets and bytes that the sender knows of."""

    accurate = True  # counts marks, and tells that ECT codepoints arrive

    def __init__(self) -> None:
        self.packets = 0
        self.size = 0
        self.cwr = False  # the next new data packet is to say that the window was reduced

    def read(self, ack: Ack, seen: AckObservation) -> None:
        """Fill `seen.ce` and `seen.ce_bytes`, what this ACK tells beyond the earlier ones."""
        seen.ce = seen.ce_bytes = 0
        if ack.ce > self.packets:
            seen.ce = ack.ce - self.packets
            self.packets = ack.ce
            seen.ce_bytes = ack.ce_bytes - self.size
            self.size = ack.ce_bytes


class AccEcn(Feedback):
    """RFC 9768: ACE in every ACK and, with `option`, the byte counters too."""

    def __init__(self, *, option: bool = True) -> None:
        super().__init__()
        self.option = option
        self._newest = -1  # number of the newest ACK read; older ones are passed over (PAWS does it in TCP)
        self._received = 0
        self._received_bytes = 0

    def read(self, ack: Ack, seen: AckObservation) -> None:
        """Decode what the fields say beyond what is known."""
        grown: cython.longlong = -1
        covered: cython.longlong = ack.received - self._received
        covered_bytes: cython.longlong = ack.received_bytes - self._received_bytes
        seen.ce = seen.ce_bytes = 0
        if ack.pn <= self._newest:
            return
        self._newest = ack.pn
        self._received = ack.received
        self._received_bytes = ack.received_bytes
        if self.option:
            grown = bytes_delta(bytes_encode(ack.ce_bytes, 0), self.size, 0)
        seen.ce = ace_decode(ace_encode(ack.ce), self.packets, covered, grown, covered_bytes)
        self.packets += seen.ce
        if grown > 0:
            seen.ce_bytes = grown
            self.size += grown


class Classic(Feedback):
    """RFC 3168 6.1: the echo bit counts as one mark, once in a round trip, and is answered with CWR."""

    accurate = False

    def __init__(self) -> None:
        super().__init__()
        self._end = 0  # echoes are old until this packet number is acknowledged
        self._largest = -1

    def read(self, ack: Ack, seen: AckObservation) -> None:
        """Tell of one mark when the bit is set and belongs to a new round trip."""
        seen.ce = seen.ce_bytes = 0
        self._largest = max(self._largest, ack.largest)
        if ack.ece and self._largest >= self._end:
            self._end = seen.next_pn
            self.packets += 1
            seen.ce = 1
            self.cwr = True


class Nothing(Feedback):
    """No marks come back."""

    accurate = False

    def read(self, ack: Ack, seen: AckObservation) -> None:
        """Tell of no mark."""
        seen.ce = seen.ce_bytes = 0


FEEDBACKS = {"exact": Feedback, "accecn": AccEcn, "classic": Classic, "none": Nothing}


def make_feedback(name: str) -> Feedback:
    """Return the feedback of that name.

    Raises:
        ValueError: no such feedback.
    """
    if name not in FEEDBACKS:
        raise ValueError(f"feedback must be one of {', '.join(FEEDBACKS)}, got {name!r}")
    return FEEDBACKS[name]()
