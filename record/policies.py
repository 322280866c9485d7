"""Policies that need no training: for the first datasets, and for every table of scores.

A policy is a function `games -> action (A,)` for the first of a batch of games (see envs/), made
anew for every episode from its random generator.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import envs
from config.alphazero import PLANNED
from envs import binpacking, carracing

Policy = Callable[[Any], np.ndarray]
Maker = Callable[[np.random.Generator], Policy]


def white(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> Policy:
    """Draw each action uniformly from the action space (ctallec's `white`)."""
    return lambda games: rng.uniform(low, high).astype(np.float32)


def brownian(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> Policy:
    """Let each action wander from the last one by N(0, 1/20), within the action space.

    After ctallec's `brown` (which steps by N(0, 1/50)). The last component, CarRacing's brake,
    wanders in only three episodes of ten, and acts at 0.3 of its strength: otherwise the car
    stands still for most of the recording.
    """
    state = rng.uniform(low, high)
    scale = np.ones(len(low))
    scale[-1] = 0.3 if rng.random() < 0.3 else 0.0

    def act(games: Any) -> np.ndarray:
        nonlocal state
        state = np.clip(state + np.sqrt(1 / 20) * rng.standard_normal(len(low)), low, high)
        return (state * scale).astype(np.float32)

    return act


def constant(action: np.ndarray, rng: np.random.Generator) -> Policy:
    """Always the same action."""
    return lambda games: action


def any_of_takecover(rng: np.random.Generator) -> np.ndarray:
    """An action of take cover, each with the same density."""
    return rng.uniform(-1, 1, 1).astype(np.float32)


def any_of(actions: int, rng: np.random.Generator) -> np.ndarray:
    """One of a game's discrete actions, each with the same chance."""
    return np.eye(actions, dtype=np.float32)[rng.integers(actions)]


def repeated(draw: Callable, rng: np.random.Generator) -> Policy:
    """Hold a drawn action; draw it anew when the step is a multiple of a number from 1 to 10, and
    then that number too (the original's policy for Doom)."""
    t, every, action = 0, 1, None

    def act(games: Any) -> np.ndarray:
        nonlocal t, every, action
        if t % every == 0:
            action = draw(rng)
            every = int(rng.integers(1, 11))
        t += 1
        return action

    return act


def long_held(draw: Callable, rng: np.random.Generator) -> Policy:
    """Hold a drawn action for 2 to 200 steps, log-uniformly.

    A dream of short holds alone takes take cover's walls, where `repeated` never stays, for safe;
    and in short holds hardly anybody crosses Freeway's road.
    """
    left, action = 0, None

    def act(games: Any) -> np.ndarray:
        nonlocal left, action
        if not left:
            left = int(np.exp(rng.uniform(0, np.log(200)))) + 1
            action = draw(rng)
        left -= 1
        return action

    return act


def one_of_three(rng: np.random.Generator) -> Policy:
    """Left, nothing or right, each with the same chance."""
    return lambda games: rng.integers(-1, 2, 1).astype(np.float32)


def uniform(actions: int, rng: np.random.Generator) -> Policy:
    """One of a game's discrete actions, each with the same chance."""
    return lambda games: any_of(actions, rng)


def rule(name: str, rng: np.random.Generator) -> Policy:
    """One of bin packing's rules."""

    def act(games: Any) -> np.ndarray:
        level = binpacking.RULES[name](games.bins, rng)[0]
        return np.eye(binpacking.ACTION_SIZE, dtype=np.float32)[level]

    return act


def mixture(rng: np.random.Generator) -> Policy:
    """A rule of bin packing drawn for the episode, with a share of random valid actions of 0 to 1:
    M is to see good and bad play."""
    name = ("best-fit", "sum-of-squares", "random-open")[rng.integers(3)]
    good, bad, share = rule(name, rng), rule("random", rng), rng.random() ** 2
    return lambda games: bad(games) if rng.random() < share else good(games)


def of_actions(actions: int) -> dict[str, Maker]:
    """The policies of a game with a few actions."""
    draw = functools.partial(any_of, actions)
    return {
        "white": functools.partial(uniform, actions),
        "repeated": functools.partial(repeated, draw),
        "held": functools.partial(long_held, draw),
    }


CAR = (carracing.ACTION_LOW, carracing.ACTION_HIGH)
POLICIES: dict[str, dict[str, Maker]] = {
    "carracing": {
        "brownian": functools.partial(brownian, *CAR),
        "white": functools.partial(white, *CAR),
    },
    "takecover": {
        "repeated": functools.partial(repeated, any_of_takecover),
        "held": functools.partial(long_held, any_of_takecover),
        "white": one_of_three,
    },
    "binpacking": {"mixture": mixture, "white": functools.partial(rule, "random")},
} | {game: of_actions(envs.load(game).ACTION_SIZE) for game in PLANNED}
BASELINES: dict[str, dict[str, Maker]] = {
    "carracing": {
        "random": functools.partial(white, *CAR),
        "full-throttle": functools.partial(constant, np.array([0, 1, 0], np.float32)),
    },
    "takecover": {
        "random": one_of_three,
        "still": functools.partial(constant, np.zeros(1, np.float32)),
    },
    "binpacking": {name: functools.partial(rule, name) for name in binpacking.RULES},
} | {game: {"random": POLICIES[game]["white"]} for game in PLANNED}
