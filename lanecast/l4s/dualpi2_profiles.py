"""Settings of DualPI2: what may be set, the named profiles, and gains from round-trip times.

Names follow tc-dualpi2(8). Times are ns, sizes bytes (IP lengths), gains Hz.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any

from lanecast.l4s.classifier import MASKS
from lanecast.l4s.discipline import Discipline
from lanecast.transport.units import MS, SECOND

MTU = 1500  # bytes, IP length; Linux counts Ethernet frames of 1514
TYPICAL_TO_MAX = 6  # iproute2 tc/q_dualpi2.c RTT_TYP_TO_MAX
FLOAT_EXCESS = (
    1 + 1e-8
)  # tc multiplies by 0.1f and 0.3f, which lie above 0.1 and 0.3 by a little more than this
GAIN_UNITS = 256  # a Hz in the units of Linux alpha and beta
LEAST_SIZE = 40  # bytes of the smallest IP packets that matter: assumption
BUFFER = 250 * MS  # RFC 9332 A.1: the limit is this much of the fastest link rate
SCHEDULERS = ("credit", "wrr", "tsfifo", "strict")
DICE = ("random", "recur")
SOJOURNS = ("plain", "scaled")
INPUTS = ("both", "classic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The defaults are those of Linux `sch_dualpi2`.

    limit, memlimit: of both queues together, in packets and bytes (0: limit x 2 x MTU).
    target, tupdate, alpha, beta: of the PI controller; alpha and beta in Hz.
    coupling_factor: k, the L probability over the base probability.
    step_thresh, step_packets: L packets that waited longer, or leave more packets behind, are marked (0: off).
    min_qlen_step: packets that L must hold at an arrival for the step to apply to it.
    ramp_range: > 0 makes the step a ramp from step_thresh on (RFC 9332 A.1); with ramp_least packets in L or more.
    classic_protection: share of the link in percent that C keeps when both are backlogged (schedulers credit and wrr).
    scheduler: credit, wrr, tsfifo (L ahead by tshift), strict, or a `Discipline` of one's own; see `discipline.py`.
    drop_on_overload: drop from L too where marking no longer controls (k p > 1); else p is held at 1/k.
    drop_enqueue: the coupled test is made at arrival instead of departure.
    least_backlog: with less left behind, nothing is marked or dropped by the coupled test.
    ecn_mask: l4s_ect (ECT(1) and CE go to L) or any_ect (ECT(0) too).
    dice: random draws, or recur: sums of probability that overflow, which spaces marks evenly (RFC 9332 A.1).
    sojourn: plain, or scaled by the backlog at departure over that at arrival (expected service time; Briscoe).
    pi_input: the longer of both queues' delays, or classic alone (ns-3).
    """

    limit: int = 10_000
    memlimit: int = 0
    target: int = 15 * MS
    tupdate: int = 16 * MS
    alpha: float = 41 / 256
    beta: float = 819 / 256
    coupling_factor: float = 2.0
    step_thresh: int = 1 * MS
    step_packets: int = 0
    min_qlen_step: int = 0
    ramp_range: int = 0
    ramp_least: int = 2
    classic_protection: float = 10.0
    scheduler: str | Discipline = "credit"
    tshift: int = 50 * MS
    drop_on_overload: bool = True
    drop_enqueue: bool = False
    least_backlog: int = 2 * MTU
    ecn_mask: str = "l4s_ect"
    dice: str = "random"
    sojourn: str = "plain"
    pi_input: str = "both"

    def __post_init__(self) -> None:
        """Refuse impossible values.

        Raises:
            ValueError: names the field, its value and what was expected.
        """
        for name in ("limit", "target", "tupdate", "alpha", "beta", "coupling_factor"):
            value = getattr(self, name)
            _expect(name, value, "> 0 and finite", ok=value > 0 and isfinite(value))
        for name in ("memlimit", "step_thresh", "step_packets", "min_qlen_step", "ramp_range", "ramp_least",
                     "tshift", "least_backlog"):  # fmt: skip
            _expect(name, getattr(self, name), ">= 0", ok=getattr(self, name) >= 0)
        protection = self.classic_protection
        _expect("classic_protection", protection, "a percentage", ok=0 <= protection <= 100)
        if self.scheduler == "wrr":
            _expect(
                "classic_protection",
                protection,
                "above 0 and below 100 with scheduler wrr",
                ok=0 < protection < 100,
            )
        if not isinstance(self.scheduler, Discipline):
            _expect(
                "scheduler",
                self.scheduler,
                f"one of {', '.join(SCHEDULERS)}",
                ok=self.scheduler in SCHEDULERS,
            )
        for name, known in (
            ("ecn_mask", tuple(MASKS)), ("dice", DICE), ("sojourn", SOJOURNS),
            ("pi_input", INPUTS),
        ):  # fmt: skip
            _expect(name, getattr(self, name), f"one of {', '.join(known)}", ok=getattr(self, name) in known)

    @property
    def memory(self) -> int:
        """Return the limit in bytes."""
        return self.memlimit or self.limit * 2 * MTU

    @property
    def scheduling(self) -> tuple[object, float, int]:
        """Return what the scheduler is made from."""
        return self.scheduler, self.classic_protection, self.tshift


