"""Recording: the format, its alignment, and everything that can be wrong with a file."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import envs
import runs
from envs import carracing
from envs.scaling import see
from record.episodes import Episode, episode_length, list_episodes, load_episode, save_episode
from record.extract import record
from tests.conftest import command


def make_policy(name, seed):
    return envs.load("carracing").policies[name](np.random.default_rng(seed))


def full_throttle(games):
    return np.array([0, 1, 0], np.float32)


def test_held_actions_are_held():
    act = envs.load("takecover").policies["held"](np.random.default_rng(0))
    actions = np.array([act(None)[0] for _ in range(20_000)])
    changes = np.flatnonzero(np.diff(actions))
    holds = np.diff(changes)
    assert holds.min() >= 2 and 150 < holds.max() <= 200 and 20 < np.median(holds) * 2 < 40
    assert actions.min() < -0.9 and actions.max() > 0.9


@pytest.mark.parametrize(("name", "longest"), [("repeated", 10), ("held", 200)])
def test_discrete_actions_are_held(name, longest):
    act = envs.load("freeway").policies[name](np.random.default_rng(0))
    actions = np.array([act(None) for _ in range(20_000)])
    assert (actions.sum(1) == 1).all() and (actions.max(1) == 1).all()
    holds = np.diff(np.flatnonzero(np.diff(actions.argmax(1))))
    assert longest < holds.max() <= 3 * longest  # the same action may be drawn again
    assert np.unique(actions.argmax(1)).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", sorted(envs.load("carracing").policies))
def test_policies_stay_in_the_action_space_and_follow_their_seed(name):
    policy, again = make_policy(name, 1), make_policy(name, 1)
    actions = np.stack([policy(None) for t in range(500)])
    assert (actions >= carracing.LOW).all() and (actions <= carracing.HIGH).all()
    np.testing.assert_array_equal(actions, [again(None) for t in range(500)])
    assert actions.std(0)[0] > 0.2


def test_an_episode_holds_what_the_policy_saw_chose_and_earned():
    games = envs.load("carracing").make(1, "fast", max_steps=25)
    seen, chosen = [], []
    noise = make_policy("brownian", 0)

    def policy(games):
        seen.append(games.obs[0].copy())
        chosen.append(noise(games))
        return chosen[-1]

    episode = record(games, policy, 3, 25)
    assert len(episode) == 25 and episode.truncated and not episode.terminated
    np.testing.assert_array_equal(episode.obs[:-1], seen)
    np.testing.assert_array_equal(episode.action, chosen)
    game = carracing.make("fast")
    frame, _ = game.reset(seed=3)
    for t in range(25):
        np.testing.assert_array_equal(episode.obs[t], see(frame))
        frame, reward, *_ = game.step(np.asarray(chosen[t], np.float64))
        assert episode.reward[t] == np.float32(reward)
    np.testing.assert_array_equal(episode.obs[25], see(frame))


def an_episode(steps=9):
    rng = np.random.default_rng(0)
    return Episode(
        obs=rng.integers(0, 256, (steps + 1, 64, 64, 3), dtype=np.uint8),
        action=rng.normal(size=(steps, 3)).astype(np.float32),
        reward=rng.normal(size=steps).astype(np.float32),
        terminated=np.bool_(True),
        truncated=np.bool_(False),
        mask=np.zeros((steps + 1, 0), bool),
    )


def test_a_lead_in_is_played_but_not_recorded():
    games = envs.load("carracing").make(1, "fast", max_steps=40)
    episode = record(games, make_policy("brownian", 0), 3, 25, (full_throttle, 15))
    games.reset(seed=3)
    noise = make_policy("brownian", 0)
    for t in range(40):
        if t >= 15:
            np.testing.assert_array_equal(episode.obs[t - 15], games.obs[0])
        games.step((full_throttle if t < 15 else noise)(games)[None])
    assert len(episode) == 25 and episode.truncated and not episode.terminated


def test_a_lead_in_that_ends_the_game_begins_it_again():
    games = envs.load("catch").make(1)  # over after 44 steps
    left = np.array([1, 0, 0], np.float32)
    episode = record(games, lambda games: left, 3, 10, (lambda games: left, 60))
    games.reset(seed=3)
    np.testing.assert_array_equal(episode.obs[0], games.obs[0])
    assert len(episode) == 10 and episode.truncated


def test_episode_round_trip(tmp_path):
    episode = an_episode()
    save_episode(tmp_path / "7.npz", episode)
    loaded = load_episode(tmp_path / "7.npz")
    for name in ("obs", "action", "reward", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(episode, name))
    assert episode_length(tmp_path / "7.npz") == 9
    assert [p.name for p in tmp_path.iterdir()] == ["7.npz"]


def test_damaged_and_foreign_files_are_named(tmp_path):
    save_episode(tmp_path / "1.npz", an_episode())
    whole = (tmp_path / "1.npz").read_bytes()
    (tmp_path / "2.npz").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "3.npz").write_bytes(b"")
    np.savez(tmp_path / "4.npz", x=np.zeros(3))
    np.savez(tmp_path / "5.npz", obs=np.zeros((5, 96, 96, 3), np.uint8))
    np.savez(tmp_path / "6.npz", obs=np.array([{}], dtype=object))
    for i in range(2, 7):
        for read in (episode_length, load_episode):
            with pytest.raises(runs.RunError, match=f"{i}.npz"):
                read(tmp_path / f"{i}.npz")
    with pytest.raises(runs.RunError, match="--skip-bad"):
        list_episodes(tmp_path)
    assert [p.name for p, _ in list_episodes(tmp_path, skip_bad=True)] == ["1.npz"]


def test_no_episodes_is_one_sentence(tmp_path):
    with pytest.raises(runs.RunError, match="record.extract"):
        list_episodes(tmp_path)


def test_frames_are_scaled_by_area_as_opencv_does():
    rng = np.random.default_rng(0)
    for frame in rng.integers(0, 256, (20, 96, 96, 3)).astype(np.uint8):
        wanted = cv2.resize(frame[:84], (64, 64), interpolation=cv2.INTER_AREA)
        assert np.array_equal(see(frame), wanted)


@pytest.mark.parametrize(("engine", "package"), [("fast", "numba"), ("gymnasium", "Box2D")])
def test_a_missing_engine_is_one_sentence(engine, package, tmp_path):
    code = (
        f"import sys; sys.modules[{package!r}] = None; import record.extract; "
        "from runs import cli; "
        "cli.run(record.extract.main)"
    )
    words = ("carracing", "--preset", "toy", "--workers", "1", "--engine", engine)
    done = command("-c", code, *words, cwd=tmp_path, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert f"engine {engine} is not installed here" in done.stderr
