"""The C that evolution starts from, fitted to what was recorded."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import envs
import runs
from controller.agent import control, squash_of
from controller.model import Shape, count_params
from controller.regression import fit_controller, raw_outputs, regress, variations
from series.data import Series
from tests.conftest import PIPELINE, command, copy_run


@pytest.mark.parametrize("name", ["carracing", "Pendulum-v1", "takecover"])
def test_raw_outputs_act_as_what_was_recorded(name):
    game, rng = envs.load(name), np.random.default_rng(0)
    box = getattr(game.action_space, "low", 0.0), getattr(game.action_space, "high", 1.0)
    recorded = box[0] + (box[1] - box[0]) * rng.uniform(0.05, 0.95, (200, game.action_size))
    if game.discrete:
        recorded = game.one_hot(rng.integers(game.action_size, size=200))
    recorded[:50, -1] = 0 if name == "carracing" else recorded[:50, -1]  # no brake
    acted = squash_of(game)(tf.tanh(raw_outputs(game, recorded))).numpy()
    if game.discrete:
        np.testing.assert_array_equal(game.to_actions(acted), game.to_actions(recorded))
    else:
        np.testing.assert_allclose(acted, recorded, atol=1e-6)


def test_the_regression_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(4000, 6)), rng.normal(size=(4000, 2)), rng.exponential(size=4000)
    root = np.sqrt(w)[:, None]
    expected = np.linalg.lstsq(root * x, root * y, rcond=None)[0]
    np.testing.assert_allclose(regress(x, y, w), expected, atol=1e-3)
    np.testing.assert_allclose(regress(x, y[:, 0]), np.linalg.lstsq(x, y[:, 0])[0], atol=1e-3)


def series_of(better: np.ndarray, episodes: int = 200, steps: int = 100) -> Series:
    """Random steering; a step earns more the nearer it is to tanh(z @ better)."""
    rng, rows = np.random.default_rng(1), episodes * (steps + 1)
    mu = rng.normal(size=(rows, len(better)))
    action = np.stack([rng.uniform(-1, 1, rows), rng.uniform(0, 1, rows), np.zeros(rows)], axis=1)
    nothing = np.zeros((rows, 0))
    return Series(
        mu=mu.astype(np.float16),
        logvar=mu,
        action=action.astype(np.float32),
        reward=(-10 * (action[:, 0] - np.tanh(mu @ better)) ** 2).astype(np.float32),
        mask=nothing,
        policy=nothing,
        length=np.full(episodes, steps),
        offset=np.arange(episodes) * (steps + 1),
        terminated=np.zeros(episodes, bool),
        seed=np.arange(episodes),
        vae="",
    )


@pytest.mark.parametrize("bias", [True, False])
def test_what_went_better_is_what_is_done(bias):
    better = np.array([1.0, -0.5, 0.0, 0.25])
    shape = Shape((4 + 3, 3), bias, False)  # z, and an h of three units
    params = fit_controller(series_of(better), envs.load("carracing"), shape)
    weights = params[3 * bias :].reshape(7, 3)
    steer = weights[:4, 0]
    assert steer @ better / np.linalg.norm(steer) / np.linalg.norm(better) > 0.95
    assert np.abs(weights[:4, 1]).max() < 0.1  # gas made no difference
    assert not weights[4:].any()  # h is not read
    if bias:  # the brake was never used
        assert params[2] < -1 and np.abs([params[0], *weights[:4, 2]]).max() < 0.1


def test_variations_have_other_gains_and_offsets():
    rng, shape = np.random.default_rng(0), Shape((5, 3), True, False)
    params, x = 0.1 * rng.normal(size=count_params(shape)), rng.normal(size=(40, 5))
    several = variations(params, shape, 6, rng)
    np.testing.assert_array_equal(several[0], params)
    raw = [
        np.arctanh(control(tf.constant(x), tf.constant(np.tile(p, (40, 1))), shape))
        for p in several
    ]
    for other in raw[1:]:
        for k in range(3):
            fit = np.polyfit(raw[0][:, k], other[:, k], 1)
            np.testing.assert_allclose(np.polyval(fit, raw[0][:, k]), other[:, k], atol=1e-9)
            assert fit[0] > 0 and not np.allclose(fit, (1, 0), atol=1e-3)


def test_hidden_units_are_refused():
    with pytest.raises(runs.RunError, match="without hidden units"):
        fit_controller(series_of(np.ones(4)), envs.load("carracing"), Shape((4, 5, 3), True, False))


def test_a_lender_without_a_series_is_one_sentence(toy, tmp_path):
    copy_run(toy, tmp_path, "vae", "rnn", "series")
    (tmp_path / "log/toy/series/series.npz").unlink()
    words = (*PIPELINE["controller"], "--preset", "toy", "--run", "other", "--models", "toy")
    done = command(*words, "--workers", "1", "--fit-first", "9", cwd=tmp_path, check=False)
    assert done.returncode == 1 and "log/toy has no series to fit a C to" in done.stderr