def _expect(name: str, value: object, expected: str, *, ok: bool) -> None:
    if not ok:
        raise ValueError(f"DualPI2: {name} must be {expected}, got {value!r}")


def gains(max_rtt: int, typical_rtt: int) -> dict[str, Any]:
    """Return target, tupdate, alpha and beta for round-trip times in ns (RFC 9332 A.1)."""
    _expect("max_rtt", max_rtt, "> 0", ok=max_rtt > 0)
    _expect("typical_rtt", typical_rtt, "> 0 and at most max_rtt", ok=0 < typical_rtt <= max_rtt)
    tupdate = max(1, min(typical_rtt, max_rtt // 3))
    longest = max_rtt / SECOND
    return {
        "target": typical_rtt,
        "tupdate": tupdate,
        "alpha": 0.1 * tupdate / SECOND / longest**2,
        "beta": 0.3 / longest,
    }


def gains_of_tc(max_rtt: int, typical_rtt: int) -> dict[str, Any]:
    """Return what the `tc` tool sets for `max_rtt` and `typical_rtt` (0: not given), in ns.

    One not given is a sixth, or six times, the other; alpha and beta are cut to 1/256 Hz (iproute2 tc/q_dualpi2.c; its
    rounding of times to us is left out).

    Raises:
        ValueError: a gain would be cut to 0.
    """
    if max_rtt == 0:
        max_rtt = typical_rtt * TYPICAL_TO_MAX
    elif typical_rtt == 0:
        typical_rtt = max(1, max_rtt // TYPICAL_TO_MAX)
    found = gains(max_rtt, typical_rtt)
    for name in ("alpha", "beta"):
        found[name] = int(found[name] * GAIN_UNITS * FLOAT_EXCESS) / GAIN_UNITS
        _expect("max_rtt", max_rtt, f"shorter: {name} would be cut to 0", ok=found[name] > 0)
    return found


LINUX = Settings()
PROFILES: dict[str, Settings] = {
    # torvalds/linux net/sched/sch_dualpi2.c
    "linux": LINUX,
    # The out-of-tree modules of 2019 to 2021 applied the step only where L held more than one packet at the arrival
    # (L4STeam/sch_dualpi2_upstream); measured: the public 10 Mbit/s tables, where a packet takes longer than the step,
    # fit this alone.
    "linux-2020": replace(LINUX, min_qlen_step=2),
    # RFC 9332 A.1 and 2.5; give `link_bps` for its limit of 250 ms.
    "rfc9332": replace(
        LINUX,
        **gains(100 * MS, 15 * MS),
        step_thresh=MS * 4 // 5,
        ramp_range=MS * 2 // 5,
        classic_protection=100 / 16,
        scheduler="wrr",
        least_backlog=0,
        dice="recur",
    ),
    # CableLabs' ns-3 DualPi2QueueDisc
    "ns-3": replace(
        LINUX,
        tupdate=15 * MS,
        alpha=0.15,
        beta=3.0,
        scheduler="tsfifo",
        step_thresh=475_000,
        memlimit=1_562_500,
        pi_input="classic",
        dice="recur",
    ),
    # The first out-of-tree Linux modules
    "linux-early": replace(
        LINUX,
        target=20 * MS,
        tupdate=32 * MS,
        alpha=80 / GAIN_UNITS,
        beta=800 / GAIN_UNITS,
        classic_protection=100 / 17,
        tshift=40 * MS,
        min_qlen_step=2,
    ),
}
NAMES = tuple(field.name for field in fields(Settings))
ALIASES = {"limit_packets": "limit", "limit_bytes": "memlimit"}  # as other queues call them; 0: the profile's
DERIVED = ("max_rtt", "typical_rtt", "link_bps")  # not settings themselves; settings follow from them


def settings_of(profile: str, base: Settings | None = None, **changes: Any) -> Settings:
    """Return a profile's settings (or `base`) with changes.

    `max_rtt` and `typical_rtt` set the controller as `tc` does, `link_bps` the limit as RFC 9332 A.1 does; a setting
    that is given itself counts more.

    Raises:
        ValueError: the profile or a setting is unknown, or a value is impossible.
    """
    if profile not in PROFILES:
        raise ValueError(f"DualPI2: profile must be one of {', '.join(PROFILES)}, got {profile!r}")
    changes = {
        ALIASES.get(name, name): value for name, value in changes.items() if name not in ALIASES or value
    }
    derived: dict[str, Any] = {}
    if "max_rtt" in changes or "typical_rtt" in changes:
        derived |= gains_of_tc(changes.pop("max_rtt", 0), changes.pop("typical_rtt", 0))
    if "link_bps" in changes:
        rate = changes.pop("link_bps")
        _expect("link_bps", rate, "> 0", ok=rate > 0)
        derived["memlimit"] = max(MTU, int(rate) * BUFFER // (8 * SECOND))
        derived["limit"] = max(LINUX.limit, derived["memlimit"] // LEAST_SIZE)  # bytes decide
    for name in changes:
        if name not in NAMES:
            raise ValueError(f"DualPI2 has no setting {name!r}; known: {', '.join((*NAMES, *DERIVED))}")
    return replace(base or PROFILES[profile], **derived | changes)
