"""The base of every token scheme, and the registry by name.

A scheme decides what each packet of a token stream carries. It is told of new tokens, acknowledgements and its
own timer; then it is asked `carry` until it answers None; then `deadline`, the time at which it wants
`on_timer`. It reads the `Ledger` inside these calls and keeps no clock. A scheme of the user's own subclasses
`TokenScheme` in plain Python (`super().__init__()` first) and is named in a plan as `"package.module:Class"`;
`check.check_scheme` tells what is wrong with it.

Two kinds of payload: a tuple of token runs `(first, stop, first, stop, ...)`, rising and half-open, within
`ledger.limit` bytes (`ledger.body(runs)`); or `Coded`, runs plus repair symbols of an erasure code.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeAlias

from lanecast.transport.stage import ECT0
from lanecast.transport.tokens.ledger import HEADER_BYTES, Ledger, Runs
from lanecast.transport.units import NEVER, Int, Ns

_NEVER = NEVER
Repairs: TypeAlias = tuple[tuple[int, int, int], ...]  # (base, count, seed) of each symbol


class Coded:
    """Tokens in the clear, and repair symbols `(base, count, seed, ...)` of `repair_bytes` in all."""

    def __init__(self, runs: Runs, repairs: Repairs, repair_bytes: int) -> None:
        self.runs = runs
        self.repairs = repairs
        self.repair_bytes = repair_bytes


Payload: TypeAlias = Runs | Coded


class TokenScheme:
    """Sends each token once and repairs nothing; real schemes override the hooks.

    Class-wide choices are attributes: `header` (bytes around the tokens of a packet), `ecn` (codepoint sent); how the
    receiver acknowledges: every `ack_every`-th packet or `ack_delay` ns late, and again every `heartbeat` ns while
    nothing arrives (0: never).
    """

    def __init__(self) -> None:
        self.header = HEADER_BYTES
        self.ecn = ECT0
        self.ack_every = 1
        self.ack_delay = 0
        self.heartbeat = 0
        self.reduces = True  # the congestion controller hears of this scheme's losses ...
        self.gated = True  # ... but only while a queue is growing: other losses look random

    def on_token(self, ledger: Ledger, now: Ns, index: Int) -> None:
        """Hear that token `index` was generated."""

    def on_ack(self, ledger: Ledger, now: Ns) -> None:
        """Hear that an ACK was taken into the ledger (`news`, `advanced`, `ce_news`, `lost_news` say what is new)."""

    def on_timer(self, ledger: Ledger, now: Ns) -> None:
        """Hear that the deadline has come."""

    def carry(self, ledger: Ledger, now: Ns) -> Any:
        """Return the payload of the next packet, or None when nothing is to be sent now."""
        if ledger.unsent < ledger.generated:
            return (ledger.unsent, ledger.unsent + 1)
        return None

    def on_sent(self, ledger: Ledger, now: Ns, size: Int) -> None:
        """Hear that the packet just answered left with `size` bytes on the wire."""

    def deadline(self, ledger: Ledger, now: Ns) -> Ns:
        """Return when `on_timer` is wanted (> now), NEVER for no timer."""
        return _NEVER

    def make_decoder(self) -> Any:
        """Return the receiver's decoder of repair symbols, or None when the scheme has none."""
        return None


SCHEMES: dict[str, str] = {
    "dup-ack": "lanecast.transport.tokens.tcp:DupAckTcp",
    "rack-tlp": "lanecast.transport.tokens.tcp:RackTlp",
    "bbr-paced": "lanecast.transport.tokens.tcp:BbrPaced",
    "http3": "lanecast.transport.tokens.http3:Http3Stream",
    "duplicate": "lanecast.transport.tokens.duplicate:Duplicate",
    "fec": "lanecast.transport.tokens.fec:Fec",
    "eloquent": "lanecast.transport.tokens.eloquent:Eloquent",
    "eloquent-probes": "lanecast.transport.tokens.eloquent:EloquentProbes",
    "eloquent-times": "lanecast.transport.tokens.eloquent:EloquentTimes",
    "adaptive": "lanecast.transport.tokens.adaptive:Adaptive",
    "adaptive-rich": "lanecast.transport.tokens.adaptive:AdaptiveRich",
}


def make_scheme(name: str, **options: Any) -> TokenScheme:
    """Return a scheme by its name in `SCHEMES`, or by `"package.module:Class"`; options are its keywords.

    Raises:
        ValueError: the name is unknown or cannot be imported.
        TypeError: what it names is no token scheme.
    """
    target = SCHEMES.get(name, name)
    module, colon, attribute = target.partition(":")
    if not colon:
        raise ValueError(f"token scheme {name!r} is unknown; known are {', '.join(sorted(SCHEMES))}")
    try:
        made = getattr(import_module(module), attribute)(**options)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"token scheme {name!r} cannot be made: {error}") from error
    if not isinstance(made, TokenScheme):
        raise TypeError(f"token scheme {name!r} is a {type(made).__name__}, expected a TokenScheme")
    return made
