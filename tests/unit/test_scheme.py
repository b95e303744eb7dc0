"""The registry, the conformance check, and closed forms of the TCP and HTTP/3 schemes to the nanosecond.

Constant gap, constant one-way delay, no jitter, warm estimator: srtt is the true round trip R; rttvar starts at
R/4 and falls by a quarter with each sample (RFC 9002 5.3), which the tests compute by the same recurrence.
"""

from __future__ import annotations

from typing import Any

import pytest

from lanecast.transport.tokens.check import check_scheme, run_scripted
from lanecast.transport.tokens.ledger import Ledger
from lanecast.transport.tokens.scheme import SCHEMES, TokenScheme, make_scheme
from lanecast.transport.units import MS, SECOND, Ns

GAP = 20 * MS
ONE_WAY = 50 * MS
RTT = 2 * ONE_WAY


def delays(name: str, *, lost: set[int], tokens: int = 40, gap: Ns = GAP, **options: Any) -> list[Ns]:
    """Return render delay beyond one way for each token when these packets (by number) are lost."""
    _, receiver = run_scripted(
        make_scheme(name, **options),
        tokens=tokens,
        gap=gap,
        one_way=ONE_WAY,
        warm=RTT,
        data_lost=lambda k, _now: k in lost,
    )
    return [r - i * gap - ONE_WAY for i, r in enumerate(receiver.rendered)]


def variation(samples: int) -> Ns:
    """Return rttvar after so many exact samples of a warm estimator."""
    var = RTT // 4
    for _ in range(samples):
        var = 3 * var // 4
    return var


@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_every_built_in_scheme_conforms(name: str) -> None:
    assert check_scheme(lambda: make_scheme(name)) == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dup-ack", {"rto": "prototype"}),
        ("duplicate", {"spacing": "half"}),
        ("duplicate", {"spacing": "20ms", "copies": 3}),
        ("fec", {"code": "xor"}),
        ("fec", {"rate": 1.5}),
        ("eloquent-times", {"times": 3}),
        ("eloquent-probes", {"spacing": 50 * MS}),
    ],
)
def test_variants_conform(name: str, options: dict[str, Any]) -> None:
    assert check_scheme(lambda: make_scheme(name, **options)) == []


def test_an_unknown_scheme_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="eloquent"):
        make_scheme("nope")
    with pytest.raises(ValueError, match="cannot be made"):
        make_scheme("lanecast.transport.tokens.scheme:Nope")
    with pytest.raises(TypeError, match="expected a TokenScheme"):
        make_scheme("lanecast.transport.tokens.bucket:ExtraBucket")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dup-ack", {"rto": "2s"}),
        ("duplicate", {"copies": 0}),
        ("duplicate", {"spacing": "third"}),
        ("fec", {"code": "rs"}),
        ("eloquent-probes", {"spacing": 0}),
        ("eloquent-times", {"times": 0}),
        ("adaptive", {"pace": 0.0}),
    ],
)
def test_impossible_options_are_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected|must be"):
        make_scheme(name, **options)


class Forgetful(TokenScheme):
    """Sends every token once; what is lost stays lost."""


class Backwards(TokenScheme):
    def carry(self, ledger: Ledger, now: Ns) -> Any:
        if ledger.unsent < ledger.generated:
            return (ledger.unsent, ledger.unsent + 1, 0, 1)
        return None


class Greedy(TokenScheme):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def deadline(self, ledger: Ledger, now: Ns) -> Ns:
        return now

    def carry(self, ledger: Ledger, now: Ns) -> Any:
        self.calls += 1
        return super().carry(ledger, now)


class Moody(TokenScheme):
    made = 0

    def __init__(self) -> None:
        super().__init__()
        Moody.made += 1
        self.twice = Moody.made % 2 == 0
        self.again = -1

    def carry(self, ledger: Ledger, now: Ns) -> Any:
        if self.twice and ledger.unsent == ledger.generated and self.again != ledger.unsent:
            self.again = ledger.unsent
            return (ledger.unsent - 1, ledger.unsent)
        return super().carry(ledger, now)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Forgetful, "nothing happens"),
        (Backwards, "rising"),
        (Greedy, "no progress"),
        (Moody, "different packets"),
    ],
)
def test_a_broken_scheme_is_caught(make: type[TokenScheme], words: str) -> None:
    assert any(words in fault for fault in check_scheme(make))


