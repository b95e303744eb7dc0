"""Labels: which ECN codepoint each packet carries when it leaves its sender.

A marker is asked once per packet, before the packet is made, and hears of every acknowledgement; one that learns
keeps its own history. Constant markers cover ordinary flows: Not-ECT, classic ECN (ECT(0), RFC 3168 5) and L4S
(ECT(1), RFC 9331 4.1).
"""

from __future__ import annotations

from lanecast.transport.congestion.base import AckObservation
from lanecast.transport.stage import ECT0, ECT1, NOT_ECT
from lanecast.transport.units import Int, Ns


class Marker:
    """Labels every packet alike (Not-ECT unless told otherwise); subclasses override `label`."""

    def __init__(self, label: Int = NOT_ECT) -> None:
        if label not in (NOT_ECT, ECT0, ECT1):
            raise ValueError(f"a sender may label packets {NOT_ECT}, {ECT1} or {ECT0}, got {label}")
        self.constant = label

    def label(self, now: Ns, pn: Int, size: Int) -> Int:
        """Return the codepoint of the next packet: NOT_ECT, ECT1 or ECT0."""
        return self.constant

    def on_ack(self, ack: AckObservation) -> None:
        """Hear of an acknowledgement (reused object: read it, do not keep it)."""
