"""A path driven by hand: push packets in, pull them out, and ask when something will happen next.

Run it:  python path_by_hand.py
"""

from __future__ import annotations

from lanecast.emulation.capacity import Capacity
from lanecast.emulation.delay import Delay
from lanecast.emulation.link import Link
from lanecast.emulation.path import Path
from lanecast.l4s.codel import CoDel
from lanecast.transport.calendar import Calendar
from lanecast.transport.stage import DATA, ECT0, make_packet
from lanecast.transport.units import MS, NEVER

calendar = Calendar()
path = Path(calendar, Link(calendar, CoDel(ecn=True), Capacity(12_000_000)), Delay(calendar, 10 * MS))
for pn in range(3):  # three packets of 1500 bytes at once: 1 ms each at 12 Mbit/s
    path.push(0, make_packet(0, DATA, 1500, ECT0, pn, pn, 0))
while (now := path.next_event()) < NEVER:
    while (packet := path.pull(now)) is not None:
        print(f"packet {packet.pn} came out at {now / MS:.3f} ms")
