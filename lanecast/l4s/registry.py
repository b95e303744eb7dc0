"""Queues by name. Options are the constructors' own keyword arguments: times in ns, sizes in bytes.

A queue that draws takes a random stream as its first argument: `make_queue` passes it on to those.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from inspect import isclass
from typing import Any

from lanecast.errors import UsageError
from lanecast.l4s.codel import CoDel
from lanecast.l4s.droptail import DropHead, DropTail
from lanecast.l4s.fq_codel import FqCoDel
from lanecast.l4s.pie import Pie
from lanecast.l4s.queue import Queue
from lanecast.l4s.red import Red
from lanecast.transport.rng import Stream

QUEUES: dict[str, Callable[..., Queue]] = {
    "infinite": Queue,
    "droptail": DropTail,
    "drophead": DropHead,
    "codel": CoDel,
    "pie": Pie,
    "red": Red,
    "fq_codel": FqCoDel,
}
RANDOM = (Pie, Red)  # take a stream first


def find_queue(kind: str) -> Callable[..., Queue]:
    """Return the factory called `kind`: a registered one, or `package.module:Factory`.

    Raises:
        UsageError: there is no such queue.
    """
    if kind in QUEUES:
        return QUEUES[kind]
    if ":" not in kind:
        raise UsageError(f"queue {kind!r} is unknown; known: {', '.join(sorted(QUEUES))}, or module:Class")
    module, _, attribute = kind.partition(":")
    try:
        factory: Callable[..., Queue] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"queue {kind!r} cannot be loaded: {error}") from error
    return factory


def make_queue(kind: str, *, stream: Stream | None = None, **options: Any) -> Queue:
    """Return a new queue; `stream` is for those that draw (and for a user's factory that names it).

    Raises:
        UsageError: the name or an option is unknown, a value is impossible, or the result is no `Queue`.
    """
    factory = find_queue(kind)
    is_random = factory in RANDOM or (isclass(factory) and issubclass(factory, RANDOM))
    if is_random and stream is None:
        raise UsageError(f"queue {kind!r} draws at random and needs a random stream")
    try:
        queue = factory(stream, **options) if is_random else factory(**options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"queue {kind!r} with options {options}: {error}") from error
    if not isinstance(queue, Queue):
        raise UsageError(f"queue {kind!r}: a Queue expected, got {type(queue).__name__}")
    return queue
