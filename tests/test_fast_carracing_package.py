"""fast_carracing as a package: vectorised, cheap to import, installed without the repository.

What is tested is the folder fast_carracing/ of the repository, not an installed copy of it.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import gymnasium
import numpy as np
import pytest

import fast_carracing
from fast_carracing import FastCarRacingVector
from tests.conftest import ROOT


def test_the_tree_is_tested():
    assert Path(fast_carracing.__file__).parent == ROOT / "fast_carracing"


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
