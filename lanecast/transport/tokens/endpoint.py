"""The two ends of a token stream as stages: a sender driven by a scheme, and (from `receiver`) its receiver.

`TokenSender` is woken when tokens are generated and when its scheme's timer is due, is pushed ACKs, and sends
DATA packets to `out`; `payload` holds the runs of tokens carried, `size` the exact wire bytes. Endpoints make and
swallow packets: `pushed` counts ACKs and `passed` data packets; they do not add up.

Congestion control is a byte allowance: a packet leaves only while bytes in flight are below the controller's
`cwnd` (`transport/congestion`, Reno by default). Datagram schemes report losses to it only while round trips say that a
queue is growing; CE marks always count. At token rates it seldom binds; when it does, `blocked` counts it and the
sender goes on as soon as an ACK comes or the oldest packet in flight is overdue.
"""

from __future__ import annotations

from typing import Any

import cython

from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.base import AckObservation, CongestionControl, LossObservation
from lanecast.transport.congestion.reno import Reno
from lanecast.transport.rtt import RttEstimator
from lanecast.transport.stage import ACK, DATA, Ack, Packet, Stage, make_packet
from lanecast.transport.tokens.ledger import Ledger, Runs
from lanecast.transport.tokens.receiver import TokenReceiver
from lanecast.transport.tokens.scheme import TokenScheme
from lanecast.transport.units import NEVER, Int, Ns

__all__ = ["TokenReceiver", "TokenSender"]

PAYLOAD_LIMIT = 1200  # assumption: QUIC's smallest maximum datagram (RFC 9000 14), UDP payload bytes
IP_UDP_BYTES = 28
_NEVER = NEVER
_DATA = DATA
_ACK = ACK


