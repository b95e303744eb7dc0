"""Task specifications: canonical form and hash, ranges, normalisation, stacking."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from lanecast.abr.controllers.base import AbrObservation, abr_spec
from lanecast.abr.kv.controller import KvObservation, kv_spec
from lanecast.transport.decision.task import (
    Box,
    Discrete,
    Entry,
    Observation,
    SpecMismatchError,
    TaskSpec,
    frozen,
    observation_type,
    row,
    stack,
)
from lanecast.transport.decision.tasks import (
    MULTIPLIERS,
    CongestionObservation,
    MarkObservation,
    RedundancyObservation,
    ViewportObservation,
    congestion_spec,
    mark_spec,
    redundancy_spec,
    viewport_spec,
)

# Version 1 of each task, frozen here: a trained controller refuses any other. A change needs a new version.
HASHES = {
    "abr/v1": "5c281aec51908225",
    "kv-level/v1": "16e97d98a6722700",
    "l4s-mark/v1": "1c637370bdcd9c6c",
    "tokens-redundancy/v1": "2192aaf789d8a107",
    "cc/v1": "efa72c0ed667896a",
    "viewport/v1": "a0e49c044ff825e9",
}
TASKS = (
    (abr_spec(), AbrObservation),
    (kv_spec(), KvObservation),
    (mark_spec(), MarkObservation),
    (redundancy_spec(), RedundancyObservation),
    (congestion_spec(), CongestionObservation),
    (viewport_spec(), ViewportObservation),
)


def scalar(**changes: object) -> Entry:
    values: dict[str, object] = {"name": "x", "kind": "scalar", "unit": "s", "low": 0, "high": math.inf}
    return Entry(**{**values, **changes})  # type: ignore[arg-type]


def small_spec() -> TaskSpec:
    return TaskSpec(
        name="small", version=1, entries=(scalar(high=4),), action=Discrete(2), reward="0",
        first_decision="start", deadline="none",
    )  # fmt: skip


def abr_observation(**changes: object) -> AbrObservation:
    values: dict[str, object] = {
        "last_kbps": 4300.0,
        "buffer_s": 20.0,
        "throughput": frozen([0, 0, 0, 0, 1.5, 2.0]),
        "download_s": frozen([0, 0, 0, 0, 5.0, 10.0]),
        "next_sizes": frozen([0.15, 0.4, 0.6, 0.9, 1.4, 2.2]),
        "chunks_left": 12,
    }
    return AbrObservation(**{**values, **changes})  # type: ignore[arg-type]


def test_canonical_form_is_sorted_compact_json_with_exact_floats() -> None:
    text = small_spec().canonical()
    assert text.startswith('{"action":{"n":2,"names":[],"type":"Discrete"},"context":[],')
    assert '"low":0.0' in text
    assert '"scale":1.0' in text
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")) == text


def test_hash_is_sha256_of_the_canonical_form() -> None:
    spec = small_spec()
    assert spec.spec_hash == sha256(spec.canonical().encode()).hexdigest()


def test_infinite_bounds_are_written_as_text_so_that_the_form_is_valid_json() -> None:
    text = replace(small_spec(), entries=(scalar(low=-math.inf),)).canonical()
    entry = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["entries"][0]
    assert (entry["low"], entry["high"]) == ("-inf", "inf")


def test_whole_numbers_and_floats_of_one_value_hash_alike() -> None:
    assert replace(small_spec(), entries=(scalar(high=4.0, scale=1.0),)).spec_hash == small_spec().spec_hash


@pytest.mark.parametrize(
    "change", [{"scale": 2}, {"offset": 1}, {"unit": "ms"}, {"clip": (-1.0, 1.0)}, {"missing": 0}]
)
def test_changing_anything_about_an_entry_changes_the_hash(change: dict[str, object]) -> None:
    assert replace(small_spec(), entries=(scalar(high=4, **change),)).spec_hash != small_spec().spec_hash


def test_version_one_of_each_task_is_frozen() -> None:
    assert {spec.id: spec.spec_hash[:16] for spec, _ in TASKS} == HASHES


@pytest.mark.parametrize(("spec", "kind"), TASKS, ids=list(HASHES))
def test_observation_type_has_the_fields_of_its_specification(
    spec: TaskSpec, kind: type[Observation]
) -> None:
    assert kind.__struct_fields__ == tuple(entry.name for entry in spec.entries)
    assert kind.__struct_config__.frozen


def test_require_names_both_specifications() -> None:
    spec = small_spec()
    spec.require(spec.spec_hash, "mine")
    with pytest.raises(SpecMismatchError, match=r"mine was made for specification 0123.*small/v1"):
        spec.require("0123456789abcdef", "mine")


def test_abr_scales_are_those_of_netllm() -> None:
    vector = abr_spec().vector(abr_observation())
    expected = [1.0, 2.0, 0, 0, 0, 0, 1.5, 2.0, 0, 0, 0, 0, 0.5, 1.0, 0.15, 0.4, 0.6, 0.9, 1.4, 2.2, 0.25]
    assert vector.dtype == np.float32
    assert vector == pytest.approx(expected)
    assert abr_spec().width == len(expected)


def test_log_transform_is_taken_before_the_scale() -> None:
    entry = scalar(transform="log1p", offset=1, scale=10)
    assert float(entry.normalise(math.e - 1)) == pytest.approx(0.0, abs=1e-7)
    assert float(entry.normalise(math.e**11 - 1)) == pytest.approx(1.0)


def test_missing_value_normalises_to_zero_whatever_the_offset() -> None:
    entry = scalar(missing=-1, offset=5, scale=2, transform="log1p")
    assert float(entry.normalise(-1.0)) == 0.0
    assert float(entry.normalise(0.0)) == -2.5


def test_missing_value_is_zero_even_where_the_clip_leaves_zero_out() -> None:
    entry = scalar(missing=-1, clip=(0.5, 1.0))
    assert [float(one) for one in entry.normalise(np.array([-1.0, 0.0, 9.0]))] == [0.0, 0.5, 1.0]


def test_clip_applies_to_the_normalised_value() -> None:
    assert float(scalar(scale=10, clip=(-1.0, 1.0)).normalise(25.0)) == 1.0


@pytest.mark.parametrize("value", [-0.1, 4.1, math.nan, math.inf])
def test_value_outside_the_range_is_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match=r"x: value .* is outside 0.0 \.\. 4.0"):
        scalar(high=4).check(value)


def test_bounds_themselves_and_the_missing_value_are_allowed() -> None:
    for value in (0.0, 4.0, -1.0):
        scalar(high=4, missing=-1).check(value)


def test_wrong_shape_is_refused_with_task_entry_and_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"abr/v1: next_sizes: shape \(5,\), expected \(6,\)"):
        abr_spec().check(abr_observation(next_sizes=frozen([1] * 5)))


def test_fraction_of_a_whole_entry_is_refused() -> None:
    abr_spec().check(abr_observation())
    with pytest.raises(ValueError, match=r"chunks_left: value 1\.5"):
        abr_spec().check(abr_observation(chunks_left=1.5))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "picture"}, {"shape": (3,)}, {"kind": "series"}, {"kind": "series", "shape": (0,)},
        {"low": 2, "high": 1},
        {"scale": 0}, {"scale": math.nan}, {"missing": math.nan}, {"transform": "sqrt"}, {"categories": 3},
        {"kind": "categorical"}, {"low": math.nan},
    ],
)  # fmt: skip
def test_entry_that_makes_no_sense_cannot_be_made(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="entry 'x'"):
        scalar(**change)


def test_task_refuses_double_names_unknown_features_and_unfit_action_vectors() -> None:
    with pytest.raises(ValueError, match="two entries have one name"):
        replace(small_spec(), entries=(scalar(), scalar()))
    with pytest.raises(ValueError, match=r"features \['y'\]"):
        replace(small_spec(), features=("y",))
    with pytest.raises(ValueError, match="last axis 3 is not the 2 actions"):
        replace(small_spec(), entries=(scalar(kind="vector-per-action", shape=(3,)),), features=())


def test_unknown_entry_is_named_with_those_that_exist() -> None:
    with pytest.raises(KeyError, match=r"no entry 'y'; it has x"):
        small_spec().entry("y")


@pytest.mark.parametrize("action", [0, 1, np.int64(1)])
def test_discrete_space_accepts_its_numbers(action: object) -> None:
    assert Discrete(2).fault(action) == ""


@pytest.mark.parametrize("action", [2, -1, 0.0, True, None, "0", math.nan, np.array([0])])
def test_discrete_space_says_what_is_wrong(action: object) -> None:
    assert Discrete(2).fault(action)


def test_mask_forbids_an_action_of_the_space() -> None:
    assert Discrete(2).fault(1, (True, False)) == "action 1 is masked"
    assert Discrete(2).fault(0, (True, False)) == ""


@pytest.mark.parametrize(
    ("action", "fault"),
    [
        ([0.5, -1.0], ""), ([0.5], "shape"), ([0.5, 1.5], "leaves"), ([math.nan, 0], "finite"),
        ([math.inf, 0], "finite"),
        ("far", "array"), (None, "shape"),
    ],
)  # fmt: skip
def test_box_says_what_is_wrong(action: object, fault: str) -> None:
    found = Box(-1, 1, (2,), "deg").fault(action)
    assert (found == "") == (fault == "")
    assert fault in found


def test_spaces_that_make_no_sense_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="n = 0"):
        Discrete(0)
    with pytest.raises(ValueError, match="1 names"):
        Discrete(2, ("one",))
    with pytest.raises(ValueError, match="not below"):
        Box(1, 1, (1,), "m")


def test_congestion_actions_are_the_published_multipliers_or_a_log_box() -> None:
    assert MULTIPLIERS == (0.5, 0.7, 0.85, 1, 1.15, 1.3, 1.6)
    assert congestion_spec().choices == 7
    box = congestion_spec(continuous=True).action
    assert isinstance(box, Box)
    assert math.exp(box.high) == pytest.approx(2)
    assert congestion_spec(continuous=True).spec_hash != congestion_spec().spec_hash


def test_last_kv_action_is_to_recompute() -> None:
    action = kv_spec(3).action
    assert isinstance(action, Discrete)
    assert action.names == ("level 0", "level 1", "level 2", "recompute")


def test_stacked_rows_come_back_as_they_were() -> None:
    first, second = abr_observation(), abr_observation(buffer_s=3.0, chunks_left=0)
    batch = stack([first, second])
    assert np.shape(batch.next_sizes) == (2, 6)
    for place, original in enumerate((first, second)):
        again = row(batch, place)
        assert again.buffer_s == original.buffer_s
        assert isinstance(again.chunks_left, int)
        assert np.array_equal(again.throughput, original.throughput)


def test_vector_of_a_stack_is_the_stack_of_vectors() -> None:
    spec = abr_spec()
    pair = [abr_observation(), abr_observation(buffer_s=3.0)]
    assert np.array_equal(spec.vector(stack(pair)), np.stack([spec.vector(one) for one in pair]))


def test_nothing_cannot_be_stacked() -> None:
    with pytest.raises(ValueError, match="no observations"):
        stack(list[AbrObservation]())


def test_observations_can_neither_be_reassigned_nor_written_into() -> None:
    observation = abr_observation()
    with pytest.raises(AttributeError):
        observation.buffer_s = 1.0  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        observation.throughput[0] = 1.0


def test_generic_observation_type_serves_any_specification() -> None:
    kind: Any = observation_type(small_spec())
    made = kind(x=2.0)
    small_spec().check(made)
    assert small_spec().vector(made) == pytest.approx([2.0])
