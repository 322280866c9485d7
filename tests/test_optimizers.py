"""The optimisers: they climb, and a saved one goes on bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from controller.gradient_es import centered_ranks
from controller.optimizers import make_optimizer

NAMES = ("cma", "openes", "pepg", "ses", "ga")
PAIRED = ("openes", "pepg", "ses")
FITNESS = np.array([0.0, 3.0, 1.0, 2.0, 5.0, 9.0, 4.0, 8.0])


def make(name, num_params=20, population=32, **options):
    defaults = {"sigma_init": 0.1, "sigma_decay": 0.99, "weight_decay": 0.0, "antithetic": True}
    options = defaults | {"seed": 0} | options
    return make_optimizer(name, num_params, population=population, **options)


def distance(x):
    """Squared distance from (0.3, -0.3, 0.3, ...); x (..., N)."""
    target = np.where(np.arange(x.shape[-1]) % 2, -0.3, 0.3)
    return np.square(x - target).sum(-1)


def evolve(optimizer, generations):
    """Climb the shifted sphere; returns all candidates, (generations, P, N)."""
    asked = []
    for _ in range(generations):
        asked.append(optimizer.ask())
        optimizer.tell(-distance(asked[-1]))
    return np.array(asked)


def reload(optimizer, path, **options):
    """A new optimiser, of another seed, that loads the state through a file."""
    np.savez(path, **optimizer.state())
    settings = optimizer.settings
    fresh = make(optimizer.name, settings.num_params, settings.population, seed=99, **options)
    with np.load(path, allow_pickle=False) as data:
        fresh.load_state(dict(data))
    return fresh


def assert_same(a, b):
    left, right = a.state(), b.state()
    assert left.keys() == right.keys()
    for key in left:
        assert left[key].dtype == right[key].dtype, key
        np.testing.assert_array_equal(left[key], right[key], err_msg=key)


@pytest.mark.parametrize(
    ("name", "num_params", "generations", "factor"),
    [
        ("cma", 20, 50, 100),
        ("openes", 20, 50, 20),
        ("pepg", 20, 50, 20),
        ("ses", 20, 50, 50),
        ("ga", 20, 50, 10),
        ("cma", 320, 30, 2),  # two-point adaptation
        ("openes", 320, 100, 4),
        ("pepg", 320, 100, 3),
        ("ses", 320, 100, 5),
        ("ga", 320, 100, 1.5),
    ],
)
def test_squared_distance_shrinks_by_a_factor(name, num_params, generations, factor):
    optimizer = make(name, num_params)
    before = distance(optimizer.mean)
    evolve(optimizer, generations)
    assert distance(optimizer.mean) < before / factor
    assert optimizer.best_fitness == -distance(optimizer.best)
    assert optimizer.best_fitness > -before / factor**0.5
    assert optimizer.generation == generations


@pytest.mark.parametrize(
    ("name", "num_params", "population"),
    [
        *((name, 20, 12) for name in NAMES),
        ("cma", 20, 4),
        ("cma", 320, 12),  # two-point adaptation
        ("cma", 320, 4),
        ("cma", 2001, 8),  # diagonal
    ],
)
def test_resume_is_bit_identical(name, num_params, population, tmp_path):
    optimizer = make(name, num_params, population, weight_decay=0.01)
    evolve(optimizer, 6)
    optimizer.set_mean(optimizer.best)
    evolve(optimizer, 1)
    fresh = reload(optimizer, tmp_path / "state.npz", weight_decay=0.01)
    assert_same(optimizer, fresh)
    np.testing.assert_array_equal(evolve(optimizer, 20), evolve(fresh, 20))
    assert_same(optimizer, fresh)
    assert optimizer.sigma == fresh.sigma
    np.testing.assert_array_equal(optimizer.mean, fresh.mean)


def test_resume_after_cma_rescaled_its_coordinates(tmp_path):
    """pycma moves ill-conditioned variances from C to the coordinates."""
    optimizer = make("cma", 4, 8)
    for _ in range(300):
        optimizer.tell(-np.square(optimizer.ask() - 1) @ np.logspace(0, 10, 4))
    assert optimizer.state()["scaling"].std() > 0
    fresh = reload(optimizer, tmp_path / "state.npz")
    np.testing.assert_array_equal(evolve(optimizer, 20), evolve(fresh, 20))


@pytest.mark.parametrize("name", NAMES)
def test_a_used_optimizer_returns_to_a_state(name):
    optimizer = make(name)
    evolve(optimizer, 3)
    state = optimizer.state()
    first = evolve(optimizer, 3)
    optimizer.ask()
    optimizer.load_state(state)
    np.testing.assert_array_equal(first, evolve(optimizer, 3))


PROCESS = """
import sys
import numpy as np
from tests.test_optimizers import evolve, make
optimizer = make("cma", 867, 64)
if sys.argv[1] == "first":
    evolve(optimizer, 5)
    np.savez("state.npz", **optimizer.state())
