"""Evaluation, the ablations, the shipped runs and videos, on a real toy run."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

import config
import envs
import runs
from controller import show
from controller.agent import Controller, load_agent
from controller.logs import history
from controller.model import load_controller
from controller.rollout import dream_rollout, dream_team, rollout
from envs import carracing
from envs.spec import Keys
from record.driver import play
from report import ablations
from report.curves import own_curve
from rnn.dream import load_dream
from rnn.dream_games import DreamGames
from runs.video import Closed, Video, Window, big
from tests.conftest import DEMO, ROOT, STAGES, command, commands
from vae.model import to_uint8


@pytest.fixture(scope="module")
def demo(toy) -> tuple[Path, str]:
    """`make demo` from its sixth command on, of 2 tracks, not 16; the run, and what it printed."""
    for words in DEMO[len(STAGES) :]:
        done = command(*(w.replace("16", "2") for w in words), cwd=toy)
    return toy / "log" / "toy", done.stdout


def test_the_demo_ends_with_pictures_and_a_table(demo):
    run, text = demo
    assert "full-throttle" in text.splitlines()[-2]
    assert {"drive.mp4", "dream.mp4"} <= {p.name for p in run.iterdir()}
    for name in ("training", "training.wall", "losses", "reconstructions", "dreams"):
        assert imageio.imread(run / f"{name}.png").std() > 5


def test_evaluation_writes_an_honest_result(demo, toy):
    run, _ = demo
    result = json.loads((run / "result.json").read_text())
    core = "system game engine seeds episodes mean std median min max ci95 scores lengths command"
    assert {*core.split(), "versions", "wall_hours", "cpu_hours", "baselines"} <= set(result)
    assert result["system"] == "worldmodels" and result["game"] == "carracing"
    assert result["ci95"][0] - 0.01 <= result["mean"] <= result["ci95"][1] + 0.01
    assert result["episodes"] == len(result["scores"]) == 2 and result["engine"] == "gymnasium"
    assert result["seeds"] == [config.TEST_SEEDS, config.TEST_SEEDS + 1]
    assert set(result["baselines"]) == {"random", "full-throttle"}
    assert result["command"].endswith("--episodes 2 --baselines")
    play = ("evaluate.py", "log/toy", "--workers", "1", "--episodes")
    commands((*play, "1"), (*play, "3", "--engine", "fast", "--seed", "7"), cwd=toy)
    assert json.loads((run / "result.json").read_text()) == result
    assert json.loads((run / "result-1.json").read_text())["episodes"] == 1
    assert json.loads((run / "result-fast-seed-7.json").read_text())["seeds"] == [7, 9]


def test_ablations_are_compared_track_by_track(demo, in_toy, monkeypatch, capsys):
    """The same run once more as if C saw z alone, a point worse on every track."""
    monkeypatch.setattr(sys, "argv", ["ablations", "log/toy", "log/blind"])
    for name, inputs in (("result.json", None), ("config.json", "z")):
        made = json.loads((in_toy / name).read_text())
        if inputs:
            made["controller"]["inputs"] = inputs
        else:
            made["scores"] = [score - 1 for score in made["scores"]]
        Path("log/blind").mkdir(exist_ok=True)
        Path("log/blind", name).write_text(json.dumps(made))
    judged = ((in_toy, {"2": [5, 9], "10": [1, 1]}), (Path("log/blind"), {"10": [3, 3], "4": [0]}))
    for path, scores in judged:
        rows = {generation: {"scores": values} for generation, values in scores.items()}
        (path / "choice.json").write_text(json.dumps({"seeds": [0, 1], "rows": rows}))
    ablations.main()
    out = capsys.readouterr().out
    assert "632 ± 251" in out and "z, both at generation 10: +2.0 (+2.0 .. +2.0)" in out
    rows = json.loads((in_toy / "ablations.json").read_text())
    assert list(rows) == ["zh", "z", "random"] and rows["z"]["difference"] == [-1, -1, -1]
    assert rows["z"]["equal_generations"] == {"10": [2, 2, 2]}
    (in_toy / "choice.json").unlink()
    assert imageio.imread(in_toy / "ablations.png").std() > 5
    monkeypatch.setattr(sys, "argv", ["ablations", "log/toy", "log/toy"])
    with pytest.raises(runs.RunError, match="are both 'zh'"):
        ablations.main()
    shutil.rmtree("log/blind")


def test_the_shipped_ablations_are_those_of_the_table(monkeypatch):
    monkeypatch.chdir(ROOT)
    first = Path("pretrained/carracing")
    others = sorted(Path("pretrained").glob("carracing-*"))
    rows = ablations.rows_of([str(path) for path in (first, *others)])
    assert rows == json.loads((first / "ablations.json").read_text())
    for path in (Path(row["run"]) for row in rows.values() if "run" in row):
        result = json.loads((path / "result.json").read_text())
        assert result["controller"] == runs.fingerprint(path / "controller" / "controller.npz")
        assert (result["episodes"], result["engine"]) == (100, "gymnasium")


def test_evaluation_plays_the_genuine_game(in_toy):
    path, cfg = runs.find("toy")
    agent, params = load_agent(path, cfg), load_controller(path)
    scores = [
        rollout(
            agent, envs.load("carracing").make(1, engine, 30), params[None], np.array([3])
        ).returns[0]
        for engine in ("gymnasium", "fast")
    ]
    np.testing.assert_allclose(*scores, atol=15)


@pytest.mark.parametrize(("name", "fifth"), [("carracing", 857), ("carracing2", 874)])
def test_a_shipped_run_is_whole_and_drives(name, fifth):
    """What is in pretrained/ plays, dreams and plots, and its scores are of this controller."""
    path, cfg = runs.find(str(ROOT / "pretrained" / name))
    result = json.loads((path / "result.json").read_text())
    assert result["controller"] == runs.fingerprint(path / "controller" / "controller.npz")
    assert result["episodes"] == 100 and result["engine"] == "gymnasium" and result["mean"] > 880
    again = json.loads((path / "result-seed-900000.json").read_text())
    assert again["controller"] == result["controller"] and again["seeds"] == [900_000, 900_099]
    choice = json.loads((path / "choice.json").read_text())
    assert choice["made_from"] == runs.made_from(path, "vae", "rnn")
    agent, params = load_agent(path, cfg), load_controller(path)
    games = envs.load("carracing").make(2, "fast", 300)
    returns = rollout(agent, games, np.tile(params, (2, 1)), np.array([800_000, 800_001])).returns
    assert (returns > 100).all()  # 300 steps of a thousand
    assert len(load_dream(path, cfg).start_mu) == 1500
    assert len(load_dream(path, cfg, start="any").start_mu) == 2000
    assert history(path)[0][-1, 0] >= result["generation"]
    (generation, steps, hours, core_hours), scores = own_curve(path, 2)
    assert generation[0] == 5 and abs(scores[0] - fifth) < 1
    assert 64 * 4 * 800 * 5 < steps[0] < 64 * 4 * 1000 * 5 and (np.diff(steps) > 0).all()
    np.testing.assert_allclose(core_hours, 2 * hours)


def test_videos_of_the_game_and_the_dream(in_toy, monkeypatch):
    short = dataclasses.replace(envs.load("carracing"), max_steps=20)
    monkeypatch.setitem(carracing.SPECS, "carracing", short)
    path, cfg = runs.find("toy")
    agent, params = load_agent(path, cfg), load_controller(path)
    dream = load_dream(path, cfg, max_steps=15, done_threshold=0.999999)
    driver = show.Controlled(cfg, agent, params, dream)
    fast = show.Controlled(cfg, agent, params, engine="fast")
    scenes = ((driver.awake(), 20, 100), (driver.asleep(), 15, 100), (fast.awake(), 7, 7))
    drawn = [type(x[0].games.games[0]).__name__ for x in scenes[::2]]
    assert drawn == ["CarRacing", "FastCarRacing"]
    for scene, count, steps in scenes:
        file = path / f"{count}.mp4"
        with Video(file) as video:
            show.act_out(scene, 1, video.show, steps=steps)
        frames = imageio.imread(file)
        assert frames.shape == (count, 400, 800, 3) and video.count == count
        assert frames.std() > 5 and np.abs(np.diff(frames.astype(int), axis=0)).max() > 50


def test_the_dream_beside_the_game_begins_with_its_first_frame(in_toy):
    """Left what V is shown, right what V makes of the dream's z; both stay when they are over."""
    path, cfg = runs.find("toy")
    agent, params = load_agent(path, cfg), load_controller(path)
    dream = load_dream(path, cfg, max_steps=6, done_threshold=0.999999)
    pictures, seen, driver = [], [], show.Controlled(cfg, agent, params, dream)
    show.side_by_side(driver, 1, pictures.append)
    assert len(pictures) == 6 and pictures[0].shape == (400, 800, 3)
    games, pilot, _ = driver.awake()

    def watch(turn):
        seen.append((games.obs[0].copy(), to_uint8(agent.vae.decode(turn.notes["z"])[0])))

    assert not list(play(games, pilot, [1], watch=watch, budget=1))
    for side, frame in zip(np.split(pictures[0], 2, axis=1), seen[0], strict=True):
        np.testing.assert_array_equal(side[100:], big(frame, 400, 400)[100:])  # below the text


