from __future__ import annotations

import pytest

from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.fixed import Fixed
from lanecast.transport.messages import Message, Messages
from lanecast.transport.receiver import Application, Receiver
from lanecast.transport.sender import Sender
from lanecast.transport.stage import Outbox
from lanecast.transport.units import MS


class Line:
    """A connection whose packets are carried by hand, all but the numbers in `lose`."""

    def __init__(self) -> None:
        self.calendar = Calendar()
        self.sender = Sender(self.calendar, Fixed(packets=50), flow=0)
        self.receiver = Receiver(self.calendar, flow=0)
        self.data, self.acks = Outbox(), Outbox()
        self.sender.out, self.receiver.out = self.data, self.acks
        self.done: list[tuple[int, int, int]] = []
        self.messages = Messages(self.sender, self.receiver, self.note)

    def note(self, now: int, message: Message) -> None:
        self.done.append((now, message.number, message.size))

    def carry(self, now: int, lose: tuple[int, ...] = ()) -> None:
        self.calendar.settle(now)
        for _ in range(self.data.held()):
            packet = self.data.pull()
            if packet is not None and packet.pn not in lose:
                self.receiver.push(now, packet)
        while (ack := self.acks.pull()) is not None:
            self.sender.push(now, ack)


def test_an_object_completes_with_its_last_byte() -> None:
    line = Line()
    line.messages.enqueue(0, 10_000)
    assert line.done == []
    line.carry(20 * MS)
    assert line.done == [(20 * MS, 0, 10_000)]
    assert line.receiver.goodput_bytes == 10_000


def test_objects_complete_in_order_and_behind_a_loss() -> None:
    line = Line()
    line.messages.enqueue(0, 5_000)
    line.messages.enqueue(0, 1)
    line.carry(20 * MS, lose=(1,))
    assert line.done == []
    line.carry(60 * MS)  # the retransmission
    assert [number for _, number, _ in line.done] == [0, 1]


def test_completion_may_enqueue_the_next_object() -> None:
    line = Line()

    def chain(now: int, message: Message) -> None:
        line.done.append((now, message.number, message.size))
        if message.number < 3:
            line.messages.enqueue(now, 2_000)

    line.messages.on_complete = chain
    line.messages.enqueue(0, 2_000)
    for turn in range(1, 10):
        line.carry(turn * 20 * MS)
    assert [(now // MS, number) for now, number, _ in line.done] == [(20, 0), (40, 1), (60, 2), (80, 3)]
    assert line.messages.completed == line.messages.enqueued == 4


def test_a_connection_in_use_is_refused() -> None:
    line = Line()
    with pytest.raises(ValueError, match="unused, ordered connection"):
        Messages(line.sender, line.receiver)
    with pytest.raises(ValueError, match="unused, ordered connection"):
        Messages(
            Sender(Calendar(), Fixed(packets=1), flow=0),
            Receiver(Calendar(), flow=0, application=Application(), unordered=True),
        )


def test_an_empty_object_is_refused() -> None:
    with pytest.raises(ValueError, match="size must be > 0"):
        Line().messages.enqueue(0, 0)
