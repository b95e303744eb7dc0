"""Synthetic capacity: traces of named link classes, generated from fitted numbers that ship with the package.

`make("5g-mmwave-walking", duration_s=600, seed=1)` returns a trace of form B (bit/s in bins of the class's step).
The model is in `classmodel.py`, the numbers in `synthetic.json` (made by `fit.py`), how well they do in
docs/generators.md. The same name, seed and index give the same bits; traces 0..n-1 of one seed are stratified
over the class's levels, spreads and outage rates.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from zlib import crc32

import msgspec
import numpy as np

from lanecast.traces.classfile import load_class
from lanecast.traces.classmodel import BIT_S_PER_MBPS, ClassParameters, Ranks, draw, rotated
from lanecast.traces.packets import place
from lanecast.traces.trace import NS_PER_S, Int64s, Opportunities, Provenance, Rate, Trace

FORMS = ("rate", "opportunities")
CLASS_FILE = ".json"
_PARAMETERS_FILE = "synthetic.json"


_PAGES = msgspec.json.decode(
    resources.files("lanecast.traces").joinpath(_PARAMETERS_FILE).read_bytes(), type=dict[str, msgspec.Raw]
)

CLASSES: tuple[str, ...] = tuple(_PAGES)
"""Names of the classes that `make` knows."""


@cache
def _shipped(name: str) -> ClassParameters:
    return msgspec.json.decode(_PAGES[name], type=ClassParameters)


def parameters_of(name: str) -> ClassParameters:
    """Return the fitted numbers of a class that ships, or of a class file `NAME.json` (see `classfile.py`).

    Raises:
        ValueError: no class has that name.
        TraceError: the file is no class file.
    """
    if name in _PAGES:
        return _shipped(name)
    if name.endswith(CLASS_FILE):
        return load_class(name)
    raise ValueError(
        f"synthetic class is {name!r}, expected one of {', '.join(CLASSES)}, or a file NAME{CLASS_FILE}"
    )


def stream(name: str, seed: int, *index: int) -> np.random.Generator:
    """Return the stream of one trace, or without `index` of the whole class under `seed`."""
    key = np.random.SeedSequence(entropy=seed, spawn_key=(crc32(name.encode()), *index))
    return np.random.Generator(np.random.PCG64DXSM(key))


def _uniforms(name: str, seed: int, index: int) -> Ranks:
    """Return the uniform numbers in 0..1 that pick trace `index`: one rotated sequence a seed."""
    first, second, third = stream(name, seed).random(3).tolist()
    return rotated((first, second, third), index)


def generate(
    parameters: ClassParameters,
    name: str,
    *,
    duration_s: float,
    seed: int,
    index: int = 0,
    form: str = "rate",
) -> Trace:
    """Return a trace drawn from `parameters`; `name` picks the random stream and goes into the provenance.

    Args:
        parameters: numbers of a class, shipped or from `fit.fit_class`.
        name: any text.
        duration_s: length, s, > 0; the last bin is cut to it.
        seed: 0 or more.
        index: which trace of the seed's set, 0 or more.
        form: "rate" (bit/s in bins), or "opportunities" (packets on a 1 ms grid) where the class has a packet layer.

    Raises:
        ValueError: a number is out of range, or the class has no such form.
    """
    end = round(duration_s * NS_PER_S)
    if end < 1:
        raise ValueError(f"duration_s is {duration_s}, expected > 0")
    if seed < 0 or index < 0:
        raise ValueError(f"seed and index are {seed} and {index}, expected 0 or more")
    if form not in FORMS:
        raise ValueError(f"form is {form!r}, expected one of {', '.join(FORMS)}")
    step = round(parameters.step_s * NS_PER_S)
    bins = -(-end // step)
    mbps = draw(parameters, bins, _uniforms(name, seed, index), stream(name, seed, index))
    rates = np.rint(mbps * BIT_S_PER_MBPS).astype(np.int64)
    capacity: Rate | Opportunities = Rate(np.arange(bins) * step, rates, end)
    if form == "opportunities":
        capacity = _opportunities(parameters, name, rates, end, seed, index)
    made = f"synthetic({name}, duration_s={duration_s:g}, seed={seed}, index={index}, form={form})"
    provenance = Provenance(set="synthetic", format="synthetic", kind="generated", chain=(made,), seed=seed)
    return Trace(capacity=capacity, provenance=provenance)


def _opportunities(
    parameters: ClassParameters, name: str, rates: Int64s, end: int, seed: int, index: int
) -> Opportunities:
    """Return packets at `rates` (bit/s a step) up to `end`; the packet layers are taken in turn by index."""
    layers = parameters.packets
    if not layers:
        raise ValueError(
            f"class {name} is known as rates only, expected one with a packet layer for opportunities"
        )
    first = int(stream(f"{name}/layer", seed).integers(len(layers)))
    layer = layers[(first + index) % len(layers)]
    times = place(rates, round(parameters.step_s * NS_PER_S), layer, stream(f"{name}/packets", seed, index))
    times = times[times <= end]
    if not times.size:
        raise ValueError(f"{name} offers no packet in {end} ns, expected a longer duration_s")
    return Opportunities(times, end=end)


def make(name: str, *, duration_s: float, seed: int, index: int = 0, form: str = "rate") -> Trace:
    """Return synthetic trace `index` of class `name`, `duration_s` seconds long.

    `name` is one of `CLASSES`, or a class file `NAME.json`, whose title then names the random stream.

    Raises:
        ValueError: unknown class, a number out of range, or a form that the class lacks (see `generate`).
        TraceError: the file is no class file.
    """
    parameters = parameters_of(name)
    label = name if name in _PAGES else parameters.title
    return generate(parameters, label, duration_s=duration_s, seed=seed, index=index, form=form)
