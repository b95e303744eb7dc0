from __future__ import annotations

import math
import statistics

import pytest

from lanecast.transport.apps import VOICE_BYTES, ConstantSource, VideoSource, VoiceSource
from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.fixed import Fixed
from lanecast.transport.rng import Streams
from lanecast.transport.sender import Sender
from lanecast.transport.stage import Outbox, Packet
from lanecast.transport.units import MS, SECOND


def bench() -> tuple[Calendar, Sender, Outbox]:
    calendar = Calendar()
    sender = Sender(calendar, Fixed(packets=100_000), flow=0)
    sender.out = outbox = Outbox()
    return calendar, sender, outbox


def sent(outbox: Outbox) -> list[Packet]:
    found = []
    while (packet := outbox.pull()) is not None:
        found.append(packet)
    return found


def test_voice_is_a_frame_every_20_ms() -> None:
    calendar, sender, outbox = bench()
    VoiceSource(calendar, sender, start=7 * MS, stop=107 * MS)
    calendar.settle(SECOND)
    packets = sent(outbox)
    assert [packet.sent for packet in packets] == [7 * MS + 20 * MS * frame for frame in range(5)]
    assert {packet.size for packet in packets} == {VOICE_BYTES + sender.header}


def test_a_frame_takes_whole_packets_and_a_short_last_one() -> None:
    calendar, sender, outbox = bench()
    source = ConstantSource(calendar, sender, interval=10 * MS, size=3000, stop=15 * MS)
    calendar.settle(SECOND)
    assert [packet.size for packet in sent(outbox)] == [1500, 1500, 104 + 52] * 2
    assert source.frames == [(0, 3000, 3), (10 * MS, 3000, 6)]


def test_frames_of_30_a_second_do_not_drift() -> None:
    calendar, sender, _ = bench()
    source = VideoSource(calendar, sender, rate_bps=1e6, fps=30)
    calendar.settle(100 * SECOND)
    assert len(source.frames) == 3001
    assert source.frames[3000].written == 100 * SECOND
    assert {frame.size for frame in source.frames} == {round(1e6 / 8 / 30)}


def test_lognormal_frames_keep_the_mean_rate_and_the_spread() -> None:
    calendar, sender, _ = bench()
    sigma = 0.5
    source = VideoSource(
        calendar, sender, Streams(7).stream("video"), rate_bps=4e6, fps=50, sigma=sigma, stop=400 * SECOND
    )
    calendar.settle(400 * SECOND)
    sizes = [frame.size for frame in source.frames]
    assert len(sizes) == 20_000
    mean = 4e6 / 8 / 50
    deviation = mean * math.sqrt(math.exp(sigma**2) - 1)
    # five standard errors: a false alarm in 10^6
    assert statistics.fmean(sizes) == pytest.approx(mean, abs=5 * deviation / math.sqrt(len(sizes)))
    logs = [math.log(size) for size in sizes]
    assert statistics.stdev(logs) == pytest.approx(sigma, abs=5 * sigma / math.sqrt(2 * len(sizes)))


def test_what_the_window_holds_back_waits_in_the_sender() -> None:
    calendar = Calendar()
    sender = Sender(calendar, Fixed(packets=2), flow=0)
    sender.out = outbox = Outbox()
    source = VideoSource(calendar, sender, rate_bps=8e6, fps=100, stop=30 * MS)
    calendar.settle(30 * MS)
    assert len(sent(outbox)) == 2
    assert sender.limit == source.frames[-1].end == 3 * 7


@pytest.mark.parametrize(
    "options",
    [
        {"rate_bps": 0},
        {"rate_bps": 1e6, "fps": 0},
        {"rate_bps": 1e6, "sigma": -1},
        {"rate_bps": 1e6, "sigma": 1},
    ],
)
def test_video_out_of_range_is_refused(options: dict[str, float]) -> None:
    calendar, sender, _ = bench()
    with pytest.raises(ValueError, match="rate_bps > 0, fps > 0, sigma >= 0 and a stream"):
        VideoSource(calendar, sender, **options)  # type: ignore[arg-type]


def test_a_source_that_stops_before_it_starts_is_refused() -> None:
    calendar, sender, _ = bench()
    with pytest.raises(ValueError, match="0 <= start <= stop"):
        VoiceSource(calendar, sender, start=5, stop=4)
