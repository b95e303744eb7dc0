"""Forward error correction at the bytes of Eloquent: each token once in the clear, plus repair symbols.

Repair symbols travel in the same packets as later tokens, as many as fit into the bytes that Eloquent would have
spent on its unacknowledged set at that moment (`rate="equal"`: equal cost by construction), or a fixed number a
packet. `code="rlc"`: random linear combinations over GF(256) of all unacknowledged tokens; `code="xor"`: the XOR
of the last `window` tokens. What stays missing for srtt + 4 rttvar is resent in the clear with the next packet, and
when no new token comes the timer is Eloquent's.

Frame bytes as in `transport/wire.py`: a repair symbol costs base, count and length varints, a 16-bit seed and the
symbol, which is as long as the longest token in its window.
"""

from __future__ import annotations

from typing import Any

from lanecast.transport.tokens.eloquent import MAX_BACKOFF, TIMER_MIN
from lanecast.transport.tokens.gf256 import Decoder
from lanecast.transport.tokens.ledger import Ledger, varint_size
from lanecast.transport.tokens.scheme import Coded, TokenScheme
from lanecast.transport.units import NEVER, Int, Ns

CODES = ("rlc", "xor")
SEEDS = 65_535  # seeds 1 .. 65535; 0 is the XOR
SEED_BYTES = 2
MAX_CREDIT = 240  # assumption: bytes of repair that may be saved up, two full windows of small tokens
MAX_SYMBOLS = 63  # their number is a one-byte varint


class Fec(TokenScheme):
    """Systematic code over a sliding window."""

    def __init__(self, *, code: str = "rlc", rate: str | float = "equal", window: int = 4) -> None:
        super().__init__()
        if code not in CODES or (rate != "equal" and float(rate) < 0) or window < 1:
            raise ValueError(
                f"code rlc|xor, rate equal or >= 0, window >= 1 expected, got {code}, {rate}, {window}"
            )
        self.code = code
        self.equal = rate == "equal"
        self.rate = 0.0 if self.equal else float(rate)
        self.window = window
        self.credit = 0.0  # bytes (equal) or symbols (fixed rate) saved up
        self.seed = 0
        self.backoff = 0
        self.repairs_sent = 0
        self.tail = False

    def on_ack(self, ledger: Ledger, now: Ns) -> None:
        """Reset the timer's backoff at news."""
        if ledger.news:
            self.backoff = 0

    def on_timer(self, ledger: Ledger, now: Ns) -> None:
        """Resend what is unacknowledged, in the clear: nothing newer will carry repair."""
        self.tail = True
        self.backoff = min(self.backoff + 1, MAX_BACKOFF)

    def deadline(self, ledger: Ledger, now: Ns) -> Ns:
        """Return Eloquent's timer."""
        if ledger.unsent == ledger.acked_count:
            return NEVER
        return ledger.last_sent + (max(2 * ledger.rtt.smoothed, TIMER_MIN) << self.backoff)

    def carry(self, ledger: Ledger, now: Ns) -> Any:
        """Carry new tokens, overdue ones, and repair symbols."""
        fresh = ledger.unsent
        if fresh == ledger.generated:
            if not self.tail:
                return None
            self.tail = False
            return ledger.runs(0) or None
        self.tail = False
        runs = self._clear(ledger, now, fresh)
        return self._with_repairs(ledger, runs, fresh)

    def _clear(self, ledger: Ledger, now: Ns, fresh: int) -> tuple[int, ...]:
        """Return the new tokens, and before them those missing for longer than srtt + 4 rttvar, if they fit."""
        limit = now - ledger.rtt.rto()
        runs: list[int] = []
        for token in range(ledger.cumulative, fresh):
            if not ledger.acked[token] and ledger.sent_at[ledger.last_pn[token]] <= limit:
                if runs and runs[-1] == token:
                    runs[-1] = token + 1
                else:
                    runs += (token, token + 1)
        if runs and runs[-1] == fresh:
            runs[-1] = ledger.generated
        else:
            runs += (fresh, ledger.generated)
        chosen = tuple(runs)
        return chosen if ledger.body(chosen) <= ledger.limit else ledger.runs(fresh)

    def _with_repairs(self, ledger: Ledger, runs: tuple[int, ...], fresh: int) -> Coded:
        """Add as many repair symbols as the credit and the packet allow."""
        first = max(ledger.cumulative, fresh - self.window) if self.code == "xor" else ledger.cumulative
        body = ledger.body(runs)
        if self.equal:
            self.credit = min(self.credit + ledger.body(ledger.runs(0)) - body, MAX_CREDIT)
        else:
            self.credit = min(self.credit + self.rate, MAX_CREDIT)
        if first >= fresh:
            return Coded(runs, (), 0)
        each = self._symbol_bytes(ledger, first, fresh)
        room = ledger.limit - body - 1  # the number of symbols is a varint of its own
        affordable = (self.credit - 1) // each if self.equal else self.credit
        count = int(max(0, min(affordable, room // each, MAX_SYMBOLS)))
        if self.code == "xor":
            count = min(count, 1)
        if count == 0:
            return Coded(runs, (), 0)
        self.credit -= count * each + 1 if self.equal else count
        self.repairs_sent += count
        repairs = tuple((first, fresh - first, self._next_seed()) for _ in range(count))
        return Coded(runs, repairs, count * each + 1)

    def _symbol_bytes(self, ledger: Ledger, first: int, stop: int) -> int:
        longest = max(ledger.prefix[t + 1] - ledger.prefix[t] for t in range(first, stop))
        return varint_size(first) + varint_size(stop - first) + SEED_BYTES + varint_size(longest) + longest

    def _next_seed(self) -> Int:
        if self.code == "xor":
            return 0
        self.seed = self.seed % SEEDS + 1
        return self.seed

    def make_decoder(self) -> Any:
        """Return the decoder that the receiver runs."""
        return WindowDecoder()


class WindowDecoder:
    """Tells a receiver which tokens its repair symbols make known (on coefficients alone)."""

    def __init__(self) -> None:
        self.held: list[Ns] = []
        self.rows = Decoder(self._symbol_of)

    def _symbol_of(self, token: int) -> bytes | None:
        return b"" if token < len(self.held) and self.held[token] != NEVER else None

    def take(self, arrivals: list[Ns], repairs: tuple[tuple[int, int, int], ...]) -> list[int]:
        """Take in repair symbols; return tokens decoded now. `arrivals` is NEVER for tokens not held."""
        self.held = arrivals
        for base, count, seed in repairs:
            self.rows.add(base, count, seed, b"")
        return sorted(self.rows.solved()) if self.rows.rows else []
