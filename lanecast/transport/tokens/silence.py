"""Silences of a token stream's path: when ACKs are overdue, what a probe is worth then, and when it is not.

A *silence* lasts from the first probe for an overdue ACK until an ACK moves the cumulative index. Two things are
learned from past ones:

- `arrival`: how likely a packet sent in a silence arrives (5 to 20 % in a leaky bad time, none in an outage, nearly
  all when only ACKs are lost), from the packets that the receiver has counted;
- `trust`: whether heartbeats tell the end. The receiver repeats its ACK while nothing arrives; where both directions
  fail together (radio), heartbeats that come in a silence mean that the path is back, half a round trip earlier than
  a probe's own ACK could tell. Where only the data direction fails they mean nothing.

All constants are **assumptions** tuned on seeds 100 to 109 of the token grid, never on its evaluation seeds.
"""

from __future__ import annotations

from lanecast.transport.tokens.ledger import Ledger
from lanecast.transport.units import MS, Ns

MEMORY = 0.8  # assumption: weight of older silences
PRIOR_SENT = 30.0  # assumption: packets of silences seen beforehand ...
PRIOR_ARRIVAL = 0.1  # ... and the share of them that arrived
LEAST_SENT = 12  # assumption: shorter silences are mostly packets sent before it
LEARN = 0.2  # assumption: weight of the newest silence in `trust`
FIRST_TRUST = 0.5  # assumption
BELIEVED = 0.5
BACK_WITHIN = 60 * MS  # assumption: beyond half a round trip, the end follows heartbeats that tell the truth
BEATS = 3  # assumption: so many heartbeats in BEAT_WINDOW mean that the path is back ...
BEAT_WINDOW = 50 * MS
SINGLE_WINDOW = 30 * MS  # ... and one in this long while a single packet is missing
LONG_AGO = -(10**12)


class Silence:
    """The silence under way, if any (`since` >= 0), and what earlier ones taught."""

    def __init__(self) -> None:
        self.since = -1
        self.trust = FIRST_TRUST
        self._sent = PRIOR_SENT
        self._arrived = PRIOR_SENT * PRIOR_ARRIVAL
        self._first_pn = 0
        self._received = 0
        self._beats = [LONG_AGO] * BEATS
        self._clear_at = -1  # when heartbeats first said in this silence that the path is back

    @property
    def arrival(self) -> float:
        """Return the share of packets that arrived in silences, 0 to 1."""
        return self._arrived / self._sent

    def begin(self, ledger: Ledger, now: Ns) -> None:
        """Note that a silence begins."""
        self.since = now
        self._first_pn = ledger.largest + 1
        self._received = ledger.received
        self._clear_at = -1

    def on_ack(self, ledger: Ledger, now: Ns) -> None:
        """Take in an ACK; one that waited and brings nothing new is a heartbeat."""
        if ledger.advanced:
            if self.since >= 0:
                self._end(ledger, now)
        elif ledger.waited > 0:
            self._beats = [*self._beats[1:], now]
            if self.since >= 0 and self._clear_at < 0 and self._beats[0] + BEAT_WINDOW > now:
                self._clear_at = now

    def _end(self, ledger: Ledger, now: Ns) -> None:
        self.since = -1
        if self._clear_at >= 0:
            is_true = now - self._clear_at <= ledger.rtt.smoothed // 2 + BACK_WITHIN
            self.trust += LEARN * (is_true - self.trust)
        sent = ledger.largest + 1 - self._first_pn
        if sent >= LEAST_SENT:  # the last one ended the silence and says nothing about the bad time
            arrived = max(ledger.received - self._received - 1, 0)
            self._sent = self._sent * MEMORY + sent - 1
            self._arrived = self._arrived * MEMORY + arrived

    def is_trusted(self) -> bool:
        """Tell whether heartbeats have told the end of silences so far."""
        return self.trust >= BELIEVED

    def clear_until(self, *, single: bool) -> Ns:
        """Return until when heartbeats say that the path works (a time in the past: they do not)."""
        if not self.is_trusted():
            return LONG_AGO
        return self._beats[-1] + SINGLE_WINDOW if single else self._beats[0] + BEAT_WINDOW
