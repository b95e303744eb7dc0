"""Build the compiled core: every `lanecast/**/X.pxd` names a module that is compiled from its `X.py`.

Without a compiler the install goes on and the same files run as plain Python (`lanecast info` tells which).
`LANECAST_NO_EXT=1` skips compiling.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
# -ffp-contract=off: no fused multiply-add, so compiled and plain runs give the same bits.
FLAGS = ["-O2", "-g0", "-ffp-contract=off"]
MACROS = [("CYTHON_CLINE_IN_TRACEBACK", "0")]  # no C line numbers in tracebacks: a fifth of the build time
DIRECTIVES = {
    "language_level": 3,
    # Index checks stay on: an index error must be the same IndexError in both forms, at no measurable cost.
    "boundscheck": True,
    "wraparound": True,
    "initializedcheck": False,
    "auto_pickle": False,  # a run's parts stay in their process; saves a fifth of the C code
    "cdivision": False,  # Python's meaning of // and % on negative numbers, at no measurable cost
}


def core_modules() -> list[Extension]:
    """One extension for each `.pxd` that has a `.py` of the same stem."""
    found = []
    for pxd in sorted((ROOT / "lanecast").rglob("*.pxd")):
        source = pxd.with_suffix(".py").relative_to(ROOT)
        if pxd.stem != "__init__" and (ROOT / source).is_file():
            name = ".".join(source.with_suffix("").parts)
            found.append(Extension(name, [str(source)], extra_compile_args=FLAGS, define_macros=MACROS))
    return found


def cythonized() -> list[Extension]:
    """Translate the core to C, or nothing where that is not wanted or not possible."""
    if os.environ.get("LANECAST_NO_EXT", "0") not in ("", "0"):
        return []
    try:
        from Cython.Build import cythonize
    except ImportError:
        print("lanecast: Cython is missing; the core will run as plain Python", file=sys.stderr)
        return []
    built: list[Extension] = cythonize(
        core_modules(),
        compiler_directives=DIRECTIVES,
        build_dir="build/cython",
        nthreads=os.cpu_count() or 1,
        exclude_failures=True,  # a fault of one module must not take the others along
        quiet=True,
    )
    return built


class TolerantBuild(build_ext):
    """Drop an extension that does not compile, with its name; the `.py` then serves."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except Exception as error:  # any compiler failure means: run this module as Python
            print(
                f"lanecast: {ext.name} was not compiled ({error}); it runs as plain Python", file=sys.stderr
            )

    def _built(self, ext: Extension) -> bool:
        return Path(self.build_lib, self.get_ext_filename(ext.name)).exists()

    def copy_extensions_to_source(self) -> None:
        self.extensions = [ext for ext in self.extensions if self._built(ext)]
        super().copy_extensions_to_source()

    def get_outputs(self) -> list[str]:
        return [path for path in super().get_outputs() if Path(path).exists()]


setup(ext_modules=cythonized(), cmdclass={"build_ext": TolerantBuild})
