"""BBR version 3: version 1's model, bounded by what losses and marks say.

After google/bbr net/ipv4/tcp_bbr.c (version 3), whose constants these are, and draft-ietf-ccwg-bbr for the states.

Theory of operation. To `bandwidth` and `min_rtt` come bounds. `high` (inflight_hi) is the largest flight the path took
without too much loss: probing raises it, and a probe that went too far (losses over 2 %, or marks over 50 %) sets it to
that flight, or to 70 % of the target if that is more.
`low_bandwidth` and `low` (bw_lo, inflight_lo) are short-term: a round trip with losses or marks lowers them, the next
probe forgets them. Bandwidth is the maximum of this probing cycle and the last.

    STARTUP    gain 2.77, until the pipe is full, or losses or marks are heavy
    DRAIN      until the flight is one content
    DOWN       gain 0.91, until the flight fits the path with 15 % headroom
    CRUISE     gain 1, until it is time to probe: 2 to 3 s, or as many rounds as a Reno flow would take (63 at most)
    REFILL     gain 1 for one round trip, without short-term bounds
    UP         gain 1.25, until the bandwidth is flat or the probe went too far
    PROBE_RTT  every 5 s without a smaller RTT: half a content for 200 ms and one round trip

Marks count only where the least RTT is at most 5 ms (`ecn_max_rtt`): the reaction is for data centres and does not meet
RFC 9331 section 4, so packets carry no ECT unless told otherwise.

Left out: extra flight for ACK aggregation, the fast path, undo of spurious losses, recovery by tail-loss probe,
protective load balancing. The flight in which a probe went too far is that at the loss, and for marks what was
delivered while the newest packet was on its way. `seed` draws the time between probes.
"""

from __future__ import annotations

import cython

from lanecast.transport.congestion.base import INITIAL_PACKETS, UNLIMITED, AckObservation, LossObservation
from lanecast.transport.congestion.bbr import DRAIN, PROBE_RTT, STARTUP, PathModel
from lanecast.transport.rng import uniform_at
from lanecast.transport.units import SECOND, Int, Ns

STARTUP_GAIN = 2.77  # bbr_startup_pacing_gain: 4 ln 2
STARTUP_WINDOW = 2.0  # bbr_startup_cwnd_gain
DRAIN_GAIN = 1000 / 2885  # bbr_drain_gain
WINDOW_GAIN = 2.0  # bbr_cwnd_gain
UP_WINDOW_GAIN = 2.25  # bbr_bw_probe_cwnd_gain: a quarter more
UP_GAIN = 1.25  # bbr_pacing_gain
DOWN_GAIN = 0.91  # the same
MIN_RTT_WINDOW = 10 * SECOND  # bbr_min_rtt_win_sec
PROBE_RTT_WINDOW = 5 * SECOND  # bbr_probe_rtt_win_ms
PROBE_RTT_GAIN = 0.5  # bbr_probe_rtt_cwnd_gain
HEADROOM = 0.15  # bbr_inflight_headroom
BETA = 0.3  # bbr_beta
LOSS_THRESHOLD = 0.02  # bbr_loss_thresh
FULL_LOSSES = 6  # bbr_full_loss_cnt: loss events in a round of STARTUP
FULL_MARK_ROUNDS = 2  # bbr_full_ecn_cnt
ECN_MAX_RTT = 5_000_000  # bbr_ecn_max_rtt_us, ns
ECN_GAIN = 1 / 16  # bbr_ecn_alpha_gain
ECN_FACTOR = 1 / 3  # bbr_ecn_factor
ECN_THRESHOLD = 0.5  # bbr_ecn_thresh
PROBE_ROUNDS = 63  # bbr_bw_probe_max_rounds
PROBE_WAIT = 2 * SECOND  # bbr_bw_probe_base_us
PROBE_SPREAD = 1 * SECOND  # bbr_bw_probe_rand_us
SPREAD_ROUNDS = 2  # bbr_bw_probe_rand_rounds
MOST_DOUBLINGS = 30  # bbr_raise_inflight_hi_slope

DOWN, CRUISE, REFILL, UP = range(4, 8)  # the phases of PROBE_BW, after bbr.py's states

