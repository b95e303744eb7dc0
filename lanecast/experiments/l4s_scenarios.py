"""Our own L4S runs: what a dual queue is to show on any link, without reference tables.

`flow` and `plan` also make the cells of the public tables (`l4s_cells.py`). Each further function returns named plans
without a seed; `claims_l4s.py` runs them and judges the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from lanecast.experiments.config import Cross, Flow, Impairment, Link, NetworkPlan, QueueChoice, Run

if TYPE_CHECKING:
    from collections.abc import Sequence

Label: TypeAlias = Literal["", "not-ect", "ect0", "ect1"]
FRAMING = 14  # bytes: Ethernet header; 1448 of 1514 bytes are the 95.6 % of the public goodputs
FORWARD_MS = 0.05  # the bottleneck is next to the sender; the rest of the base RTT lies on the way back
# measured: srtt less base RTT, queue and serialisation is 0.06 to 0.15 ms in the public one-flow runs; it also keeps
# flows from locking in step
HOST_MS = 0.1
# assumption: starts differ a little between seeds, as between repetitions of a measurement
START_SPREAD_MS = 100.0
PACING: dict[str, Literal["off", "prague"]] = {"prague": "prague", "dctcp": "off"}  # the others as Linux TCP
ONE_CODEL = QueueChoice("codel", limit_packets=10240, options={"ecn": True})  # one queue, classic ECN
RTTS_MS = (10.0, 20.0, 50.0)
RATES_MBPS = (50.0, 100.0)
FOUR_RTTS_MS = (0.5, 1.0, 10.0, 30.0)  # L4STeam, IETF 109
PROFILES = ("linux", "rfc9332")
OVERLOADS = (0.5, 1.0, 1.5, 2.0)  # UDP rate as a share of the link (L4STeam overload results)
BURSTY_MBPS = 40.0  # heistp/l4s-tests: Wi-Fi path, 7 ms, aggregates of up to about 4 ms
BURSTY_RTT_MS = 7.0
AGGREGATE_MS = 4.0


def flow(law: str, rtt_ms: float, *, ecn: Label = "", **more: Any) -> Flow:
    """Return a long TCP flow as Linux sends it; `more` are further fields of a plan's flow."""
    return Flow(
        law,
        rtt_ms=rtt_ms,
        ecn=ecn,
        recovery="rack-tlp",
        handshake=True,
        pacing=PACING.get(law, "linux"),
        start_spread_ms=START_SPREAD_MS,
        **more,
    )


def plan(
    name: str,
    rate_mbps: float,
    queue: QueueChoice,
    flows: Sequence[Flow],
    *,
    cross: Sequence[Cross] = (),
    impair: Impairment | None = None,
    duration_s: float = 40.0,
    warmup_s: float = 20.0,
) -> NetworkPlan:
    """Return a dumbbell that is measured after its warm-up."""
    return NetworkPlan(
        cell=name,
        run=Run("network", duration_s=duration_s, warmup_s=warmup_s, delays=True, save="none"),
        link=Link(rate_mbps=rate_mbps, delay_ms=FORWARD_MS, overhead_bytes=FRAMING),
        queue=queue,
        impair=impair or Impairment(jitter_ms=HOST_MS),
        flow=list(flows),
        cross=list(cross),
    )


def dual(profile: str = "linux", **options: Any) -> QueueChoice:
    """Return DualPI2 under a profile."""
    return QueueChoice("dualpi2", options={"profile": profile} | options)


def coexistence() -> list[NetworkPlan]:
    """Prague beside Cubic at 50 and 100 Mbit/s, three RTTs, both profiles."""
    return [
        plan(
            f"coexist {profile} {rate:g}M {rtt:g} ms",
            rate,
            dual(profile),
            [flow("prague", rtt), flow("cubic", rtt)],
        )
        for profile in PROFILES
        for rate in RATES_MBPS
        for rtt in RTTS_MS
    ]


def four_rtts() -> list[NetworkPlan]:
    """Four flows of very different RTTs at 400 Mbit/s: Prague through DualPI2, Cubic through one CoDel queue."""
    prague = plan("four prague", 400, dual(), [flow("prague", rtt) for rtt in FOUR_RTTS_MS])
    cubic = plan("four cubic", 400, ONE_CODEL, [flow("cubic", rtt, ecn="ect0") for rtt in FOUR_RTTS_MS])
    return [prague, cubic]


def unsafe() -> list[NetworkPlan]:
    """Prague beside Cubic in one classic-ECN queue."""
    return [
        plan("unsafe codel", 50, ONE_CODEL, [flow("prague", 20), flow("cubic", 20, ecn="ect0")]),
    ]


def overload() -> list[NetworkPlan]:
    """Five Prague and five Cubic flows beside unresponsive UDP, labelled ECT(1) or not."""
    flows = [flow("prague", 10, count=5), flow("cubic", 10, count=5)]
    labels: tuple[Literal["ect1", "not-ect"], ...] = ("ect1", "not-ect")
    return [
        plan(
            f"overload {label} {share:g}",
            100,
            dual(),
            flows,
            cross=[Cross("poisson", rate_mbps=100 * share, ecn=label)],
        )
        for label in labels
        for share in OVERLOADS
    ]


def bursts() -> list[NetworkPlan]:
    """Prague over a path whose packets come in aggregates, with the step at 1 and at 5 ms, and without aggregates."""
    bursty = Impairment(aggregate_ms=AGGREGATE_MS)
    return [
        plan("burst none", BURSTY_MBPS, dual(), [flow("prague", BURSTY_RTT_MS)]),
        plan("burst 1 ms", BURSTY_MBPS, dual(), [flow("prague", BURSTY_RTT_MS)], impair=bursty),
        plan(
            "burst 5 ms", BURSTY_MBPS, dual(step_thresh_ms=5), [flow("prague", BURSTY_RTT_MS)], impair=bursty
        ),
    ]


def scenarios() -> list[NetworkPlan]:
    """Return all of them."""
    return [*coexistence(), *four_rtts(), *unsafe(), *overload(), *bursts()]
