from __future__ import annotations

import subprocess
import sys

FILL = """
from lanecast.l4s.queue import Queue
from lanecast.transport.stage import make_packet
queue = Queue()
for pn in range(300_000):
    queue.offer(pn, make_packet(0, 0, 100, 0, pn, pn, pn))
del queue
print("freed")
"""


def test_a_long_queue_is_freed_without_recursion() -> None:
    done = subprocess.run([sys.executable, "-c", FILL], capture_output=True, text=True, check=False)
    assert done.stdout == "freed\n"
