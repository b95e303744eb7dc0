"""Stall metrics of one rendered answer, and the share of the reducible stall that a scheme closes.

g_i is the time token i was generated, r_i the time it was shown, both ns since the request; gaps are
d_i = r_i - r_(i-1) for i >= 1, the span is T = r_last - r_first. A gap above the threshold (200 ms, quoted for
arXiv 2401.12961 by third parties) is a stall. The published "stall ratio, proportion of token-rendering wait
time" can be read in several ways, so all of them are given:

    SR200       sum of max(0, d_i - threshold) / T                       (primary)
    SR200-full  sum of d_i over the gaps above the threshold / T
    SR-wait     length of the union of [g_i + d0, r_i] / T, d0 = min (r_j - g_j): some token is overdue
    SR-net      as SR200 with max(threshold, g_i - g_(i-1)): the source's own gaps are not counted

Tokens never shown need a `horizon`, the time at which watching stopped: they count as shown at the horizon, so
that every figure is a **lower bound**, and `missing` says how many there were. The first missing token blocks
all later ones. With T = 0 (one token, or all at one instant) a ratio is 0 when nothing was waited for, else NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lanecast.transport.units import MS, NEVER, SECOND, Ns

Column = npt.NDArray[np.int64]

STALL_THRESHOLD = 200 * MS  # quoted for arXiv 2401.12961 by third parties
CURVE_THRESHOLDS = tuple(t * MS for t in (100, 150, 200, 250, 300, 400, 500))
NO_STALL = 0.0005  # baselines below this stall ratio have no meaningful reduction: reported apart


@dataclass(frozen=True, slots=True)
class TokenMetrics:
    """What a reader of one answer saw; times in ns, ratios as shares of the rendering span (0 to 1).

    `sr_wait` may exceed 1: a late first token is overdue before the span begins.
    """

    tokens: int
    missing: int
    span: Ns
    ttft: Ns
    sr200: float
    sr200_full: float
    sr_wait: float
    sr_net: float
    stalls: int
    stall: Ns
    longest_gap: Ns
    longest_stall: Ns
    delay_p50: Ns
    delay_p95: Ns
    delay_p99: Ns
    curve: tuple[float, ...]

    @property
    def stall_s(self) -> float:
        """Return the absolute stall of the answer beyond the threshold, s."""
        return self.stall / SECOND


def stall_metrics(
    generation: Column | Sequence[int],
    render: Column | Sequence[int],
    threshold: Ns = STALL_THRESHOLD,
    *,
    horizon: Ns | None = None,
    curve: Sequence[Ns] = CURVE_THRESHOLDS,
) -> TokenMetrics:
    """Return the metrics of one answer from generation and render times, (n,) int64 ns since the request.

    `render` is in order (never falling) with NEVER for tokens that were not shown. `longest_stall` is the
    longest gap above the threshold, 0 without a stall. Percentiles are observed values (nearest rank).

    Raises:
        ValueError: no token at all, columns of different length, times that fall, a token shown before it
            was generated, or a missing token without a `horizon` at or after everything else.
    """
    g, r, missing = _checked(generation, render, horizon)
    gaps = np.diff(r)
    span = int(r[-1] - r[0])
    over = np.maximum(gaps - threshold, 0)
    net = np.maximum(gaps - np.maximum(np.diff(g), threshold), 0)
    full = gaps[gaps > threshold]
    delays = np.sort(r - g)
    longest = int(gaps.max(initial=0))
    return TokenMetrics(
        tokens=len(r),
        missing=missing,
        span=span,
        ttft=int(r[0]),
        sr200=_share(int(over.sum()), span),
        sr200_full=_share(int(full.sum()), span),
        sr_wait=_share(overdue_time(g, r), span),
        sr_net=_share(int(net.sum()), span),
        stalls=len(full),
        stall=int(over.sum()),
        longest_gap=longest,
        longest_stall=longest if longest > threshold else 0,
        delay_p50=nearest_rank(delays, 50),
        delay_p95=nearest_rank(delays, 95),
        delay_p99=nearest_rank(delays, 99),
        curve=threshold_curve(r, curve),
    )


def overdue_time(generation: Column, render: Column) -> Ns:
    """Return for how long at least one token was overdue: the union of [g_i + d0, r_i], ns."""
    due = generation + (render - generation).min()
    covered = np.concatenate((due[:1], np.maximum(due[1:], render[:-1])))
    return int(np.maximum(render - covered, 0).sum())


def threshold_curve(render: Column, thresholds: Sequence[Ns] = CURVE_THRESHOLDS) -> tuple[float, ...]:
    """Return the primary stall ratio of one answer for each threshold (ns)."""
    limits = np.asarray(thresholds, dtype=np.int64)
    gaps = np.diff(render)
    span = int(render[-1] - render[0])
    sums = np.maximum(gaps[None, :] - limits[:, None], 0).sum(axis=1)
    return tuple(_share(int(total), span) for total in sums)


def nearest_rank(ordered: Column, percent: int) -> int:
    """Return the percentile of an ordered column by nearest rank: the ceil(n * percent / 100)-th value."""
    return int(ordered[max(-(-len(ordered) * percent // 100), 1) - 1])


def closed_share(base: float, ours: float, oracle: float) -> float:
    """Return G = (base - ours) / (base - oracle): the share of the reducible stall that is closed.

    The inputs are (mean) stall ratios, `base` that of RACK-TLP; NaN where nothing is reducible, which is
    when base is not above the oracle or below 0.05 %.
    """
    if base < NO_STALL or base <= oracle:
        return float("nan")
    return (base - ours) / (base - oracle)


def _share(part: int, whole: int) -> float:
    if whole:
        return part / whole
    return float("nan") if part else 0.0


def _checked(
    generation: Column | Sequence[int], render: Column | Sequence[int], horizon: Ns | None
) -> tuple[Column, Column, int]:
    g = np.asarray(generation, dtype=np.int64)
    r = np.asarray(render, dtype=np.int64)
    if g.ndim != 1 or g.shape != r.shape or not len(g):
        raise ValueError(f"need two columns of one length >= 1, got shapes {g.shape} and {r.shape}")
    if np.any(np.diff(g) < 0) or np.any(np.diff(r) < 0):
        raise ValueError("generation and render times never fall (in-order rendering)")
    unseen = r == NEVER
    missing = int(unseen.sum())
    if missing:
        latest = max(int(g[-1]), int(r[-missing - 1]) if missing < len(r) else 0)
        if horizon is None or horizon < latest:
            raise ValueError(
                f"{missing} tokens were never shown: a horizon >= {latest} ns is needed, got {horizon}"
            )
        r = np.where(unseen, horizon, r)
    if np.any(r < g):
        first = int(np.argmax(r < g))
        raise ValueError(f"token {first} is shown at {r[first]} ns, before its generation at {g[first]} ns")
    return g, r, missing
