"""Plans: what a TOML file may say, as frozen, bounded structures.

Two kinds of plan exist. `TokenPlan` streams LLM tokens over a lossy or trace-driven channel, one token scheme a
run. `NetworkPlan` sends long flows and cross traffic over a row of links. A *point* is a plan in which every
sweep is resolved to one value; it has the same structure. Units are the human ones of the field names
(`_ms`, `_mbps`, `_kbytes`); `build.py` converts them, once. How files, sweeps and `--set` become points is in
`points.py`.

Every number has bounds, unknown fields are refused, and msgspec's errors carry the key path.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

Positive: TypeAlias = Annotated[float, Meta(gt=0)]
Ratio: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=1_000_000)]
PositiveCount: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000)]
Milliseconds: TypeAlias = Annotated[float, Meta(ge=0, le=3_600_000)]  # one hour: longer is a mistake of units
Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=86_400)]
Mbps: TypeAlias = Annotated[float, Meta(gt=0, le=100_000)]  # 100 Gbit/s keeps products within 64 bits
Seed: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
PacketSize: TypeAlias = Annotated[
    int, Meta(ge=28, le=65_535)
]  # IPv4 and UDP headers up to the largest IPv4 packet
Options: TypeAlias = dict[str, Any]
Scalar: TypeAlias = str | int | float | bool


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every table of a plan."""


class Run(Table, frozen=True):
    """What is run, and what is kept of it."""

    kind: Literal["tokens", "network"]
    seed: Seed = 1
    save: Literal["all", "first", "none"] = "all"
    """Result files of every run, of each scenario's first seed, or of none (summary rows are always kept)."""
    duration_s: Seconds = 10.0
    """Network plans only: the simulated time."""
    warmup_s: Seconds = 0.0
    """Network plans only: time left out of the metrics at the start."""
    log: bool = False
    """Keep the per-packet log in the result file."""
    delays: bool = False
    """Network plans only: add each flow's percentiles of queueing delay and of smoothed RTT to the row."""


class Report(Table, frozen=True):
    """A table or figure that the plan declares.

    `x`, `y` and `group` name columns of the summary; `where` keeps the rows whose columns equal its values.
    """

    kind: Literal["table", "bars", "heatmap", "lines"]
    y: str
    x: str = ""
    group: str = ""
    title: str = ""
    statistic: Literal["mean", "median", "max", "sum"] = "mean"
    where: dict[str, Scalar | list[Scalar]] = {}


class Iid(Table, frozen=True, tag="iid", tag_field="kind"):
    """Independent loss."""

    loss: Ratio


class Gilbert(Table, frozen=True, tag="gilbert", tag_field="kind"):
    """Gilbert-Elliott loss: two states with exponential sojourns; `loss_bad = 1` is an on/off outage."""

    mean_good_ms: Positive
    mean_bad_ms: Positive
    loss_good: Ratio
    loss_bad: Ratio


class TraceChannel(Table, frozen=True, tag="trace", tag_field="kind"):
    """Capacity over time: files of the data folder, or synthetic classes where there is no data.

    `files` is a glob pattern under DATA/traces ("|" separates several); seed k takes file k modulo their number and
    starts at an offset drawn from the seed. `up_files` gives the other direction (same number of files, same order);
    without it both directions follow one trace. A delay track adds its excess over its own least value to RTT/2.
    `loss_files` names files whose loss tracks apply on the wire (same rule for the seed), `loss` stands in where there
    are none. `load` and `up_load` add Poisson cross traffic, as a share of the mean capacity of the direction.
    `buffer_ms` bounds the sojourn time.
    """

    synthetic: str
    synthetic_up: str = ""
    files: str = ""
    up_files: str = ""
    loss_files: str = ""
    buffer_ms: Milliseconds = 250.0
    load: Annotated[float, Meta(ge=0, le=10)] = 0.0
    up_load: Annotated[float, Meta(ge=0, le=10)] = 0.0
    loss: Ratio = 0.0


