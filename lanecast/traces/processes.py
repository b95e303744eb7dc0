"""Two pieces that the generators share: a quantile table and a first-order autoregressive process."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy.random import Generator as Generator  # noqa: PLC0414, TID251 - the type only: streams are handed in

Floats = NDArray[np.float64]


def table(quantiles: tuple[float, ...], probability: Floats | float) -> Floats:
    """Return the piecewise linear quantile function with equispaced knots at `probability` (0..1)."""
    knots = np.arange(len(quantiles))
    return np.asarray(np.interp(np.asarray(probability) * (len(quantiles) - 1), knots, quantiles))


def ar1(noise: Floats, keep: float) -> Floats:
    """Return the stationary unit-variance AR(1) process x' = keep x + ..., driven by standard normal `noise`."""
    fresh = noise * math.sqrt(1 - keep * keep)
    fresh[0] = noise[0]
    return np.array(list(accumulate(fresh.tolist(), lambda state, push: keep * state + push)))
