"""Controllers of other packages: found by entry point, broken ones reported, never fatal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from lanecast.abr.controllers.base import abr_spec
from lanecast.errors import UsageError
from lanecast.experiments.conformance import check_controller
from lanecast.transport.decision.controller import Constant
from lanecast.transport.decision.discovery import GROUP, discover, load, make

PLUGIN = """
from lanecast.abr.controllers.base import AbrController, AbrDecision


class HalfBuffer(AbrController):
    name = "half-buffer"
    version = "3.1"
    resumable = True

    def __init__(self, share=0.5):
        super().__init__()
        self.share = share
        self.weight_hash = "abc"

    def choose(self, observation, now, mask):
        rung = min(int(observation.buffer_s * self.share), self.spec.choices - 1)
        while mask is not None and not mask[rung]:
            rung = (rung + 1) % len(mask)
        return AbrDecision(action=rung)


def made(spec, share=0.25):
    return HalfBuffer(share)


NOT_CALLABLE = 5
"""
POINTS = f"""[{GROUP}]
half-buffer = {{module}}:HalfBuffer
quarter = {{module}}:made
gone = {{module}}:Missing
nowhere = no_such_module_at_all:X
number = {{module}}:NOT_CALLABLE
constant = {{module}}:made
"""
Installed = Callable[[], str]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package installed beside us: a module and its metadata on the search path."""
    module = "lanecast_sample_plugin"
    (tmp_path / f"{module}.py").write_text(PLUGIN)
    info = tmp_path / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS.format(module=module))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield module
    sys.modules.pop(module, None)


def test_installed_package_is_found_and_makes_controllers(plugin: str) -> None:
    catalog = discover()
    controller, record = catalog.make("half-buffer", abr_spec(), {"share": 0.1})
    assert controller.share == 0.1  # type: ignore[attr-defined]
    assert (record.name, record.version, record.arguments) == ("half-buffer", "3.1", {"share": 0.1})
    assert (record.spec_hash, record.weight_hash) == (abr_spec().spec_hash, "abc")


def test_function_is_given_the_specification_and_a_class_is_not(plugin: str) -> None:
    catalog = discover()
    assert catalog.make("quarter", abr_spec(), {})[0].share == 0.25  # type: ignore[attr-defined]
    assert catalog.make(f"{plugin}:HalfBuffer", abr_spec(), {})[0].share == 0.5  # type: ignore[attr-defined]


def test_sample_plugin_passes_the_conformance_check(plugin: str) -> None:
    check_controller(discover().factories["half-buffer"], abr_spec(), processes=False)


def test_broken_entries_are_reported_with_the_reason_and_left_out(plugin: str) -> None:
    catalog = discover({"constant": Constant})
    reasons = dict(catalog.broken)
    assert set(catalog.factories) == {"constant", "half-buffer", "quarter"}
    assert "AttributeError" in reasons["gone"]
    assert "ModuleNotFoundError" in reasons["nowhere"]
    assert "int is not callable" in reasons["number"]
    assert "the name is taken" in reasons["constant"]


def test_our_own_name_wins_over_a_package_s(plugin: str) -> None:
    assert discover({"constant": Constant}).factories["constant"] is Constant


def test_asking_for_a_broken_controller_gives_the_reason(plugin: str) -> None:
    with pytest.raises(
        UsageError, match=r"'nowhere' is broken: no_such_module_at_all:X: ModuleNotFoundError"
    ):
        discover().make("nowhere", abr_spec(), {})


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="controller 'bba' is unknown; known: constant"):
        discover({"constant": Constant}, []).make("bba", abr_spec(), {})


def test_arguments_that_do_not_fit_are_named() -> None:
    with pytest.raises(UsageError, match=r"'constant' with \{'level': 3\}: .*unexpected keyword"):
        discover({"constant": Constant}, []).make("constant", abr_spec(), {"level": 3})


def test_second_entry_of_one_name_is_reported() -> None:
    pair = [
        EntryPoint("twin", f"lanecast.transport.decision.controller:{one}", GROUP)
        for one in ("Constant", "Record")
    ]
    catalog = discover(points=pair)
    assert catalog.factories == {"twin": Constant}
    assert catalog.broken == [("twin", "lanecast.transport.decision.controller:Record: the name is taken")]


def test_order_of_entries_does_not_matter() -> None:
    points = [EntryPoint(name, "lanecast.transport.decision.controller:Constant", GROUP) for name in "bca"]
    assert (
        list(discover(points=points).factories)
        == list(discover(points=points[::-1]).factories)
        == ["a", "b", "c"]
    )


def test_without_plug_ins_nothing_is_found() -> None:
    assert not [one for one in entry_points(group=GROUP) if one.value.startswith("lanecast_sample")]


@pytest.mark.parametrize("name", ["", "module", ":X", "module:", "json:no_such", "no_such_module_at_all:X"])
def test_name_that_leads_nowhere_says_so(name: str) -> None:
    with pytest.raises(UsageError):
        load(name)


def test_dotted_names_inside_a_module_are_followed() -> None:
    assert load("json:JSONDecoder.decode").__name__ == "decode"


def test_make_without_arguments() -> None:
    assert make(Constant, abr_spec()).action == 0  # type: ignore[attr-defined]
