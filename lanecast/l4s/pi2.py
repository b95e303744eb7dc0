"""PI2: one queue under the coupled law (De Schepper and others, PI2, CoNEXT 2016).

Classic packets are dropped or marked with p^2, scalable ones (ECT(1), CE) marked with k p; both wait in the same FIFO,
so scalable flows get their share but no low delay. Settings are those of DualPI2 that make sense for one queue; the
law judges at departure, as Linux' DualPI2 (the paper's module judged at arrival).
"""

from __future__ import annotations

from typing import Any

import cython

from lanecast.l4s.classifier import MASKS
from lanecast.l4s.coupling import PiQueue
from lanecast.l4s.dualpi2_profiles import ALIASES, DERIVED, Settings, settings_of
from lanecast.transport.rng import Stream
from lanecast.transport.stage import Packet
from lanecast.transport.units import Ns

PI2_NAMES = (
    "limit", "memlimit", "target", "tupdate", "alpha", "beta", "coupling_factor", "drop_on_overload", "least_backlog",
    "ecn_mask", "dice",
)  # fmt: skip


class Pi2(PiQueue):
    """One FIFO; `limit_packets` and `limit_bytes` are other names of `limit` and `memlimit`."""

    def __init__(
        self,
        stream: Stream,
        *,
        profile: str = "linux",
        **changes: Any,
    ) -> None:
        super().__init__(stream, _settings(profile, None, changes))

    def configure(self, now: Ns, **changes: Any) -> None:
        """Change settings in operation; packets, probability and statistics stay.

        Raises:
            ValueError: a setting is unknown or impossible; nothing has changed then.
        """
        settings = _settings("linux", self.settings, changes)
        self.catch_up(now)
        self.adopt(settings)

    def adopt(self, settings: Settings) -> None:
        """Take over settings."""
        PiQueue.adopt(self, settings)
        self._mask = MASKS[settings.ecn_mask]

    def offer(self, now: Ns, packet: Packet) -> bool:
        """Take the packet in, or drop it."""
        is_low: cython.bint = (packet.ecn & self._mask) != 0
        self.offered += 1
        if self._next_update <= now:
            self.catch_up(now)
        if is_low:
            self.tally_low.offered += 1
        else:
            self.tally_classic.offered += 1
        if self.is_full(packet.size):
            self.refuse(now, packet, is_low)
            return False
        self.keep(now, packet)
        return True

    def take(self, now: Ns) -> Packet | None:
        """Return the next packet to send; others may be dropped on the way, even the last."""
        is_low: cython.bint
        packet: Packet | None
        if self._next_update <= now:
            self.catch_up(now)
        packet = self.release()
        while packet is not None:
            is_low = (packet.ecn & self._mask) != 0
            if self.judge(now, packet, is_low, 0.0):
                self.send(now, packet, is_low)
                return packet
            packet = self.release()
        return None


def _settings(profile: str, base: Settings | None, changes: dict[str, Any]) -> Settings:
    for name in changes:
        if name not in (*PI2_NAMES, *DERIVED, *ALIASES):
            raise ValueError(f"PI2 has no setting {name!r}; known: {', '.join((*PI2_NAMES, *DERIVED))}")
    return settings_of(profile, base, **changes)
