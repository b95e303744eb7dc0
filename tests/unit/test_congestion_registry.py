from __future__ import annotations

import inspect

import pytest

from lanecast.errors import LanecastError
from lanecast.transport.congestion.base import CongestionControl
from lanecast.transport.congestion.cubic import Cubic
from lanecast.transport.congestion.registry import CONTROLLERS, OPTIONS, make_congestion
from lanecast.transport.stage import ECT0, ECT1, NOT_ECT


def test_names_make_their_controllers_with_options() -> None:
    cubic = make_congestion("cubic", mss=1400, fast_convergence=False)
    assert isinstance(cubic, Cubic)
    assert (cubic.mss, cubic.fast_convergence) == (1400, False)
    assert make_congestion("fixed", packets=3).cwnd == 4500.0
    assert sorted(CONTROLLERS) == list(CONTROLLERS)


def test_a_module_path_makes_a_users_controller() -> None:
    assert isinstance(make_congestion("lanecast.transport.congestion.reno:Reno"), CongestionControl)


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(LanecastError, match=r"'cubik' is unknown; known: bbr, bbr3, cubic, dctcp, fixed, "):
        make_congestion("cubik")


@pytest.mark.parametrize(
    "name", ["no.such.module:Class", "lanecast.transport.congestion.reno:Nothing", ":Reno"]
)
def test_a_path_that_leads_nowhere_is_named(name: str) -> None:
    with pytest.raises(LanecastError, match="cannot be loaded"):
        make_congestion(name)


def test_unknown_options_and_wrong_results_are_named() -> None:
    with pytest.raises(LanecastError, match="gamma"):
        make_congestion("cubic", gamma=1)
    with pytest.raises(LanecastError, match="packets or rate_bps"):
        make_congestion("fixed")
    with pytest.raises(LanecastError, match="a CongestionControl expected, got dict"):
        make_congestion("builtins:dict")


def test_every_registered_option_is_taken_and_explained() -> None:
    """The constructors' own signatures are the reference where they can be read (uncompiled)."""
    assert list(OPTIONS) == list(CONTROLLERS)
    for name, texts in OPTIONS.items():
        assert all(texts.values())
        try:
            known = set(inspect.signature(CONTROLLERS[name]).parameters)
        except ValueError:
            continue
        assert known in (set(texts), {"args", "kwargs"}, set()), name


def test_every_controller_declares_its_codepoint_and_whether_it_paces() -> None:
    declared = {name: (law.ecn_codepoint, law.paced) for name, law in CONTROLLERS.items()}  # type: ignore[attr-defined]
    assert declared["prague"] == declared["udp_prague"] == (ECT1, True)
    assert declared["dctcp"] == (ECT0, False)
    assert declared["cubic"] == declared["reno"] == declared["linux_cubic"] == (NOT_ECT, False)
    assert declared["bbr"] == declared["bbr3"] == (NOT_ECT, True)
