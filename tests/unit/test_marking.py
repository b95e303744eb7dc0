from __future__ import annotations

import pytest

from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.fixed import Fixed
from lanecast.transport.marking import Marker
from lanecast.transport.sender import Sender
from lanecast.transport.stage import CE, ECT0, ECT1, NOT_ECT, Outbox


class EveryThird(Marker):
    """Labels each third packet for the low-latency lane."""

    def label(self, now: int, pn: int, size: int) -> int:
        return ECT1 if pn % 3 == 0 else NOT_ECT


def labels(marker: Marker | None, packets: int) -> list[int]:
    outbox = Outbox()
    sender = Sender(Calendar(), Fixed(packets=packets), flow=0, marker=marker)
    sender.out = outbox
    sender.write(0, packets)
    found = []
    while (packet := outbox.pull()) is not None:
        found.append(packet.ecn)
    return found


@pytest.mark.parametrize("label", [NOT_ECT, ECT0, ECT1])
def test_constant_marker_labels_every_packet(label: int) -> None:
    assert labels(Marker(label), 4) == [label] * 4


def test_without_marker_packets_are_not_ecn_capable() -> None:
    assert labels(None, 2) == [NOT_ECT] * 2


def test_a_marker_in_plain_python_is_asked_for_every_packet() -> None:
    assert labels(EveryThird(), 7) == [ECT1, 0, 0, ECT1, 0, 0, ECT1]


def test_a_sender_cannot_label_packets_as_marked() -> None:
    with pytest.raises(ValueError, match="a sender may label"):
        Marker(CE)
