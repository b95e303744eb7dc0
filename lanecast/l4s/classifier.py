"""Which queue of a dual queue a packet belongs to (RFC 9331 5.1, RFC 9332 2.3).

By default the two ECN bits decide: `l4s_ect` sends ECT(1) and CE to the L queue (CE may be an L4S packet that was
marked upstream), `any_ect` also ECT(0). A *classifier* may overrule that: any callable that takes a packet and returns
CLASSIC, LOW, BARE or None (None: the bits decide). Linux asks its filters only for packets that the bits leave in C;
a classifier here is asked for every packet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lanecast.transport.stage import Packet

CLASSIC = 0  # the C queue
LOW = 1  # the L queue
BARE = 2  # the L queue, without marks and drops (Linux DUALPI2_C_LLLL)
NAMES = {"classic": CLASSIC, "l4s": LOW, "bare": BARE}

MASKS = {"l4s_ect": 1, "any_ect": 3}  # a packet goes to L if it has one of these bits

Classifier = Callable[[Packet], int | None]


class FlowClasses:
    """A classifier by flow number: `FlowClasses({7: "bare"})`; other flows are left to their ECN bits."""

    def __init__(self, classes: Mapping[int, str]) -> None:
        for flow, name in classes.items():
            if name not in NAMES:
                raise ValueError(f"flow {flow}: class must be one of {', '.join(NAMES)}, got {name!r}")
        self.classes = {flow: NAMES[name] for flow, name in classes.items()}

    def __call__(self, packet: Packet) -> int | None:
        """Return the packet's class, or None."""
        return self.classes.get(packet.flow)
