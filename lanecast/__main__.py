"""`python -m lanecast` is the `lanecast` command."""

from __future__ import annotations

import sys

from lanecast.experiments.cli import main

if __name__ == "__main__":
    sys.exit(main())
