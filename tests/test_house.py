"""The house: imports flow one way, --help is quick and complete, files are safe."""

from __future__ import annotations

import ast
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import runs
from record.episodes import split
from runs import cli
from tests.conftest import PIPELINE, ROOT, command, copy_run

# What each room may import stands before it. benchmarks/ may import all, and nobody imports it.
ORDER = [
    "fast_carracing",
    "config",
    "runs",
    "envs",
    "record",
    "vae",
    "series",
    "rnn",
    "controller",
    "planner",
    "boards",
    "report",
]
SCRIPTS = {file.stem: file for file in ROOT.glob("*.py")}
# Recording what a trained agent plays closes the circle: its import is deferred to that moment.
EXCEPTIONS = {("record/extract.py", "controller")}
ROOMS = {room: sorted((ROOT / room).rglob("*.py")) for room in (*ORDER, "benchmarks")}
PRODUCT = [*SCRIPTS.values(), *(file for files in ROOMS.values() for file in files)]


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


# What a person runs, apart from benchmarks.
RUN = [
    module_of(file)
    for file in PRODUCT
    if "cli.run(main)" in file.read_text() and file.parent.name != "benchmarks"
]


def imported(file: Path) -> set[str]:
    """First names of what a file imports, at its top or later, by a statement or by name."""
    names = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, file  # rooms are named in full
            names.append(node.module)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names += [a.value for a in node.args if isinstance(a, ast.Constant)]
    return {name.split(".")[0] for name in names}


def test_imports_flow_one_way():
    assert {f.parent.name for f in ROOT.glob("*/__init__.py")} <= {*ROOMS, "tests", "notebooks"}
    for i, room in enumerate(ORDER):
        for file in ROOMS[room]:
            later = imported(file) & {*ORDER[i + 1 :], *SCRIPTS, "benchmarks", "tests"}
            name = file.relative_to(ROOT).as_posix()
            assert not {x for x in later if (name, x) not in EXCEPTIONS}, (name, later)
    for file in (*SCRIPTS.values(), *ROOMS["benchmarks"]):
        assert not imported(file) & {*SCRIPTS, "tests"}, file
    for file in SCRIPTS.values():
        assert "benchmarks" not in imported(file), file


def test_a_file_is_read_in_one_sitting():
    long = {module_of(f): n for f in PRODUCT if (n := len(f.read_text().splitlines())) > 350}
    assert not long


