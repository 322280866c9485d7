"""The games for planning against MinAtar's and Gymnasium's own environments; snapshots of
all; and the pipeline at toy size."""

from __future__ import annotations

import importlib.util
import itertools
import json
import sys

import numpy as np
import pytest

import envs
import runs
from config.alphazero import PLANNED
from envs import catch, keydoor, minatar_games
from record.episodes import load_episode
from tests.conftest import commands

MINATAR = tuple(minatar_games.SPECS)
PLAYED = [(game, engine) for game in PLANNED for engine in envs.load(game).engines]


def line(games, i, actions):
    """Play game i alone until it ends: rewards, ends and pictures, as bytes."""
    out = []
    for action in actions:
        games.over[:] = np.arange(games.num_envs) != i
        _, *said, _ = games.step(np.full(games.num_envs, action))
        out.append(tuple(x[i].item() for x in said) + (games.obs[i].tobytes(),))
        if games.over[i]:
            break
    return out


@pytest.mark.parametrize(("name", "engine"), PLAYED)
def test_snapshots_are_whole_and_the_seed_decides(name, engine):
    games, rng = envs.load(name).make(2, engine), np.random.default_rng(1)
    steps, rounds = (8, 4) if name == "boxing" else (25, 12)
    openings = set()
    for seed in range(rounds):
        games.start(0, seed)
        first = games.obs[0].copy()
        opening = line(games, 0, actions := rng.integers(games.game.action_size, size=steps))
        games.start(1, seed)
        np.testing.assert_array_equal(games.obs[1], first)
        assert line(games, 1, actions) == opening
        openings.add(opening[-1])
        games.start(0, seed)
        line(games, 0, actions[: rng.integers(1, len(opening))])  # stops before any end
        saved, picture, length = games.save(0), games.obs[0].copy(), games.steps[0]
        wanted = line(games, 0, actions)
        line(games, 1, actions[:1])  # which other games are between
        for i in (0, 1, 0):
            games.load(i, saved)
            np.testing.assert_array_equal(games.obs[i], picture)
            assert games.steps[i] == length
            assert line(games, i, actions) == wanted
        if not seed:  # into a game that was never started, too, as a search in the game does
            fresh = envs.load(name).make(1, engine)
            fresh.load(0, saved)
            assert line(fresh, 0, actions) == wanted
            fresh.close()
    assert len(openings) > 1
    games.close()


@pytest.mark.parametrize("name", MINATAR)
@pytest.mark.parametrize("engine", minatar_games.REPEAT)
def test_minatar_is_minatars_own_and_its_pictures_tell_every_channel(name, engine):
    """Rewards and ends are those of the package's environment; a cell shows its last kind."""
    import minatar

    rng, colours = np.random.default_rng(0), minatar_games.KINDS[name].colours
    theirs = minatar.Environment(name, sticky_action_prob=minatar_games.REPEAT[engine])
    games, channels = envs.load(name).make(1, engine), theirs.env.channels
    for seed in range(6):
        games.reset(seed=seed)
        theirs.random = theirs.env.random = np.random.RandomState(np.random.PCG64(seed))
        theirs.last_action = 0  # theirs is the last game's
        theirs.reset()
        over = False
        while not over and games.steps[0] < 150:
            shown = np.zeros((10, 10, 3), np.uint8)
            for kind, colour in colours.items():
                there = [theirs.state()[..., channels[part]] for part in kind.split("+")]
                shown[np.all(there, 0)] = colour
            whole = np.zeros((64, 64, 3), np.uint8)
            whole[2:62, 2:62] = np.kron(shown, np.ones((6, 6, 1), np.uint8))
            np.testing.assert_array_equal(games.obs[0], whole)
            if name == "breakout":
                assert (shown[theirs.env.ball_y, theirs.env.ball_x] == 255).all()
            action = rng.integers(6)
            _, reward, terminated, _, _ = games.step([action])
            wanted, over = theirs.act(action)
            assert (reward[0], terminated[0]) == (wanted, over)


@pytest.mark.parametrize("name", [g for g in PLANNED if g != "boxing"])
def test_colours_are_far_apart(name):
    module = {"catch": catch, "keydoor": keydoor}
    kinds = module[name].COLOURS if name in module else minatar_games.KINDS[name].colours
    colours = np.array([(0, 0, 0), *kinds.values()], float)
    for a, b in itertools.combinations(colours, 2):
        assert np.linalg.norm(a - b) > 120