_STARTUP, _DRAIN, _PROBE_RTT = STARTUP, DRAIN, PROBE_RTT
_DOWN, _CRUISE, _REFILL, _UP = DOWN, CRUISE, REFILL, UP
_UNLIMITED, _MIN_RTT_WINDOW, _PROBE_RTT_WINDOW = UNLIMITED, MIN_RTT_WINDOW, PROBE_RTT_WINDOW
_KEPT, _HEADROOM, _LOSS_THRESHOLD, _ECN_THRESHOLD = 1 - BETA, HEADROOM, LOSS_THRESHOLD, ECN_THRESHOLD
_ECN_GAIN, _ECN_FACTOR, _PROBE_RTT_GAIN = ECN_GAIN, ECN_FACTOR, PROBE_RTT_GAIN


class Bbr3(PathModel):
    """Version 3; `ecn_max_rtt` in ns (0: marks are ignored)."""

    def __init__(
        self,
        *,
        mss: Int = 1500,
        initial_packets: Int = INITIAL_PACKETS,
        ecn_max_rtt: Ns = ECN_MAX_RTT,
        seed: Int = 1,
    ) -> None:
        super().__init__(
            mss=mss, initial_packets=initial_packets, startup_gain=STARTUP_GAIN, startup_window=STARTUP_WINDOW
        )
        if ecn_max_rtt < 0 or seed < 0:
            raise ValueError(f"ecn_max_rtt >= 0 ns and seed >= 0 expected, got {ecn_max_rtt}, {seed}")
        self.ecn_max_rtt = ecn_max_rtt
        self.seed = seed
        self.high = UNLIMITED
        self.low = UNLIMITED
        self.low_bandwidth = UNLIMITED
        self.alpha = 1.0  # bbr_ecn_alpha_init
        self.cycles = 0
        self.cycle_start = 0
        self.wait = 0  # ns until the next probe
        self.probe_rtt_min = 0  # least RTT since the last probe for it, ns
        self.probe_rtt_at = 0
        self._this_cycle = 0.0  # largest delivery rate, bit/s
        self._last_cycle = 0.0
        self._rounds_since_probe = 0
        self._latest = 0.0  # largest delivery rate of this round, bit/s
        self._latest_flight = 0.0
        self._lost = 0  # bytes in this round
        self._loss_events = 0
        self._ce = 0
        self._received = 0
        self._marked_rounds = 0  # heavily marked ones in a row
        self._judging = False  # losses and marks tell of the last probe
        self._up_rounds = 0
        self._up_acked = 0.0
        self._up_step = UNLIMITED  # bytes acknowledged for one packet more of `high`
        self._flat = False  # UP found no more bandwidth

    def on_ack(self, ack: AckObservation) -> None:
        """Update the model, the bounds, the state, the rate and the window."""
        self._ce += ack.ce
        self._received += ack.received
        self._learn(ack)
        if ack.round_start:
            self.rounds += 1
            self._rounds_since_probe += 1
            self._end_round(ack)
        if self.state == _STARTUP:
            self.check_full(ack)
        self._advance(ack)
        self._learn_min_rtt(ack)
        if ack.round_start:
            self._lost = self._loss_events = 0
            self._ce = self._received = 0
            self._latest = ack.delivery_rate_bps()
            self._latest_flight = ack.rate_size
        self.set_rate(ack)
        self._set_window(ack)

    def on_loss(self, loss: LossObservation) -> None:
        """Count losses of this round; a probe that lost too much ends at once."""
        self._lost += loss.lost
        self._loss_events += 1
        if self._judging and self._lost > _LOSS_THRESHOLD * loss.flight:
            self._go_back(loss.now, loss.flight, loss.app_limited)

    def usable_bandwidth(self) -> float:
        """Return the estimate within its short-term bound, bit/s."""
        return min(self.bandwidth, self.low_bandwidth)

    def uses_marks(self) -> cython.bint:
        """Tell whether the path is short enough for marks to count."""
        return 0 < self.min_rtt <= self.ecn_max_rtt

    def headroom(self) -> float:
        """Return the long-term bound with room left for others, bytes."""
        return max(self.high * (1 - _HEADROOM), self.minimum_cwnd) if self.high < _UNLIMITED else _UNLIMITED

    def _learn(self, ack: AckObservation) -> None:
        """Keep the largest delivery rate of this probing cycle and the last."""
        rate: cython.double = ack.delivery_rate_bps()
        self._latest = max(self._latest, rate)
        self._latest_flight = max(self._latest_flight, ack.rate_size)
        if self.is_sample(ack, rate):
            self._this_cycle = max(self._this_cycle, rate)
            self.bandwidth = max(self._this_cycle, self._last_cycle)

    def _end_round(self, ack: AckObservation) -> None:
        """Average the marks, lower the short-term bounds, and judge the last probe."""
        share: cython.double = 0.0
        if self._received > 0:
            share = min(self._ce / self._received, 1.0)
        marked: cython.bint = share > 0 and self.uses_marks()
        heavy: cython.bint = marked and share > _ECN_THRESHOLD
        if self.uses_marks():
            self.alpha += (share - self.alpha) * _ECN_GAIN
        self._marked_rounds = self._marked_rounds + 1 if heavy else 0
        if self.state == _STARTUP:
            self._check_heavy(ack)
        elif self.state not in {_REFILL, _UP}:
            self._lower(marked)
        if heavy and self._judging:
            self._go_back(ack.now, ack.rate_size, ack.rate_app_limited)
        if self.state == _UP:
            self._check_flat(ack)

    def _check_heavy(self, ack: AckObservation) -> None:
        """Leave STARTUP for heavy losses or marks."""
        lossy: cython.bint = self._loss_events >= FULL_LOSSES and self._lost > _LOSS_THRESHOLD * (
            self._lost + ack.rate_size
        )
        if lossy or self._marked_rounds >= FULL_MARK_ROUNDS:
            self.full = True
            self.high = max(self.bdp(1.0), self._latest_flight)

    def _lower(self, marked: cython.bint) -> None:
        """Lower the short-term bounds after a round with losses or marks (bbr_adapt_lower_bounds)."""
        if self._loss_events == 0 and not marked:
            return
        if self.low >= _UNLIMITED:
            self.low = self.cwnd
        by_marks: cython.double = self.low * (1 - _ECN_FACTOR * self.alpha) if marked else self.low
        if self._loss_events > 0:
            if self.low_bandwidth >= _UNLIMITED:
                self.low_bandwidth = self.bandwidth
            self.low_bandwidth = max(self._latest, self.low_bandwidth * _KEPT)
            self.low = max(self._latest_flight, self.low * _KEPT)
        self.low = max(min(self.low, by_marks), self.minimum_cwnd)

    def _forget_low(self) -> None:
        self.low = self.low_bandwidth = _UNLIMITED

    def _go_back(self, now: Ns, flight: float, app_limited: cython.bint) -> None:
        """Set the long-term bound: the probe went too far (bbr_handle_inflight_too_high)."""
        self._judging = False
        if not app_limited:
            self.high = max(flight, min(self.bdp(1.0), self.cwnd) * _KEPT, self.minimum_cwnd)
        if self.state == _UP:
            self._enter_down(now)

    def _check_flat(self, ack: AckObservation) -> None:
        """See whether probing still finds more bandwidth."""
        if self._latest >= self.plateau * UP_GAIN:
            self.plateau = self._latest
            self.flat_rounds = 0
        elif not ack.rate_app_limited:
            self.flat_rounds += 1
            self._flat = self.flat_rounds >= 3

    def _advance(self, ack: AckObservation) -> None:
        """Move between the states."""
        if self.state == _STARTUP and self.full:
            self.state = _DRAIN
            self.pacing_gain = DRAIN_GAIN
            self.window_gain = STARTUP_WINDOW
        if self.state == _DRAIN and ack.in_flight <= self.bdp(1.0):
            self._enter_down(ack.now)
        elif self.state in {_DOWN, _CRUISE} and self._is_time_to_probe(ack.now):
            self._enter_refill(ack.now)
        elif self.state == _DOWN and ack.in_flight <= min(self.bdp(1.0), self.headroom()):
            self.state = _CRUISE
            self.pacing_gain = 1.0
        elif self.state == _REFILL and ack.round_start and self._rounds_since_probe > 0:
            self._enter_up(ack)
        elif self.state == _UP:
            self._raise_high(ack)
            if self._flat:
                self._enter_down(ack.now)

    def _is_time_to_probe(self, now: Ns) -> cython.bint:
        """Tell whether it is time: by the clock, or as a Reno flow of this size would (bbr_is_reno_coexistence_...)."""
        rounds: cython.double = min(self.bdp(1.0) / self.mss, float(PROBE_ROUNDS))
        return now - self.cycle_start > self.wait or self._rounds_since_probe >= rounds

    def _enter_down(self, now: Ns) -> None:
        self.state = _DOWN
        self.pacing_gain = DOWN_GAIN
        self.window_gain = WINDOW_GAIN
        self.cycles += 1
        self.cycle_start = now
        self._last_cycle, self._this_cycle = self._this_cycle, 0.0
        self.wait = PROBE_WAIT + cython.cast(
            cython.longlong, PROBE_SPREAD * uniform_at(self.seed, self.cycles, 0)
        )
        self._rounds_since_probe = cython.cast(
            cython.longlong, SPREAD_ROUNDS * uniform_at(self.seed, self.cycles, 1)
        )

    def _enter_refill(self, now: Ns) -> None:
        self.state = _REFILL
        self.pacing_gain = 1.0
        self.cycle_start = now
        self._forget_low()
        self._up_rounds = 0
        self._up_acked = 0.0
        self._rounds_since_probe = 0

    def _enter_up(self, ack: AckObservation) -> None:
        self.state = _UP
        self.pacing_gain = UP_GAIN
        self.window_gain = UP_WINDOW_GAIN
        self.cycle_start = ack.now
        self._judging = True
        self._flat = False
        self.flat_rounds = 0
        self.plateau = ack.delivery_rate_bps()
        self._steepen()

    def _steepen(self) -> None:
        """Double the growth of the long-term bound each round (bbr_raise_inflight_hi_slope)."""
        growth: cython.longlong = 1 << self._up_rounds
        self._up_rounds = min(self._up_rounds + 1, MOST_DOUBLINGS)
        self._up_step = max(self.cwnd / growth, self.mss)

    def _raise_high(self, ack: AckObservation) -> None:
        """Raise the long-term bound while the flight presses against it (bbr_probe_inflight_hi_upward)."""
        if self.high >= _UNLIMITED:
            return
        self.high = max(self.high, ack.flight)
        if ack.app_limited or self.cwnd < self.high:
            return
        self.flat_rounds = 0  # a bandwidth that this bound holds down is not flat
        self.plateau = self._latest
        self._up_acked += ack.acked
        steps: cython.longlong = cython.cast(cython.longlong, self._up_acked / self._up_step)
        self._up_acked -= steps * self._up_step
        self.high += steps * self.mss
        if ack.round_start:
            self._steepen()

    def _learn_min_rtt(self, ack: AckObservation) -> None:
        """Renew the least RTTs of 5 and 10 s; probe when the first is old (bbr_update_min_rtt)."""
        expired: cython.bint = self.probe_rtt_min > 0 and ack.now > self.probe_rtt_at + _PROBE_RTT_WINDOW
        if ack.rtt > 0 and (self.probe_rtt_min == 0 or ack.rtt <= self.probe_rtt_min or expired):
            self.probe_rtt_min = ack.rtt
            self.probe_rtt_at = ack.now
        if self.probe_rtt_min > 0 and (
            self.min_rtt == 0
            or self.probe_rtt_min <= self.min_rtt
            or ack.now > self.min_rtt_at + _MIN_RTT_WINDOW
        ):
            self.min_rtt = self.probe_rtt_min
            self.min_rtt_at = self.probe_rtt_at
        if expired and not self.idle_restart and self.state != _PROBE_RTT:
            self.enter_probe_rtt()
        elif self.state == _PROBE_RTT and self.hold_probe(ack, self._probe_flight()):
            self._leave_probe_rtt(ack.now)
        if ack.acked > 0:
            self.idle_restart = False

    def _probe_flight(self) -> float:
        return max(self.bdp(_PROBE_RTT_GAIN), self.minimum_cwnd)

    def _leave_probe_rtt(self, now: Ns) -> None:
        self.probe_rtt_at = now
        self.restore_window()
        self._forget_low()
        if self.full:
            self._enter_down(now)
            self.state = _CRUISE
            self.pacing_gain = 1.0
        else:
            self.state = _STARTUP
            self.pacing_gain = self.startup_gain
            self.window_gain = self.startup_window

    def _set_window(self, ack: AckObservation) -> None:
        """Grow to the model's window, within the bounds of the state (bbr_bound_cwnd_for_inflight_model)."""
        self.grow_towards(ack, self.flight_target(self.window_gain))
        bound: cython.double = _UNLIMITED
        if self.state == _PROBE_RTT:
            bound = self._probe_flight()
        elif self.state == _CRUISE:
            bound = self.headroom()
        elif self.state in {_DOWN, _REFILL, _UP}:
            bound = self.high
        bound = max(min(bound, self.low), self.minimum_cwnd)
        self.cwnd = min(self.cwnd, bound)
