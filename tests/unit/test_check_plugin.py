"""`lanecast check`: what a name stands for, and what is said of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanecast.abr.controllers.base import AbrManifest
from lanecast.abr.kv.controller import KvManifest
from lanecast.errors import ClaimShort, UsageError
from lanecast.experiments import check as check_module
from lanecast.experiments.check import TASKS, check, context_of, spec_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The controller shown in docs/architecture.md, and others, in a module of a user's own."""
    shown = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "architecture.md").read_text(), re.DOTALL)
    assert shown is not None
    more = '''
class Wild(AbrController):
    def choose(self, observation, now, mask):
        return AbrDecision(action=99)


class NoTask:
    """No controller at all."""


def factory(spec) -> "Controller":
    return HalfOfTheBuffer()


NUMBER = 5
'''
    (tmp_path / "lanecast_users_own.py").write_text(shown[1] + more)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "lanecast_users_own"


def test_controller_shown_in_the_docs_passes(module: str) -> None:
    text = check(f"{module}:HalfOfTheBuffer")
    assert text.startswith("HalfOfTheBuffer on abr/v1")
    assert "FAILED" not in text
    assert "13 pickles and spawns: ok" in text


def test_broken_controller_is_told_what_is_wrong(module: str) -> None:
    with pytest.raises(
        ClaimShort, match=r"Wild on abr/v1: 4 actions fit: FAILED: action 99 is outside 0 \.\. 5"
    ):
        check(f"{module}:Wild")


def test_function_that_makes_controllers_is_one_too(module: str) -> None:
    assert "factory on abr/v1" in check(f"{module}:factory")


@pytest.mark.parametrize("name", ["NoTask", "NUMBER", "Missing"])
def test_what_is_no_plug_in_is_refused_by_name(module: str, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        check(f"{module}:{name}")


def test_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"'no such' is unknown; known: .*codel.*constant.*cubic.*eloquent"):
        check("no such")


@pytest.mark.parametrize("name", ["reno", "droptail"])
def test_built_in_of_each_family_passes_by_name(name: str) -> None:
    assert check(name).endswith(f"{name}: ok")


def test_constant_is_checked_on_the_default_task() -> None:
    assert check("constant").startswith("Constant on abr/v1")


def test_fault_of_another_kind_of_error_becomes_a_claim_short() -> None:
    def checker(subject: Any) -> None:
        raise AssertionError(f"{subject} is at fault")

    with pytest.raises(ClaimShort, match="queue mine: 5 is at fault"):
        check_module._run(checker, 5, "queue mine")


def test_unknown_task_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"task 'abr/v2' is unknown; known: abr/v1"):
        spec_of("abr/v2")


@pytest.mark.parametrize("task", list(TASKS))
def test_names_of_tasks_are_those_of_their_specifications(task: str) -> None:
    assert spec_of(task).id == task


def test_made_up_manifests_fit_their_tasks() -> None:
    video, cache = context_of(spec_of("abr/v1")), context_of(spec_of("kv-level/v1"))
    assert isinstance(video, AbrManifest)
    assert isinstance(cache, KvManifest)
    assert video.sizes_bytes.shape == (49, len(video.bitrates_kbps))
    assert (np.diff(video.sizes_bytes, axis=1) > 0).all()
    assert cache.sizes_bytes.shape == (len(cache.tokens), 4)
    assert (np.diff(cache.sizes_bytes, axis=1) < 0).all()
    assert context_of(spec_of("cc/v1")) is None
