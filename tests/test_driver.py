"""The driver: who plays what, what is kept of it, and when it stops."""

from __future__ import annotations

import numpy as np
import pytest

import config
import envs
from record.driver import Single, play, play_baseline

LEFT, STAY, RIGHT = np.eye(3, dtype=np.float32)


class Counter:
    """Moves by the episode's own chance, and notes how often it has moved in it."""

    def __init__(self, n: int):
        self.moves, self.rngs, self.batches = np.zeros(n, int), [None] * n, []

    def begin(self, slot, number, seed):
        self.moves[slot], self.rngs[slot] = 0, np.random.default_rng([seed, 7])

    def act(self, games, at):
        self.batches.append(at.tolist())
        notes = {"moves": self.moves[at].copy(), "policy": np.full((len(at), 3), 1 / 3, np.float32)}
        self.moves[at] += 1
        return np.eye(3)[[self.rngs[i].integers(3) for i in at]], notes


def alone(seed, steps=44):
    """The same episode in a loop of its own: returns, and what was seen and done."""
    games, rng = envs.load("catch").make(1, max_steps=steps), np.random.default_rng([seed, 7])
    games.reset(seed=seed)
    obs, actions, rewards, over = [games.obs[0].copy()], [], [], False
    while not over:
        actions.append(rng.integers(3))
        _, reward, terminated, truncated, _ = games.step(np.array(actions[-1:]))
        obs.append(games.obs[0].copy())
        rewards.append(reward[0])
        over = terminated[0] or truncated[0]
    return np.array(obs), np.array(actions), np.array(rewards), terminated[0], truncated[0]


@pytest.mark.parametrize(("n", "steps"), [(1, 44), (3, 44), (9, 12)])
def test_an_episode_is_what_it_is_alone_whatever_is_played_beside_it(n, steps):
    games, seeds = envs.load("catch").make(n, max_steps=steps), [5, 6, 7, 8, 9]
    player = Counter(n)
    played = {p.number: p for p in play(games, player, seeds, keep=True)}
    assert sorted(played) == [0, 1, 2, 3, 4] and len(player.batches[0]) == min(n, 5)
    for k, seed in enumerate(seeds):
        obs, actions, rewards, terminated, truncated = alone(seed, steps)
        p, episode = played[k], played[k].episode
        assert (p.seed, p.length, p.total) == (seed, len(actions), rewards.sum())
        np.testing.assert_array_equal(episode.obs, obs)
        np.testing.assert_array_equal(episode.action, actions)
        np.testing.assert_array_equal(episode.reward, rewards)
        assert (episode.terminated, episode.truncated) == (terminated, truncated)
        assert episode.action.dtype == np.int32 and episode.mask.shape == (len(actions) + 1, 0)
        np.testing.assert_array_equal(p.notes["moves"], np.arange(p.length))
        assert episode.policy.shape == (p.length, 3) and "policy" not in p.notes
    lean = {p.number: p for p in play(games, Counter(n), seeds)}
    assert all(lean[k].total == played[k].total and lean[k].episode is None for k in played)


def test_nothing_begins_after_the_quota_and_nothing_is_played_after_the_budget():
    games = envs.load("catch").make(2)
    assert len(list(play(games, Counter(2), range(9), quota=89))) == 4  # 88 frames, then two more
    assert len(list(play(games, Counter(2), range(9), quota=88))) == 2
    player = Counter(2)
    assert len(list(play(games, player, range(9), budget=100))) == 2
    assert sum(map(len, player.batches)) == 100


def test_who_watches_sees_every_step_and_may_play():
    """The keyboard's: what is returned is played in place of what the agent chose."""
    games, seen = envs.load("catch").make(1), []

    def watch(turn):
        seen.append((turn.length[0], turn.total[0], games.obs[0].copy()))
        return None if turn.length[0] < 10 else LEFT[None]

    (played,) = play(games, Single(lambda seed: lambda games: RIGHT), [4], keep=True, watch=watch)
    assert played.episode.action.tolist() == [2] * 10 + [0] * 34
    assert [t for t, *_ in seen] == list(range(44))
    np.testing.assert_array_equal([obs for *_, obs in seen], played.episode.obs[:-1])
    before = np.concatenate([[0], np.cumsum(played.episode.reward)[:-1]])
    np.testing.assert_array_equal([total for _, total, _ in seen], before)


def test_who_stands_still_loses_as_much_without_playing_to_the_end():
    class Drive:
        """Full throttle for some steps of each episode, then the brake."""

        def begin(self, slot, number, seed):
            self.left[slot] = number * 30

        def act(self, games, at):
            self.left[at] -= 1
            gas = self.left[at, None] > 0
            return np.where(gas, np.float32([0, 1, 0]), np.float32([0, 0, 1])), {}

    def played(stall):
        games, player = envs.load("carracing").make(3, "fast", max_steps=250), Drive()
        player.left = np.zeros(3, int)
        return sorted(play(games, player, [1, 2, 3, 4], keep=True, stall=stall))

    for whole, short in zip(played(0), played(60), strict=True):
        assert whole.length == 250 and 60 <= short.length < 250
        assert short.total == pytest.approx(whole.total, abs=1e-3)
        assert short.episode.truncated and len(short.episode.reward) == short.length
        assert (short.episode.reward[-60:] < 0).all()
    assert [p.length for p in played(250)] == [250] * 4


def test_play_goes_on_where_the_games_stand():
    games = envs.load("catch").make(1)
    stay = Single(lambda seed: lambda games: STAY)
    assert not list(play(games, stay, [4], budget=10))
    where = games.obs[0].copy()
    (played,) = play(games, stay, [4], keep=True, begun=True)
    np.testing.assert_array_equal(played.episode.obs[0], where)
    assert played.length == 34


def test_what_was_wished_for_beyond_the_bounds_is_not_what_was_played():
    games = envs.load("carracing").make(1, "fast", max_steps=3)
    wish = np.array([-2, 3, 0.5], np.float32)
    (played,) = play(games, Single(lambda seed: lambda games: wish), [4], keep=True)
    np.testing.assert_array_equal(played.episode.action, [[-1, 1, 0.5]] * 3)


def test_baselines_are_played_from_their_seeds():
    cfg = config.preset("catch", "toy")
    rows = play_baseline(cfg, "random", "exact", np.array([3, 4]))
    again = play_baseline(cfg, "random", "exact", [4])
    assert [row.seed for row in rows] == [3, 4] and rows[1].total == again[0].total
    (short,) = play_baseline(cfg, "random", "exact", [4], max_steps=5)
    assert short.length == 5 and again[0].length == 44
