"""The token bucket that bounds extra packets (copies and probes beyond one packet per token)."""

from __future__ import annotations

FULL_RATE = 1.0  # assumption: at most one extra packet per token on average
BURST = 5  # assumption: packets


class ExtraBucket:
    """Earns `rate` packets a token up to `burst`; `spend` takes one whole packet. `level` is never negative."""

    def __init__(self, *, rate: float = FULL_RATE, burst: float = BURST) -> None:
        if not (rate >= 0 and burst >= 1):
            raise ValueError(f"rate >= 0 and burst >= 1 packets expected, got {rate} and {burst}")
        self.rate = rate
        self.burst = float(burst)
        self.level = float(burst)
        self.earned = float(burst)
        self.spent = 0
        self.refused = 0

    def earn(self, scale: float = 1.0) -> None:
        """Credit one token's share, scaled (0 to 1)."""
        gain = min(self.rate * scale, self.burst - self.level)
        self.level += gain
        self.earned += gain

    def has(self) -> bool:
        """Tell whether a packet may be spent."""
        return self.level >= 1.0

    def spend(self) -> bool:
        """Take one packet if there is one."""
        if self.level < 1.0:
            self.refused += 1
            return False
        self.level -= 1.0
        self.spent += 1
        return True