def test_dreams_are_games(in_toy):
    """What the driver plays in them is what evolution's compiled dreams are, with the same C."""
    path, cfg = runs.find("toy")
    params, seeds = load_controller(path), np.arange(5)
    dream, chunk = dream_team(path, cfg)
    dream.max_steps = 30
    form = Controller(cfg.controller, cfg.game, cfg.vae.z_size, cfg.rnn.hidden_size)
    wanted = dream_rollout(dream, chunk, np.tile(params, (5, 1)), seeds, 5)
    for n in (1, 3):
        games = DreamGames(envs.load(cfg.game), dream, None, n)
        played = sorted(play(games, show.Sleeper(form, params), seeds, keep=True))
        assert [p.length for p in played] == wanted.lengths.tolist()
        np.testing.assert_allclose([p.total for p in played], wanted.returns, rtol=1e-3, atol=1e-3)
        assert played[0].episode.obs.shape == (played[0].length + 1, cfg.vae.z_size)


def test_a_video_without_an_encoder_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(runs.RunError, match="no video encoder"):
        Video(tmp_path / "drive.mp4")
    assert not list(tmp_path.iterdir())


def test_a_video_that_fails_leaves_the_old_one(tmp_path):
    (tmp_path / "drive.mp4").write_text("old")
    with pytest.raises(ZeroDivisionError), Video(tmp_path / "drive.mp4") as video:
        video.show(np.zeros((64, 64, 3), np.uint8))
        raise ZeroDivisionError
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("drive.mp4", "old")]