class Bottleneck(Table, frozen=True, tag="bottleneck", tag_field="kind"):
    """A link of constant rate shared with more token streams of the same scheme and with long flows.

    `access` is what each stream meets on its own way from the link to its reader. The long flows begin at
    `long_start_s`: what the streams do before and after tells whether they back off.
    """

    rate_mbps: Mbps
    buffer_ms: Milliseconds = 250.0
    queue: str = "droptail"
    queue_options: Options = {}
    other_streams: Count = 0
    access: Iid | Gilbert = Iid(loss=0.0)
    long_flows: Count = 0
    long_start_s: Seconds = 0.0
    congestion: str = "cubic"
    ecn: bool = False
    """Whether the long flows are ECN-capable (the streams' schemes choose for themselves)."""


Channel: TypeAlias = Iid | Gilbert | TraceChannel | Bottleneck


class TokenApp(Table, frozen=True):
    """The answer that is streamed and the scheme that carries it."""

    scheme: str
    """A scheme's registered name, or the name of a `[scheme.NAME]` table."""
    gap_ms: Annotated[float, Meta(gt=0, le=60_000)] = 50.0
    tokens: Annotated[int, Meta(ge=2, le=100_000)] = 600
    token_bytes: Annotated[int, Meta(ge=0, le=65_000)] = 4
    group: Annotated[int, Meta(ge=1, le=1000)] = 1
    source: str = "constant"
    source_options: Options = {}
    payload_bytes: Annotated[int, Meta(ge=64, le=65_000)] = 1200


class TokenPath(Table, frozen=True):
    """The path of a token plan: RTT, jitter, and the name of a `[channel.NAME]` table."""

    channel: str
    rtt_ms: Milliseconds = 100.0
    jitter_ms: Milliseconds = 3.0
    """Mean of the gamma jitter (shape 2) of each direction, on top of RTT/2; packets may overtake."""
    coupling: Literal["symmetric", "independent"] = "symmetric"
    """Whether both directions share their bad intervals (draws inside are independent in either case)."""
    warm: bool = True
    """Start RTT estimators at the true RTT, as on a connection in use; else at 333 ms (RFC 9002 6.2.2)."""


class SchemeChoice(Table, frozen=True):
    """A scheme with options, under a name of its own."""

    base: str
    options: Options = {}


class TokenPlan(Table, frozen=True):
    """Token streaming: one stream, one scheme, one channel a run."""

    run: Run
    app: TokenApp
    path: TokenPath
    channel: dict[str, Channel]
    scheme: dict[str, SchemeChoice] = {}
    report: dict[str, Report] = {}
    title: str = ""


class Link(Table, frozen=True):
    """Capacity and one-way delay of a hop: a constant rate, a trace file, a synthetic class, or a `[channel.NAME]`.

    Only the capacity of such a channel (kind "trace") counts here: seed k takes file k, or the class where there is no
    data. `overhead_bytes` are sent with every packet (Ethernet: 14).
    """

    delay_ms: Milliseconds = 10.0
    rate_mbps: Mbps | None = None
    trace: str = ""
    synthetic: str = ""
    channel: str = ""
    overhead_bytes: Count = 0


class QueueChoice(Table, frozen=True):
    """A queue by its registered name; 0 means no limit, `limit_ms` bounds the sojourn time."""

    kind: str = "droptail"
    limit_packets: Count = 0
    limit_kbytes: Annotated[float, Meta(ge=0)] = 0.0
    limit_ms: Milliseconds = 0.0
    options: Options = {}


class Impairment(Table, frozen=True):
    """What the wire before a link does to packets; probabilities are per packet."""

    loss: Ratio = 0.0
    channel: str = ""
    """Name of a `[channel.NAME]` table (iid or gilbert) that decides loss instead."""
    duplicate: Ratio = 0.0
    corrupt: Ratio = 0.0
    reorder: Ratio = 0.0
    reorder_ms: Milliseconds = 5.0
    jitter_ms: Milliseconds = 0.0
    ecn: Literal["keep", "bleach", "clear-ce"] = "keep"
    """What the wire does to codepoints: nothing, clear them all, or take CE marks away."""
    aggregate_ms: Milliseconds = 0.0
    """Packets are collected for so long and arrive together, as over Wi-Fi."""
    aggregate_packets: Count = 0
    """The most packets of an aggregate; 0 means no limit."""


