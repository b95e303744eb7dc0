"""KV-cache loaders' controllers: what they are told, what they answer, and the task kv-level/v1.

A context's KV cache is fetched chunk by chunk, each at a level of compression (0 is the largest), or its text
is fetched and the cache recomputed. The loader asks before each chunk. What is known before the first byte
(all sizes, quality, rates) is the `context` of `reset`. Revisable schemes name a chunk other than the next
one, cancel fetches in flight, or recompute leading layers: `KvDecision` has room for all three.
Source of the decision: CacheGen (SIGCOMM 2024), Algorithm 1. The number of levels and the scales are this
project's choice (assumption: they keep normalised values near 1 on links of 10 to 100 Mbit/s).
"""

from __future__ import annotations

import math

import msgspec

from lanecast.transport.decision.controller import BaseController, Decision
from lanecast.transport.decision.task import Array, Discrete, Entry, Field, Mask, Observation, TaskSpec
from lanecast.transport.units import Ns

LEVELS = 4  # default number of levels (assumption; CacheGen's ladders have three or four)
HISTORY = 6  # bandwidth samples, as in abr/v1
TRACKED = 64  # chunks whose state an observation shows: 16,384 tokens of 256
UNUSED = -2  # state of a place beyond the last chunk
ABSENT = -1  # state of a chunk of which nothing has arrived


class KvObservation(Observation, frozen=True, eq=False):
    """What a loader knows before it requests a chunk; the last choice is always to recompute."""

    bandwidth_mbps: Array  # (HISTORY,) oldest first
    next_sizes: Array  # (levels + 1,) 10^6 bytes of the next chunk at each level; last: its text
    deadline_left_s: float  # negative once missed
    chunks_left: int  # chunks not yet requested
    recompute_s: float  # time to recompute the next chunk
    rtt_ms: float
    held: Array  # (TRACKED,) UNUSED, ABSENT, the level held of each chunk, or `levels` for recomputed


class KvManifest(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Context of one load. Rows are chunks, columns levels, largest first."""

    sizes_bytes: Array  # (chunks, levels)
    text_bytes: Array  # (chunks,)
    tokens: Array  # (chunks,)
    divergence: Array | None = None  # (levels,) expected KL divergence, nats, where known
    decode_bps: float  # bit/s of compressed data that decoding keeps up with
    prefill_tokens_per_s: float


class KvDecision(Decision, frozen=True, eq=False, kw_only=True):
    """A level, or recompute, for `chunk` (-1: the next in order)."""

    chunk: int = -1
    cancel: tuple[int, ...] = ()  # chunks whose fetch in flight is given up
    leading_layers: int = 0  # layers to recompute before the fetched ones apply


class KvController(BaseController[KvObservation]):
    """Base of the KV controllers; `begin` receives the `KvManifest` as its context."""

    task = "kv-level/v1"

    def choose(self, observation: KvObservation, now: Ns, mask: Mask | None) -> KvDecision:
        """Choose the level of the next chunk, or `levels` to recompute it."""
        raise NotImplementedError(f"{type(self).__name__} does not define choose()")


def kv_spec(levels: int = LEVELS) -> TaskSpec:
    """Return kv-level/v1 for `levels` levels; action `levels` is to recompute."""
    inf = math.inf
    choices = (levels + 1,)
    return TaskSpec(
        name="kv-level",
        version=1,
        entries=(
            Entry(
                name="bandwidth_mbps", kind="series", unit="Mbit/s", low=0, high=inf, shape=(HISTORY,), scale=100,
                missing=0,
            ),
            Entry(name="next_sizes", kind="vector-per-action", unit="MB", low=0, high=inf, shape=choices),
            Entry(name="deadline_left_s", kind="scalar", unit="s", low=-inf, high=inf),
            Entry(name="chunks_left", kind="scalar", whole=True, unit="chunks", low=0, high=inf, scale=TRACKED),
            Entry(name="recompute_s", kind="scalar", unit="s", low=0, high=inf),
            Entry(name="rtt_ms", kind="scalar", unit="ms", low=0, high=inf, scale=200),
            Entry(
                name="held", kind="series", whole=True, unit="level", low=ABSENT, high=levels, shape=(TRACKED,),
                scale=levels, missing=UNUSED,
            ),
        ),
        action=Discrete(levels + 1, (*(f"level {level}" for level in range(levels)), "recompute")),
        reward="-quality_loss - max(0, ttft_s - deadline_s)",
        first_decision="before the first chunk, with an empty history",
        deadline="when the chunk is needed",
        feedback=(
            Field("finish_s", "s", "when the chunk was usable"),
            Field("quality_loss", "nats", "KL divergence that the chosen level costs"),
            Field("ttft_s", "s", "time to first token, on the last chunk"),
        ),
        context=(
            Field("sizes_bytes", "B", "chunks x levels"),
            Field("text_bytes", "B", "one a chunk"),
            Field("tokens", "tokens", "one a chunk"),
            Field("divergence", "nats", "one a level, where known"),
            Field("decode_bps", "bit/s", "decoding rate"),
            Field("prefill_tokens_per_s", "tokens/s", "recomputing rate"),
        ),
        privileged=(Field("capacity", "Mbit/s", "the trace from now on"),),
        features=("bandwidth_mbps", "next_sizes", "deadline_left_s", "chunks_left", "recompute_s"),
    )  # fmt: skip
