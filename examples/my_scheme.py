"""A token scheme of one's own: every packet carries the new token and the two before it; nothing else is ever sent.

Try it:  lanecast run demo --set 'app.scheme=["eloquent", "my_scheme:LastThree"]' --out results/mine
"""

from __future__ import annotations

from typing import Any

from lanecast.transport.tokens.ledger import Ledger
from lanecast.transport.tokens.scheme import TokenScheme


class LastThree(TokenScheme):
    """Blind redundancy: it needs no acknowledgement, and repairs up to two losses in a row."""

    def carry(self, ledger: Ledger, now: int) -> Any:
        """Return the run of tokens for the next packet, None when none is new."""
        if ledger.unsent == ledger.generated:
            return None
        stop = ledger.unsent + 1
        return (max(0, stop - 3), stop)