def test_a_scheme_from_outside_is_made_by_module_and_class() -> None:
    made = make_scheme("lanecast.transport.tokens.eloquent:EloquentTimes", times=3)
    assert getattr(made, "times") == 3  # noqa: B009 - the static type is the base


def test_dup_ack_repairs_after_three_later_acks() -> None:
    late = delays("dup-ack", lost={10})
    assert late[10] == 3 * GAP + RTT  # the fourth packet arrives, its ACK comes back, the repair goes out
    assert late[9] == 0
    assert late[10 + 8] == 0  # the last blocked one was generated 7 gaps later


def test_rack_repairs_when_the_reordering_window_is_over() -> None:
    late = delays("rack-tlp", lost={10})
    # the next token's ACK starts the clock at g + gap + R; three more SACKs take the window to 0 before R/4 is over
    assert late[10] == RTT + RTT // 4


def test_rack_waits_a_quarter_round_trip_for_stragglers_at_wide_gaps() -> None:
    assert delays("rack-tlp", lost={10}, gap=50 * MS)[10] == 50 * MS + RTT
    assert delays("rack-tlp", lost={10}, gap=10 * MS)[10] == min(RTT + RTT // 4, 3 * 10 * MS + RTT)


def test_a_lost_last_segment_waits_for_the_tail_loss_probe() -> None:
    late = delays("rack-tlp", lost={39})
    # RFC 8985 7.2: 2 srtt + 200 ms from the last ACK (a flight of one), but no later than the timeout
    last_ack = 38 * GAP + RTT - 39 * GAP
    assert late[39] == last_ack + 200 * MS
    assert delays("rack-tlp", lost={39}, rto="1s")[39] == last_ack + 2 * RTT + 200 * MS


def test_a_lost_last_segment_waits_for_the_timeout_of_dup_ack() -> None:
    late = delays("dup-ack", lost={39}, rto="1s")
    assert late[39] == 38 * GAP + RTT - 39 * GAP + SECOND  # restarted by the last cumulative ACK


def test_the_timeout_doubles_and_a_cumulative_ack_resets_it() -> None:
    late = delays("dup-ack", lost={0, 1, 2}, tokens=1, rto="200ms")
    rto = RTT + 4 * variation(0)
    assert late[0] == rto + 2 * rto + 4 * rto


def test_http3_probes_after_its_timeout() -> None:
    late = delays("http3", lost={39})
    samples = 19  # every second packet is acknowledged, and the last ACK covers packet 38 after 25 ms
    assert 4 * variation(samples) < MS  # so the granularity of 1 ms counts (RFC 9002 6.2.1)
    pto = RTT + MS + 25 * MS
    assert late[39] == pto


def test_http3_declares_loss_by_packet_number_or_time() -> None:
    late = delays("http3", lost={10})
    # ACKs come at once out of order; 9/8 of the round trip after sending comes before the third later packet
    assert late[10] == min(3 * GAP + RTT, GAP + RTT if GAP > RTT // 8 else RTT + RTT // 8)


def test_bbr_spaces_repairs_at_its_pacing_rate() -> None:
    lost = set(range(10, 16))
    plain, paced = delays("rack-tlp", lost=lost), delays("bbr-paced", lost=lost)
    # the first five are found with one ACK; 45 bytes at the initial window over a round trip, times 2.77
    step = 45 * SECOND // (277 * 14_600 * SECOND // (100 * RTT))
    assert [b - a for a, b in zip(plain[10:15], paced[10:15], strict=True)] == [k * step for k in range(5)]


def test_a_spurious_retransmission_widens_racks_window() -> None:
    scheme = make_scheme("rack-tlp")
    sender, _ = run_scripted(scheme, tokens=40, gap=GAP, one_way=ONE_WAY, warm=RTT)
    assert getattr(scheme, "window_steps") == 1  # noqa: B009 - the static type is the base
    assert sender.passed == 40
