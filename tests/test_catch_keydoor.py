"""Catch against a literal ball, key and door against breadth-first search through the game itself:
both have the optimum that they say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import envs
from envs import catch, keydoor


def landing(column, drift):
    """Where a ball lands that enters at a column, step by step."""
    for _ in range(catch.FALL):
        if not 0 <= column + drift < 10:
            drift = -drift
        column += drift
    return column


def read(picture):
    """What a picture of catch says: paddle, ball's column and row, drift from its trail."""
    cells = {
        kind: np.argwhere((picture[4:62:6, 4:62:6] == colour).all(-1))
        for kind, colour in catch.COLOURS.items()
    }
    (_, paddle), (above, before) = cells["paddle"][0], cells["trail"][0]
    ball = cells["ball"][0] if len(cells["ball"]) else (9, paddle)
    assert ball[0] == above + 1
    return paddle, ball[1], ball[0], ball[1] - before


def catcher(picture):
    """A perfect player, who knows this picture alone; between two balls it goes to the middle."""
    paddle, column, row, drift = read(picture)
    target = column
    for _ in range(9 - row):
        drift = drift if 0 <= target + drift < 10 else -drift
        target += drift
    target = 5 if row == 9 else target
    return 1 + np.sign(target - paddle)


def test_every_ball_can_be_caught():
    balls = list(itertools.product(range(10), (-1, 0, 1)))
    assert all(abs(landing(*ball) - catch.START) <= 8 for ball in balls)
    for paddle in range(10):  # where the last ball was; one step is blind, eight are not
        near = {min(max(paddle + move, 0), 9) for move in (-1, 0, 1)}
        assert any(all(abs(landing(*ball) - p) <= 8 for ball in balls) for p in near)
    games = envs.load("catch").make(1)
    for seed in range(60):
        games.reset(seed=seed)
        total, over, left = 0, False, []
        while not over:
            left.append(int(games.obs[0][0, 2:62:12].any(-1).sum()))
            _, reward, terminated, truncated, _ = games.step([catcher(games.obs[0])])
            total, over = total + reward[0], terminated[0]
            assert not truncated[0]
        assert total == 5 and len(left) == catch.MAX_STEPS
        assert left == [5 - (t + 1) // 9 for t in range(44)]


def test_brute_force_finds_nothing_better_in_catch():
    """All 3^44 ways to play, merged where the paddle stands alike."""
    games = envs.load("catch").make(1)
    games.reset(seed=3)
    best = {catch.START: (0.0, games.save(0))}
    worst = dict(best)
    for _ in range(catch.MAX_STEPS):
        for ways, better in ((best, max), (worst, min)):
            found = {}
            for (total, saved), action in itertools.product(ways.values(), range(3)):
                games.load(0, saved)
                reward = games.step([action])[1]
                found.setdefault(int(games.paddle[0]), []).append(
                    (total + reward[0], games.save(0))
                )
            ways.clear()
            ways.update({p: better(found[p], key=lambda x: x[0]) for p in found})
    assert max(t for t, _ in best.values()) == 5 and min(t for t, _ in worst.values()) == -5


def test_key_and_door_has_the_optimum_that_search_says():
    games = envs.load("keydoor").make(1)
    for seed in range(12):
        games.reset(seed=seed)
        start, best = games.save(0), keydoor.shortest(games, 0)
        frontier, seen, steps, found = [start], set(), 0, False
        while not found:  # breadth-first through the genuine game
            following = []
            for saved, action in itertools.product(frontier, range(4)):
                games.load(0, saved)
                terminated = games.step([action])[2]
                found |= bool(terminated[0])
                state = (*games.agent[0].tolist(), bool(games.has_key[0]))
                if state not in seen:
                    seen.add(state)
                    following.append(games.save(0))
            frontier, steps = following, steps + 1
        assert steps == best <= games.max_steps
        games.load(0, start)
        total, over = 0.0, False
        while not over:
            saved, now = games.save(0), keydoor.shortest(games, 0)
            for action in range(4):
                games.load(0, saved)
                _, reward, terminated, _, _ = games.step([action])
                if keydoor.shortest(games, 0) == now - 1:
                    break
            total, over = total + reward[0], terminated[0]
        assert total == pytest.approx(1 - 0.01 * best)


def test_no_random_play_beats_the_optimum_of_key_and_door():
    n = 1000
    games, rng = envs.load("keydoor").make(n), np.random.default_rng(0)
    games.reset(seed=0)
    best = np.array([1 - 0.01 * keydoor.shortest(games, i) for i in range(n)])
    total, won = np.zeros(n), np.zeros(n, bool)
    while not games.over.all():
        _, reward, terminated, _, _ = games.step(rng.integers(4, size=n))
        total, won = total + reward, won | terminated
    assert best.min() > 0.5 and (total <= best + 1e-5).all()
    assert won.any() and np.allclose(total[~won], -0.5)