else:
    with np.load("state.npz", allow_pickle=False) as data:
        optimizer.load_state(dict(data))
np.savez(sys.argv[1] + ".npz", asked=evolve(optimizer, 16), mean=optimizer.mean)
"""


def test_resume_of_the_full_controller_in_another_process(tmp_path):
    """867 parameters, 64 candidates: World Models' controller of CarRacing."""
    root = str(Path(__file__).resolve().parent.parent)
    env = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    for word in ("first", "second"):
        subprocess.run([sys.executable, "-c", PROCESS, word], cwd=tmp_path, env=env, check=True)
    with np.load(tmp_path / "first.npz") as first, np.load(tmp_path / "second.npz") as second:
        np.testing.assert_array_equal(first["asked"], second["asked"])
        np.testing.assert_array_equal(first["mean"], second["mean"])


@pytest.mark.parametrize("name", NAMES)
def test_weight_decay_shrinks_weights(name):
    """At equal fitness the smaller weights win. The original's CMA-ES had the sign wrong."""
    optimizer = make(name, weight_decay=1.0, x0=np.ones(20))
    for _ in range(60):
        optimizer.ask()
        optimizer.tell(np.full(32, 7.0))
    assert np.square(optimizer.mean).mean() < 0.5
    assert optimizer.best_fitness == 7.0


@pytest.mark.parametrize("name", PAIRED)
def test_antithetic_pairs(name):
    optimizer = make(name, x0=np.full(20, 2.0))
    for _ in range(3):
        steps = optimizer.ask() - optimizer.mean
        np.testing.assert_allclose(steps[:16], -steps[16:], atol=1e-14)
        optimizer.tell(np.arange(32.0))
    assert np.abs(make(name, antithetic=False).ask().sum(0)).max() > 0.01


@pytest.mark.parametrize("name", PAIRED)
def test_antithetic_pairs_need_an_even_population(name):
    with pytest.raises(ValueError, match="even population, not 7"):
        make(name, population=7)
    assert evolve(make(name, population=7, antithetic=False), 2).shape == (2, 7, 20)
    for other in ("cma", "ga"):
        assert evolve(make(other, population=7), 2).shape == (2, 7, 20)


def test_unknown_name():
    with pytest.raises(ValueError, match="no optimiser is called 'cmaes'; did you mean 'cma'"):
        make("cmaes")


def test_values_out_of_range():
    wrong = {"population": 2, "num_params": 0, "sigma_init": 0.0, "sigma_decay": 1.1}
    wrong |= {"weight_decay": -0.1, "seed": -1, "x0": np.zeros(3)}
    for option, value in wrong.items():
        with pytest.raises(ValueError):
            make("openes", **{option: value})


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides(name):
    first = evolve(make(name), 4)
    np.testing.assert_array_equal(first, evolve(make(name), 4))
    assert not np.array_equal(first, evolve(make(name, seed=1), 4))


@pytest.mark.parametrize(("name", "num_params"), [*((n, 20) for n in NAMES), ("cma", 320)])
def test_numpy_global_random_state_is_neither_read_nor_changed(name, num_params):
    np.random.seed(1)
    first = evolve(make(name, num_params, 8), 8)
    np.random.seed(2)
    before = np.random.get_state()
    np.testing.assert_array_equal(first, evolve(make(name, num_params, 8), 8))
    after = np.random.get_state()
    assert before[2:] == after[2:]
    np.testing.assert_array_equal(before[1], after[1])


@pytest.mark.parametrize(("name", "num_params"), [*((n, 20) for n in NAMES), ("cma", 320)])
def test_equal_fitness_breaks_nothing(name, num_params):
    optimizer = make(name, num_params, 12)
    for _ in range(40):
        optimizer.ask()
        optimizer.tell(np.zeros(12))
    assert 0.005 < optimizer.sigma < 1
    if name == "cma":
        assert not optimizer.es.stop()
    if name in ("openes", "pepg"):
        np.testing.assert_array_equal(optimizer.mean, np.zeros(num_params))
    before = distance(optimizer.mean)
    evolve(optimizer, 30)
    assert distance(optimizer.mean) < before


