"""The tasks of the transport floor: lane marking, token redundancy, congestion control, viewport prediction.

Each is an observation type and a function that returns its specification. Version 1 of each is frozen: a test
pins the hashes of the default forms. Scales, window lengths and default sizes are this project's choices
(assumption: they only have to keep normalised values near -1 .. 1), except where a line names a source.
The tasks of the video and KV rooms live with their controllers' bases in `abr`.
"""

from __future__ import annotations

import math

from lanecast.transport.decision.task import Array, Box, Discrete, Entry, Field, Observation, TaskSpec

INF = math.inf
MARK_WINDOW = 64  # packets a marker looks back on, as SwiftQueue-like per-packet models do
LOSS_RUNS = 8  # newest loss runs a redundancy controller sees
CC_WINDOW = 8  # monitor intervals a congestion controller looks back on
MULTIPLIERS = (0.5, 0.7, 0.85, 1.0, 1.15, 1.3, 1.6)  # of the sending rate
VIEW_HZ = 5  # viewport samples a second, the rate of NetLLM's viewport task (repository duowuyms/NetLLM)


class MarkObservation(Observation, frozen=True, eq=False):
    """What is known when a packet is to be marked; windows run from the oldest packet to the newest."""

    latency_ms: Array  # (window,)
    gap_us: Array  # (window,)
    size_bytes: Array  # (window,)
    ecn: Array  # (window,) codepoints 0..3
    queue: Array  # (window,) 0: C queue, 1: L queue
    in_flight_ratio: float  # bytes in flight over the bandwidth-delay product
    backlog_us: float
    link_busy: int


def mark_spec(window: int = MARK_WINDOW) -> TaskSpec:
    """Return l4s-mark/v1: mark this packet (or use the other lane), or not."""
    back = (window,)
    return TaskSpec(
        name="l4s-mark",
        version=1,
        entries=(
            Entry(name="latency_ms", kind="series", unit="ms", low=0, high=INF, shape=back, scale=50, missing=-1),
            Entry(
                name="gap_us", kind="series", unit="us", low=0, high=INF, shape=back, transform="log1p", scale=10,
                missing=-1,
            ),
            Entry(name="size_bytes", kind="series", unit="B", low=0, high=65_535, shape=back, scale=1500, missing=-1),
            Entry(name="ecn", kind="categorical", unit="codepoint", low=0, high=3, shape=back, categories=4),
            Entry(name="queue", kind="categorical", unit="queue", low=0, high=1, shape=back, categories=2),
            Entry(name="in_flight_ratio", kind="scalar", unit="BDP", low=0, high=INF),
            Entry(name="backlog_us", kind="scalar", unit="us", low=0, high=INF, scale=1000),
            Entry(name="link_busy", kind="categorical", unit="flag", low=0, high=1, categories=2),
        ),
        action=Discrete(2, ("leave", "mark")),
        reward="-queue_delay_ms - 10 * spurious_retransmissions",
        first_decision="the first packet of the flow, with empty windows",
        deadline="end of the packet's serialisation",
        feedback=(
            Field("queue_delay_ms", "ms", "delay that the packet met"),
            Field("acked", "flag", "1 when it was acknowledged"),
            Field("ce", "flag", "1 when its CE mark was echoed"),
        ),
        privileged=(Field("twin_delay_ms", "ms", "delay in either queue at this instant, from twin probes"),),
    )  # fmt: skip


class RedundancyObservation(Observation, frozen=True, eq=False):
    """What is known when a token packet is about to be sent."""

    unacked_tokens: int
    rtt_ms: float
    rttvar_ms: float
    loss_runs: Array  # (LOSS_RUNS,) lengths of the newest runs of lost packets, newest last
    gap_ms: float  # time between tokens
    room_tokens: int  # tokens that still fit the MTU
    allowance_bytes: float  # what congestion control lets through now


