"""Golden table: what every token scheme makes of the same channels, as integers.

Stall ratio SR200 x 10^4, bytes a token x 10 and packets a token x 100 over 200 tokens, one every 50 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lanecast.experiments.config import TokenPlan
from lanecast.experiments.points import checked
from lanecast.experiments.run import simulate
from lanecast.transport.tokens.scheme import SCHEMES

CHANNELS: dict[str, dict[str, Any]] = {
    "iid10": {"kind": "iid", "loss": 0.1},
    "bursts": {
        "kind": "gilbert",
        "mean_good_ms": 1800,
        "mean_bad_ms": 200,
        "loss_good": 0.02,
        "loss_bad": 0.9,
    },
    "outages": {
        "kind": "gilbert",
        "mean_good_ms": 2000,
        "mean_bad_ms": 500,
        "loss_good": 0.01,
        "loss_bad": 1.0,
    },
}
HEADER = ("scheme", "channel", "rtt_ms", "sr200_e4", "bytes_x10", "packets_x100", "stalls")


def row(scheme: str, channel: str, rtt_ms: int) -> list[str]:
    raw = {
        "run": {"kind": "tokens", "seed": 3},
        "path": {"channel": channel, "rtt_ms": rtt_ms, "jitter_ms": 3},
        "app": {"scheme": scheme, "gap_ms": 50, "tokens": 200},
        "channel": CHANNELS,
    }
    plan = checked("golden", raw)
    assert isinstance(plan, TokenPlan)
    found = simulate(plan, "").metrics
    figures = (
        found["sr200"] * 10_000, found["bytes_per_token"] * 10, found["packets_per_token"] * 100, found["stalls"]
    )  # fmt: skip
    return [scheme, channel, str(rtt_ms), *(str(round(float(figure))) for figure in figures)]


def test_token_schemes(golden: Callable[[str, str], None]) -> None:
    names = [*SCHEMES, "oracle"]
    rows = [row(scheme, channel, rtt) for channel in CHANNELS for rtt in (30, 200) for scheme in names]
    widths = [max(len(line[i]) for line in [HEADER, *rows]) for i in range(len(HEADER))]
    lines = ["# pytest tests/golden --update-golden"]
    lines += [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in [HEADER, *rows]
    ]
    golden("tokens", "\n".join(lines) + "\n")
