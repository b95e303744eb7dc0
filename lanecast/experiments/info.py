"""What is here: versions, which core modules run compiled, which optional parts are installed."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from typing import Any

from lanecast.experiments.results import environment

EXTRAS: dict[str, tuple[str, ...]] = {
    "plot": ("matplotlib", "pandas"),
    "progress": ("rich",),
    "ml": ("torch",),
    "llm": ("transformers", "gguf", "peft"),
    "parquet": ("pyarrow",),
    "dask": ("distributed",),
    "ray": ("ray",),
}
"""Extra -> the packages whose presence means that it works."""
COMPILERS = ("cc", "gcc", "clang")


def information() -> dict[str, Any]:
    """Return versions, compiled and plain core modules, machine, and the state of each extra."""
    extras = {name: all(find_spec(package) for package in packages) for name, packages in EXTRAS.items()}
    compiler = next((name for name in COMPILERS if shutil.which(name)), "")
    return {**environment(), "extras": extras, "compiler": compiler}


def info_lines(found: dict[str, Any]) -> list[str]:
    """Return the information as lines for a person."""
    lines = [f"{name} {version}" for name, version in found["versions"].items()]
    machine = found["machine"]
    lines.append(
        f"machine {machine['system']}, {machine['cpus']} CPUs; C compiler: {found['compiler'] or 'none'}"
    )
    lines.append(f"core modules: {len(found['compiled'])} compiled, {len(found['plain'])} plain Python")
    lines += [f"  compiled  {name}" for name in found["compiled"]]
    lines += [f"  plain     {name}" for name in found["plain"]]
    for name, present in found["extras"].items():
        lines.append(f"extra {name}: {'installed' if present else f'missing (pip install lanecast[{name}])'}")
    return lines
