"""The sending endpoint: data units to packets, under a congestion window and pacing, until all have arrived.

Theory of operation. `push` takes ACKs; data packets leave through `out`. What may be sent is bounded by the data at
hand (`limit`), the receive window, the congestion window and the pacer; retransmissions go first. Every change (an
ACK, a timer, new data) ends in `_transmit`, which sends all that may be sent, and `_arm`, which asks the calendar for
the earliest of three times: the pacer's release, a hole becoming a loss, and the probe or retransmission timeout.
A time that moves later keeps its old wake-up and is asked for again when that one fires.

A data unit is `packet_size - header` bytes; its index is its place in the stream. Sizes in flight are IP packet sizes,
so `congestion.mss` must equal `packet_size`.

ECN: a marker labels packets; `feedback` says how marks come back (`feedback.py`). With `ecn_fallback` a flow stops to
label when its first ECT packets (ten, RFC 9000 13.4.2) arrive and none is reported as ECT or CE, or when three timeouts
pass with nothing acknowledged (RFC 9000 A.4): the path clears ECN, or drops it. A path that begins to clear it later
is not found out, and marks that a path adds are taken as congestion. ECT(1) needs accurate feedback (RFC 9331 4.2).

Conservation: `pushed` counts ACKs, `created` data packets; both end in `passed` but for spoilt ACKs: `dropped`.
Left out: receive windows that shrink, Nagle's rule, connection set-up and close.
"""

# ruff: noqa: PLR1730 - uncompiled, a comparison costs less than a call of min() or max()
from __future__ import annotations

from collections import deque

import cython

from lanecast.transport.calendar import Calendar
from lanecast.transport.congestion.base import CongestionControl
from lanecast.transport.feedback import Feedback
from lanecast.transport.marking import Marker
from lanecast.transport.pacing import Pacer
from lanecast.transport.receiver import HEADER
from lanecast.transport.records import Sent
from lanecast.transport.recovery import LOSS, PROBE, RTO, Recovery
from lanecast.transport.recovery_laws import Rfc9002
from lanecast.transport.rtt import RttEstimator
from lanecast.transport.stage import ACK, CORRUPT, DATA, ECT1, NOT_ECT, Ack, Packet, Stage, make_packet
from lanecast.transport.units import NEVER, Int, Ns

PACKET_SIZE = 1500  # IP packet of a full data unit, bytes
ECN_PACKETS = 10  # RFC 9000 13.4.2, A.4: ECT packets that test the path
ECN_TIMEOUTS = 3  # RFC 9000 A.4: timeouts that end the test when nothing arrived

_NEVER = NEVER
_ACK, _CORRUPT, _DATA, _NOT_ECT = ACK, CORRUPT, DATA, NOT_ECT
_ECN_PACKETS, _ECN_TIMEOUTS = ECN_PACKETS, ECN_TIMEOUTS
_LOSS, _PROBE, _RTO = LOSS, PROBE, RTO


