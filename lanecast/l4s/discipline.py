"""Who goes next when an L and a C queue share one link.

`pick` names the queue, `sent` is told of each packet that really leaves (not of those dropped on the way) and whether
the other queue was waiting, `rest` of a look at two empty queues. `pick` may be asked again without effect.

credit  Linux `sch_dualpi2`: one signed credit in bytes x percent. L goes while it is <= 0. L adds wc, C takes off
        wl for each byte sent while the other waits, so C has a share of wc / (wc + wl); idle time earns nothing.
wrr     Deficit round robin (RFC 9332 2.5 asks for a weighted round robin; the form is that of CableLabs' ns-3 module):
        in a round L may send wl, C wc parts of its quantum; what an empty queue has left is lost.
tsfifo  First come first served, with L's packets taken `tshift` older than they are (RFC 9332 A.1).
strict  L whenever it holds a packet. C may starve: for comparison only.
A user's own subclasses `Discipline` in plain Python and is given as the setting `scheduler`.
"""

from __future__ import annotations

import cython

from lanecast.l4s.classifier import CLASSIC, LOW
from lanecast.transport.stage import Fifo
from lanecast.transport.units import Int

NOBODY = -1
FULL = 100.0  # percent
QUANTUM = 1500  # bytes that the smaller share may send in a round of `wrr`: one full packet

_LOW, _CLASSIC, _NOBODY = LOW, CLASSIC, NOBODY


class Discipline:
    """Strict priority of L, and the base of the others."""

    def pick(self, low: Fifo, classic: Fifo) -> Int:
        """Return LOW, CLASSIC, or NOBODY when both are empty."""
        if low.head is not None:
            return _LOW
        return _NOBODY if classic.head is None else _CLASSIC

    def sent(self, size: Int, is_low: cython.bint, contended: cython.bint) -> None:
        """Note a packet that was sent; `contended`: the other queue was waiting."""

    def rest(self) -> None:
        """Note that both queues were found empty."""

    def balance(self) -> float:
        """Return the state as one number, above 0 if it is C's turn; 0 without state."""
        return 0.0


class Credit(Discipline):
    """The credit of Linux; `protection` is C's share in percent."""

    def __init__(self, protection: float, mtu: int) -> None:
        self._wc = protection
        self._wl = FULL - protection
        self._start = mtu * (self._wc - self._wl)
        self.credit = self._start

    def pick(self, low: Fifo, classic: Fifo) -> Int:
        """Return L while the credit is not positive."""
        if low.head is not None and (classic.head is None or self.credit <= 0):
            return _LOW
        return _NOBODY if classic.head is None else _CLASSIC

    def sent(self, size: Int, is_low: cython.bint, contended: cython.bint) -> None:
        """Move the credit if both queues were waiting."""
        if contended:
            self.credit += self._wc * size if is_low else -self._wl * size

    def rest(self) -> None:
        """Start again, with L's turn."""
        self.credit = self._start

    def balance(self) -> float:
        """Return the credit in bytes x percent."""
        return self.credit


class Wrr(Discipline):
    """Deficit round robin; `protection` is C's share in percent."""

    def __init__(self, protection: float, quantum: int = QUANTUM) -> None:
        least = min(protection, FULL - protection)
        if least <= 0:
            raise ValueError(
                f"scheduler wrr: classic_protection must be above 0 and below 100, got {protection}"
            )
        self._quantum_low = quantum * (FULL - protection) / least
        self._quantum_classic = quantum * protection / least
        self._left_low = self._quantum_low
        self._left_classic = 0.0
        self._at_low = True

    def pick(self, low: Fifo, classic: Fifo) -> Int:
        """Return the queue at turn while it has bytes left in this round, else the other."""
        if low.head is None or classic.head is None:
            if low.head is not None:
                return _LOW
            return _NOBODY if classic.head is None else _CLASSIC
        while True:
            if self._at_low:
                if self._left_low > 0:
                    return _LOW
                self._left_classic += self._quantum_classic
            else:
                if self._left_classic > 0:
                    return _CLASSIC
                self._left_low += self._quantum_low
            self._at_low = not self._at_low

    def sent(self, size: Int, is_low: cython.bint, contended: cython.bint) -> None:
        """Charge the packet to its queue; alone on the link, a queue pays nothing and the other saves nothing."""
        if not contended:
            self.rest()
        elif is_low:
            self._left_low -= size
        else:
            self._left_classic -= size

    def rest(self) -> None:
        """Start a new round, with L's turn."""
        self._left_low = self._quantum_low
        self._left_classic = 0.0
        self._at_low = True

    def balance(self) -> float:
        """Return the bytes left to C less those left to L."""
        return self._left_classic - self._left_low


class TimeShifted(Discipline):
    """First come first served with L ahead by `tshift` ns."""

    def __init__(self, tshift: int) -> None:
        self._tshift = tshift

    def pick(self, low: Fifo, classic: Fifo) -> Int:
        """Return the queue whose head came first, L's taken `tshift` older."""
        ahead: cython.longlong
        if low.head is None:
            return _NOBODY if classic.head is None else _CLASSIC
        if classic.head is None:
            return _LOW
        ahead = classic.head.enqueued - low.head.enqueued + self._tshift
        return _LOW if ahead >= 0 else _CLASSIC
