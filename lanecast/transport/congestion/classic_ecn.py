"""Detection of a classic ECN queue from the RTT, for Prague's fallback.

After L4STeam/linux net/ipv4/tcp_prague.c (prague_classic_ecn_detection, prague_rtt_estimator; off there by default);
Briscoe and Ahmed, "TCP Prague Fall-back on Detection of a Classic ECN AQM" (2019) gives the reasons. In floating point
here, where Linux carries the remainders of integer logarithms.

Theory of operation. A queue that marks at a shallow step keeps the RTT's mean deviation under about 0.75 ms and its
depth under 2 ms; a classic one does not. Once a period of Prague's average the score moves by the logarithm of each,
    score += (log2(deviation / 0.75 ms) + max(log2(depth / 2 ms), 0)) / 2,
within 0 and 17. Under 8 the queue is taken as L4S, over 9 as classic; in between and beyond, reductions are at
least `0.625 (score - 8)`, at most 0.625, in place of alpha. The averages are slow: their gain falls with ssthresh.
"""

from __future__ import annotations

import math

import cython

from lanecast.transport.units import Ns

DEVIATION = 750_000.0  # V0_LG: the reference, ns
DEPTH = 2_000_000.0  # D0_LG: the reference, ns
L4S = 8.0  # L_STICKY: up to here certainly L4S
CLASSIC = 9.0  # CLASSIC_ECN: from here certainly classic
MOST = 17.0  # C_STICKY
SHARE = 0.625  # prague_classic_ecn_fallback: about 0.6
SHIFT = 18  # PRAGUE_MAX_SRTT_BITS: the slowest gain is 2^-18
LEAST_DEVIATION = 1000.0  # one microsecond, where Linux's logarithm ends, ns

_DEVIATION, _DEPTH, _L4S, _CLASSIC, _MOST, _SHARE = DEVIATION, DEPTH, L4S, CLASSIC, MOST, SHARE
_SHIFT, _LEAST = SHIFT, LEAST_DEVIATION


class ClassicDetector:
    """The slow averages of one flow's RTT, and the score."""

    def __init__(self) -> None:
        self.srtt = 0.0  # ns
        self.deviation = _LEAST  # ns
        self.score = 0.0

    def hear(self, rtt: Ns, ssthresh: float) -> None:
        """Take in one RTT; `ssthresh` in packets."""
        shift: cython.longlong = 0
        left: cython.longlong = cython.cast(cython.longlong, min(ssthresh, 1e6))
        while left > 1:
            left >>= 1
            shift += 1
        shift = min(shift + shift // 2 + 1, _SHIFT)
        if self.srtt <= 0:
            self.srtt = rtt
            return
        error: cython.double = rtt - self.srtt
        self.srtt += error / (1 << shift)
        self.deviation += (abs(error) - self.deviation) / (2 << shift)

    def judge(self, min_rtt: Ns) -> None:
        """Move the score at the end of a period."""
        moved: cython.double = math.log2(max(self.deviation, _LEAST) / _DEVIATION)
        depth: cython.double = self.srtt - min_rtt
        if depth > _DEPTH:
            moved += math.log2(depth / _DEPTH)
        self.score = min(max(self.score + moved / 2, 0.0), _MOST)

    def share(self) -> float:
        """Return the least value that a reduction is to take for alpha."""
        if self.score <= _L4S:
            return 0.0
        return (min(self.score, _CLASSIC) - _L4S) * _SHARE
