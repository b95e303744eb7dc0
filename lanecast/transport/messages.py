"""Reliable byte objects (video chunks, KV chunks) over one sender and receiver, in order.

`enqueue` appends an object to the sender's stream; when the receiver holds its last byte, and all before it,
`on_complete` is called there. Objects share the connection, so a loss in one delays those behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from lanecast.transport.receiver import Application, Receiver
from lanecast.transport.sender import Sender
from lanecast.transport.units import NEVER, Ns


@dataclass(frozen=True, slots=True)
class Message:
    """One byte object on its way; `end` is the index after its last data unit."""

    number: int
    size: int  # bytes
    enqueued: Ns
    end: int


class Messages(Application):
    """Objects of one flow. It becomes the receiver's application, and the sender must carry nothing else.

    `on_complete(now, message)` may enqueue more.
    """

    def __init__(
        self, sender: Sender, receiver: Receiver, on_complete: Callable[[Ns, Message], None] | None = None
    ) -> None:
        super().__init__()
        if receiver.application is not None or receiver.unordered or sender.limit > 0:
            raise ValueError(f"{sender.name} and {receiver.name}: an unused, ordered connection expected")
        self.sender = sender
        self.on_complete = on_complete
        self.completed = 0
        self.enqueued = 0
        self.waiting: deque[Message] = deque()
        self.target = NEVER
        receiver.application = self

    def enqueue(self, now: Ns, size: int) -> Message:
        """Append an object of `size` bytes (> 0) and send what may be sent."""
        end = self.sender.limit + self.sender.units_of(size)
        message = Message(self.enqueued, size, now, end)
        self.enqueued += 1
        self.waiting.append(message)
        self.target = self.waiting[0].end
        self.sender.write_bytes(now, size)
        return message

    def on_data(self, now: Ns, cumulative: int) -> None:
        """Complete every object that ends at or before `cumulative`."""
        while self.waiting and self.waiting[0].end <= cumulative:
            message = self.waiting.popleft()
            self.target = self.waiting[0].end if self.waiting else NEVER
            self.completed += 1
            if self.on_complete is not None:
                self.on_complete(now, message)
