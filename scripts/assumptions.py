"""List every number that the code calls an assumption in docs/assumptions.md.

python scripts/assumptions.py           rewrite the list
python scripts/assumptions.py --check   exit 1 if it is not current
"""  # noqa: INP001 - a script

from __future__ import annotations

import re
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "assumptions.md"
HEADER = """# Assumptions

Numbers and rules for which we know no source. Each is named in the code with the word "assumption"; this list is
made from there by `python scripts/assumptions.py`, and a test fails when it is not current.

| module | assumption |
|---|---|
"""
WORD = "assumption"
CONSTANT = re.compile(r"\s*[A-Z_][A-Z0-9_]*\b.* = ")


def passages(path: Path) -> list[str]:
    """Return each comment or paragraph of a docstring that holds the word, with what it stands beside."""
    with tokenize.open(path) as stream:
        lines = stream.readlines()
    found = []
    previous = -2  # line of the last passage taken
    for place, line in enumerate(lines):
        if WORD not in line.lower():
            continue
        start, end = _extent(lines, place)
        if start > previous:
            found.append(" ".join(one.strip().lstrip("#").strip() for one in lines[start : end + 1]))
        previous = end
    return [" ".join(one.replace('"""', "").replace("|", "\\|").split()) for one in found]


def document() -> str:
    """Return the whole list as text."""
    rows = [
        f"| `{path.relative_to(ROOT / 'lanecast')}` | {passage} |"
        for path in sorted((ROOT / "lanecast").rglob("*.py"))
        for passage in passages(path)
    ]
    return HEADER + "\n".join(rows) + "\n"


def main(arguments: list[str]) -> int:
    """Write the list, or check it."""
    if "--check" in arguments:
        return 0 if TARGET.exists() and TARGET.read_text() == document() else 1
    TARGET.write_text(document())
    return 0


def _extent(lines: list[str], place: int) -> tuple[int, int]:
    """Return the first and last line of the passage around a line: comment block, sentence, or one line."""
    stripped = lines[place].strip()
    if not stripped.startswith("#") and "#" in lines[place]:
        return place, place
    start = end = place
    comment = stripped.startswith("#")
    while start > 0 and not _opens(lines[start]) and _joins(lines[start - 1], comment=comment):
        if lines[start - 1].rstrip().endswith((".", ":")):
            break
        start -= 1
    if start > 0 and _opens(lines[start]) and CONSTANT.match(lines[start - 1]):
        start -= 1  # the constant that the text describes
    while end + 1 < len(lines) and not lines[end].rstrip().endswith((".", '"""')):
        if not _joins(lines[end + 1], comment=comment):
            break
        end += 1
    return start, end


def _opens(line: str) -> bool:
    """Tell whether a text begins on this line."""
    return line.strip().startswith('"""') and len(line.strip()) > len('"""')


def _joins(line: str, *, comment: bool) -> bool:
    """Tell whether a line goes on with the passage."""
    stripped = line.strip()
    return (
        stripped.startswith("#")
        if comment
        else bool(stripped) and not stripped.startswith(("def ", "class ", "#"))
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
