"""Video controllers: what they are told, what they answer, and the task abr/v1.

The player asks after each chunk, before it requests the next one. An observation after chunk k holds the
sizes of chunk k + 1 and nothing of the future capacity. What a player knows before the session begins (the
manifest) is the `context` of `reset`, so that planners see every size ahead without its being repeated in
each observation. The scales of abr/v1 are those of NetLLM's simulator (repository duowuyms/NetLLM), whose
defaults are Pensieve's: 48 chunks of 4 s, ladder 300 .. 4300 kbit/s, histories of 6, padded with 0 on the left.
Sources: Pensieve (SIGCOMM 2017), NetLLM (SIGCOMM 2024).
"""

from __future__ import annotations

import math

import msgspec

from lanecast.transport.decision.controller import BaseController, Decision
from lanecast.transport.decision.task import Array, Discrete, Entry, Field, Mask, Observation, TaskSpec
from lanecast.transport.units import Ns

LADDER_KBPS = (300, 750, 1200, 1850, 2850, 4300)  # Pensieve
CHUNKS = 48  # Pensieve's video
HISTORY = 6  # NetLLM: samples of throughput and download time
TOP_KBPS = 4300  # NetLLM: scale of the bitrate
BUFFER_SCALE_S = 10  # NetLLM: scale of buffer level and download time
REBUFFER_PENALTY = 4.3  # Pensieve's linear QoE, a second of rebuffering


class AbrObservation(Observation, frozen=True, eq=False):
    """What a player knows between two chunks; histories run from the oldest chunk to the newest."""

    last_kbps: float  # bitrate of the last chunk
    buffer_s: float  # buffer level now
    throughput: Array  # (HISTORY,) 10^6 bytes a second: size over download time
    download_s: Array  # (HISTORY,)
    next_sizes: Array  # (rungs,) 10^6 bytes: the next chunk on each rung
    chunks_left: int  # chunks not yet requested


class AbrManifest(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Context of a session: everything that a manifest says. Rows are chunks, columns rungs, lowest first."""

    bitrates_kbps: Array  # (rungs,)
    chunk_s: float
    sizes_bytes: Array  # (chunks, rungs)
    quality: Array | None = None  # (chunks, rungs) on the scale that the manifest names
    weights: Array | None = None  # (chunks,) sensitivity weights, mean 1


class AbrDecision(Decision, frozen=True, eq=False, kw_only=True):
    """The rung of the next chunk; `pause_s` before the request, `stall_s` of stall scheduled on purpose (SENSEI)."""

    pause_s: float = 0.0
    stall_s: float = 0.0


class AbrController(BaseController[AbrObservation]):
    """Base of the video controllers; `begin` receives the `AbrManifest` as its context."""

    task = "abr/v1"

    def choose(self, observation: AbrObservation, now: Ns, mask: Mask | None) -> AbrDecision:
        """Choose the rung of the next chunk."""
        raise NotImplementedError(f"{type(self).__name__} does not define choose()")


def abr_spec(rungs: int = len(LADDER_KBPS), chunks: int = CHUNKS) -> TaskSpec:
    """Return abr/v1 for a ladder of `rungs` and a video of `chunks`."""
    inf = math.inf
    back = (HISTORY,)
    return TaskSpec(
        name="abr",
        version=1,
        entries=(
            Entry(name="last_kbps", kind="scalar", unit="kbit/s", low=0, high=inf, scale=TOP_KBPS),
            Entry(name="buffer_s", kind="scalar", unit="s", low=0, high=inf, scale=BUFFER_SCALE_S),
            Entry(name="throughput", kind="series", unit="MB/s", low=0, high=inf, shape=back, missing=0),
            Entry(
                name="download_s", kind="series", unit="s", low=0, high=inf, shape=back, scale=BUFFER_SCALE_S,
                missing=0,
            ),
            Entry(name="next_sizes", kind="vector-per-action", unit="MB", low=0, high=inf, shape=(rungs,)),
            Entry(name="chunks_left", kind="scalar", whole=True, unit="chunks", low=0, high=chunks, scale=chunks),
        ),
        action=Discrete(rungs, tuple(f"rung {rung}" for rung in range(rungs))),
        reward=f"R - {REBUFFER_PENALTY} * stall_s - |R - R_last|, R in Mbit/s; the first chunk's is dropped",
        first_decision="after chunk 0, whose rung the scenario fixes",
        deadline="buffer level at the decision (an empty buffer is a miss)",
        feedback=(
            Field("bitrate_kbps", "kbit/s", "of the chunk"),
            Field("stall_s", "s", "rebuffering while it was downloaded"),
            Field("download_s", "s", "from request to last byte"),
            Field("size_bytes", "B", "of the chunk"),
        ),
        context=(
            Field("bitrates_kbps", "kbit/s", "one a rung"),
            Field("chunk_s", "s", "play time of a chunk"),
            Field("sizes_bytes", "B", "chunks x rungs"),
            Field("quality", "its scale", "chunks x rungs, where known"),
            Field("weights", "ratio", "sensitivity of each chunk, where known"),
        ),
        privileged=(Field("capacity", "Mbit/s", "the trace from now on"),),
    )  # fmt: skip
