"""FastCarRacing-v3 against Gymnasium's own CarRacing-v3: physics to the bit, frames by bounds."""

from __future__ import annotations

import copy
import math
import os

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.box2d.car_racing import CarRacing
from gymnasium.utils.env_checker import check_env

from benchmarks.bench_carracing import follower
from fast_carracing import FastCarRacing, register

BLANK = np.zeros((96, 96, 3), np.uint8)


def genuine(**options) -> CarRacing:
    """Gymnasium's game, which draws only where a test asks it to."""
    env = gymnasium.make("CarRacing-v3", **options).unwrapped
    env.draw, env._render = env._render, lambda mode: BLANK
    return env


def random_driver(env, rng, t):
    return rng.uniform([-1, 0, 0], [1, 1, 1]).astype(np.float32)


def full_gas(env, rng, t):
    return np.array([0.0, 1.0, 0.0])


def brownian(env, rng, t):
    env.drift = np.clip(getattr(env, "drift", 0.0) + 0.2 * rng.standard_normal(3), -1, 1)
    return np.clip(env.drift, [-1, 0, 0], [1, 1, 1])


def steady_follower(env, rng, t):
    return follower(env, rng, noise=0.0)


def noisy_follower(env, rng, t):
    return follower(env, rng, noise=0.3)


def discrete(env, rng, t):
    return int(rng.integers(5)) if t % 3 else 3


def state(env) -> tuple:
    """Everything the physics consists of, as Python numbers."""
    hull, wheels = env.car.hull, env.car.wheels
    return (
        *hull.position,
        *hull.linearVelocity,
        hull.angle,
        hull.angularVelocity,
        *[float(w.omega) for w in wheels],
        *[float(w.phase) for w in wheels],
        *[float(w.gas) for w in wheels],
        *[w.joint.angle for w in wheels],
        *[tuple(w.position) for w in wheels],
        env.tile_visited_count,
    )


def play_both(slow, fast, driver, seed, steps) -> tuple[float, dict, int]:
    """Play one episode in both games and assert that nothing differs."""
    rng = np.random.default_rng(seed)
    slow.reset(seed=seed)
    fast.reset(seed=seed)
    assert slow.track == fast.track
    total, t = 0.0, 0
    for t in range(steps):
        action = driver(slow, rng, t)
        _, *expected = slow.step(action)
        _, *got = fast.step(action)
        assert got == expected, t
        assert state(fast) == state(slow), t
        total += expected[0]
        if expected[1]:
            break
    marks = [[p.poly for p in env.car.particles] for env in (slow, fast)]
    assert marks[0] == marks[1]
    return total, expected[3], t + 1


DRIVERS = {random_driver: 600, full_gas: 600, brownian: 800, noisy_follower: 800}


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda d: d.__name__)
def test_physics_is_bit_identical(driver):
    slow, fast = genuine(), FastCarRacing(rows=84)
    for seed in range(2):  # the second track on a world that has seen one
        play_both(slow, fast, driver, seed, DRIVERS[driver])


def test_completed_laps_are_bit_identical():
    slow, fast = genuine(), FastCarRacing(rows=84)
    for seed in (3, 4):
        total, info, steps = play_both(slow, fast, steady_follower, seed, 3000)
        assert info == {"lap_finished": True} and total > 800, (total, steps)


def test_lap_complete_percent_ends_the_lap_earlier():
    options = {"lap_complete_percent": 0.2}
    fast = FastCarRacing(**options)
    _, info, _ = play_both(genuine(**options), fast, steady_follower, 3, 3000)
    assert info == {"lap_finished": True}


def test_leaving_the_field_is_bit_identical():
    def outwards(env, rng, t):
        x, y = env.car.hull.position
        turn = math.atan2(-x, y) - env.car.hull.angle
        turn = (turn + math.pi) % (2 * math.pi) - math.pi
        return np.array([np.clip(-turn, -1, 1), 0.6, 0.0])

    slow, fast = genuine(), FastCarRacing(rows=84)
    _, info, steps = play_both(slow, fast, outwards, 5, 3000)
    assert info == {"lap_finished": False}, steps
    compare_frame(slow, fast, 0.5)  # much of this view is the black outside


def test_discrete_actions_are_bit_identical():
    slow, fast = genuine(continuous=False), FastCarRacing(continuous=False)
    play_both(slow, fast, discrete, 6, 500)
    with pytest.raises(gymnasium.error.InvalidAction):
        fast.step(7)


def compare_frame(slow, fast, mean_bound) -> np.ndarray:
    """Compare what both games show now; returns the absolute differences (rows, 96, 3)."""
    frame = fast.observe(np.empty((fast.rows, 96, 3), np.uint8))
    off = np.abs(slow.draw("state_pixels")[: fast.rows].astype(int) - frame)
    assert off[:84].mean() < mean_bound
    return off


