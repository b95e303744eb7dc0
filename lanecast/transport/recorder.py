"""Per-packet log: rows of integers in one growing array, never objects.

A row is (time ns, stage id, event, flow, kind, packet number, size bytes, ECN, value); `value` is the sojourn time for
TAKE and MARK, the one-way delay since `Packet.sent` for DELIVER, and the reason for DROP. Stages that can log
have a `log` attribute, None by default, and a `log_id`.
"""

from __future__ import annotations

from array import array
from typing import Any

import cython
import numpy as np

from lanecast.transport.stage import Packet
from lanecast.transport.units import Int, Ns

SEND = 0
ENQUEUE = 1
TAKE = 2
MARK = 3
DROP = 4
LOSE = 5  # lost on the wire (impairment)
DELIVER = 6
EVENTS = ("send", "enqueue", "take", "mark", "drop", "lose", "deliver")
COLUMNS = ("time_ns", "stage", "event", "flow", "kind", "pn", "size", "ecn", "value")
WIDTH = 9
FIRST_ROWS = 4096


class PacketLog:
    """Rows of the nine `COLUMNS`, in the order in which they happened."""

    def __init__(self) -> None:
        self.count = 0
        self.stages: list[str] = []
        self._rows: Any = np.empty((FIRST_ROWS, WIDTH), dtype=np.int64) if cython.compiled else array("q")

    def register(self, name: str) -> int:
        """Return the id under which a stage logs."""
        self.stages.append(name)
        return len(self.stages) - 1

    def row(self, now: Ns, stage: Int, event: Int, packet: Packet, value: Int) -> None:
        """Append one row."""
        self.count += 1
        if cython.compiled:
            self._fill(now, stage, event, packet, value)
        else:
            self._rows.extend(
                (now, stage, event, packet.flow, packet.kind, packet.pn, packet.size, packet.ecn, value)
            )

    def _fill(self, now: Ns, stage: Int, event: Int, packet: Packet, value: Int) -> None:
        place: cython.Py_ssize_t = self.count - 1
        if place == self._rows.shape[0]:
            grown = np.empty((2 * place, WIDTH), dtype=np.int64)
            grown[:place] = self._rows
            self._rows = grown
        self._rows[place, 0] = now
        self._rows[place, 1] = stage
        self._rows[place, 2] = event
        self._rows[place, 3] = packet.flow
        self._rows[place, 4] = packet.kind
        self._rows[place, 5] = packet.pn
        self._rows[place, 6] = packet.size
        self._rows[place, 7] = packet.ecn
        self._rows[place, 8] = value

    def table(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return all rows, (count, 9) int64."""
        if cython.compiled:
            return np.asarray(self._rows)[: self.count].copy()
        return np.array(self._rows, dtype=np.int64).reshape(self.count, WIDTH)

    def columns(self) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
        """Return the rows as one int64 array a column, by name."""
        table = self.table()
        return {name: np.ascontiguousarray(table[:, place]) for place, name in enumerate(COLUMNS)}
