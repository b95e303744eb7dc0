"""Against the public recordings, where they are: the shipped numbers fit them, and copy none of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lanecast.errors import TraceError
from lanecast.traces import synthetic
from lanecast.traces.inference import simulate
from lanecast.traces.packetfit import targets
from lanecast.traces.recordings import JUDGED, SOURCES, ClassSource, load_recordings
from lanecast.traces.statistics import MIN_BINS, bins, ks_distance, summarise_bins
from lanecast.traces.trace import NS_PER_S, Opportunities

ROOT = Path(__file__).parents[3] / "shared" / "data" / "traces"
needs_data = pytest.mark.skipif(not ROOT.is_dir(), reason=f"no trace sets in {ROOT}")
QUICK = ("5g-mmwave-driving", "lte-ghent", "sessions-oboe")


def binned(name: str) -> list[np.ndarray]:
    step = round(SOURCES[name].step_s * NS_PER_S)
    found = [bins(recording.trace, step) for recording in load_recordings(ROOT, name)]
    return [rates for rates in found if rates.size >= MIN_BINS]


@pytest.mark.data
@needs_data
@pytest.mark.parametrize("name", QUICK)
def test_shipped_numbers_have_the_statistics_of_the_recordings(name: str) -> None:
    real = binned(name)
    made = simulate(synthetic.parameters_of(name), [len(rates) for rates in real], seed=11, at_least=300)
    step = round(SOURCES[name].step_s * NS_PER_S)
    wanted, found = summarise_bins(real, step), summarise_bins(made, step)
    assert ks_distance(np.concatenate(real), np.concatenate(made)) < 0.03
    assert found.cov == pytest.approx(wanted.cov, rel=0.10)
    assert found.acf_10s == pytest.approx(wanted.acf_10s, abs=0.10)
    assert found.outage_share == pytest.approx(wanted.outage_share, abs=0.02)
    assert found.outage_mean_s == pytest.approx(wanted.outage_mean_s, rel=0.25, nan_ok=True)


@pytest.mark.data
@needs_data
@pytest.mark.parametrize("name", ["5g-mmwave-driving", "lte-ghent"])
def test_no_stretch_of_a_recording_is_found_in_what_is_made(name: str) -> None:
    width = 6  # bins; stretches that hardly move are alike in any two links and prove nothing
    windows = np.concatenate(
        [np.lib.stride_tricks.sliding_window_view(rates, width) for rates in binned(name)]
    )
    moving = windows[np.ptp(windows, axis=1) > 0.05 * windows.mean(axis=1)]
    for index in range(3):
        rates = bins(synthetic.make(name, duration_s=200, seed=1, index=index))
        for made in np.lib.stride_tricks.sliding_window_view(rates, width):
            near = moving[np.abs(moving[:, 0] - made[0]) <= 0.01 * made[0]]
            assert not (np.abs(near - made) <= 0.01 * made).all(axis=1).any()


@pytest.mark.data
@needs_data
def test_opportunities_are_as_bursty_as_recorded() -> None:
    real = [recording.trace.capacity for recording in load_recordings(ROOT, "lte-walking")]
    wanted = np.median(
        [targets(capacity.times) for capacity in real if isinstance(capacity, Opportunities)], axis=0
    )
    rows = []
    for index in range(10):
        capacity = synthetic.make(
            "lte-walking", duration_s=150, seed=3, index=index, form="opportunities"
        ).capacity
        assert isinstance(capacity, Opportunities)
        rows.append(targets(capacity.times))
    idc_10, idc_100, empty_10, empty_100 = np.median(rows, axis=0)
    assert wanted[0] / 2 < idc_10 < wanted[0] * 2
    assert wanted[1] / 2 < idc_100 < wanted[1] * 2
    assert empty_10 == pytest.approx(wanted[2], abs=0.10)
    assert empty_100 == pytest.approx(wanted[3], abs=0.05)


@pytest.mark.data
@needs_data
def test_pieces_of_one_recording_share_its_name() -> None:
    assert {recording.name for recording in load_recordings(ROOT, "5g-xu")} == {"xu5g"}
    names = [recording.name for recording in load_recordings(ROOT, "fixed-fcc")]
    assert len(set(names)) < len(names)
    assert all(name.isdigit() for name in names)


def test_judged_classes_are_known() -> None:
    assert set(JUDGED) <= set(SOURCES)
    assert len(JUDGED) == 8


def test_an_unknown_class_and_a_missing_folder_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="class is '6g', expected one of 3g-hsdpa"):
        load_recordings(tmp_path, "6g")
    with pytest.raises(TraceError, match="no file report"):
        load_recordings(tmp_path, "3g-hsdpa")


def test_a_name_that_does_not_match_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "odd", ClassSource("odd", "oboe", "*", r"trace_(\d+)"))
    (tmp_path / "oboe").mkdir()
    (tmp_path / "oboe" / "readme.txt").write_text("0 1\n")
    with pytest.raises(TraceError, match="name does not match"):
        load_recordings(tmp_path, "odd")


def test_sources_take_kind_and_bin_from_the_catalogue() -> None:
    assert SOURCES["fixed-fcc"].step_s == 5.0
    assert SOURCES["3g-hsdpa"].kind == "achieved"
    assert SOURCES["lte-walking"].kind == "offered"
