"""Settings of DualPI2: what may be set, the named profiles, and gains from round-trip times.

Names follow tc-dualpi2(8). Times are ns, sizes bytes (IP lengths), gains Hz.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from lanecast.transport.units import MS, SECOND

MTU = 1500
SCHEDULERS = ("wrr", "tsfifo", "strict")
MASKS = {"l4s_ect": 1, "any_ect": 3}
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
    classic_protection: share of the link in percent that C keeps when both are backlogged (scheduler wrr).
    scheduler: wrr (by bytes, with a credit), tsfifo (first come first served, L ahead by tshift), or strict.
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
    scheduler: str = "wrr"
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
            _expect(name, getattr(self, name), "> 0", ok=getattr(self, name) > 0)
        for name in ("memlimit", "step_thresh", "step_packets", "min_qlen_step", "ramp_range", "ramp_least",
                     "tshift", "least_backlog"):  # fmt: skip
            _expect(name, getattr(self, name), ">= 0", ok=getattr(self, name) >= 0)
        protection = self.classic_protection
        _expect("classic_protection", protection, "a percentage below 100", ok=0 <= protection < 100)
        for name, known in (
            ("scheduler", SCHEDULERS), ("ecn_mask", tuple(MASKS)), ("dice", DICE), ("sojourn", SOJOURNS),
            ("pi_input", INPUTS),
        ):  # fmt: skip
            _expect(name, getattr(self, name), f"one of {', '.join(known)}", ok=getattr(self, name) in known)


def _expect(name: str, value: object, expected: str, *, ok: bool) -> None:
    if not ok:
        raise ValueError(f"DualPI2: {name} must be {expected}, got {value!r}")


def gains(max_rtt: int, typical_rtt: int) -> dict[str, Any]:
    """Return target, tupdate, alpha and beta for round-trip times in ns (RFC 9332 A.1)."""
    _expect("max_rtt", max_rtt, "> 0", ok=max_rtt > 0)
    _expect("typical_rtt", typical_rtt, "> 0", ok=typical_rtt > 0)
    tupdate = min(typical_rtt, max_rtt // 3)
    longest = max_rtt / SECOND
    return {
        "target": typical_rtt,
        "tupdate": tupdate,
        "alpha": 0.1 * tupdate / SECOND / longest**2,
        "beta": 0.3 / longest,
    }


LINUX = Settings()
PROFILES: dict[str, Settings] = {
    # torvalds/linux net/sched/sch_dualpi2.c
    "linux": LINUX,
    # The out-of-tree module of 2020 applied the step only where L held more than one packet at the arrival; measured:
    # the public 10 Mbit/s tables, where a packet takes longer than the step, fit this alone.
    "linux-2020": replace(LINUX, min_qlen_step=2),
    # RFC 9332 A.1 and 2.5; a limit of 250 ms is the link's to say: give `limit`.
    "rfc9332": replace(
        LINUX,
        **gains(100 * MS, 15 * MS),
        step_thresh=MS * 4 // 5,
        ramp_range=MS * 2 // 5,
        classic_protection=100 / 16,
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
        limit=1_562_500 // MTU,
        pi_input="classic",
    ),
    # The first out-of-tree Linux modules
    "linux-early": replace(
        LINUX,
        target=20 * MS,
        tupdate=32 * MS,
        alpha=80 / 256,
        beta=800 / 256,
        classic_protection=100 / 17,
        min_qlen_step=2,
    ),
}


def settings_of(profile: str, base: Settings | None = None, **changes: Any) -> Settings:
    """Return a profile's settings (or `base`) with changes; max_rtt and typical_rtt set the controller's gains.

    Raises:
        ValueError: the profile or a setting is unknown, or a value is impossible.
    """
    if profile not in PROFILES:
        raise ValueError(f"DualPI2: profile must be one of {', '.join(PROFILES)}, got {profile!r}")
    if "max_rtt" in changes or "typical_rtt" in changes:
        changes = gains(changes.pop("max_rtt", 100 * MS), changes.pop("typical_rtt", 15 * MS)) | changes
    known = [field.name for field in fields(Settings)]
    for name in changes:
        if name not in known:
            raise ValueError(
                f"DualPI2 has no setting {name!r}; known: {', '.join(known)}, max_rtt, typical_rtt"
            )
    return replace(base or PROFILES[profile], **changes)
