"""BBR version 1: the rate from a model of the path, its bandwidth and its least RTT, not from losses or marks.

After "BBR: Congestion-Based Congestion Control" (ACM Queue 14(5), 2016) and google/bbr net/ipv4/tcp_bbr1.c; constants
are that file's.

Theory of operation. Two estimates: `bandwidth`, the largest delivery rate of the last ten round trips, and `min_rtt`,
the least RTT of the last ten seconds. Their product is the path's content (`bdp`). The flow paces at `pacing_gain`
times the bandwidth and bounds its flight by `window_gain` times the content.

    STARTUP    gain 2/ln 2, until the bandwidth grew by less than a quarter for three round trips;
    DRAIN      the inverse, until the flight is one content;
    PROBE_BW   eight phases of one min_rtt: 1.25, 0.75, 6 x 1;
    PROBE_RTT  when min_rtt was not renewed for 10 s: four packets for 200 ms and one round trip.

Left out: the random first phase (`phase` says where the cycle begins), packet conservation in recovery, policer
detection (long-term bandwidth), extra flight for ACK aggregation. Losses and marks are ignored but that a loss may end
the phase of 1.25.
"""

from __future__ import annotations

import cython

from lanecast.transport.congestion.base import (
    INITIAL_PACKETS,
    AckObservation,
    CongestionControl,
    LossObservation,
)
from lanecast.transport.units import SECOND, Int, Ns

HIGH_GAIN = 2.885  # bbr_high_gain: 2/ln 2
CYCLE = (1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)  # bbr_pacing_gain
WINDOW_GAIN = 2.0  # bbr_cwnd_gain
MARGIN = 0.99  # bbr_pacing_margin_percent: 1 % below the estimate
GROWTH = 1.25  # bbr_full_bw_thresh
FLAT_ROUNDS = 3  # bbr_full_bw_cnt
BANDWIDTH_ROUNDS = 10  # bbr_bw_rtts
MIN_RTT_WINDOW = 10 * SECOND  # bbr_min_rtt_win_sec
PROBE_RTT_TIME = 200_000_000  # bbr_probe_rtt_mode_ms, ns
PROBE_PACKETS = 4  # bbr_cwnd_min_target
QUANTUM_S = 1 / 1024  # bbr_tso_segs_goal: sk_pacing_shift 10, seconds of data in one burst
QUANTUM_PACKETS = 2  # bbr_min_tso_segs, packets
QUANTUM_BYTES = 65_536  # the same: GSO_MAX_SIZE
QUANTA = 3  # bbr_quantization_budget: bursts in sender, path and receiver

STARTUP, DRAIN, PROBE_BW, PROBE_RTT = range(4)

_MARGIN, _GROWTH, _HIGH_GAIN, _QUANTUM_S = MARGIN, GROWTH, HIGH_GAIN, QUANTUM_S
_FLAT_ROUNDS, _PROBE_RTT_TIME, _PHASES = FLAT_ROUNDS, PROBE_RTT_TIME, len(CYCLE)
_QUANTUM_PACKETS, _QUANTUM_BYTES, _QUANTA = QUANTUM_PACKETS, QUANTUM_BYTES, QUANTA
_STARTUP, _DRAIN, _PROBE_BW, _PROBE_RTT = STARTUP, DRAIN, PROBE_BW, PROBE_RTT


