"""C in the principal components of what it sees: the coordinates in which it is easy to evolve.

A few directions of z and h vary a hundred times as much as others that matter to a driver as well,
so equal noise on C's weights shakes the first and hardly tries the second. Along principal
components, each scaled to the same spread, one sigma suits all. C stays what it is, a linear map of
z and h (World Models, 2.3): only the coordinates that evolution moves it in are others, and fewer.

What C sees depends on who drives: it is measured while the distribution's mean does, or the
controller of another run, in the world that evolution goes on in. A driver that hardly stays on the
road shows enough of it for the next generation to do better, so it is measured again on the way.
"""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

import config
import runs
from controller.jobs import games_at_once
from controller.model import Shape, count_params, load_controller
from controller.optimizers import Optimizer
from controller.rollout import dream_rollout, dream_team, rollout, team

FILE = "components.npz"
EPISODES = 64  # driven to measure what C sees
LONGEST = 500  # steps of an episode that is looked at
STRIDE = 8  # steps between those of the game that are looked at
FLOOR = 0.0025  # share of the whole variance that is added to each component's before scaling


class Components(NamedTuple):
    """Coordinates of what C sees, x (F,): s = (x - mean) @ directions."""

    mean: np.ndarray  # (F,)
    directions: np.ndarray  # (F, N), the first varying most
    inverse: np.ndarray  # (N, F): x is nearly mean + s @ inverse


def principal_components(states: np.ndarray, count: int, centred: bool = True) -> Components:
    """Find the first `count` components of states (S, F), and scale each to a spread of about 1.

    The spread is sqrt(v / (v + FLOOR * total)) for a variance v: what hardly varies stays small.

    Args:
        centred: about the mean; about zero otherwise, for a C without a bias.
    """
    mean = states.mean(0) * centred
    variance, directions = np.linalg.eigh((states - mean).T @ (states - mean) / len(states))
    variance, directions = variance[::-1][:count], directions[:, ::-1][:, :count]
    # A component's sign is arbitrary, and BLAS's choice of it must not decide a run.
    largest = np.abs(directions).argmax(0)
    directions = directions * np.sign(directions[largest, np.arange(count)])
    scale = np.sqrt(np.maximum(variance, 0) + FLOOR * np.square(states - mean).mean(0).sum())
    return Components(mean, directions / scale, (directions * scale).T)


