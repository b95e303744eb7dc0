"""A deliberately naive link, to judge the real one: it shares no code and no data structure with it.

Opportunities are expanded into one explicit list, arrivals and opportunities are walked in time order, the queue is a
list. Semantics are those of Mahimahi's `link_queue.cc`: at equal times the opportunity comes first; credit that
finds nothing to send is lost; the packet in transit counts against no limit. Used by `lanecast bench
exactness` and by the oracle tests, never by a simulation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

NEVER_SENT = -1
DROPPED = -2


def expand(times: Sequence[int], until: int, *, loop: bool = True) -> Iterator[int]:
    """Yield every opportunity (ns) up to and including `until`, the trace repeated as often as it takes."""
    base = 0
    while base <= until:
        for time in times:
            if base + time <= until:
                yield base + time
        base += times[-1]
        if not loop:
            break


def departures(
    opportunities: Iterable[int],
    arrivals: Sequence[int],
    sizes: Sequence[int],
    *,
    bytes_each: int = 1500,
    overhead: int = 0,
    limit_packets: int = 0,
    limit_bytes: int = 0,
) -> list[int]:
    """Return each packet's departure time (ns), DROPPED, or NEVER_SENT when the opportunities end first."""
    result = [NEVER_SENT] * len(arrivals)
    waiting: list[int] = []
    first = 0  # waiting[first:] is the queue; served packets stay in front
    backlog = 0
    transit = -1
    left = 0
    arrival = 0
    after_all = arrivals[-1] + 1
    # One turn more: arrivals after the last opportunity meet the limit too.
    for time, credit_here in chain(((time, bytes_each) for time in opportunities), [(after_all, 0)]):
        while arrival < len(arrivals) and arrivals[arrival] < time:
            packets = len(waiting) - first
            too_many = limit_packets > 0 and packets + 1 > limit_packets
            too_big = limit_bytes > 0 and backlog + sizes[arrival] > limit_bytes
            if too_many or too_big:
                result[arrival] = DROPPED
            else:
                waiting.append(arrival)
                backlog += sizes[arrival]
            arrival += 1
        credit = credit_here
        while credit > 0:
            if transit < 0:
                if first == len(waiting):
                    break
                transit = waiting[first]
                first += 1
                backlog -= sizes[transit]
                left = sizes[transit] + overhead
            sent = min(credit, left)
            credit -= sent
            left -= sent
            if left == 0:
                result[transit] = time
                transit = -1
        if arrival == len(arrivals) and first == len(waiting) and transit < 0:
            break
    return result


def fluid_departures(
    starts: Sequence[int],
    rates_bps: Sequence[int],
    end: int,
    arrivals: Sequence[int],
    sizes: Sequence[int],
    *,
    loop: bool = True,
) -> list[int]:
    """Return departures (ns, rounded up) of an unlimited FIFO behind a piecewise-constant rate, in exact fractions.

    Each packet's work begins at the exact (fractional) end of the one before, or at its arrival. Without `loop` the
    last rate holds.
    """
    from fractions import Fraction  # noqa: PLC0415 - only the oracle needs it

    free = Fraction(0)
    result: list[int] = []
    for arrival, size in zip(arrivals, sizes, strict=True):
        time = max(free, Fraction(arrival))
        need = Fraction(size * 8 * 10**9)
        while need > 0:
            base = (time // end) * end if loop else 0
            place = max(i for i, start in enumerate(starts) if base + start <= time)
            is_last = place + 1 == len(starts)
            until = base + (end if is_last else starts[place + 1])
            rate = rates_bps[place]
            if rate > 0 and (need <= (until - time) * rate or (is_last and not loop)):
                time += need / rate
                need = Fraction(0)
            else:
                need -= (until - time) * rate
                time = Fraction(until)
        free = time
        result.append(-int(-time // 1))
    return result
