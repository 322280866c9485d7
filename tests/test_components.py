"""C evolved in the principal components of what it sees."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import tensorflow as tf

import runs
from controller.agent import control
from controller.components import FLOOR, InComponents, principal_components
from controller.model import Shape, count_params, load_controller
from controller.optimizers import make_optimizer
from tests.conftest import PIPELINE, command, commands, copy_run

SETTINGS = {"population": 4, "sigma_init": 0.1, "sigma_decay": 1.0, "weight_decay": 0.0}
MAKE = functools.partial(make_optimizer, "openes", antithetic=True, seed=0, **SETTINGS)


def states(count: int = 500, width: int = 20) -> np.ndarray:
    """What a C might see: mixed, of very different spreads, far from zero."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(width, width)) * np.logspace(0, -3, width)[:, None]
    return rng.normal(size=(count, width)) @ mixing + 3


def test_components_are_uncorrelated_and_of_one_spread():
    x = states()
    found = principal_components(x, 8)
    s = (x - found.mean) @ found.directions
    variance = np.sort(np.linalg.eigvalsh(np.cov(x.T, bias=True)))[::-1]
    expected = variance / (variance + FLOOR * variance.sum())
    np.testing.assert_allclose(np.cov(s.T, bias=True), np.diag(expected[:8]), atol=1e-9)
    assert expected[0] > 0.99 > expected[7] > 0
    every = principal_components(x, 20)
    back = every.mean + (x - every.mean) @ every.directions @ every.inverse
    np.testing.assert_allclose(back, x, atol=1e-9)
    shuffled = principal_components(x[::-1], 8)
    np.testing.assert_allclose(shuffled.directions, found.directions, atol=1e-6)


@pytest.mark.parametrize("count", [7, 20])
@pytest.mark.parametrize("sizes", [(20, 3), (20, 5, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_candidate_acts_as_one_that_reads_the_components(count, sizes, bias):
    x = states()
    found, shape = principal_components(x, count, bias), Shape(sizes, bias, False)
    optimizer = InComponents(MAKE, found, shape)
    inner = np.random.default_rng(1).normal(size=optimizer.inner.mean.shape)
    optimizer.inner.set_mean(inner)
    params = optimizer.mean
    assert params.shape == (count_params(shape),)
    given = control(tf.constant(x), tf.constant(np.tile(params, (len(x), 1))), shape)
    small = shape._replace(sizes=(count, *sizes[1:]))
    read = (x - found.mean) @ found.directions
    expected = control(tf.constant(read), tf.constant(np.tile(inner, (len(x), 1))), small)
    np.testing.assert_allclose(given, expected, atol=1e-9)

    optimizer.set_mean(params)
    np.testing.assert_allclose(optimizer.inner.mean, inner, atol=1e-9)
    other = np.arange(len(params)) / 10  # what lies outside of the components is kept, too
    optimizer.set_mean(other)
    np.testing.assert_allclose(optimizer.mean, other, atol=1e-9)
    fresh = InComponents(MAKE, found, shape)
    fresh.load_state(optimizer.state())
    np.testing.assert_array_equal(fresh.mean, optimizer.mean)
    asked = optimizer.ask()
    np.testing.assert_allclose(asked.mean(0), optimizer.mean, atol=1e-9)  # antithetic
    optimizer.tell(np.arange(4.0))
    assert optimizer.state()["size"].tolist() == [4, len(inner)]


@pytest.mark.parametrize("world", ["game", "dream"])
def test_a_run_evolves_in_components_and_goes_on(world, toy, tmp_path):
    copy_run(toy, tmp_path, "vae", "rnn", "series", "controller")
    words = (*PIPELINE["controller"], "--preset", "toy", "--workers", "1", "--models", "toy")
    words += ("--components", "5", "--components-of", "toy", "--in", world)
    steps = [("at-once", "2"), ("in-two", "1"), ("in-two", "2")]
    commands(*((*words, "--run", run, "--generations", n) for run, n in steps), cwd=tmp_path)
    once, twice = (
        runs.read_npz(tmp_path / "log" / run / "controller/checkpoint.npz")
        for run in ("at-once", "in-two")
    )
    np.testing.assert_array_equal(once["optimizer.mean"], twice["optimizer.mean"])
    assert once["optimizer.mean"].shape == (3 * (5 + 1),)
    assert twice["best_params"].shape == (3 * (8 + 40 + 1),)
    found = runs.read_npz(tmp_path / "log/in-two/controller/components.npz")
    assert found["directions"].shape == (8 + 40, 5)
    kept = load_controller(tmp_path / "log/in-two")
    np.testing.assert_allclose(kept, twice["best_params"], atol=1e-4)


def test_components_are_measured_on_the_way_and_a_run_goes_on(toy, tmp_path):
    copy_run(toy, tmp_path, "vae", "rnn", "series", "controller")
    words = (*PIPELINE["controller"], "--preset", "toy", "--workers", "1", "--models", "toy")
    words += ("--components", "5", "--components-at", "0", "2", "--fit-first", "17")
    steps = [("at-once", "3"), ("in-two", "2"), ("in-two", "3")]
    commands(*((*words, "--run", run, "--generations", n) for run, n in steps), cwd=tmp_path)
    once, twice = (
        runs.read_npz(tmp_path / "log" / run / "controller/checkpoint.npz")
        for run in ("at-once", "in-two")
    )
    assert once["components.directions"].shape == (8 + 40, 5)
    # The run in two stopped at a generation that would measure, and measures when it goes on.
    for name in ("components.directions", "optimizer.mean", "best_params"):
        np.testing.assert_array_equal(once[name], twice[name])


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--components-of", "nobody"), "no run"),
        (("--components", "5", "--components-of", "other"), "log/other has another V or M"),
        (("--components", "9", "--components-of", "toy", "--inputs", "z"), "sees zh; that of"),
        (
            ("--components", "999", "--components-of", "toy"),
            "C sees 48 numbers, fewer than --components 999",
        ),
        (("--components", "5", "--components-at", "0"), "--components-at 0 needs a driver"),
        (("--stall", "9", "--in", "dream"), "--stall is for the game"),
    ],
)
def test_components_that_cannot_be_are_one_sentence(words, error, toy, tmp_path):
    copy_run(toy, tmp_path, "vae", "rnn", "series", "controller")
    if "other" in words:
        first = (*PIPELINE["controller"], "--preset", "toy", "--run", "other", "--models", "toy")
        command(*first, "--workers", "1", "--generations", "1", cwd=tmp_path)
        file = tmp_path / "log/other/rnn/rnn.weights.h5"
        file.write_bytes(file.read_bytes() + b"0")
        saved = runs.read_npz(tmp_path / "log/other/controller/controller.npz")
        marks = runs.made_from(tmp_path / "log/other", "vae", "rnn")
        saved["made_from"] = np.frombuffer(json.dumps(marks).encode(), np.uint8)
        runs.write_npz(tmp_path / "log/other/controller/controller.npz", saved)
    more = ("--preset", "toy", "--run", "new", "--models", "toy", "--workers", "1", *words)
    done = command(*PIPELINE["controller"], *more, cwd=tmp_path, check=False)
    assert done.returncode == 1 and error in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "log/new/controller").exists()