class PathModel(CongestionControl):
    """What both versions share: rounds, estimates, the full-pipe test, probing for the least RTT, rate and window."""

    paced = True

    def __init__(self, *, mss: Int, initial_packets: Int, startup_gain: float, startup_window: float) -> None:
        super().__init__(mss=mss, initial_packets=initial_packets)
        self.state = STARTUP
        self.startup_gain = startup_gain
        self.startup_window = startup_window
        self.pacing_gain = startup_gain
        self.window_gain = startup_window
        self.minimum_cwnd = float(mss * PROBE_PACKETS)
        self.bandwidth = 0.0  # bit/s
        self.min_rtt = 0  # ns; 0 before the first sample
        self.min_rtt_at = 0
        self.rounds = 0
        self.full = False  # the pipe was filled once
        self.flat_rounds = 0
        self.plateau = 0.0  # bandwidth that the full-pipe test compares with, bit/s
        self.probe_end = -1  # when PROBE_RTT may end; -1: the flight has not fallen yet
        self.probe_round = False  # a round trip of PROBE_RTT has passed
        self.prior_cwnd = 0.0
        self.idle_restart = False
        self.sample_start = 0  # packets below were sent while PROBE_RTT held the flow back

    def on_idle(self, now: Ns, idle: Ns) -> None:
        """Restart at the estimated bandwidth, and do not probe for the RTT: the path is empty (bbr_cwnd_event)."""
        self.idle_restart = True
        if self.full:
            self.pace_at(_MARGIN * self.bandwidth)

    def on_rto(self, loss: LossObservation) -> None:
        """Send one packet and grow back to the model's window."""
        self.cwnd = float(self.mss)

    def on_persistent_congestion(self, loss: LossObservation) -> None:
        """Grow back to the model's window from the least."""
        self.cwnd = self.minimum_cwnd

    def bdp(self, gain: float) -> float:
        """Return `gain` times the path's content, bytes; the initial window before the first sample."""
        if self.min_rtt == 0 or self.bandwidth <= 0:
            return gain * self.initial_cwnd
        return gain * self.bandwidth * self.min_rtt / 8e9

    def flight_target(self, gain: float) -> float:
        """Return the flight that keeps the path busy at `gain`, with room for bursts (bbr_inflight), bytes."""
        burst: cython.double = max(
            min(self.pacing_rate_bps / 8.0 * _QUANTUM_S, _QUANTUM_BYTES), _QUANTUM_PACKETS * self.mss
        )
        return self.bdp(gain) + _QUANTA * burst

    def check_full(self, ack: AckObservation) -> None:
        """Call the pipe full after three rounds without a quarter more bandwidth (bbr_check_full_bw_reached)."""
        if self.full or not ack.round_start or ack.rate_app_limited:
            return
        if self.bandwidth >= self.plateau * _GROWTH:
            self.plateau = self.bandwidth
            self.flat_rounds = 0
            return
        self.flat_rounds += 1
        self.full = self.flat_rounds >= _FLAT_ROUNDS

    def set_rate(self, ack: AckObservation) -> None:
        """Pace at the gain; before the pipe is full never more slowly than so far (bbr_set_pacing_rate)."""
        rate: cython.double = self.pacing_gain * self.usable_bandwidth() * _MARGIN
        if self.bandwidth <= 0:
            if ack.srtt <= 0:
                return
            rate = self.startup_gain * self.initial_cwnd * 8e9 / ack.srtt
        if self.full or rate > self.pacing_rate_bps:
            self.pace_at(rate)

    def is_sample(self, ack: AckObservation, rate: float) -> cython.bint:
        """Tell whether a delivery rate says something of the path: not if the flow itself sent less (bbr_update_bw)."""
        if rate <= 0 or self.state == _PROBE_RTT or ack.pn < self.sample_start:
            return False
        return not ack.rate_app_limited or rate >= self.bandwidth

    def usable_bandwidth(self) -> float:
        """Return the bandwidth that rate and window are built on, bit/s."""
        return self.bandwidth

    def hold_probe(self, ack: AckObservation, floor: float) -> bool:
        """Stay in PROBE_RTT; tell whether it is over: 200 ms and a round trip at a flight of `floor` bytes."""
        if self.probe_end < 0:
            if ack.in_flight <= floor:
                self.probe_end = ack.now + _PROBE_RTT_TIME
                self.probe_round = False
            return False
        if ack.round_start:
            self.probe_round = True
        if not self.probe_round or ack.now < self.probe_end:
            return False
        self.sample_start = ack.next_pn
        return True

    def enter_probe_rtt(self) -> None:
        """Begin to empty the path."""
        self.prior_cwnd = self.cwnd if self.prior_cwnd <= 0 else max(self.cwnd, self.prior_cwnd)
        self.state = _PROBE_RTT
        self.pacing_gain = 1.0
        self.window_gain = 1.0
        self.probe_end = -1

    def restore_window(self) -> None:
        """Take up the window from before PROBE_RTT."""
        self.cwnd = max(self.cwnd, self.prior_cwnd)
        self.prior_cwnd = 0.0

    def grow_towards(self, ack: AckObservation, target: float) -> None:
        """Grow by what was acknowledged, up to the target once the pipe is full (bbr_set_cwnd)."""
        if self.full:
            self.cwnd = min(self.cwnd + ack.acked, target)
        elif self.cwnd < target or ack.delivered < self.initial_cwnd:
            self.cwnd += ack.acked
        self.cwnd = max(self.cwnd, self.minimum_cwnd)


