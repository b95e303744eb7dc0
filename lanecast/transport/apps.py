"""Application-limited sources: video and voice that write into a sender at their own pace.

A source is woken by the calendar and calls `Sender.write_bytes` with each frame. It never looks at the network: what
cannot be sent waits in the sender. `frames` records when each was written and the index after its last data unit,
so that the receiver's `cumulative` tells when a frame is complete.

Left out: encoders that adapt their rate or skip frames, and silence suppression.
"""

from __future__ import annotations

from math import cos, exp, log, pi, sqrt
from typing import NamedTuple

from lanecast.transport.calendar import Calendar
from lanecast.transport.rng import Stream
from lanecast.transport.sender import Sender
from lanecast.transport.stage import Stage
from lanecast.transport.units import NEVER, SECOND, Int, Ns

VOICE_INTERVAL = 20_000_000  # RFC 3551 4.2: default packetisation interval 20 ms, ns
VOICE_BYTES = 172  # G.711: 64 kbit/s over 20 ms (RFC 3551 4.5.14) and a 12-byte RTP header (RFC 3550 5.1)


class Frame(NamedTuple):
    """A frame written: when (ns), its size (bytes) and the index after its last data unit."""

    written: int
    size: int
    end: int


class ConstantSource(Stage):
    """Writes `size` bytes every `interval` ns from `start` until `stop`; the base of the others."""

    def __init__(
        self,
        calendar: Calendar,
        sender: Sender,
        *,
        interval: int,
        size: int,
        start: int = 0,
        stop: int = NEVER,
        name: str = "",
    ) -> None:
        super().__init__(name)
        if interval <= 0 or size <= 0 or not 0 <= start <= stop:
            raise ValueError(
                f"{self.name}: interval > 0 ns, size > 0 bytes and 0 <= start <= stop expected, "
                f"got {interval}, {size}, {start}, {stop}"
            )
        self.calendar = calendar
        self.sender = sender
        self.interval = interval
        self.size = size
        self.begin = start
        self.stop = stop
        self.frames: list[Frame] = []
        calendar.at(start, self)

    def next_size(self) -> Int:
        """Return the size of the frame to be written now, bytes."""
        return self.size

    def frame_time(self, count: Int) -> Ns:
        """Return when frame `count` (from 0) is due; rounding does not add up."""
        return self.begin + count * self.interval

    def wake(self, now: Ns) -> None:
        """Write the frame that is due and ask for the next."""
        due = self.frame_time(len(self.frames))
        if now < due or now >= self.stop:
            return
        size = self.next_size()
        self.frames.append(Frame(now, size, self.sender.write_bytes(now, size)))
        self.calendar.at(self.frame_time(len(self.frames)), self)


class VoiceSource(ConstantSource):
    """A telephone call: one G.711 frame each 20 ms, 68.8 kbit/s before the sender's headers."""

    def __init__(
        self,
        calendar: Calendar,
        sender: Sender,
        *,
        interval: int = VOICE_INTERVAL,
        size: int = VOICE_BYTES,
        start: int = 0,
        stop: int = NEVER,
        name: str = "",
    ) -> None:
        super().__init__(calendar, sender, interval=interval, size=size, start=start, stop=stop, name=name)


class VideoSource(ConstantSource):
    """Video of `fps` frames a second and mean rate `rate_bps`.

    Frame sizes are constant, or with `sigma` > 0 lognormal with that standard deviation of the logarithm and the same
    mean; draws come from `stream` (Box and Muller 1958). A frame has at least one byte.
    """

    def __init__(
        self,
        calendar: Calendar,
        sender: Sender,
        stream: Stream | None = None,
        *,
        rate_bps: float,
        fps: float = 30.0,
        sigma: float = 0.0,
        start: int = 0,
        stop: int = NEVER,
        name: str = "",
    ) -> None:
        if rate_bps <= 0 or fps <= 0 or sigma < 0 or (sigma > 0 and stream is None):
            raise ValueError(
                "rate_bps > 0, fps > 0, sigma >= 0 and a stream where sigma > 0 expected, "
                f"got {rate_bps}, {fps}, {sigma}, {stream}"
            )
        self.stream = stream
        self.fps = fps
        self.sigma = sigma
        self.mean_size = rate_bps / 8 / fps
        super().__init__(
            calendar,
            sender,
            interval=max(1, round(SECOND / fps)),
            size=max(1, round(self.mean_size)),
            start=start,
            stop=stop,
            name=name,
        )

    def frame_time(self, count: Int) -> Ns:
        """Return when frame `count` is due: the exact multiple of 1/fps, rounded."""
        return self.begin + round(count * SECOND / self.fps)

    def next_size(self) -> Int:
        """Return the constant size or a lognormal draw."""
        if self.stream is None or self.sigma == 0:
            return self.size
        radius = sqrt(-2.0 * log(1.0 - self.stream.next_double()))
        normal = radius * cos(2.0 * pi * self.stream.next_double())
        return max(1, round(self.mean_size * exp(self.sigma * normal - self.sigma * self.sigma / 2)))
