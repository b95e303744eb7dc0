"""What a run gives: how long it lasts, the row of an answer, and the columns that figures need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.transport.tokens.metrics import CURVE_THRESHOLDS, TokenMetrics, stall_metrics
from lanecast.transport.units import MS, NEVER, SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lanecast.emulation.simulator import Simulation
    from lanecast.experiments.build import Direction
    from lanecast.experiments.results import Columns, Row
    from lanecast.transport.tokens.endpoint import TokenReceiver, TokenSender
    from lanecast.transport.tokens.source import TokenStream

HORIZON = 60 * SECOND  # assumption: the longest retransmission timeout (RFC 6298 2.5) after the last token
CAPACITY_BIN = 100 * MS  # resolution of the capacity kept for figures
STEP = SECOND  # how often a run is asked whether it is over


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run gave: scalars for the row, columns for the file, drop counts by reason, notes for the header."""

    metrics: Row
    columns: Columns
    drops: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


def advance(
    simulation: Simulation,
    senders: Sequence[TokenSender],
    receivers: Sequence[TokenReceiver],
    streams: Sequence[TokenStream],
) -> int:
    """Run until every answer is shown and acknowledged or the horizon is reached; return when that was, ns."""
    last = max(int(stream.times[-1]) for stream in streams)
    simulation.calendar.settle(last)
    while simulation.calendar.now < last + HORIZON:
        shown = all(
            receiver.cumulative >= len(stream) for receiver, stream in zip(receivers, streams, strict=True)
        )
        if shown and all(sender.is_done() for sender in senders):
            break
        simulation.calendar.settle(simulation.calendar.now + STEP)
    return simulation.calendar.now


def measure(
    stream: TokenStream, sender: TokenSender, receiver: TokenReceiver, end: int
) -> tuple[Row, Columns]:
    """Return the row's metrics and the file's columns of one answer."""
    missing = [NEVER] * (len(stream) - len(receiver.arrivals))
    arrivals = np.array([*receiver.arrivals, *missing], dtype=np.int64)
    rendered = np.array([*receiver.rendered, *missing], dtype=np.int64)
    ledger = sender.ledger
    columns: Columns = {
        "generation_ns": np.asarray(stream.times, dtype=np.int64),
        "arrival_ns": arrivals,
        "render_ns": rendered,
        "sent_ns": np.array(ledger.sent_at, dtype=np.int64),
        "sent_bytes": np.diff(np.array(ledger.sent_prefix, dtype=np.int64)),
    }
    cost = {
        "bytes_per_token": sender.sent_bytes / len(stream),
        "packets_per_token": ledger.next_pn / len(stream),
        "ack_bytes_per_token": receiver.ack_bytes / len(stream),
        "duplicate_tokens": receiver.duplicates,
        "blocked": sender.blocked,
        "lost_seen": ledger.lost,
    }
    return stall_row(stall_metrics(stream.times, rendered, horizon=end)) | cost, columns


def stall_row(metrics: TokenMetrics) -> Row:
    """Return the metrics of one answer as columns of the summary."""
    curve = {f"sr{limit // MS}": ratio for limit, ratio in zip(CURVE_THRESHOLDS, metrics.curve, strict=True)}
    return {
        "sr200": metrics.sr200,
        "sr200_full": metrics.sr200_full,
        "sr_wait": metrics.sr_wait,
        "sr_net": metrics.sr_net,
        **{name: ratio for name, ratio in curve.items() if name != "sr200"},
        "stalls": metrics.stalls,
        "stall_s": metrics.stall_s,
        "span_s": metrics.span / SECOND,
        "longest_stall_ms": metrics.longest_stall / MS,
        "longest_gap_ms": metrics.longest_gap / MS,
        "delay_p50_ms": metrics.delay_p50 / MS,
        "delay_p95_ms": metrics.delay_p95 / MS,
        "delay_p99_ms": metrics.delay_p99 / MS,
        "ttft_ms": metrics.ttft / MS,
        "missing": metrics.missing,
    }


def log_columns(simulation: Simulation) -> Columns:
    """Return the per-packet log as columns named `log_*`; none when there is no log."""
    if simulation.log is None:
        return {}
    return {f"log_{name}": column for name, column in simulation.log.columns().items()}


def capacity_columns(direction: Direction) -> Columns:
    """Return what a traced link offered, in steps of 100 ms over one period; none for other channels."""
    if direction.trace is None:
        return {}
    rates = direction.trace.binned_rates(CAPACITY_BIN)
    return {"capacity_bps": np.rint(rates).astype(np.int64)}