@pytest.fixture
def window(monkeypatch):
    """Makes a window that nobody sees, and a function that presses keys in it."""
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    import pygame

    def make(keys, size):
        pygame.display.quit()
        return Window("test", keys, size)

    def press(name):
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.key.key_code(name)))

    yield make, press
    pygame.display.quit()


def test_keys_mean_what_the_game_says(window):
    (make, press), picture = window, np.zeros((400, 800, 3), np.uint8)
    waits = make(Keys({"left": 1, "space": 5}), 6)
    waits.show(picture)
    press("space")
    assert waits.ask(np.zeros(0, bool)) == 5  # shows on until a key is pressed
    drives = make(envs.load("carracing").keys, 3)
    drives.show(picture)
    np.testing.assert_array_equal(drives.ask(np.zeros(0, bool)), [0, 0, 0])  # none is held
    chooses = make(Keys(), 5)
    for name in ("up", "up", "return"):
        chooses.show(picture)
        press(name)
        if name != "return":
            chooses.show(picture)
            assert chooses.choice(np.array([1, 0, 1, 0, 1], bool)) is None
    assert chooses.ask(np.array([1, 0, 1, 0, 1], bool)) == 4
    press("escape")
    with pytest.raises(Closed):
        chooses.show(picture)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_a_window_without_a_display_is_one_sentence(toy, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    done = command("evaluate.py", "log/toy", "--play", cwd=toy, check=False)
    assert done.returncode == 1 and "no display" in done.stderr and "--video" in done.stderr
