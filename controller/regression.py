"""A first C from what was recorded, by advantage-weighted regression (Peng et al. 2019,
arXiv:1910.00177).

Random play does the right thing now and then. What was done is regressed on z, weighted by how much
better it went from there than it does on average. Such a C follows the road after a fashion, on
every seed, where evolution from zero has to come upon one that does by chance.
"""

from __future__ import annotations

import numpy as np

import runs
from controller.model import Shape, count_params
from envs.spec import Spec
from series.data import Series

GAMMA = 0.98  # discount of what came after an action
MOST = 5.0  # standard deviations of the advantage that count
TAIL = 25  # last steps of an episode that was cut short: what came after them is not known
RIDGE = 1e-3  # of the regressions, a step
EDGE = 0.95  # where tanh is inverted at most
SPREAD = 0.3  # of variations: of the logarithms of gains, and of what is added to biases


def raw_outputs(game: Spec, actions: np.ndarray) -> np.ndarray:
    """What C's outputs have to be before tanh for actions (N, A), as M is told them; (N, A)."""
    if game.squash == "car":  # the inverse of controller/agent.py's squash
        steer, gas, brake = actions.T
        actions = np.stack([steer, 2 * gas - 1, np.where(brake > 0, brake, -1)], axis=1)
    elif game.squash == "scale":
        low, high = game.action_space.low, game.action_space.high
        actions = 2 * (actions - low) / (high - low) - 1
    elif game.discrete:
        actions = 2 * actions - 1
    return np.arctanh(np.clip(actions, -EDGE, EDGE))


def regress(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Ridge regression of y (N, ...) on x (N, F), weighted by (N,): coefficients (F, ...)."""
    left = (x if weights is None else x * weights[:, None]).T
    return np.linalg.solve(left @ x + RIDGE * len(x) * np.eye(x.shape[1]), left @ y)


def fit_controller(series: Series, game: Spec, shape: Shape) -> np.ndarray:
    """Fit a C of some shape to recorded episodes of a game: parameters (P,).

    It reads z alone: h has seen what was done before, and would only go on doing it.

    Raises:
        RunError: C has hidden units.
    """
    if len(shape.sizes) > 2:
        raise runs.RunError("--fit-first is for a C without hidden units; give --fit-first 0")
    known = np.zeros(len(series.mu), bool)
    for start, steps, over in zip(series.offset, series.length, series.terminated, strict=True):
        known[start : start + (steps if over else max(1, steps - TAIL))] = True
    z = series.mu[known].astype(np.float64)
    x = np.maximum(z, 0) if shape.rectify else z
    if shape.bias:
        x = np.concatenate([np.ones((len(x), 1)), x], axis=1)
    returns = series.returns(GAMMA)[known]
    advantage = returns - x @ regress(x, returns)
    weights = np.exp(np.minimum(advantage / max(advantage.std(), 1e-6), MOST))
    raw = raw_outputs(game, series.action[known].astype(np.float64))
    fitted = regress(x, raw, weights / weights.mean())
    params = np.zeros(count_params(shape))
    params[: fitted.size] = fitted.ravel()  # the bias, and z's rows of the matrix
    return params


def variations(
    params: np.ndarray, shape: Shape, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Turn up and down what C's outputs make of what it sees, and of nothing: (count, P).

    The first one is C itself, params (P,).
    """
    outputs = shape.sizes[-1]
    gains, offsets = SPREAD * rng.standard_normal((2, count, outputs))
    gains[0] = offsets[0] = 0
    rows = params.reshape(-1, outputs) * np.exp(gains)[:, None]
    if shape.bias:
        rows[:, 0] += offsets
    return rows.reshape(count, -1)