def test_a_random_player_of_breakout_scores_what_is_known_and_sees_the_ball_land():
    """About 0.49 (400 episodes of the package's environment, all actions, sticky 0.1)."""
    games, rng = envs.load("breakout").make(200), np.random.default_rng(0)
    games.reset(seed=0)
    total, low = 0.0, np.zeros(200, bool)
    while not games.over.all():
        alive = ~games.over
        _, reward, terminated, _, _ = games.step(rng.integers(6, size=200))
        total += reward.sum() / 200
        low[alive] = (games.obs[alive, 60, 2:62] == 255).all(-1).any(-1)  # white in the last row
        np.testing.assert_array_equal(low[alive], terminated[alive])
    assert 0.3 < total < 0.7 and low.all()


def test_sticky_actions_are_as_sticky_as_they_say():
    acts = np.tile(np.arange(6), 400)
    for engine, share in minatar_games.REPEAT.items():
        games = envs.load("freeway").make(1, engine)
        games.reset(seed=0)
        done = [int(line(games, 0, [a]) and games.last[0]) for a in acts]
        assert abs((done != acts).mean() - share) < 0.02 * (share > 0) + 1e-9
    assert line(games, 0, np.zeros(200, int))[-1][1:3] == (False, True)
    assert games.steps[0] == 2500


def test_boxing_is_gymnasiums_and_as_sticky_as_it_says():
    import ale_py
    import cv2
    import gymnasium

    gymnasium.register_envs(ale_py)
    env = gymnasium.make("ALE/Boxing-v5", frameskip=1, repeat_action_probability=0.0).unwrapped
    env.reset(seed=0)
    for _ in range(np.random.default_rng(7).integers(1, 31)):
        env.step(0)
    games, rng = envs.load("boxing").make(1, "exact"), np.random.default_rng(0)
    assert games.single_action_space == env.action_space and len(games.actions) == 18
    games.reset(seed=7)
    for action in rng.integers(18, size=100):
        frames = [env.step(action) for _ in range(4)]
        ring = np.maximum(frames[2][0], frames[3][0])[30:183, 28:131]
        _, reward, terminated, _, _ = games.step([action])
        assert (reward[0], terminated[0]) == (sum(f[1] for f in frames), frames[-1][2])
        ring = cv2.resize(ring, (64, 64), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(games.obs[0], ring)


def test_boxing_is_as_sticky_as_it_says():
    games, played = envs.load("boxing").make(1, "sticky"), []
    games.reset(seed=0)
    real = games.games[0]

    class Spy:
        def act(self, action):
            played.append(games.actions.index(action))
            return real.act(action)

        def __getattr__(self, name):
            return getattr(real, name)

    games.games[0] = Spy()
    chosen = np.tile(np.arange(18), 40)
    for action in chosen:
        games.step([action])
    late = np.reshape(played, (-1, 4)) != chosen[:, None]
    assert (abs(late.mean(0) - 0.25 ** np.arange(1, 5)) < (0.05, 0.03, 0.02, 0.01)).all()


def test_a_missing_package_is_one_sentence(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "ale_py", None)
    for game, package in (("breakout", "minatar"), ("boxing", "ale-py")):
        with pytest.raises(runs.RunError, match=f"needs the package {package}"):
            envs.load(game).make(1)


def test_the_pipeline_of_breakout(tmp_path):
    first = ("-m", "record.extract", "breakout", "--preset", "toy", "--workers", "1")
    commands(
        first,
        ("-m", "vae.train", "breakout"),
        ("-m", "series.encode", "breakout"),
        ("-m", "rnn.train", "breakout", "--reward-head", "--done-head"),
        ("train.py", "breakout", "--workers", "1"),
        ("evaluate.py", "log/breakout", "--workers", "1", "--episodes", "3", "--baselines"),
        (*first, "--run", "b", "--policy", "controller", "--source", "breakout", "--noise", "1"),
        cwd=tmp_path,
    )
    run = tmp_path / "log" / "breakout"
    episode = load_episode(run / "record" / "0.npz")
    assert episode.action.dtype == np.int32 and episode.mask.shape == (len(episode) + 1, 0)
    result = json.loads((run / "result.json").read_text())
    assert result["engine"] == "sticky" and "minatar" in result["versions"]
