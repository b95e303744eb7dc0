"""The public sets, where they are: everything loads or is refused with the reason, and gives the known figures."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanecast.errors import TraceError
from lanecast.traces.catalog import SETS, trace_files, verify
from lanecast.traces.files import load_trace
from lanecast.traces.overlap import find_overlaps
from lanecast.traces.requests import load_azure, load_mooncake, read_llmperf
from lanecast.traces.statistics import packet_statistics, summarise
from lanecast.traces.trace import NS_PER_S, Trace

DATA = Path(__file__).parents[3] / "shared" / "data" / "traces"
pytestmark = [pytest.mark.data, pytest.mark.skipif(not DATA.is_dir(), reason=f"no trace sets at {DATA}")]

REFUSED_SETS = {"l4s-wifi-pcap", "llm-azure2023", "llm-llmperf", "llm-mooncake", "video-sizes"}
"""Packet captures, request logs and sizes of video chunks: no traces of a link."""
REFUSED_FILES = {"nyc-lte/trace-info.txt"}


LOADED: dict[Path, Trace] = {}  # every file is read once, by whichever test comes first


def of(set_name: str, pattern: str = "*") -> Iterator[Trace]:
    for path in sorted((DATA / set_name).glob(pattern)):
        if path.name != "README.md":
            yield LOADED.get(path) or LOADED.setdefault(path, load_trace(path))


def test_every_file_loads_or_is_refused_with_the_reason_within_a_minute_of_one_core() -> None:
    began = time.process_time()
    refused: dict[str, str] = {}
    for path in trace_files(DATA):
        if path.parent == DATA:
            continue
        try:
            trace = load_trace(path)
        except TraceError as error:
            refused[f"{path.parent.name}/{path.name}"] = error.message
        else:
            LOADED[path] = trace
            assert trace.provenance.set in SETS
            assert trace.provenance.kind != "unknown"
    assert time.process_time() - began < 60
    assert LOADED
    assert {name for name in refused if name.split("/")[0] not in REFUSED_SETS} <= REFUSED_FILES
    assert all(refused.values())


def test_every_file_agrees_with_the_manifest() -> None:
    assert list(verify(DATA)) == []


def test_packed_and_plain_are_equal(tmp_path: Path) -> None:
    packed = next((DATA / "nyc-lte").glob("*.gz"))
    plain = tmp_path / packed.stem
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    first, second = load_trace(packed), load_trace(plain)
    assert first.same_tracks(second)
    assert first.provenance.sha256 == second.provenance.sha256


@pytest.mark.parametrize(
    ("set_name", "pattern", "mean", "cov", "acf_10s"),
    [
        ("norway-3g-hsdpa", "*", 1.02, 0.66, 0.66),
        ("ghent-4g", "*", 30.2, 0.42, 0.51),
        ("lumos5g-4g", "*", 39.7, 0.73, 0.65),
        ("lumos5g-mmwave", "*walking*", 556, 0.82, 0.54),
        ("lumos5g-mmwave", "*driving*", 348, 0.97, 0.33),
        ("wifi-solis", "*campus*", 63.7, 0.34, 0.13),
    ],
)
def test_statistics_are_near_those_published_for_the_whole_sets(
    set_name: str, pattern: str, mean: float, cov: float, acf_10s: float
) -> None:
    # Only a part of each set lies here, so the figures agree within sampling: 15 % (0.1 for a correlation).
    found = summarise(of(set_name, pattern))
    assert found.mean_bit_s / 1e6 == pytest.approx(mean, rel=0.15)
    assert found.cov == pytest.approx(cov, rel=0.15)
    assert found.acf_10s == pytest.approx(acf_10s, abs=0.1)


def test_dispersion_of_an_lte_drive_is_far_from_poisson() -> None:
    found = packet_statistics(load_trace(DATA / "mahimahi-cellular" / "TMobile-LTE-driving.down.gz"))
    assert (found.idc_10ms, found.idc_100ms, found.idc_1s) == pytest.approx((17.6, 83.5, 652), rel=0.01)


def test_starlink_pair_has_both_tracks_on_the_bandwidths_period() -> None:
    trace = load_trace(next((DATA / "starlink-leocc").glob("bw_*")))
    assert trace.delay is not None
    assert trace.delay.end == trace.period_ns == trace.required_capacity().end
    assert trace.mean_bit_s / 1e6 == pytest.approx(48.8, rel=0.05)


def test_irtt_extract_and_original_agree() -> None:
    extract, original = (load_trace(DATA / "l4s-irtt" / f"noload.{kind}.gz") for kind in ("txt", "json"))
    assert extract.delay is not None
    assert original.delay is not None
    assert extract.delay.delays.tolist() == original.delay.delays.tolist()


@pytest.mark.slow
def test_known_copies_between_and_within_sets_are_found() -> None:
    resampled = find_overlaps(
        list(of("zhuge-wireless", "abc4g_1[2-5]*")), list(of("mahimahi-cellular", "*UMTS*"))
    )
    assert len({found.first for found in resampled if found.relation == "same recording"}) == 4
    downlinks = list(of("mahimahi-cellular", "*LTE*.down*"))
    within = {(o.first.split("/")[1], o.second.split("/")[1], o.relation) for o in find_overlaps(downlinks)}
    assert within == {("TMobile-LTE-driving.down.gz", "TMobile-LTE-short.down.gz", "shares values")}
    equal = [found for found in find_overlaps(list(of("starlink-leocc"))) if found.relation == "equal"]
    assert len(equal) == 6  # downlinks and uplinks of one number that are equal byte for byte


def test_request_logs_give_the_known_speeds() -> None:
    speeds = [read_llmperf(path) for path in (DATA / "llm-llmperf").glob("*.json")]
    medians = sorted(float(sorted(s.values[:, 1])[len(s.values) // 2]) for s in speeds)
    assert 0.004 < medians[0] < medians[-1] < 0.1
    assert sum(s.excluded for s in speeds) > 0
    azure = load_azure(next((DATA / "llm-azure2023").glob("*.gz")))
    assert azure.arrivals.size == 19_366
    assert azure.arrivals[-1] < 3600 * NS_PER_S
    mooncake = load_mooncake(next((DATA / "llm-mooncake").glob("*.gz")))
    assert len(mooncake.blocks) == mooncake.arrivals.size
