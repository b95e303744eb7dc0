"""Import finder behind `LANECAST_PURE=1`: core modules are taken from their `.py`, not from the extension.

An extension beside a `.py` shadows it; this finder, put at the front of `sys.meta_path`, answers every
`lanecast.*` name whose `.py` exists with that source file.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class PureFinder(MetaPathFinder):
    """Find `lanecast.*` modules as plain Python source."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of the `.py` file of a lanecast module, or None to let others search."""
        del target
        if not fullname.startswith("lanecast.") or path is None:
            return None
        stem = fullname.rpartition(".")[2]
        for folder in path:
            source = Path(folder) / f"{stem}.py"
            if source.is_file():
                return spec_from_file_location(fullname, source)
        return None


def install() -> None:
    """Put the finder first, once."""
    if not any(isinstance(finder, PureFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, PureFinder())
