"""Each verb of `lanecast trace`, run in this process: output, files, exit codes."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lanecast.experiments.cli import main
from lanecast.traces.files import load_trace

PACKETS = "".join(f"{10 * i + i % 7}\n" for i in range(1, 3000))
RATES = "".join(f"{i}\t{1 + i % 5}\n" for i in range(40))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "walk.down").write_text(PACKETS)
    (tmp_path / "rates.txt").write_text(RATES)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_info_tells_format_hash_and_statistics(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "trace", "info", files / "walk.down", files / "rates.txt")
    assert code == 0
    assert hashlib.sha256(PACKETS.encode()).hexdigest() in out
    assert "format mahimahi, measured offered" in out
    assert "mean 3 Mbit/s" in out


def test_info_in_json_is_one_object_a_line(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "trace", "info", files, "--json")
    answers = {answer["name"]: answer for answer in map(json.loads, out.splitlines())}
    assert code == 0
    assert answers["rates.txt"]["capacity"]["mean_bit_s"] == 3e6
    assert answers["walk.down"]["packets"]["opportunities"] == 2999


def test_info_of_a_trace_too_short_for_statistics_tells_its_mean(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "short.txt").write_text("0 4\n1 8\n")
    code, out, _ = run(capsys, "trace", "info", files / "short.txt")
    assert code == 0
    assert "capacity as rate, mean 6 Mbit/s" in out
    assert "fewer than 12 bins of 1 s: no statistics" in out


def test_info_of_prose_exits_2_with_one_line(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = files / "prose.txt"
    path.write_text("Stationary:\n")
    code, out, err = run(capsys, "trace", "info", path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "prose.txt: no known format" in err
    code, out, err = run(capsys, "trace", "info", files)
    assert code == 2
    assert "walk.down" in out


def test_convert_there_and_back_keeps_every_bit(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = files / "rates.txt"
    for name in ("sabre", "oboe", "alphartc", "netem-trace", "theaterq", "jens", "pensieve"):
        assert run(capsys, "trace", "convert", source, files / f"x.{name}", "--to", name)[0] == 0
        back = files / f"back.{name}"
        assert (
            run(capsys, "trace", "convert", files / f"x.{name}", back, "--from", name, "--to", "pensieve")[0]
            == 0
        )
        assert back.read_text() == RATES


def test_convert_of_opportunities_names_the_loss(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(
        capsys, "trace", "convert", files / "walk.down", files / "x.gz", "--to", "sabre", "--bin", "0.5"
    )
    assert code == 0
    assert "form A to B, lossy" in out
    assert (files / "x.gz").read_bytes()[:2] == b"\x1f\x8b"


def test_convert_operates_in_a_fixed_order(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--scale-rate",
        "3/2",
        "--cut",
        "5:25",
        "--clip",
        "2:5",
        "--offset",
        "3",
        "--concat",
        files / "rates.txt",
        "--bin",
        "2",
    ]
    code, out, _ = run(
        capsys, "trace", "convert", files / "rates.txt", files / "y", "--to", "pensieve", "--json", *words
    )
    chain = [step.split()[0] for step in json.loads(out)["chain"]]
    assert code == 0
    assert chain == ["format", "read", "cut", "offset", "scale", "clip", "followed", "bins"]


@pytest.mark.parametrize(
    "words",
    [
        ["--to", "nonsense"], ["--to", "ping"], ["--to", "pensieve", "--cut", "9"],
        ["--to", "pensieve", "--cut", "9:1"], ["--to", "pensieve", "--offset", "seed:-1"],
        ["--to", "pensieve", "--scale-rate", "x"], ["--to", "pensieve", "--scale-rate", "-1"],
        ["--to", "pensieve", "--read", "hold=sideways"], ["--to", "pensieve", "--read", "nope=1"],
        ["--to", "pensieve", "--write", "comment=perhaps"], ["--to", "pensieve", "--offset", "99"],
        ["--to", "jens", "--write", "hertz=7"],
    ],
    ids=str,
)  # fmt: skip
def test_wrong_arguments_exit_2_without_a_traceback(
    files: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code, _, err = run(capsys, "trace", "convert", files / "rates.txt", files / "z", *words)
    assert (code, err.count("\n")) == (2, 1)
    assert not (files / "z").exists()


def test_a_seeded_offset_turns_the_loop_to_the_same_point(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        words = ["--to", "pensieve", "--offset", f"seed:{seed}"]
        assert run(capsys, "trace", "convert", files / "rates.txt", files / name, *words)[0] == 0
    first, second, third = ((files / name).read_text() for name in "abc")
    assert first == second != third


def test_make_writes_the_same_bytes_for_the_same_seed(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        words = ["lte-walking", "--duration", "20", "--seed", "7", "-o", files / name]
        assert run(capsys, "trace", "make", *words)[0] == 0
    assert (files / "a").read_bytes() == (files / "b").read_bytes()
    assert run(capsys, "trace", "make", "nonsense", "-o", files / "c")[0] == 2


@pytest.mark.parametrize("name", ["square", "alternation", "constant", "sine", "sawtooth", "on-off"])
def test_a_shape_lasts_as_long_as_asked(files: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, _, err = run(capsys, "trace", "make", name, "--duration", "33", "-o", files / "s.txt")
    assert (code, err) == (0, "")
    assert load_trace(files / "s.txt").period_ns == 33_000_000_000


def test_a_square_of_the_help_text_is_what_it_says(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["square", "--duration", "60", "--set", "low_mbps=6", "--set", "high_mbps=24", "-o", files / "s"]
    code, out, _ = run(capsys, "trace", "make", *words, "--to", "mahimahi")
    assert code == 0
    assert "repeated to 60000000000 ns" in out
    assert load_trace(files / "s").mean_bit_s == pytest.approx(15e6, rel=1e-3)


def test_the_seed_reaches_random_shapes(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        words = ["trace", "make", "random-walk", "--seed", seed, "-o", files / name]
        assert run(capsys, *words)[0] == 0
    assert (files / "a").read_text() == (files / "b").read_text() != (files / "c").read_text()


def test_check_finds_copies_and_strict_exits_5(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "test").mkdir()
    (files / "test" / "copy.txt").write_text("".join(f"{7 + i}\t{1 + i % 5}\n" for i in range(40)))
    (files / "test" / "prose").write_text("no numbers\n")
    code, out, _ = run(capsys, "trace", "check", files / "rates.txt", "--against", files / "test")
    assert code == 0
    assert "equal: " in out
    assert "refused" in out
    code, out, _ = run(
        capsys, "trace", "check", files / "rates.txt", "--against", files / "test", "--json", "--strict"
    )
    assert code == 5
    assert {"refused", "relation"} <= {key for line in out.splitlines() for key in json.loads(line)}


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed")
@pytest.mark.parametrize("what", ["time", "cdf", "acf", "idc"])
def test_plot_draws_each_figure(files: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    for suffix in ("svg", "png"):
        target = files / f"{what}.{suffix}"
        words = [files / "walk.down", files / "rates.txt", "--what", what, "-o", target]
        assert run(capsys, "trace", "plot", *words)[0] == 0
        assert target.stat().st_size > 1000
    assert run(capsys, "trace", "plot", files / "walk.down", "--what", "delay", "-o", files / "x.svg")[0] == 2
    assert run(capsys, "trace", "plot", files / "walk.down", "-o", files / "x.gif")[0] == 2


def test_list_names_sets_formats_and_classes(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "trace", "list", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert {"norway-3g-hsdpa", "zhuge-wireless"} <= {row.get("set") for row in rows}
    assert {"mahimahi", "theaterq"} <= {row.get("format") for row in rows}
    assert "lte-walking" in {row.get("class") for row in rows}


def test_verify_exits_5_on_a_flipped_byte(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "set").mkdir()
    (files / "set" / "a").write_text("1\n2\n")
    digest = hashlib.sha256(b"1\n2\n").hexdigest()
    (files / "MANIFEST.csv").write_text(f"set,file,bytes,raw_bytes,sha256_raw\nset,a,4,4,{digest}\n")
    assert run(capsys, "trace", "verify", files)[0] == 0
    (files / "set" / "a").write_text("1\n3\n")
    code, out, _ = run(capsys, "trace", "verify", files, "--json")
    assert code == 5
    assert json.loads(out)["findings"][0]["file"] == "set/a"


@pytest.mark.parametrize("verb", ["", "info", "convert", "make", "check", "plot", "list", "verify"])
def test_help_has_examples(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["trace", *([verb] if verb else []), "--help"])
    assert caught.value.code == 0
    assert "lanecast trace" in capsys.readouterr().out.split("examples:")[1]


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom lanecast.experiments.cli import main\n"
        "try:\n    main(['trace', 'info', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'matplotlib', 'msgspec', 'joblib'} & sys.modules.keys()\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
