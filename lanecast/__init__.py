"""lanecast: a trace-driven network transport and packet-scheduling emulator.

Set `LANECAST_PURE=1` to run the core modules as plain Python even where compiled forms exist.
"""

from __future__ import annotations

import os

__version__ = "0.1.0"

if os.environ.get("LANECAST_PURE", "0") not in ("", "0"):
    from lanecast import _pure

    _pure.install()
