"""Which public recordings stand for which synthetic class, and how they divide.

`load_recordings` reads them from a folder of sets (see `catalog.py`); pieces of one recording share its name, so
that a split by recording never has one on both sides. Needed to fit and to judge classes, not to generate them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lanecast.errors import TraceError
from lanecast.traces import catalog
from lanecast.traces.files import load_trace
from lanecast.traces.statistics import bin_ns_of
from lanecast.traces.trace import NS_PER_S, Trace


@dataclass(frozen=True, slots=True)
class ClassSource:
    """Where a class's recordings lie."""

    title: str
    set: str
    pattern: str
    """Glob of file names within the set."""
    recording: str = r"(.*)"
    """Regular expression whose first group names the recording a file is a piece of."""

    @property
    def kind(self) -> str:
        """`offered` or `achieved`, as the catalogue says of the set."""
        return catalog.SETS[self.set].kind

    @property
    def step_s(self) -> float:
        """Bin width of the set's statistics, s."""
        return bin_ns_of(self.set) / NS_PER_S


@dataclass(frozen=True, slots=True)
class Recording:
    """One file; `name` is that of the recording it belongs to."""

    name: str
    trace: Trace


_PIECES = r"([a-z0-9-]+)_"  # NAME_0, NAME_1 are consecutive pieces of one recording

SOURCES: dict[str, ClassSource] = {
    "3g-hsdpa": ClassSource("3G HSDPA on bus, metro, tram, ferry, car (Oslo, 2010)", "norway-3g-hsdpa", "report*"),
    "umts-down": ClassSource("UMTS downlink, driving (US, 2013)", "mahimahi-cellular", "*UMTS*.down*"),
    "umts-up": ClassSource("UMTS uplink, driving (US, 2013)", "mahimahi-cellular", "*UMTS*.up*"),
    "lte-driving-down": ClassSource("LTE downlink, driving (US, 2016)", "mahimahi-cellular", "*LTE-driving*.down*"),
    "lte-driving-up": ClassSource("LTE uplink, driving (US, 2016)", "mahimahi-cellular", "*LTE*.up*"),
    "lte-walking": ClassSource("LTE downlink, on foot, bus, taxi (New York, 2019)", "nyc-lte", "trace-[0-9]*"),
    "lte-ghent": ClassSource("LTE on foot, bicycle, bus, tram, train, car (Ghent, 2016)", "ghent-4g", "report*"),
    "lte-lumos": ClassSource("LTE downlink beside 5G, walking and driving (US, 2020)", "lumos5g-4g", "4g*"),
    "lte-pitree": ClassSource("LTE downlink (Zhuge, SIGCOMM 2022)", "zhuge-wireless", "pitree4g*", _PIECES),
    "5g-sub6-static": ClassSource("5G below 6 GHz, standing (Ireland, 2019)", "5g-ireland", "Download__Static*"),
    "5g-sub6-driving": ClassSource("5G below 6 GHz, car (Ireland, 2019)", "5g-ireland", "Download__Driving*"),
    "5g-mmwave-walking": ClassSource("5G mmWave downlink, walking (Minneapolis, 2019)", "lumos5g-mmwave", "*walking*"),
    "5g-mmwave-driving": ClassSource("5G mmWave downlink, driving (Minneapolis, 2019)", "lumos5g-mmwave", "*driving*"),
    "5g-xu": ClassSource("5G downlink (Zhuge, SIGCOMM 2022)", "zhuge-wireless", "xu5g*", _PIECES),
    "wifi-cafe": ClassSource("Wi-Fi in a cafe (Beijing, 2023)", "wifi-solis", "wifi_cafe*"),
    "wifi-restaurant": ClassSource("Wi-Fi in a restaurant (Beijing, 2023)", "wifi-solis", "wifi_restr*"),
    "wifi-office": ClassSource("Wi-Fi in an office (Beijing, 2023)", "wifi-solis", "wifi_office*"),
    "wifi-campus": ClassSource("Wi-Fi on a campus (Beijing, 2023)", "wifi-solis", "wifi_campus*"),
    "wifi-office-zhuge": ClassSource("office Wi-Fi (Zhuge, SIGCOMM 2022)", "zhuge-wireless", "office-wifi*", _PIECES),
    "wifi-restaurant-zhuge": ClassSource("restaurant Wi-Fi (Zhuge, 2022)", "zhuge-wireless", "rest-wifi*", _PIECES),
    "starlink": ClassSource("Starlink downlink, 75 s of one recording", "starlink-leocc", "bw*"),
    "fixed-fcc": ClassSource("fixed access, low-rate sessions (US, 2016)", "fcc-broadband", "fcc*", r".*?trace_(\d+)"),
    "fixed-puffer": ClassSource("live TV sessions, mixed access (Puffer, US, 2021)", "puffer", "puffer*", r"(.*)_\d+"),
    "sessions-oboe": ClassSource("video sessions over wired access and Wi-Fi (Conviva)", "oboe", "trace*"),
}  # fmt: skip
"""By class name. Below 15 recordings a class is a picture of them, not of a population."""

JUDGED = (
    "3g-hsdpa",
    "lte-ghent",
    "lte-lumos",
    "5g-mmwave-walking",
    "5g-mmwave-driving",
    "fixed-fcc",
    "fixed-puffer",
    "sessions-oboe",
)
"""Classes with enough recordings (25 and more) to judge a generator on some that it was not fitted on."""


def load_recordings(root: Path, name: str) -> list[Recording]:
    """Return the recordings of class `name` under `root`, a folder of sets, in order of file name.

    Raises:
        ValueError: unknown class.
        TraceError: no file is there, or one cannot be read.
    """
    if name not in SOURCES:
        raise ValueError(f"class is {name!r}, expected one of {', '.join(SOURCES)}")
    source = SOURCES[name]
    files = sorted((root / source.set).glob(source.pattern))
    if not files:
        raise TraceError(str(root / source.set), 0, f"no file {source.pattern}, which class {name} needs")
    recordings = []
    for file in files:
        match = re.match(source.recording, file.name)
        if match is None:
            raise TraceError(str(file), 0, f"name does not match {source.recording!r}")
        recordings.append(Recording(match[1], load_trace(file)))
    return recordings