def test_frames_are_close():
    """Rows 0:84 of 4 tracks, with the zoom of the first second, visited tiles and driving off."""
    slow, fast = genuine(), FastCarRacing()
    play, zoom, bar, visited = [], [], [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        slow.reset(seed=seed)
        fast.reset(seed=seed)
        for t in range(500):
            if t % 25 == 0 or t in (1, 2, 3, 6, 10, 15, 20, 30, 40):
                off = compare_frame(slow, fast, 0.4)
                (zoom if slow.t < 1 else play).append(off[:84])
                bar.append(off[84:])
            action = noisy_follower(slow, rng, t)
            slow.step(action)
            fast.step(action)
        visited.append(slow.tile_visited_count)
    assert max(visited) > 50
    for off in (np.array(play), np.array(zoom)):
        assert off.mean() < 0.25
        assert (off.max(-1) > 16).mean() < 0.004
    assert np.mean(bar) < 0.1 and np.max(bar) < 60


def test_a_visited_tile_loses_its_shade():
    slow, fast = genuine(), FastCarRacing()
    slow.reset(seed=0)
    fast.reset(seed=0)
    before = fast.observe(np.empty_like(BLANK)).copy()
    for _ in range(60):
        action = np.array([0.0, 0.3, 0.0])
        slow.step(action)
        fast.step(action)
    after = fast.observe(np.empty_like(BLANK))
    off = np.abs(after[78:84, 44:52].astype(int) - slow.draw("state_pixels")[78:84, 44:52])
    assert np.median(off) == 0 and not np.array_equal(before, after)


def test_the_bar_above_row_84_is_drawn():
    """A wheel beyond 400 rad/s, which driving never reaches, overflows the indicator bar."""
    slow, fast = genuine(), FastCarRacing(rows=84)
    for env in (slow, fast):
        env.reset(seed=1)
        env.car.wheels[2].omega = 700.0
    frame = fast.observe(np.empty((84, 96, 3), np.uint8))
    off = np.abs(slow.draw("state_pixels")[:84].astype(int) - frame)
    assert frame[80, 22].tolist() == [49, 0, 253] and off.mean() < 0.4


def test_videos_are_gymnasiums_own():
    slow = gymnasium.make("CarRacing-v3", render_mode="rgb_array").unwrapped
    fast = FastCarRacing(render_mode="rgb_array", rows=84)
    for env in (slow, fast):
        env.reset(seed=2)
        for _ in range(40):
            env.step(np.array([0.6, 1.0, 0.0]))
    assert np.array_equal(slow.render(), fast.render())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", [{}, {"rows": 84}, {"continuous": False}], ids=str)
def test_gymnasium_accepts_it(options):
    register()  # a second time
    env = gymnasium.make("FastCarRacing-v3", **options)
    assert env.spec.max_episode_steps == 1000
    check_env(env.unwrapped, skip_render_check=True)


def test_two_games_do_not_disturb_each_other():
    def frames(env, seed):
        yield env.reset(seed=seed)[0]
        for t in range(60):
            yield env.step(np.array([math.sin(t / 9), 0.5, 0.0]))[0]

    a, b = FastCarRacing(), FastCarRacing()
    mixed = list(zip(frames(a, 1), frames(b, 2), strict=True))
    alone = list(zip(frames(b, 1), frames(FastCarRacing(), 2), strict=True))
    assert np.array_equal(mixed, alone)  # also: reset restores the field exactly


def test_a_track_is_erased_without_a_trace():
    env = FastCarRacing()
    for seed in range(5):
        env.reset(seed=seed)
    env.painter.start(np.zeros((0, 4, 2)), np.zeros(0, np.uint8))
    for layer, texture in zip(env.painter.layers, env.painter.textures, strict=True):
        assert np.array_equal(texture, layer.rows[layer.kinds].ravel())


def test_observe_fills_a_slice_of_a_batch():
    env = FastCarRacing(rows=84)
    frame, _ = env.reset(seed=0)
    batch = np.zeros((3, 84, 96, 3), np.uint8)
    env.observe(batch[1])
    assert np.array_equal(batch[1], frame) and not batch[[0, 2]].any()


def test_copies_keep_the_rows():
    assert copy.deepcopy(FastCarRacing(rows=84, continuous=False)).rows == 84


@pytest.mark.parametrize("options", [{"rows": 64}, {"domain_randomize": True}], ids=str)
def test_what_it_cannot_draw_is_refused(options):
    with pytest.raises(ValueError, match="rows must be|domain_randomize"):
        FastCarRacing(**options)
