"""Congestion controllers by name, and what their options mean."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from lanecast.errors import LanecastError
from lanecast.transport.congestion.base import CongestionControl
from lanecast.transport.congestion.bbr import Bbr
from lanecast.transport.congestion.bbr3 import Bbr3
from lanecast.transport.congestion.cubic import Cubic
from lanecast.transport.congestion.dctcp import Dctcp
from lanecast.transport.congestion.fixed import Fixed
from lanecast.transport.congestion.linux_cubic import LinuxCubic
from lanecast.transport.congestion.prague import Prague
from lanecast.transport.congestion.reno import Reno
from lanecast.transport.congestion.udp_prague import UdpPrague

CONTROLLERS: dict[str, Callable[..., CongestionControl]] = {
    "bbr": Bbr,
    "bbr3": Bbr3,
    "cubic": Cubic,
    "dctcp": Dctcp,
    "fixed": Fixed,
    "linux_cubic": LinuxCubic,
    "prague": Prague,
    "reno": Reno,
    "udp_prague": UdpPrague,
}
_COMMON = {
    "mss": "size of a full IP packet, bytes",
    "initial_packets": "initial window, packets",
}
_PRR = {"prr": "follow proportional rate reduction (RFC 6937) instead of falling at once"}
_HYSTART = {"hystart": "leave the first slow start by HyStart++ (RFC 9406)"}
_FACTORS = {
    "loss_factor": "what a loss leaves of the window, 0 to 1",
    "mark_factor": "what a CE mark leaves of the window, 0 to 1 (RFC 8511 for less than a loss)",
}
_FAST = {"fast_convergence": "release capacity when the window before a reduction shrinks (RFC 9438 4.7)"}
OPTIONS: dict[str, dict[str, str]] = {
    "bbr": _COMMON | {"phase": "place in the gain cycle where bandwidth probing begins, 0 to 7"},
    "bbr3": _COMMON
    | {
        "ecn_max_rtt": "least RTT up to which marks count, ns (0: never)",
        "seed": "draws the waiting times between bandwidth probes",
    },
    "cubic": _COMMON | _FACTORS | _HYSTART | _FAST | _PRR,
    "dctcp": _COMMON
    | {"gain": "weight of a window in the average of marks", "initial_alpha": "first value of the average"}
    | _PRR,
    "fixed": {
        "mss": _COMMON["mss"],
        "packets": "window, packets (0: none)",
        "rate_bps": "pacing rate, bit/s (0: none)",
    },
    "linux_cubic": _COMMON
    | _FAST
    | {
        "tcp_friendliness": "grow at least as Reno would",
        "hystart": "leave slow start by Linux's HyStart (ACK trains and delay)",
    }
    | _PRR,
    "prague": _COMMON
    | {
        "rtt_scaling": "RTT independence: none, rate, scalable or additive",
        "rtt_target": "RTT that shorter paths behave like, ns",
        "after": "periods past slow start before RTT independence begins",
        "initial_alpha": "first value of the average of marks",
        "stepwise": "the window in use follows by one packet an ACK, as in Linux",
        "ecn_fallback": "look for classic ECN queues by the RTT, and reduce more there",
    },
    "reno": _COMMON | _FACTORS | _HYSTART | _PRR,
    "udp_prague": {
        "mss": _COMMON["mss"],
        "initial_rate_bps": "rate at the start, bit/s",
        "least_rate_bps": "smallest rate, bit/s",
        "most_rate_bps": "largest rate, bit/s",
        "rtt_target": "least virtual RTT, ns",
    },
}


def find_congestion(name: str) -> Callable[..., CongestionControl]:
    """Return the factory called `name`: a registered one, or `package.module:Factory`.

    Raises: LanecastError when there is none such.
    """
    if ":" not in name:
        if name not in CONTROLLERS:
            raise LanecastError(
                f"congestion control {name!r} is unknown; known: {', '.join(sorted(CONTROLLERS))}, or module:Class"
            )
        return CONTROLLERS[name]
    module, _, attribute = name.partition(":")
    try:
        factory: Callable[..., CongestionControl] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise LanecastError(f"congestion control {name!r} cannot be loaded: {error}") from error
    return factory


def make_congestion(name: str, **options: Any) -> CongestionControl:
    """Return a new controller; `options` are its keyword options.

    Raises: LanecastError when the name, or an option, is unknown or the result is no `CongestionControl`.
    """
    factory = find_congestion(name)
    try:
        controller = factory(**options)
    except (TypeError, ValueError) as error:
        raise LanecastError(f"congestion control {name!r} with options {options}: {error}") from error
    if not isinstance(controller, CongestionControl):
        raise LanecastError(
            f"congestion control {name!r}: a CongestionControl expected, got {type(controller).__name__}"
        )
    return controller