class Bbr(PathModel):
    """Version 1; `phase` is the place in the gain cycle where PROBE_BW begins (2: the first phase of gain 1)."""

    def __init__(self, *, mss: Int = 1500, initial_packets: Int = INITIAL_PACKETS, phase: Int = 2) -> None:
        super().__init__(
            mss=mss, initial_packets=initial_packets, startup_gain=HIGH_GAIN, startup_window=HIGH_GAIN
        )
        if not 0 <= phase < len(CYCLE):
            raise ValueError(f"phase must lie in 0..{len(CYCLE) - 1}, got {phase}")
        self.first_phase = phase
        self.phase = phase
        self.phase_start = 0
        self.maxima = [0.0] * BANDWIDTH_ROUNDS  # largest delivery rate of each of the last rounds, bit/s
        self.lost = False  # in this phase
        self._place = 0
        self._turn = False  # the next sample belongs to a new round

    def on_ack(self, ack: AckObservation) -> None:
        """Update the model, the state, the rate and the window."""
        self._learn_bandwidth(ack)
        self.check_full(ack)
        self._advance(ack)
        self._learn_min_rtt(ack)
        self.set_rate(ack)
        self.grow_towards(ack, self.flight_target(self.window_gain))
        if self.state == _PROBE_RTT:
            self.cwnd = min(self.cwnd, self.minimum_cwnd)

    def on_loss(self, loss: LossObservation) -> None:
        """Note a loss: it may end the phase that probes."""
        self.lost = True

    def _learn_bandwidth(self, ack: AckObservation) -> None:
        """Keep the largest delivery rate of each of the last ten rounds that had samples."""
        if ack.round_start:
            self.rounds += 1
            self._turn = True
        rate: cython.double = ack.delivery_rate_bps()
        if not self.is_sample(ack, rate):
            return
        if self._turn:
            self._turn = False
            self._place = (self._place + 1) % BANDWIDTH_ROUNDS
            self.maxima[self._place] = 0.0
            self.bandwidth = max(self.maxima)
        if rate > self.maxima[self._place]:
            self.maxima[self._place] = rate
            self.bandwidth = max(self.bandwidth, rate)

    def _advance(self, ack: AckObservation) -> None:
        """Move between STARTUP, DRAIN and the phases of PROBE_BW."""
        if self.state == _STARTUP and self.full:
            self.state = _DRAIN
            self.pacing_gain = 1 / _HIGH_GAIN
        if self.state == _DRAIN and ack.in_flight <= self.bdp(1.0):
            self._enter_probe_bw(ack.now)
        elif self.state == _PROBE_BW and self._is_phase_over(ack):
            self._set_phase((self.phase + 1) % _PHASES, ack.now)

    def _is_phase_over(self, ack: AckObservation) -> cython.bint:
        """Tell whether the present phase has done its work (bbr_is_next_cycle_phase)."""
        whole: cython.bint = ack.now - self.phase_start > self.min_rtt
        if self.pacing_gain > 1:
            return whole and (self.lost or ack.flight >= self.flight_target(self.pacing_gain))
        if self.pacing_gain < 1:
            return whole or ack.flight <= self.bdp(1.0)
        return whole

    def _enter_probe_bw(self, now: Ns) -> None:
        self.state = _PROBE_BW
        self.window_gain = WINDOW_GAIN
        self._set_phase(self.first_phase, now)

    def _set_phase(self, phase: Int, now: Ns) -> None:
        self.phase = phase
        self.phase_start = now
        self.lost = False
        self.pacing_gain = CYCLE[phase]

    def _learn_min_rtt(self, ack: AckObservation) -> None:
        """Renew the least RTT; probe for it when it is old (bbr_update_min_rtt)."""
        expired: cython.bint = self.min_rtt > 0 and ack.now > self.min_rtt_at + MIN_RTT_WINDOW
        if ack.rtt > 0 and (self.min_rtt == 0 or ack.rtt <= self.min_rtt or expired):
            self.min_rtt = ack.rtt
            self.min_rtt_at = ack.now
        if expired and not self.idle_restart and self.state != _PROBE_RTT:
            self.enter_probe_rtt()
        elif self.state == _PROBE_RTT and self.hold_probe(ack, self.minimum_cwnd):
            self.min_rtt_at = ack.now
            self.restore_window()
            if self.full:
                self._enter_probe_bw(ack.now)
            else:
                self.state = _STARTUP
                self.pacing_gain = self.startup_gain
                self.window_gain = self.startup_window
        if ack.acked > 0:
            self.idle_restart = False