def test_importing_is_cheap_and_changes_nothing():
    """All that a person runs is imported without TensorFlow and MPI: --help answers at once."""
    code = f"""
import importlib, signal, sys
hooks = sys.excepthook, signal.getsignal(signal.SIGINT), list(sys.path)
for name in {RUN}:
    importlib.import_module(name)
    heavy = {{"tensorflow", "keras", "mpi4py", "matplotlib.pyplot"}} & set(sys.modules)
    assert not heavy, (name, heavy)
assert hooks == (sys.excepthook, signal.getsignal(signal.SIGINT), list(sys.path))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", RUN)
def test_every_script_explains_itself_and_refuses_in_one_sentence(module, monkeypatch, capsys):
    main = importlib.import_module(module).main
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    with pytest.raises(SystemExit) as end:
        main()
    shown = capsys.readouterr().out
    assert end.value.code == 0 and shown.startswith("usage:") and shown.count("\n") > 5
    monkeypatch.setattr(sys, "argv", [module, "x", "y", "z", "--no-such-thing"])
    with pytest.raises((SystemExit, runs.RunError)) as end:
        main()
    said = capsys.readouterr().err or str(end.value)
    assert len(said.strip().splitlines()) == 1, said


def test_the_command_itself_says_what_is_wrong(tmp_path):
    done = command("-m", "record.extract", "carracing", "--episods", "3", cwd=tmp_path, check=False)
    assert done.returncode == 2 and "did you mean --episodes?" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and not list(tmp_path.iterdir())


def test_a_run_is_the_same_by_name_and_by_path(toy, monkeypatch):
    monkeypatch.chdir(toy)
    by_name, by_path = (
        cli.parse("vae", "", ["carracing", "--run", name])[1] for name in ("toy", "log/toy")
    )
    assert by_name == by_path and by_path.preset == "toy"


@pytest.mark.parametrize(
    "text", ['{"game"', '{"game": "carracing"}', '{"game": "x", "preset": "y"}']
)
def test_a_damaged_config_is_one_sentence(text, tmp_path):
    (tmp_path / "log" / "torn").mkdir(parents=True)
    (tmp_path / "log" / "torn" / "config.json").write_text(text)
    for words in ((*PIPELINE["vae"], "--run", "torn"), ("evaluate.py", "log/torn")):
        done = command(*words, cwd=tmp_path, check=False)
        assert done.returncode in (1, 2) and "damaged" in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("stage", ["vae", "series", "rnn", "controller"])
def test_a_missing_stage_says_what_to_run_first(stage, tmp_path):
    words = (*PIPELINE[stage], "--preset", "toy")
    done = command(*words, cwd=tmp_path, check=False)
    assert done.returncode == 1
    (line,) = [x for x in done.stderr.splitlines() if x.startswith("error")]
    assert "first" in line and "Traceback" not in done.stderr


def test_a_missing_run_names_the_nearest(toy):
    done = command("evaluate.py", "log/toi", cwd=toy, check=False)
    assert done.returncode == 1 and "did you mean toy?" in done.stderr


def test_a_stage_refuses_other_options(toy):
    for stage, words in {"vae": ("--z-size", "8"), "rnn": ("--hidden-size", "8")}.items():
        done = command(*PIPELINE[stage], "--run", "toy", *words, cwd=toy, check=False)
        assert done.returncode == 1 and "was made with" in done.stderr
    done = command(
        "train.py", "carracing", "--run", "toy", "--preset", "full", cwd=toy, check=False
    )
    assert done.returncode == 2 and "has preset toy" in done.stderr


def test_series_of_another_v_is_refused(toy, monkeypatch, tmp_path):
    from series.data import load_series

    monkeypatch.chdir(toy)
    copy = tmp_path / "copy"
    for name in ("vae/vae.weights.h5", "series/series.npz"):
        (copy / name).parent.mkdir(parents=True)
        (copy / name).write_bytes((Path("log/toy") / name).read_bytes())
    assert len(load_series(copy)) == 4
    with open(copy / "vae/vae.weights.h5", "ab") as file:
        file.write(b"x")
    with pytest.raises(runs.RunError, match="another V"):
        load_series(copy)


def test_replacing_leaves_the_old_file_if_writing_fails(tmp_path):
    file = tmp_path / "a.json"
    runs.write_json(file, [1])
    with pytest.raises(RuntimeError), runs.replacing(file) as out:
        out.write(b"half")
        raise RuntimeError
    assert file.read_text() == "[\n 1\n]\n" and len(list(tmp_path.iterdir())) == 1


def test_disk_full_is_one_sentence(tmp_path):
    """/dev/full stands for a disk without space: the kernel answers ENOSPC to any write."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")  # only Linux has one
    code = (
        "from runs import cli\ndef main():\n"
        "    with open('/dev/full', 'wb') as f:\n        f.write(b'x')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + "cli.run(main)"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1 and "no space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_metrics_drop_a_torn_line_and_what_is_written_again(tmp_path):
    metrics = runs.Metrics(tmp_path, "step")
    for step in (1, 2, 3):
        metrics.write(step=step)
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 4, "lo')
    assert [r["step"] for r in runs.read_metrics(tmp_path / "metrics.jsonl")] == [1, 2, 3]
    runs.Metrics(tmp_path, "step", start=3).write(step=3, again=True)
    rows = runs.read_metrics(tmp_path / "metrics.jsonl")
    assert rows == [{"step": 1}, {"step": 2}, {"step": 3, "again": True}]


def test_checkpoints_refuse_another_model(tmp_path):
    import keras

    a, b = keras.Variable(np.ones((2, 3))), keras.Variable(np.zeros((3, 2)))
    runs.save_checkpoint(tmp_path / "c.npz", [a], epoch=3)
    a.assign(np.zeros((2, 3)))
    assert runs.load_checkpoint(tmp_path / "c.npz", [a]) == {"epoch": 3}
    assert a.numpy().sum() == 6
    with pytest.raises(runs.RunError, match="another model"):
        runs.load_checkpoint(tmp_path / "c.npz", [b])
    with pytest.raises(runs.RunError, match="another model"):
        runs.load_checkpoint(tmp_path / "c.npz", [a, b])


def test_split_keeps_held_out_episodes_held_out():
    train, held = split(range(100), 0.05)
    _, still = split(range(200), 0.05)
    assert len(held) == 5 and set(held) <= set(still) and len(train) == 95
    assert not set(train) & set(held)
    seeds = [s for s in range(200) if s % 7]  # some could not be read
    _, few = split(seeds, 0.05)
    assert {seeds[i] for i in few} <= set(still)
    with pytest.raises(runs.RunError, match="too few"):
        split([1, 2], 0.05)


def test_what_was_made_with_another_v_or_m_is_refused(toy, tmp_path):
    run = shutil.copytree(toy / "log" / "toy", tmp_path / "log" / "toy")
    evaluate = ("evaluate.py", "log/toy", "--episodes", "1", "--workers", "1")
    evolve = (*PIPELINE["controller"], "--run", "toy", "--generations", "3")
    for stage in ("rnn", "vae"):
        with open(run / stage / f"{stage}.weights.h5", "ab") as file:
            file.write(b"x")
        for words in (evaluate, evolve):
            done = command(*words, cwd=tmp_path, check=False)
            assert done.returncode == 1 and f"another log/toy/{stage}" in done.stderr, done.stderr
            assert "Traceback" not in done.stderr


def test_the_seed_decides(toy, tmp_path):
    """V, the series, M and C come out of the same episodes to the bit."""
    again = tmp_path / "log" / "toy"
    shutil.copytree(toy / "log" / "toy" / "record", again / "record")
    shutil.copy(toy / "log" / "toy" / "config.json", again)
    for stage in ("vae", "series", "rnn", "controller"):
        command(*PIPELINE[stage], "--run", "toy", cwd=tmp_path)
    for name in ("vae/checkpoint", "series/series", "rnn/checkpoint", "controller/controller"):
        ours, theirs = (runs.read_npz(x / "log/toy" / f"{name}.npz") for x in (tmp_path, toy))
        for key in ours:
            if key != "state":  # the time it took is part of it
                np.testing.assert_array_equal(ours[key], theirs[key], err_msg=f"{name} {key}")


def test_nothing_is_left_to_fill_in():
    for file in (*ROOT.glob("*.md"), *ROOT.glob("*/*.md")):
        assert "PLACEHOLDER" not in file.read_text() and "| TODO" not in file.read_text(), file


LIMITED = """
import resource, sys
from mpi4py import MPI  # before the limit: it makes files of its own
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.argv = {words!r}
from runs import cli
from {module} import main
cli.run(main)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
@pytest.mark.parametrize("stage", ["record", "vae", "series"])
def test_no_room_is_one_sentence_and_loses_nothing(stage, toy, tmp_path):
    """A limit on the size of a file stands for the full disk: the kernel refuses to write."""
    if stage != "record":
        copy_run(toy, tmp_path, *list(PIPELINE)[: list(PIPELINE).index(stage)])
    module = PIPELINE[stage][1]
    words = [module, "carracing", "--run", "toy"]
    words += ["--preset", "toy", "--workers", "1"] if stage == "record" else []
    done = command("-c", LIMITED.format(words=words, module=module), cwd=tmp_path, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "free some space" in done.stderr
    assert not [p for p in (tmp_path / "log").rglob("*") if ".tmp" in p.name]
    assert "done" in command("-m", *words, cwd=tmp_path).stdout