@pytest.mark.parametrize("num_params", (20, 867))
def test_smallest_population_runs_without_warnings(num_params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in NAMES:
            evolve(make(name, num_params, 4), 4)


@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_copies(name):
    start = np.linspace(-1, 1, 20)
    optimizer = make(name, x0=start)
    np.testing.assert_allclose(optimizer.mean, start)
    np.testing.assert_allclose(optimizer.sigma, 0.1, rtol=1e-3)
    plain = evolve(make(name, x0=start), 3)
    for expected in plain:
        candidates = optimizer.ask()
        assert candidates.shape == (32, 20) and candidates.dtype == np.float64
        np.testing.assert_array_equal(candidates, expected)
        fitness = -distance(candidates)
        candidates[:] = optimizer.mean[:] = optimizer.best[:] = np.nan
        optimizer.tell(fitness)
    if name == "cma":
        np.testing.assert_array_equal(optimizer.mean, optimizer.es.result.xfavorite)
    assert optimizer.mean.shape == optimizer.best.shape == (20,)
    assert np.isfinite(optimizer.mean).all() and isinstance(optimizer.sigma, float)


@pytest.mark.parametrize(
    ("name", "num_params"), [*((n, 20) for n in NAMES), ("cma", 320), ("cma", 2001)]
)
def test_set_mean_moves_the_candidates(name, num_params):
    optimizer = make(name, num_params)
    evolve(optimizer, 3)
    x = np.linspace(5, 6, num_params)
    optimizer.set_mean(x)
    np.testing.assert_allclose(optimizer.mean, x, rtol=1e-15)
    steps = optimizer.ask() - x
    assert np.square(steps).mean() ** 0.5 < 3 * optimizer.sigma
    optimizer.tell(-distance(steps + x))
    assert distance(optimizer.mean) < distance(x)
    with pytest.raises(ValueError, match="a mean must be"):
        optimizer.set_mean(np.zeros(3))


@pytest.mark.parametrize("name", ("ga", "ses"))
def test_mean_of_the_best_tenth(name):
    optimizer = make(name)
    candidates = optimizer.ask()
    optimizer.tell(np.arange(32.0))
    np.testing.assert_allclose(optimizer.mean, candidates[-3:].mean(0), atol=1e-15)


def test_openes_follows_the_gradient():
    """The first step of Adam is the learning rate in the sign of every slope."""
    slope = np.tile([1.0, -2.0], 10)
    optimizer = make("openes", population=4000)
    optimizer.tell(optimizer.ask() @ slope)
    np.testing.assert_allclose(optimizer.mean, 0.01 * np.sign(slope), rtol=1e-4)


def test_pepg_stds_are_those_of_symmetric_sampling():
    """Sehnke et al. 2010, pair by pair, with the original's rate and centred ranks."""
    optimizer = make("pepg", num_params=2, population=8, sigma_decay=1.0)
    candidates = optimizer.ask()
    optimizer.tell(FITNESS)
    ranks = np.argsort(np.argsort(FITNESS)) / 7 - 0.5
    change = np.zeros(2)
    for i in range(4):
        mean_rank = (ranks[i] + ranks[i + 4]) / 2
        change += mean_rank * (candidates[i] ** 2 - 0.1**2) / 0.1
    expected = 0.1 + np.clip(0.2 * change / 8, -0.02, 0.02)
    np.testing.assert_allclose(optimizer.state()["stds"], expected, rtol=1e-12)


@pytest.mark.parametrize("name", ("openes", "ga"))
def test_sigma_decays_to_its_limit(name):
    optimizer = make(name, sigma_decay=0.5)
    sigmas = []
    for _ in range(5):
        evolve(optimizer, 1)
        sigmas.append(optimizer.sigma)
    np.testing.assert_allclose(sigmas, [0.05, 0.025, 0.0125, 0.0125, 0.0125])


def test_centered_ranks_share_ties():
    ranks = centered_ranks(np.array([3.0, 1.0, 1.0, 9.0, -2.0]))
    np.testing.assert_allclose(ranks, [0.25, -0.125, -0.125, 0.5, -0.5])


@pytest.mark.parametrize("name", NAMES)
def test_wrong_order_and_wrong_fitness(name):
    optimizer = make(name, population=8)
    with pytest.raises(RuntimeError, match="ask"):
        optimizer.tell(FITNESS)
    optimizer.ask()
    with pytest.raises(RuntimeError, match="tell"):
        optimizer.state()
    for wrong in (FITNESS[:5], FITNESS[:, None], np.full(8, np.nan)):
        with pytest.raises(ValueError, match="8 finite numbers"):
            optimizer.tell(wrong)
    optimizer.tell(FITNESS)
    with pytest.raises(RuntimeError, match="ask"):
        optimizer.tell(FITNESS)


def test_a_foreign_or_incomplete_state_is_refused():
    state = make("pepg").state()
    with pytest.raises(ValueError, match="of pepg with 32 candidates of 20 parameters, not of ses"):
        make("ses").load_state(state)
    with pytest.raises(ValueError, match="not of pepg with 32 candidates of 21"):
        make("pepg", 21).load_state(state)
    del state["stds"]
    with pytest.raises(ValueError, match="has no stds"):
        make("pepg").load_state(state)
    with pytest.raises(ValueError, match="has no optimizer"):
        make("pepg").load_state({})