class Sender(Stage):
    """Sends one flow's data; `bulk`, `write` or `write_bytes` give it something to send.

    `window` is the receive window in units (0: none). With `restart_after_idle` the controller hears of idle times
    longer than one timeout (RFC 5681 4.1).
    """

    __slots__ = (
        "_armed", "_free", "_release", "_short_index", "_shorts", "_tells_sent", "_testing", "app_limited",
        "calendar", "congestion", "created", "ecn_failed", "feedback", "flow", "header", "limit", "marker",
        "next_index", "pacer", "packet_size", "plain", "probes", "recovery", "restart_after_idle",
        "retransmitted", "timeouts", "undone", "window",
    )  # fmt: skip

    def __init__(
        self,
        calendar: Calendar,
        congestion: CongestionControl,
        *,
        flow: int,
        recovery: Recovery | None = None,
        pacer: Pacer | None = None,
        marker: Marker | None = None,
        feedback: Feedback | None = None,
        ecn_fallback: bool = False,
        packet_size: int = PACKET_SIZE,
        header: int = HEADER,
        window: int = 0,
        restart_after_idle: bool = True,
        name: str = "",
    ) -> None:
        super().__init__(name or f"sender{flow}")
        if not 0 <= header < packet_size or window < 0:
            raise ValueError(
                f"{self.name}: 0 <= header < packet_size and window >= 0 expected, "
                f"got {header}, {packet_size}, {window}"
            )
        if congestion.mss != packet_size:
            raise ValueError(
                f"{self.name}: the controller's mss is {congestion.mss}, the packets' size {packet_size}"
            )
        if marker is not None and marker.constant == ECT1 and feedback is not None and not feedback.accurate:
            raise ValueError(f"{self.name}: ECT(1) needs feedback that counts marks: exact or accecn")
        self.calendar = calendar
        self.congestion = congestion
        self.flow = flow
        self.recovery = recovery if recovery is not None else Rfc9002()
        self.pacer = pacer
        self.marker = marker
        self.feedback = self.recovery.feedback = feedback
        self.packet_size = packet_size
        self.header = header
        self.window = window
        self.restart_after_idle = restart_after_idle
        self.limit = 0  # units at hand, from the first
        self.next_index = 0  # the next unit never sent before
        self.created = self.retransmitted = 0  # data packets
        self.probes = self.timeouts = 0
        self.undone = 0  # reductions taken back
        self.app_limited = False
        self.plain = 0  # packets that the marker labelled Not-ECT
        self.ecn_failed = False  # ECN does not pass: packets are labelled Not-ECT
        self._testing = ecn_fallback and marker is not None and (feedback is None or feedback.accurate)
        self._shorts: deque[tuple[int, int]] = deque()  # (unit, its packet size), units smaller than the rest
        self._short_index = -1
        self._free = 0  # packets that may leave whatever the window says
        self._release = _NEVER  # when the pacer lets the next packet go
        self._armed = _NEVER
        hook = "on_sent"  # most controllers do not ask to hear of it
        self._tells_sent = getattr(type(congestion), hook) is not getattr(CongestionControl, hook)

    # Data ---------------------------------------------------------------------------------------------------

    def start(self, when: Ns) -> None:
        """Begin to send at `when` what is at hand then."""
        self._release = when
        self._arm(when)

    def bulk(self) -> None:
        """Have data without end from now on; takes effect at the next start, write or ACK."""
        self.limit = _NEVER

    def write(self, now: Ns, units: Int) -> None:
        """Append `units` full data units and send what may be sent."""
        if units < 0 or self.limit == _NEVER:
            raise ValueError(f"{self.name}: units >= 0 and no bulk data before expected, got {units}")
        self.limit += units
        self._transmit(now)
        self._arm(now)

    def units_of(self, size: Int) -> Int:
        """Return how many data units `size` bytes (> 0) take."""
        if size <= 0:
            raise ValueError(f"{self.name}: size must be > 0 bytes, got {size}")
        return -(-size // (self.packet_size - self.header))

    def write_bytes(self, now: Ns, size: Int) -> Int:
        """Append `size` bytes (> 0) as whole units, the last one short, and return the index after the last."""
        units: cython.longlong = self.units_of(size)
        short: cython.longlong = size - (units - 1) * (self.packet_size - self.header)
        if short < self.packet_size - self.header:
            self._shorts.append((self.limit + units - 1, short + self.header))
            self._short_index = self._shorts[0][0]
        self.write(now, units)
        return self.limit

    def is_done(self) -> bool:
        """Tell whether all data at hand are known to have arrived."""
        return self.recovery.cumulative >= self.limit

    # Events -------------------------------------------------------------------------------------------------

    def push(self, now: Ns, packet: Packet) -> None:
        """Take an ACK."""
        recovery: Recovery = self.recovery
        if packet.kind == _CORRUPT:
            self.pushed += 1
            self.drop(now, packet)
            return
        if packet.kind != _ACK:
            raise TypeError(f"{self.name}: an Ack expected, got a packet of kind {packet.kind}")
        ack: Ack = packet  # type: ignore[assignment]  # the kind says so; compiled code checks the class
        self.pushed += 1
        self.passed += 1
        if self._testing:
            self._test_ecn(ack)
        if recovery.on_ack(now, ack):
            recovery.ack.app_limited = self.app_limited
            if recovery.holes and recovery.detect(now):
                self._hear_losses(now)
                recovery.ack.in_flight = recovery.in_flight
            self.congestion.on_ack(recovery.ack)
            if self.marker is not None:
                self.marker.on_ack(recovery.ack)
        if recovery.undo:
            self.undone += 1
            self.congestion.on_spurious(now)
        self._transmit(now)
        self._arm(now)

    def _test_ecn(self, ack: Ack) -> None:
        """Judge whether ECN passes from the first ECT packets that arrived."""
        if ack.ect0_bytes + ack.ect1_bytes + ack.ce_bytes > 0:
            self._testing = False
        elif ack.received - self.plain >= _ECN_PACKETS:
            self._testing = False
            self.ecn_failed = True

    def wake(self, now: Ns) -> None:
        """Do what is due: a loss or probe timer, or the pacer's release."""
        if now < self._armed:
            return
        self._armed = _NEVER
        if self.recovery.deadline() <= now:
            self._time_out(now)
        self._transmit(now)
        self._arm(now)

    def _time_out(self, now: Ns) -> None:
        """Act on the recovery law's deadline."""
        recovery: Recovery = self.recovery
        meaning: cython.longlong = recovery.on_timeout(now)
        if meaning == _LOSS:
            self._hear_losses(now)
        elif meaning == _PROBE:
            self._count_timeout()
            self._probe(now)
            self.congestion.on_pto(now, recovery.backoff)
        elif meaning == _RTO:
            self._count_timeout()
            self._free = 1
            recovery.loss.app_limited = self.app_limited
            self.congestion.on_rto(recovery.loss)

    def _count_timeout(self) -> None:
        self.timeouts += 1
        if self._testing and self.timeouts >= _ECN_TIMEOUTS and self.recovery.largest < 0:
            self._testing = False
            self.ecn_failed = True

    def _hear_losses(self, now: Ns) -> None:
        """Tell the controller; let the first retransmission of an episode go at once (RFC 9002 7.3.2)."""
        recovery: Recovery = self.recovery
        recovery.loss.app_limited = self.app_limited
        if recovery.loss.fresh:
            self._free = 1
        self.congestion.on_loss(recovery.loss)
        if recovery.persistent:
            self.congestion.on_persistent_congestion(recovery.loss)
            recovery.rtt.forget_minimum()

    def _probe(self, now: Ns) -> None:
        """Send one packet past window and pacer: a lost unit, new data, or a copy (RFC 9002 6.2.4)."""
        self.probes += 1
        if self.recovery.next_resend() is not None or self._has_new():
            self._free = 1
            return
        record: Sent | None = self.recovery.probe_record()
        if record is not None:
            self._send(now, record.index, record.size, True)  # noqa: FBT003 - a typed core call

    # Sending ------------------------------------------------------------------------------------------------

    def _has_new(self) -> cython.bint:
        """Tell whether there is a unit never sent that the receiver has room for."""
        return (
            self.next_index < self.limit and not 0 < self.window <= self.next_index - self.recovery.cumulative
        )

    def _transmit(self, now: Ns) -> None:
        """Send everything that may be sent now."""
        recovery: Recovery = self.recovery
        congestion: CongestionControl = self.congestion
        lost: Sent | None
        index: cython.longlong
        size: cython.longlong
        flight: cython.longlong
        self._release = _NEVER
        while True:
            lost = None if recovery.waiting is None else recovery.next_resend()
            if lost is not None:
                index = lost.index
                size = lost.size
            else:
                index = self.next_index
                if index >= self.limit or 0 < self.window <= index - recovery.cumulative:
                    self._note_limited()
                    return
                size = self.packet_size if index != self._short_index else self._shorts[0][1]
            flight = recovery.in_flight
            if self._free > 0:
                self._free -= 1
            elif flight + size > congestion.cwnd and flight > 0:
                self.app_limited = False
                return
            elif self.pacer is not None and self.pacer.release_at(now) > now:
                self._release = self.pacer.release()
                return
            if lost is not None:
                recovery.resent(lost)
            else:
                self.next_index = index + 1
                if index == self._short_index:
                    self._pass_short()
                if recovery.count == 0 and self.restart_after_idle:
                    self._hear_idle(now)
            self._send(now, index, size, lost is not None)

    def _note_limited(self) -> None:
        """Nothing to send: the application is the limit unless the window is full."""
        self._free = 0
        self.app_limited = self.recovery.in_flight + self.packet_size <= self.congestion.cwnd
        if self.app_limited:
            self.recovery.note_app_limited()

    def _pass_short(self) -> None:
        self._shorts.popleft()
        self._short_index = self._shorts[0][0] if self._shorts else -1

    def _hear_idle(self, now: Ns) -> None:
        """Tell the controller when nothing was in flight for longer than a timeout (RFC 5681 4.1)."""
        recovery: Recovery = self.recovery
        if recovery.next_pn > 0 and now - recovery.timer_base > recovery.rtt.timeout:
            self.congestion.on_idle(now, now - recovery.timer_base)

    def _send(self, now: Ns, index: Int, size: Int, resend: cython.bint) -> None:
        """Make the packet, note it everywhere, and let it go."""
        recovery: Recovery = self.recovery
        congestion: CongestionControl = self.congestion
        pn: cython.longlong = recovery.next_pn
        label: cython.longlong = _NOT_ECT
        if self.marker is not None and not self.ecn_failed:
            label = self.marker.label(now, pn, size)
            self.plain += label == _NOT_ECT
        packet: Packet = make_packet(self.flow, _DATA, size, label, pn, index, now)
        recovery.track(now, index, size, resend)
        if resend:
            self.retransmitted += 1
        elif self.feedback is not None and self.feedback.cwr:  # RFC 3168 6.1.2: on new data
            self.feedback.cwr = False
            packet.cwr = 1
        if self.pacer is not None:
            self._pace(now, size)
        if self._tells_sent:
            congestion.on_sent(now, size, recovery.in_flight)
        self.created += 1
        self.forward(now, packet)

    def _pace(self, now: Ns, size: Int) -> None:
        """Let the pacer count a packet at the controller's rate, or at the window's."""
        pacer: Pacer | None = self.pacer
        assert pacer is not None, "asked for by the caller"
        congestion: CongestionControl = self.congestion
        rtt: RttEstimator = self.recovery.rtt
        if congestion.pacing_rate_bps > 0:
            pacer.sent(now, size, congestion.pacing_rate_bps)
        elif rtt.min_rtt > 0:  # before anything is known the initial window leaves in one burst
            pacer.sent(now, size, pacer.window_rate_bps(congestion.cwnd, congestion.ssthresh, rtt.smoothed))

    def _arm(self, now: Ns) -> None:
        """Ask to be woken at the earliest time that matters, unless an earlier wake-up is on its way."""
        when: cython.longlong = self.recovery.deadline()
        if self._release < when:
            when = self._release
        if when < self._armed:
            if when < now:
                when = now
            self._armed = when
            self.calendar.at(when, self)
