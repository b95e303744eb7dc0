"""Print how the code measures: file and function lengths, annotations, tests against source.

python scripts/house.py            the figures beside their targets
python scripts/house.py --strict   exit 1 if a target is missed
"""  # noqa: INP001 - a script

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Figure:
    """One measure: its value, the target in words, and whether it is met."""

    name: str
    value: float
    target: str
    met: bool
    remark: str = ""

    def __str__(self) -> str:
        word = "" if self.met else "   MISSED"
        return f"{self.name:32} {self.value:8.4g}   {self.target:12}{word}{'   ' + self.remark if self.remark else ''}"


def sources(folder: str) -> list[Path]:
    """Return the Python files of a folder that hold code (not only a docstring)."""
    files = sorted((ROOT / folder).rglob("*.py"))
    return [one for one in files if len(one.read_text().splitlines()) > 1]


def functions(path: Path) -> Iterator[Function]:
    """Yield every function and method of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield node


def length(function: Function) -> int:
    """Return the lines of a function's body without its docstring."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 1


def is_annotated(function: Function) -> bool:
    """Tell whether the result and all arguments but self and cls are annotated."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    named = [one for one in arguments if one.arg not in ("self", "cls")]
    constructor = function.name in ("__init__", "__dealloc__")
    return (function.returns is not None or constructor) and all(one.annotation is not None for one in named)


def quantile(values: list[int], share: float) -> int:
    """Return the least value that `share` of all values do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0


def figures() -> list[Figure]:
    """Return all measures of the package and its tests."""
    files = {path: len(path.read_text().splitlines()) for path in sources("lanecast")}
    tests = sum(len(path.read_text().splitlines()) for path in sources("tests"))
    found = {
        f"{path.stem}.{one.name}:{one.lineno}": (length(one), is_annotated(one))
        for path in files
        for one in functions(path)
    }
    longest = max(found, key=lambda name: found[name][0])
    lengths = [lines for lines, _ in found.values()]
    annotated = sum(good for _, good in found.values()) / len(found)
    bare = next((name for name, (_, good) in found.items() if not good), "")
    lines = list(files.values())
    biggest = max(files, key=lambda path: files[path])
    median, p90 = quantile(lines, 0.5), quantile(lines, 0.9)
    return [
        Figure("files", len(files), "", met=True),
        Figure("median file, lines", median, "120 to 250", 120 <= median <= 250),
        Figure("p90 file, lines", p90, "<= 400", p90 <= 400),
        Figure(
            "longest file, lines", max(lines), "<= 400", max(lines) <= 400, str(biggest.relative_to(ROOT))
        ),
        Figure("functions", len(found), "", met=True),
        Figure("median function, lines", quantile(lengths, 0.5), "<= 10", quantile(lengths, 0.5) <= 10),
        Figure("longest function, lines", max(lengths), "<= 40", max(lengths) <= 40, longest),
        Figure("functions annotated, %", 100 * annotated, "100", annotated == 1.0, bare),
        Figure("source lines", sum(lines), "", met=True),
        Figure("tests : source", tests / sum(lines), ">= 1", tests >= sum(lines)),
    ]


def main(arguments: list[str]) -> int:
    """Print the figures."""
    measured = figures()
    sys.stdout.write("\n".join(str(one) for one in measured) + "\n")
    return 1 if "--strict" in arguments and not all(one.met for one in measured) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
