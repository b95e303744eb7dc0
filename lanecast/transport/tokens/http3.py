"""An HTTP/3 stream: tokens as ordered bytes of one QUIC stream, with QUIC's loss detection and timers.

RFC 9002: a packet is lost when one sent three later was acknowledged, or one sent later was and 9/8 of the
round trip has passed; the probe timeout is srtt + max(4 rttvar, 1 ms) + max_ack_delay, doubling, and sends up to
two packets. The receiver acknowledges every second packet, after 25 ms, and at once out of order (RFC 9000
13.2). Lost stream data is resent in as few packets as it fits, together with new tokens (RFC 9000 13.3 leaves
this open; common libraries do so).

Packet: IPv4 20 + UDP 8 + short header 1 + connection id 8 + packet number 2 + AEAD tag 16 (RFC 9000 17.3, RFC 9001
5.3) + STREAM frame type 1, stream id 1, offset 2, length 2 (RFC 9000 19.8) = 61 bytes. A token costs its text
and its framing byte, as everywhere. ACKs name tokens, not packet ranges, and count the datagram schemes' bytes.
"""

from __future__ import annotations

from typing import Any

from lanecast.transport.rtt import GRANULARITY, MAX_ACK_DELAY
from lanecast.transport.stage import NOT_ECT
from lanecast.transport.tokens.ledger import Ledger
from lanecast.transport.tokens.scheme import TokenScheme
from lanecast.transport.units import NEVER, Ns

HEADER_BYTES = 61  # see above
PACKET_THRESHOLD = 3  # RFC 9002 6.1.1
TIME_THRESHOLD = (9, 8)  # RFC 9002 6.1.2
PROBE_PACKETS = 2  # RFC 9002 6.2.4
ACK_EVERY = 2  # RFC 9000 13.2.2
MAX_BACKOFF = 6  # doublings; RFC 9002 sets no limit, as TCP's timer here


class Http3Stream(TokenScheme):
    """Ordered stream with RFC 9002 recovery."""

    def __init__(self) -> None:
        super().__init__()
        self.header = HEADER_BYTES
        self.ecn = NOT_ECT
        self.gated = False
        self.ack_every = ACK_EVERY
        self.ack_delay = MAX_ACK_DELAY
        self.lost: set[int] = set()  # tokens to resend
        self.loss_due = NEVER
        self.pto_count = 0
        self.probes: list[int] = []  # oldest tokens of the packets to send as probes
        self.retransmissions = 0

    def on_ack(self, ledger: Ledger, now: Ns) -> None:
        """News ends the backoff (RFC 9002 6.2.1); then look for losses."""
        if ledger.news:
            self.pto_count = 0
            self.lost.difference_update(ledger.news)
        self.detect(ledger, now)

    def detect(self, ledger: Ledger, now: Ns) -> None:
        """Declare packets lost by number and by time (RFC 9002 6.1)."""
        self.loss_due = NEVER
        part, whole = TIME_THRESHOLD
        wait = max(part * ledger.rtt.larger() // whole, GRANULARITY)
        packets = set()
        for token in range(ledger.cumulative, ledger.unsent):
            pn = ledger.last_pn[token]
            if pn >= ledger.largest or ledger.acked[token] or token in self.lost:
                continue
            due = ledger.sent_at[pn] + wait
            if due <= now or pn <= ledger.largest - PACKET_THRESHOLD:
                self.lost.add(token)
                packets.add(pn)
            elif due < self.loss_due:
                self.loss_due = due
        if packets:
            ledger.declare_lost(len(packets))

    def deadline(self, ledger: Ledger, now: Ns) -> Ns:
        """Return the loss timer, else the probe timeout (RFC 9002 6.2.1)."""
        if ledger.unsent == ledger.acked_count:
            return NEVER
        if self.loss_due != NEVER:
            return self.loss_due
        return ledger.last_sent + (ledger.rtt.pto() << self.pto_count)

    def on_timer(self, ledger: Ledger, now: Ns) -> None:
        """Find packets lost by time, or probe with the two oldest packets' tokens."""
        if self.loss_due <= now:
            self.detect(ledger, now)
            return
        self.pto_count = min(self.pto_count + 1, MAX_BACKOFF)
        seen: list[int] = []
        for token in range(ledger.cumulative, ledger.unsent):
            if not ledger.acked[token] and ledger.last_pn[token] not in seen:
                seen.append(ledger.last_pn[token])
                self.probes.append(token)
                if len(seen) == PROBE_PACKETS:
                    break

    def carry(self, ledger: Ledger, now: Ns) -> Any:
        """Send lost and new tokens together, else a probe."""
        if not self.lost:
            if ledger.unsent < ledger.generated:
                return ledger.runs(ledger.unsent)
            return self._probe(ledger)
        chosen: list[int] = []
        room = ledger.limit
        for token in (*sorted(self.lost), *range(ledger.unsent, ledger.generated)):
            room -= ledger.prefix[token + 1] - ledger.prefix[token]
            if room < 0:
                break
            if chosen and chosen[-1] == token:
                chosen[-1] = token + 1
            else:
                room -= 4  # at most two two-byte varints: another STREAM frame's offset and length
                chosen += (token, token + 1)
            if token in self.lost:
                self.retransmissions += 1
                self.lost.discard(token)
        return tuple(chosen) or None

    def _probe(self, ledger: Ledger) -> Any:
        while self.probes:
            token = self.probes.pop(0)
            if ledger.acked[token]:
                continue
            pn = ledger.last_pn[token]
            stop = token + 1
            while stop < ledger.unsent and ledger.last_pn[stop] == pn and not ledger.acked[stop]:
                stop += 1
            if ledger.body((token, stop)) > ledger.limit:
                stop = token + 1
            return (token, stop)
        return None