class TokenSender(Stage):
    """Sends one answer; `stream` has `times` (ns from `start`) and `wire_sizes` (bytes a token takes in a body).

    `warm` is a round-trip time known beforehand, ns (0: none). A live source calls `offer` instead of giving
    its times: pass `stream=None`, and `close` at the end.
    """

    def __init__(
        self,
        calendar: Calendar,
        stream: Any,
        scheme: TokenScheme,
        flow: int = 0,
        *,
        start: int = 0,
        warm: int = 0,
        ecn: int = -1,
        payload_limit: int = PAYLOAD_LIMIT,
        controller: CongestionControl | None = None,
        name: str = "",
    ) -> None:
        super().__init__(name)
        self.calendar = calendar
        self.scheme = scheme
        self.flow = flow
        self.ecn = scheme.ecn if ecn < 0 else ecn
        self.controller = controller if controller is not None else Reno(mss=payload_limit)
        self.ledger = Ledger(RttEstimator(warm=warm))
        self.ledger.header = scheme.header
        self.sent_bytes = 0
        self.blocked = 0
        self.refused = 0  # ACKs of what was never sent, or undecodable packets
        self._times: list[int] = [] if stream is None else [start + int(t) for t in stream.times]
        self._sizes: list[int] = [] if stream is None else [int(size) for size in stream.wire_sizes]
        self._count = len(self._times)
        self._open = stream is None
        self._armed = _NEVER
        self._is_blocked = False
        self._ack = AckObservation()
        self._loss = LossObservation()
        self._round_end = 0
        self._max_body = payload_limit + IP_UDP_BYTES - scheme.header
        self._check_sizes()
        self._arm(calendar.now)

    def _check_sizes(self) -> None:
        largest = max(self._sizes, default=0)
        if largest > self._max_body:
            raise ValueError(
                f"{self.name}: a token of {largest} wire bytes does not fit a packet body of {self._max_body}:"
                " split it into pieces first"
            )

    def offer(self, now: Ns, size: Int) -> None:
        """Take one live token of `size` wire bytes, generated now."""
        if not self._open:
            raise ValueError(f"{self.name}: the stream has ended")
        self._times.append(now)
        self._sizes.append(size)
        self._check_sizes()
        self._count += 1
        self.wake(now)

    def close(self, now: Ns) -> None:
        """End a live stream."""
        self._open = False
        self.ledger.finished = True
        self.wake(now)

    def is_done(self) -> bool:
        """Tell whether the stream has ended and every token is acknowledged."""
        return self.ledger.finished and self.ledger.acked_count == self.ledger.generated

    def push(self, now: Ns, packet: Packet) -> None:
        """Take an ACK."""
        self.pushed += 1
        ledger: Ledger = self.ledger
        if packet.kind != _ACK or not isinstance(packet, Ack):
            self.refused += 1
            return
        before: cython.longlong = ledger.largest
        flight: cython.longlong = ledger.in_flight(now)
        if not ledger.acknowledge(now, packet):
            self.refused += 1
            return
        self.scheme.on_ack(ledger, now)
        self._tell_controller(now, before, flight)
        self._act(now)

    def wake(self, now: Ns) -> None:
        """Take in the tokens generated by now, and let the scheme's timer act."""
        if now >= self._armed:
            self._armed = _NEVER
        ledger: Ledger = self.ledger
        index: cython.longlong
        while ledger.generated < self._count and self._times[ledger.generated] <= now:
            index = ledger.generated
            ledger.generate(self._times[index], self._sizes[index])
            ledger.finished = not self._open and ledger.generated == self._count
            self.scheme.on_token(ledger, now, index)
        self._act(now)

    def _act(self, now: Ns) -> None:
        if self.scheme.deadline(self.ledger, now) <= now:
            self.scheme.on_timer(self.ledger, now)
        self._send_all(now)
        self._arm(now)

    def _send_all(self, now: Ns) -> None:
        ledger: Ledger = self.ledger
        scheme: TokenScheme = self.scheme
        room: cython.longlong
        size: cython.longlong
        self._is_blocked = False
        while ledger.acked_count < ledger.generated:
            room = int(self.controller.cwnd) - ledger.in_flight(now)
            ledger.limit = min(self._max_body, room - ledger.header)
            if ledger.limit < self._needed():
                self._is_blocked = True
                self.blocked += 1
                return
            payload = scheme.carry(ledger, now)
            if payload is None:
                return
            size = self._send(now, payload)
            scheme.on_sent(ledger, now, size)

    def _needed(self) -> Int:
        """Return the body bytes without which nothing useful can be sent: the token to go first."""
        first: cython.longlong = self.ledger.cumulative
        if self.ledger.unsent < self.ledger.generated:
            first = self.ledger.unsent
        return self.ledger.prefix[first + 1] - self.ledger.prefix[first]

    def _send(self, now: Ns, payload: Any) -> Int:
        ledger: Ledger = self.ledger
        plain: cython.bint = isinstance(payload, tuple)
        runs: Runs = payload if plain else payload.runs
        size: cython.longlong = ledger.size(runs)
        if not plain:
            size += payload.repair_bytes
        first: cython.longlong = runs[0] if runs else -1
        packet: Packet = make_packet(self.flow, _DATA, size, self.ecn, ledger.next_pn, first, now)
        packet.payload = payload
        ledger.note_sent(now, size, runs)
        self.sent_bytes += size
        self.controller.on_sent(now, size, ledger.in_flight(now))
        self.forward(now, packet)
        return size

    def _arm(self, now: Ns) -> None:
        ledger: Ledger = self.ledger
        due: cython.longlong = self.scheme.deadline(ledger, now)
        when: cython.longlong
        if ledger.generated < self._count:
            when = self._times[ledger.generated]
            due = min(due, when)
        if self._is_blocked:
            due = min(due, ledger.flight_ends()) if due > now else ledger.flight_ends()
        if due < self._armed:
            self._armed = max(due, now)
            self.calendar.at(self._armed, self)

    def _tell_controller(self, now: Ns, before: Int, flight: Int) -> None:
        """Tell the congestion controller what this ACK meant; packets below the largest are acked or lost."""
        ledger: Ledger = self.ledger
        ack: AckObservation = self._ack
        if ledger.largest > before:
            ack.now = now
            ack.rtt = ledger.rtt.latest
            ack.srtt = ledger.rtt.smoothed
            ack.min_rtt = ledger.rtt.min_rtt
            ack.acked_packets = ledger.largest - before
            ack.acked = ledger.sent_prefix[ledger.largest + 1] - ledger.sent_prefix[before + 1]
            ack.delivered = ledger.sent_prefix[ledger.largest + 1]
            ack.ce = ledger.ce_news
            ack.received = ack.acked_packets
            ack.flight = flight
            ack.in_flight = ledger.in_flight(now)
            ack.app_limited = 2 * flight < int(self.controller.cwnd)  # RFC 7661 4.1: half the window unused
            ack.pn = ledger.largest
            ack.next_pn = ledger.next_pn
            ack.round_start = ledger.largest >= self._round_end
            if ack.round_start:
                self._round_end = ledger.next_pn
            self.controller.on_ack(ack)
        if ledger.lost_news > 0 and self.scheme.reduces and (ledger.grown or not self.scheme.gated):
            self._tell_loss(now, flight)

    def _tell_loss(self, now: Ns, flight: Int) -> None:
        ledger: Ledger = self.ledger
        loss: LossObservation = self._loss
        loss.now = now
        loss.lost_packets = ledger.lost_news
        loss.lost = ledger.lost_news * ledger.header
        loss.flight = flight
        loss.in_flight = ledger.in_flight(now)
        loss.pn = ledger.largest
        loss.sent = ledger.largest_sent
        loss.next_pn = ledger.next_pn
        loss.srtt = ledger.rtt.smoothed
        loss.app_limited = self._ack.app_limited
        self.controller.on_loss(loss)
