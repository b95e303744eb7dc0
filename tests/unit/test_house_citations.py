"""Every document that the code cites is listed in docs/references.md."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = re.compile(r"\bRFC[ \n]+(?:#\s*)?(\d{3,5})\b|\barXiv[ :](\d{4}\.\d{4,5})\b")
LISTED = re.compile(r"^\|\s*(?:RFC (\d+)|arXiv (\d{4}\.\d{4,5}))\s*\|", re.MULTILINE)


def cited(text: str) -> set[str]:
    """Return what a text cites: `RFC 9002`, `arXiv 2401.12961`."""
    return {f"RFC {rfc}" if rfc else f"arXiv {arxiv}" for rfc, arxiv in DOCUMENT.findall(text)}


def listed(text: str) -> list[str]:
    """Return the documents that the references' tables name, in their order."""
    return [f"RFC {rfc}" if rfc else f"arXiv {arxiv}" for rfc, arxiv in LISTED.findall(text)]


def citations() -> dict[str, set[str]]:
    """Return the citing files of each document."""
    found: dict[str, set[str]] = {}
    for folder in ("lanecast", "tests", "benchmarks", "examples"):
        for source in sorted((ROOT / folder).rglob("*")):
            if source.suffix in {".py", ".pxd", ".cc", ".toml"}:
                for document in cited(source.read_text()):
                    found.setdefault(document, set()).add(str(source.relative_to(ROOT)))
    return found


def test_every_cited_document_is_listed() -> None:
    known = set(listed((ROOT / "docs" / "references.md").read_text()))
    missing = {
        document: sorted(files)[:3] for document, files in citations().items() if document not in known
    }
    missing.pop("RFC 99999", None)  # made up, in the examples below
    assert missing == {}


def test_no_document_is_listed_twice() -> None:
    names = listed((ROOT / "docs" / "references.md").read_text())
    assert len(names) == len(set(names))


def test_the_core_s_standards_are_among_those_found() -> None:
    assert {"RFC 9002", "RFC 3168"} <= set(citations())


def test_citations_are_recognised_in_every_form_in_use() -> None:
    assert cited("RFC 99999 6.2.1, (RFC 99999)\n# see RFC\n#   99999") == {"RFC 99999"}
    assert cited("RFCs in general, RFC 9, arXiv") == set()
    assert listed("| RFC 99999 | a title |\nRFC 3 in prose\n| arXiv 2401.12961 | b |") == [
        "RFC 99999",
        "arXiv 2401.12961",
    ]