class InComponents:
    """An optimiser of C's coordinates that asks for, and is told of, C's own parameters.

    Its vector is C's with a first layer that reads the components instead of what C sees.

    Args:
        make: makes the optimiser for a number of parameters.
        shape: the form of C; its first width is F.

    Attributes:
        outside: C's parameters (P,) that coordinates are added to: what the C that it started from
            reads outside of the components, and keeps.
    """

    def __init__(self, make, components: Components, shape: Shape):
        self.components, self.outputs, self.bias = components, shape.sizes[1], shape.bias
        seen, count = components.directions.shape
        rest = sum(
            (i + shape.bias) * o for i, o in zip(shape.sizes[1:-1], shape.sizes[2:], strict=True)
        )
        self.cuts = (self.outputs * shape.bias, self.outputs * (shape.bias + count))
        self.outer = (self.outputs * shape.bias, self.outputs * (shape.bias + seen))
        self.inner: Optimizer = make(self.cuts[1] + rest)
        self.outside = np.zeros(count_params(shape))

    def _expand(self, x: np.ndarray) -> np.ndarray:
        """C's parameters (..., P) at coordinates x: W = D A, b = b' - mean W."""
        bias, inner, rest = np.split(x, self.cuts, -1)
        inner = inner.reshape(*x.shape[:-1], -1, self.outputs)
        weight = self.components.directions @ inner
        if self.bias:
            bias = bias - self.components.mean @ weight
        return np.concatenate([bias, weight.reshape(*x.shape[:-1], -1), rest], -1)

    def _project(self, params: np.ndarray) -> np.ndarray:
        """Coordinates of C's parameters (P,), without what they read outside of the components."""
        bias, weight, rest = np.split(params, self.outer)
        weight = weight.reshape(-1, self.outputs)
        if self.bias:
            bias = bias + self.components.mean @ weight
        return np.concatenate([bias, (self.components.inverse @ weight).ravel(), rest])

    def ask(self) -> np.ndarray:
        """Sample the candidates of a generation: C's parameters, (population, P)."""
        return self.outside + self._expand(self.inner.ask())

    def tell(self, fitness: np.ndarray) -> None:
        """Learn from the fitness (population,) of the candidates that `ask` returned last."""
        self.inner.tell(fitness)

    @property
    def mean(self) -> np.ndarray:
        """C's parameters at the distribution's mean, (P,)."""
        return self.outside + self._expand(self.inner.mean)

    @property
    def sigma(self) -> float:
        """The step size, of coordinates."""
        return self.inner.sigma

    def set_mean(self, params: np.ndarray) -> None:
        """Move the distribution's mean to C's parameters (P,)."""
        coordinates = self._project(params)
        self.outside = params - self._expand(coordinates)
        self.inner.set_mean(coordinates)

    def state(self) -> dict[str, np.ndarray]:
        """What the next generations depend on, but the components."""
        return self.inner.state() | {"outside": self.outside}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from `state`, as Optimizer.load_state; older ones kept nothing outside."""
        inner = dict(state)
        self.outside = inner.pop("outside", np.zeros_like(self.outside))
        self.inner.load_state(inner)


def watch(
    path: Path, cfg: config.Config, games: int, params: np.ndarray, seeds: np.ndarray
) -> np.ndarray:
    """Drive in this worker with params (P,), and return what C sees now and then, (S, F)."""
    options, steps, seen = cfg.controller, itertools.count(), []
    stride = 1 if options.world == "dream" else STRIDE  # a dream is looked at between its chunks
    jobs = np.tile(params, (len(seeds), 1))

    def look(*state: np.ndarray) -> None:
        from controller.agent import features

        if next(steps) % stride == 0:
            seen.append(features(options.inputs, *state).numpy())

    if options.world == "dream":
        dream, chunk = dream_team(path, cfg)
        dream.max_steps = options.max_steps
        dream_rollout(dream, chunk, jobs, seeds, games, look)
    else:
        agent, batch = team(path, cfg, options.engine, games)
        batch.max_steps = min(options.max_steps, LONGEST)
        rollout(agent, batch, jobs, seeds, look)
    states = np.concatenate(seen).astype(np.float64)
    return np.maximum(states, 0) if options.rectify else states


def check_count(options: config.Controller, shape: Shape) -> None:
    """Refuse more components than C sees numbers.

    Raises:
        RunError: says how many it sees.
    """
    if shape.sizes[0] < options.components:
        raise runs.RunError(
            f"C sees {shape.sizes[0]} numbers, fewer than --components {options.components}"
        )


def load_driver(path: Path, options: config.Controller, shape: Shape, marks: dict) -> np.ndarray:
    """Load the C (P,) that is to drive for run `path`.

    Args:
        marks: of the run's V and M (`runs.made_from`).

    Raises:
        RunError: its run has another V or M, or a C of another form.
    """
    source, lent = runs.find(options.components_of)
    params = load_controller(source)
    if runs.made_from(source, "vae", "rnn") != marks:
        raise runs.RunError(f"{source} has another V or M than {path}: it cannot drive for it")
    if lent.controller.inputs != options.inputs or len(params) != count_params(shape):
        raise runs.RunError(
            f"the C of {source} has {len(params)} parameters and sees {lent.controller.inputs}; "
            f"that of {path} has {count_params(shape)} and sees {options.inputs}"
        )
    return params


def measure_components(
    pool, path: Path, cfg: config.Config, params: np.ndarray, who: str, chance: tuple[int, ...]
) -> Components:
    """Let C with params (P,) drive, in all workers; returns the components of what it sees.

    Args:
        who: drives, for people. chance: of the tracks.
    """
    options, games = cfg.controller, games_at_once(pool, cfg.controller)
    seeds = np.random.default_rng(chance).integers(config.TRAIN_SEEDS, 2**31, EPISODES)
    shares = np.array_split(seeds, min(pool.workers, EPISODES))
    parts = list(pool.map(functools.partial(watch, path, cfg, games, params), shares))
    states = np.concatenate(parts)
    found = principal_components(states, options.components, options.bias)
    rest = states - found.mean - (states - found.mean) @ found.directions @ found.inverse
    kept = 1 - rest.var(0).sum() / states.var(0).sum()
    print(
        f"components: {options.components} of the {states.shape[1]} numbers that C sees while "
        f"{who} drives, {kept:.1%} of their variance",
        flush=True,
    )
    return found


def save_components(path: Path, found: Components, marks: dict[str, str]) -> None:
    """Write the components that a run begins with; `marks` are of its V and M."""
    arrays = found._asdict() | {"made_from": np.frombuffer(json.dumps(marks).encode(), np.uint8)}
    runs.write_npz(path / "controller" / FILE, arrays)


def load_components(path: Path) -> Components:
    """Load what `save_components` wrote.

    Raises:
        RunError: V or M has changed since.
    """
    file = path / "controller" / FILE
    data = runs.read_npz(file)
    runs.check_made_from(path, file, json.loads(data["made_from"].tobytes()))
    return Components(*(data[name] for name in Components._fields))
