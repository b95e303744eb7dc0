"""Both ends of a long flow, from the flow's table in a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lanecast.experiments.build import BYTES_PER_KBYTE, in_ns, milliseconds
from lanecast.transport.apps import VideoSource, VoiceSource
from lanecast.transport.congestion.registry import make_congestion
from lanecast.transport.feedback import make_feedback
from lanecast.transport.marking import Marker
from lanecast.transport.pacing import Pacer, linux_pacer, prague_pacer
from lanecast.transport.receiver import HEADER, Receiver
from lanecast.transport.recovery_laws import DupAck, RackTlp, Rfc9002
from lanecast.transport.rtt import RttEstimator
from lanecast.transport.sender import Sender
from lanecast.transport.stage import ECT0, ECT1, NOT_ECT, Stage
from lanecast.transport.units import mbps, seconds

if TYPE_CHECKING:
    from lanecast.emulation.simulator import Simulation
    from lanecast.experiments.config import Flow
    from lanecast.transport.congestion.base import CongestionControl

CODEPOINTS = {"not-ect": NOT_ECT, "ect0": ECT0, "ect1": ECT1}
VIDEO_SIGMA = 0.5  # assumption: frame sizes of one scene vary by half on the logarithmic scale
PACERS = {"smooth": Pacer, "linux": linux_pacer, "prague": prague_pacer}
LAWS = {"rfc9002": Rfc9002, "rack-tlp": RackTlp, "dup-ack": DupAck}


@dataclass(slots=True)
class Ends:
    """Both ends of a long flow."""

    sender: Sender
    receiver: Receiver


class Writer(Stage):
    """Hands a sender its data at the time it is woken, once."""

    def __init__(self, sender: Sender, size: int) -> None:
        super().__init__(f"data of {sender.name}")
        self.sender = sender
        self.size = size

    def wake(self, now: int) -> None:
        """Write the data."""
        self.sender.write_bytes(now, self.size)


def long_flow(simulation: Simulation, flow: Flow, number: int, base_rtt: int) -> Ends:
    """Return the ends of flow `number`: it sends `kbytes` from `start_s` on, or without end; `base_rtt` in ns."""
    calendar = simulation.calendar
    law = make_congestion(flow.congestion, mss=flow.packet_bytes, **in_ns(flow.options))
    window = round(flow.window_kbytes * BYTES_PER_KBYTE) // (flow.packet_bytes - HEADER)
    sender = Sender(
        calendar,
        law,
        flow=number,
        recovery=LAWS[flow.recovery](RttEstimator(warm=base_rtt if flow.handshake else 0)),
        pacer=_pacer(flow.pacing, law),
        feedback=make_feedback(flow.feedback),
        ecn_fallback=flow.ecn_fallback,
        packet_size=flow.packet_bytes,
        window=window,
        marker=Marker(CODEPOINTS[flow.ecn] if flow.ecn else law.ecn_codepoint),
    )
    receiver = Receiver(
        calendar,
        flow=number,
        window=window,
        ack_every=flow.ack_every,
        max_ack_delay=milliseconds(flow.max_ack_delay_ms),
        coalesce=flow.coalesce,
    )
    start = seconds(flow.start_s)
    if flow.start_spread_ms > 0:
        drawn = simulation.streams.stream("start", number).next_double()
        start += int(drawn * milliseconds(flow.start_spread_ms))
    if flow.source != "bulk":
        simulation.add(_source(simulation, flow, sender, number, start))
    elif flow.kbytes > 0:
        calendar.at(start, Writer(sender, round(flow.kbytes * BYTES_PER_KBYTE)))
    else:
        sender.bulk()
        sender.start(start)
    return Ends(simulation.add(sender), simulation.add(receiver))


def _source(simulation: Simulation, flow: Flow, sender: Sender, number: int, start: int) -> Stage:
    if flow.source == "voice":
        return VoiceSource(simulation.calendar, sender, start=start, name=f"voice {number}")
    stream = simulation.streams.stream("video", number)
    rate = mbps(flow.source_mbps)
    return VideoSource(
        simulation.calendar,
        sender,
        stream,
        rate_bps=rate,
        sigma=VIDEO_SIGMA,
        start=start,
        name=f"video {number}",
    )


def _pacer(choice: str, law: CongestionControl) -> Pacer | None:
    choice = choice or ("smooth" if law.paced else "off")
    return PACERS[choice]() if choice != "off" else None
