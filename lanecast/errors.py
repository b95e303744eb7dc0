"""Error types: every one names the file or object, the field or line, the value, and what was expected.

`LanecastError` is the root; the command line turns it into one line on stderr and an exit code
(`exit_code`), never a traceback. Misuse of the Python API raises the built-in ValueError or TypeError;
an impossible state is an `assert` with a sentence.
"""

from __future__ import annotations


class LanecastError(Exception):
    """Anything that lanecast reports to a user."""

    exit_code = 4


class PlanError(LanecastError):
    """A plan (TOML file or `--set`) says something impossible; `where` is the key path."""

    exit_code = 2

    def __init__(self, file: str, where: str, message: str) -> None:
        self.file = file
        self.where = where
        self.message = message
        super().__init__(f"{file}: {where}: {message}" if where else f"{file}: {message}")


class TraceError(LanecastError):
    """A trace file cannot be read or written; `line` counts from 1, 0 when the fault has no line."""

    exit_code = 2

    def __init__(self, file: str, line: int, message: str) -> None:
        self.file = file
        self.line = line
        self.message = message
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")


class WireError(LanecastError):
    """Received bytes do not parse; `offset` is the byte at which parsing stopped."""

    def __init__(self, offset: int, message: str) -> None:
        self.offset = offset
        self.message = message
        super().__init__(f"byte {offset}: {message}")


class ResultError(LanecastError):
    """A result file is missing, damaged, or of a newer format."""

    exit_code = 2


class UsageError(LanecastError):
    """A command line that parses but cannot be carried out as written."""

    exit_code = 2


class CapabilityError(LanecastError):
    """Something optional is missing here; the message says how to get it."""

    exit_code = 3

    def __init__(self, what: str, how: str) -> None:
        self.what = what
        self.how = how
        super().__init__(f"{what} is not available: {how}")


class RunFailed(LanecastError):  # noqa: N818 - the outcome of a run, not a fault of an input
    """One or more runs of a sweep failed; their rows carry the reason."""

    exit_code = 4


class ClaimShort(LanecastError):  # noqa: N818 - the outcome of a check, not a fault of an input
    """A check or a reproduction missed its bound (`--strict`)."""

    exit_code = 5
