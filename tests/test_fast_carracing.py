"""FastCarRacing-v3 against Gymnasium's own CarRacing-v3: physics to the bit, frames by bounds.

What is tested is the folder fast_carracing/ of the repository, not an installed copy of it.
"""

from __future__ import annotations

import copy
import importlib.metadata
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.box2d.car_racing import CarRacing
from gymnasium.utils.env_checker import check_env

import fast_carracing
from benchmarks.bench_carracing import follower
from fast_carracing import FastCarRacing, FastCarRacingVector, register

ROOT = Path(__file__).resolve().parent.parent
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


def test_the_tree_is_tested():
    assert Path(fast_carracing.__file__).parent == ROOT / "fast_carracing"


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


def test_kernels_load_without_a_writable_folder(tmp_path):
    """With no place for numba's cache the kernels still compile, and a warning says so."""
    shutil.copy(ROOT / "fast_carracing/kernels.py", tmp_path / "kernels.py")
    (tmp_path / "__pycache__").touch()  # a file where the cache's folder would be
    code = "import kernels; print(kernels.walk(6.0, 333.0, 0.0, 0.0, 0.0, 16.2))"
    env = os.environ | {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/cache"}
    env.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "kernels compile anew" in done.stderr


def make_vector(mode: str | None = None, **options):
    name = "fast_carracing:FastCarRacing-v3"
    options = {"rows": 84, "max_episode_steps": 60} | options
    return gymnasium.make_vec(name, 3, vectorization_mode=mode, **options)


@pytest.mark.parametrize("continuous", [True, False])
def test_a_vector_of_games_is_gymnasiums_to_the_bit(continuous):
    """Observations, rewards, ends, infos; autoreset on the next step; seeds and masks.

    With so small a share a lap counts as complete on its first tile where the track is short:
    some of the games terminate, the others are truncated.
    """
    options = {"continuous": continuous, "lap_complete_percent": 0.0035}
    ours, theirs = make_vector(**options), make_vector("sync", **options)
    assert isinstance(ours, FastCarRacingVector)
    assert ours.metadata.items() <= (theirs.metadata | {"render_modes": ["rgb_array"]}).items()
    for name in ("action_space", "observation_space", "single_action_space", "num_envs"):
        assert getattr(ours, name) == getattr(theirs, name)
    ours.action_space.seed(0)
    mask = np.array([False, True, False])
    ended = np.zeros(2, bool)
    for t in range(150):
        if t == 0:
            got, expected = (e.reset(seed=5) for e in (ours, theirs))
        elif t == 90:
            got, expected = (
                e.reset(seed=[1, 2, 3], options={"reset_mask": mask.copy()}) for e in (ours, theirs)
            )
        else:
            action = ours.action_space.sample()
            got, expected = ours.step(action), theirs.step(action)
            ended |= got[2].any(), got[3].any()
        for a, b in zip(got[:-1], expected[:-1], strict=True):
            np.testing.assert_array_equal(a, b, err_msg=f"step {t}", strict=True)
        assert str(got[-1]) == str(expected[-1])
    assert ended.all()


def test_a_vector_of_games_without_copies():
    live, copies = make_vector(copy=False, render_mode="rgb_array"), make_vector()
    with pytest.raises(gymnasium.error.ResetNeeded):
        live.step(live.action_space.sample())
    first, before = live.reset(seed=0)[0], copies.reset(seed=0)[0]
    action = np.array([[0, 1, 0]] * 3, np.float32)
    again, after = live.step(action)[0], copies.step(action)[0]
    assert again is first and np.array_equal(again, after) and not np.array_equal(before, after)
    assert [x.shape for x in live.render()] == [(400, 600, 3)] * 3 and copies.render() is None
    live.close()


WRONG = {
    "render_mode must be": lambda: make_vector(render_mode="human"),
    "2 seeds were given for 3 games": lambda: make_vector().reset(seed=[0, 1]),
    "reset_mask must be": lambda: make_vector().reset(options={"reset_mask": np.ones(2, bool)}),
}


@pytest.mark.parametrize("message", WRONG)
def test_a_vector_of_games_refuses(message):
    with pytest.raises(ValueError, match=message):
        WRONG[message]()


def test_importing_it_is_cheap():
    """Who takes a kernel or the id alone waits for neither Box2D nor pygame."""
    code = """if True:
        import sys, fast_carracing.kernels
        assert not {"Box2D", "pygame"} & set(sys.modules)
        fast_carracing.FastCarRacing
        assert {"Box2D", "pygame"} <= set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_installed_package_works_elsewhere(tmp_path):
    """Where it is installed (`make` does so) it needs nothing of the repository.

    No game is played: its kernels would be compiled once more, for the copy.
    """
    try:
        importlib.metadata.version("fast-carracing")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("not installed here: pip install ./fast_carracing")
    code = """if True:
        import pathlib, sys, gymnasium
        env = gymnasium.make("fast_carracing:FastCarRacing-v3", rows=84)
        envs = gymnasium.make_vec("fast_carracing:FastCarRacing-v3", num_envs=4)
        assert env.observation_space.shape == (84, 96, 3)
        assert envs.observation_space.shape == (4, 96, 96, 3)
        import fast_carracing
        print(pathlib.Path(fast_carracing.__file__).parent)
    """
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) != ROOT / "fast_carracing"