def redundancy_spec(piggyback: int = 9, copies: int = 1) -> TaskSpec:
    """Return tokens-redundancy/v1: `a % piggyback` unacked tokens go along, `a // piggyback` copies are sent."""
    names = tuple(
        f"{tokens} tokens, {extra} copies" for extra in range(copies) for tokens in range(piggyback)
    )
    return TaskSpec(
        name="tokens-redundancy",
        version=1,
        entries=(
            Entry(name="unacked_tokens", kind="scalar", whole=True, unit="tokens", low=0, high=INF, scale=16),
            Entry(name="rtt_ms", kind="scalar", unit="ms", low=0, high=INF, scale=200, missing=-1),
            Entry(name="rttvar_ms", kind="scalar", unit="ms", low=0, high=INF, scale=50, missing=-1),
            Entry(
                name="loss_runs", kind="series", whole=True, unit="packets", low=0, high=INF, shape=(LOSS_RUNS,),
                transform="log1p", scale=3,
            ),
            Entry(name="gap_ms", kind="scalar", unit="ms", low=0, high=INF, scale=100),
            Entry(name="room_tokens", kind="scalar", whole=True, unit="tokens", low=0, high=INF, scale=300),
            Entry(name="allowance_bytes", kind="scalar", unit="B", low=0, high=INF, transform="log1p", scale=10),
        ),
        action=Discrete(piggyback * copies, names),
        reward="-stall_ms - 0.01 * extra_bytes",
        first_decision="the first token packet of the stream",
        deadline="one token gap after the decision",
        feedback=(
            Field("acked", "flag", "1 when the packet was acknowledged, 0 when it was lost"),
            Field("stall_ms", "ms", "stall of the rendered stream since the decision"),
            Field("extra_bytes", "B", "bytes sent beyond one copy"),
        ),
        privileged=(Field("fate", "flag", "1 where a packet sent now survives"),),
    )  # fmt: skip


class CongestionObservation(Observation, frozen=True, eq=False):
    """One monitor interval after another, oldest first, newest last; each array is (CC_WINDOW,)."""

    rate_mbps: Array  # sent
    rtt_ratio: Array  # over the least RTT
    loss_ratio: Array
    ce_ratio: Array
    in_flight_ratio: Array  # over the bandwidth-delay product


def congestion_spec(*, continuous: bool = False) -> TaskSpec:
    """Return cc/v1: multiply the rate by one of `MULTIPLIERS`, or by exp(a) with |a| <= ln 2 where `continuous`."""
    back = (CC_WINDOW,)
    action = (
        Box(-math.log(2), math.log(2), (1,), "log of the multiplier")
        if continuous
        else Discrete(len(MULTIPLIERS), tuple(str(one) for one in MULTIPLIERS))
    )
    return TaskSpec(
        name="cc",
        version=1,
        entries=(
            Entry(
                name="rate_mbps", kind="series", unit="Mbit/s", low=0, high=INF, shape=back, transform="log1p",
                scale=5, missing=-1,
            ),
            Entry(name="rtt_ratio", kind="series", unit="min RTT", low=1, high=INF, shape=back, offset=1, missing=-1),
            Entry(name="loss_ratio", kind="series", unit="share", low=0, high=1, shape=back, missing=-1),
            Entry(name="ce_ratio", kind="series", unit="share", low=0, high=1, shape=back, missing=-1),
            Entry(name="in_flight_ratio", kind="series", unit="BDP", low=0, high=INF, shape=back, missing=-1),
        ),
        action=action,
        reward="log(throughput_mbps) - 0.5 * log(rtt_ratio) - 10 * loss_ratio",
        first_decision="end of the first RTT or monitor interval",
        deadline="one smoothed RTT after the decision",
        feedback=(
            Field("throughput_mbps", "Mbit/s", "of the next report"),
            Field("rtt_ratio", "min RTT", "of the next report"),
            Field("loss_ratio", "share", "of the next report"),
        ),
        privileged=(Field("capacity_mbps", "Mbit/s", "of the bottleneck from now on"),),
    )  # fmt: skip


class ViewportObservation(Observation, frozen=True, eq=False):
    """Past head orientations; rows from the oldest to the newest, columns roll, pitch, yaw."""

    orientation_deg: Array  # (history, 3)
    relative_deg: Array  # (history, 3) to the newest sample, wrapped to -180 .. 180


def viewport_spec(history: int = 2 * VIEW_HZ, future: int = 4 * VIEW_HZ) -> TaskSpec:
    """Return viewport/v1: the next `future` orientations (default 2 s back, 4 s ahead, as NetLLM's first setting).

    Relative angles are scaled by 30 degrees; predictions may run past +-180 and are compared wrapped.
    """
    angles = (history, 3)
    return TaskSpec(
        name="viewport",
        version=1,
        entries=(
            Entry(
                name="orientation_deg", kind="series", unit="deg", low=-180, high=180, shape=angles, scale=180
            ),
            Entry(name="relative_deg", kind="series", unit="deg", low=-180, high=180, shape=angles, scale=30),
        ),
        action=Box(-540, 540, (future, 3), "deg"),
        reward="-mean over axes and steps of min(|p - f|, |f + 360 - p|, |f - 360 - p|)",
        first_decision="the first sample with a full history",
        deadline="the next tile request",
        feedback=(
            Field("roll_deg", "deg", "true orientation when it happens"),
            Field("pitch_deg", "deg", "true orientation when it happens"),
            Field("yaw_deg", "deg", "true orientation when it happens"),
        ),
        privileged=(Field("future_deg", "deg", "the true orientations ahead"),),
    )