class Hop(Table, frozen=True):
    """One link with its queue and impairments."""

    link: Link
    queue: QueueChoice = QueueChoice()
    impair: Impairment = Impairment()


class Flow(Table, frozen=True):
    """`count` equal long flows from hop `first_hop` to hop `last_hop` (from 0; -1 is the last)."""

    congestion: str = "cubic"
    count: PositiveCount = 1
    start_s: Seconds = 0.0
    start_spread_ms: Milliseconds = 0.0
    """Each flow starts at a time drawn uniformly from so long after `start_s`."""
    return_delay_ms: Milliseconds = 0.0
    """One-way delay of the ACK path; 0 means the sum of the hops' delays."""
    rtt_ms: Milliseconds = 0.0
    """Base round-trip time instead: the ACK path takes what the hops' delays leave of it."""
    first_hop: Annotated[int, Meta(ge=0)] = 0
    last_hop: Annotated[int, Meta(ge=-1)] = -1
    packet_bytes: PacketSize = 1500
    kbytes: Annotated[float, Meta(ge=0)] = 0.0
    """How much to send; 0 means without end."""
    source: Literal["bulk", "video", "voice"] = "bulk"
    """Application-limited flows write frames: 30 a second of `source_mbps`, or a G.711 call."""
    source_mbps: Mbps = 2.5
    ecn: Literal["", "not-ect", "ect0", "ect1"] = ""
    """Empty: what the congestion controller asks for."""
    feedback: Literal["exact", "accecn", "classic"] = "exact"
    """How marks come back: counts as of QUIC, AccECN's short fields, or the classic echo."""
    ecn_fallback: bool = False
    """Stop labelling packets when the feedback shows that codepoints do not arrive."""
    recovery: Literal["rfc9002", "rack-tlp", "dup-ack"] = "rfc9002"
    """Loss detection: of QUIC, of today's TCP, or by duplicate ACKs alone."""
    pacing: Literal["", "off", "smooth", "linux", "prague"] = ""
    """Bursts of 1 ms (smooth), or groups of packets as Linux TCP or TCP Prague send; empty: as the controller asks."""
    window_kbytes: Annotated[float, Meta(ge=0)] = 0.0
    """Receive window, as payload; 0 means no limit."""
    handshake: bool = False
    """Start with the base RTT known, as after a handshake; else the initial window leaves unpaced."""
    ack_every: PositiveCount = 2
    max_ack_delay_ms: Milliseconds = 25.0
    coalesce: bool = False
    """One ACK for packets that arrive together, as with receive offload."""
    options: Options = {}


class Cross(Table, frozen=True):
    """Cross traffic into one hop and out after it."""

    pattern: Literal["constant", "poisson", "on-off", "pareto", "replay"]
    rate_mbps: Mbps = 1.0
    """Rate while sending (on/off patterns: while on)."""
    hop: Annotated[int, Meta(ge=0)] = 0
    packet_bytes: PacketSize = 1500
    ecn: Literal["not-ect", "ect0", "ect1"] = "not-ect"
    start_s: Seconds = 0.0
    stop_s: Seconds = 0.0
    on_ms: Positive = 500.0
    off_ms: Positive = 500.0
    shape: Annotated[float, Meta(gt=1)] = 1.5
    file: str = ""
    """Replay: a text file of `time_s size_bytes` lines."""


class NetworkPlan(Table, frozen=True):
    """Long flows and cross traffic over one `[link]` (a dumbbell) or a row of `[[hop]]`s (a parking lot)."""

    run: Run
    flow: list[Flow] = []
    cross: list[Cross] = []
    link: Link | None = None
    queue: QueueChoice = QueueChoice()
    impair: Impairment = Impairment()
    hop: list[Hop] = []
    channel: dict[str, Iid | Gilbert | TraceChannel] = {}
    report: dict[str, Report] = {}
    title: str = ""
    cell: str = ""
    """Name of the run in a set of runs."""


Plan: TypeAlias = TokenPlan | NetworkPlan
KINDS: dict[str, type[TokenPlan | NetworkPlan]] = {"tokens": TokenPlan, "network": NetworkPlan}
