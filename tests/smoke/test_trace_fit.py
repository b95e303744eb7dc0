"""`lanecast trace fit`: recordings in, a class file out, traces made from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from lanecast.experiments import trace_figures
from lanecast.experiments.cli import main
from lanecast.experiments.trace_fit import fit_traces
from lanecast.traces import inference, synthetic
from lanecast.traces.files import dump_trace, load_trace


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a turn of the fit simulate 32 traces, not hundreds."""
    monkeypatch.setattr(inference, "_SIMULATED_TRACES", (32, 32))


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen recordings of 120 s, and one of 5 s that is too short."""
    folder = tmp_path_factory.mktemp("drives")
    for index in range(16):
        trace = synthetic.make("5g-mmwave-driving", duration_s=120, seed=1, index=index)
        dump_trace(trace, folder / f"{index:02}.txt", "pensieve")
    dump_trace(synthetic.make("lte-ghent", duration_s=5, seed=1), folder / "short.txt", "pensieve")
    return folder


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_fitted_class_can_be_made_and_is_near_its_recordings(
    drives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "drive.json"
    code, out, err = run(capsys, "trace", "fit", drives, "-o", target, "--title", "my drive", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["traces"], told["left_out"], told["measured"]) == (16, 1, "unknown")
    assert told["generated"]["mean_mbit_s"] == pytest.approx(told["recordings"]["mean_mbit_s"], rel=0.15)
    assert told["generated"]["cov"] == pytest.approx(told["recordings"]["cov"], rel=0.1)
    made = tmp_path / "made.txt"
    code, out, _ = run(capsys, "trace", "make", target, "--duration", "60", "--seed", "4", "-o", made)
    assert code == 0
    assert "synthetic(my drive, duration_s=60, seed=4" in out
    assert load_trace(made).period_ns == 60_000_000_000


def test_the_answer_for_a_person_notes_what_was_left_out(drives: Path) -> None:
    traces = [load_trace(path) for path in sorted(drives.glob("*.txt"))][-4:]
    lines = fit_traces(traces, title="few", kind="offered").lines()
    assert lines[0] == "few: 3 traces, 0.10 h in bins of 1 s"
    assert any("1 traces left out: fewer than 12 bins" in line for line in lines)
    assert any("fewer than 15 traces: a picture of these" in line for line in lines)
    assert [line.split()[0] for line in lines[-7:]] == [
        "mean",
        "median",
        "CoV",
        "acf",
        "outage",
        "mean",
        "KS",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["short.txt", "-o", "x.json"], "x: none of 1 traces has 12 bins of 1.0 s and a rate above 0"),
        (["short.txt", "-o", "x.txt"], "x.txt: expected a name that ends in .json"),
        (["none.txt", "-o", "x.json"], "none.txt: cannot be opened"),
        (["00.txt", "-o", "no/such/x.json"], "-o no/such/x.json: there is no folder no/such"),
    ],
)
def test_wrong_arguments_exit_2_in_one_line(
    drives: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(drives)
    code, out, err = run(capsys, "trace", "fit", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_file_that_is_no_class_is_refused_by_make(
    drives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.json").write_text("{}")
    code, _, err = run(capsys, "trace", "make", tmp_path / "bad.json", "-o", tmp_path / "y")
    assert code == 2
    assert "bad.json: no class file: Object missing required field" in err


@pytest.mark.parametrize("what", ["time", "cdf", "acf"])
def test_two_groups_are_drawn_in_a_colour_each(drives: Path, what: str) -> None:
    axes = Figure().add_subplot()
    traces = [load_trace(path) for path in sorted(drives.glob("0[0-3].txt"))]
    grouped = [*trace_figures._grouped(traces[:3], "these"), *trace_figures._grouped(traces[3:], "against")]
    assert trace_figures._DRAWINGS[what](axes, grouped, 1.0) == 4
    labels = axes.get_legend_handles_labels()[1]
    assert labels == ["these (3 traces)", "against (1 traces)"]
    colours = [str(line.get_color()) for line in axes.lines]
    colours += [str(step.get_edgecolor()) for step in axes.patches]
    assert len(set(colours[:3])) == 1
    assert colours[0] != colours[3]
    assert {"time": "(Mbit/s", "cdf": "share", "acf": "autocorrelation"}[what] in axes.get_ylabel()


def test_plot_against_names_both_counts(
    drives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "x.svg"
    words = ["trace", "plot", drives / "00.txt", "--against", drives / "01.txt", "-o", target, "--json"]
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert json.loads(out) == {"figure": "time", "file": str(target), "traces": 1, "against": 1}
    assert target.read_text().startswith("<?xml")


def test_a_pause_at_the_end_can_be_cut_for_mahimahi(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["trace", "make", "lte-walking", "--set", "form=opportunities", "--to", "mahimahi", "-o"]
    seed = next(
        s
        for s in range(1, 50)
        if (c := synthetic.make("lte-walking", duration_s=60, seed=s, form="opportunities").capacity)
        and c.end - int(getattr(c, "times")[-1]) > 2_000_000  # noqa: B009 - a rate has no times
    )
    code, _, err = run(capsys, *words, tmp_path / "a", "--seed", seed)
    assert code == 2
    assert "which mahimahi cannot say: drop it with end=cut" in err
    code, out, _ = run(capsys, *words, tmp_path / "a", "--seed", seed, "--write", "end=cut")
    assert code == 0
    assert "after the last opportunity is dropped" in out
    assert run(capsys, *words, tmp_path / "a", "--write", "end=perhaps")[0] == 2
