"""Duplication: every token's packet is sent twice (or c times); RACK-TLP repairs what is lost even so.

`spacing` says when copies leave: `"0"` back to back, `"half"` evenly over the gap to the token before (after
gap/2 for two copies), `"20ms"` 20 ms after each other. Repairs are sent once.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from lanecast.transport.tokens.ledger import Ledger
from lanecast.transport.tokens.tcp import RackTlp
from lanecast.transport.units import MS, NEVER, Int, Ns

FIXED_SPACING = 20 * MS  # assumption: the third of the spec's spacings
SPACINGS = ("0", "half", "20ms")


class Duplicate(RackTlp):
    """Copies of every token, whatever the channel."""

    def __init__(self, *, copies: int = 2, spacing: str = "0", rto: str = "200ms") -> None:
        super().__init__(rto=rto)
        if copies < 1 or str(spacing) not in SPACINGS:
            raise ValueError(
                f"copies >= 1 and spacing one of {SPACINGS} expected, got {copies} and {spacing!r}"
            )
        self.copies = copies
        self.spacing = str(spacing)
        self.waiting: deque[tuple[Ns, int]] = deque()  # (due, token) of copies, in order of due time

    def on_token(self, ledger: Ledger, now: Ns, index: Int) -> None:
        """Plan the copies."""
        super().on_token(ledger, now, index)
        step = 0
        if self.spacing == "20ms":
            step = FIXED_SPACING
        elif self.spacing == "half" and index > 0:
            step = (ledger.born[index] - ledger.born[index - 1]) // self.copies
        for copy in range(1, self.copies):
            self.waiting.append((now + copy * step, index))

    def deadline(self, ledger: Ledger, now: Ns) -> Ns:
        """Wake for the next copy too."""
        due = super().deadline(ledger, now)
        return due if due == NEVER or not self.waiting else min(due, self.waiting[0][0])

    def on_timer(self, ledger: Ledger, now: Ns) -> None:
        """Let `carry` send due copies; else act on the timers of RACK-TLP."""
        if not self.waiting or self.waiting[0][0] > now:
            super().on_timer(ledger, now)

    def carry(self, ledger: Ledger, now: Ns) -> Any:
        """Send originals and repairs first, then the copies that are due and still wanted."""
        payload = super().carry(ledger, now)
        while payload is None and self.waiting and self.waiting[0][0] <= now:
            token = self.waiting.popleft()[1]
            if not ledger.acked[token]:
                payload = (token, token + 1)
        return payload
