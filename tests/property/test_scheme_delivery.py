"""Whatever is lost, every scheme shows every token, once, in order, and stays within its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.transport.tokens.check import run_scripted
from lanecast.transport.tokens.scheme import SCHEMES, make_scheme
from lanecast.transport.units import MS, NEVER, SECOND, Ns

PATTERN = 4 * SECOND  # after this time nothing is lost any more
ADVERSE = st.tuples(
    st.lists(st.booleans(), max_size=80),  # fate of the first packets, by number
    st.lists(
        st.tuples(st.integers(0, 3900), st.integers(1, 900)), max_size=4
    ),  # outages: start, length in ms
)


def fate(pattern: tuple[list[bool], list[tuple[int, int]]], k: int, now: Ns) -> bool:
    losses, outages = pattern
    if now >= PATTERN:
        return False
    return (k < len(losses) and losses[k]) or any(a * MS <= now < (a + n) * MS for a, n in outages)


@pytest.mark.parametrize("name", sorted(SCHEMES))
@settings(max_examples=25, deadline=None)
@given(
    there=ADVERSE, back=ADVERSE, gap=st.sampled_from([5, 20, 50, 100]), one_way=st.sampled_from([1, 15, 100])
)
def test_under_any_loss_every_token_is_rendered_in_order(
    name: str,
    there: tuple[list[bool], list[tuple[int, int]]],
    back: tuple[list[bool], list[tuple[int, int]]],
    gap: int,
    one_way: int,
) -> None:
    sender, receiver = run_scripted(
        make_scheme(name),
        tokens=40,
        gap=gap * MS,
        one_way=one_way * MS,
        data_lost=lambda k, now: fate(there, k, now),
        acks_lost=lambda k, now: fate(back, k, now),
    )
    assert len(receiver.rendered) == 40
    assert NEVER not in receiver.rendered
    assert receiver.rendered == sorted(receiver.rendered)
    assert all(r >= i * gap * MS + one_way * MS for i, r in enumerate(receiver.rendered))
    assert all(a <= r for a, r in zip(receiver.arrivals, receiver.rendered, strict=True))
    ledger = sender.ledger
    assert ledger.acked_count == ledger.cumulative == 40
    assert sender.sent_bytes == ledger.sent_prefix[ledger.next_pn]
    assert ledger.sent_at == sorted(ledger.sent_at)


@settings(max_examples=25, deadline=None)
@given(
    there=ADVERSE,
    rate=st.floats(0, 2),
    burst=st.integers(1, 20),
    name=st.sampled_from(["adaptive", "eloquent-probes"]),
)
def test_extra_packets_stay_within_the_bucket(
    there: tuple[list[bool], list[tuple[int, int]]], rate: float, burst: int, name: str
) -> None:
    scheme = make_scheme(name, bucket_rate=rate, bucket_burst=burst)
    run_scripted(scheme, tokens=60, gap=50 * MS, data_lost=lambda k, now: fate(there, k, now))
    bucket = scheme.bucket  # type: ignore[attr-defined]
    assert 0 <= bucket.level <= burst
    assert bucket.spent <= bucket.earned + 1e-9 <= burst + 60 * rate + 1e-6


@settings(max_examples=20, deadline=None)
@given(there=ADVERSE, name=st.sampled_from(sorted(SCHEMES)))
def test_equal_losses_give_equal_runs(there: tuple[list[bool], list[tuple[int, int]]], name: str) -> None:
    runs = [run_scripted(make_scheme(name), data_lost=lambda k, now: fate(there, k, now)) for _ in range(2)]
    assert runs[0][0].ledger.sent_at == runs[1][0].ledger.sent_at
    assert runs[0][1].rendered == runs[1][1].rendered
