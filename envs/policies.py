"""Policies that need no training: for the first datasets, and for every table of scores.

A policy is a function `games -> action (A,)` for the first of a batch of games (envs/batch.py), a
vector as M is told it. A maker makes one for an episode from a random generator; a game's spec
names its makers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

Policy = Callable[[Any], np.ndarray]
Maker = Callable[[np.random.Generator], Policy]
Draw = Callable[[np.random.Generator], np.ndarray]


def any_of(actions: int, rng: np.random.Generator) -> np.ndarray:
    """One of a game's discrete actions, each with the same chance."""
    return np.eye(actions, dtype=np.float32)[rng.integers(actions)]


def within(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An action between bounds, each with the same density."""
    return rng.uniform(low, high).astype(np.float32)


def one_of_three(rng: np.random.Generator) -> np.ndarray:
    """Left, nothing or right, each with the same chance."""
    return rng.integers(-1, 2, 1).astype(np.float32)


def white(draw: Draw, rng: np.random.Generator) -> Policy:
    """Draw every action anew (ctallec's `white`)."""
    return lambda games: draw(rng)


def repeated(draw: Draw, rng: np.random.Generator) -> Policy:
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


def held(draw: Draw, rng: np.random.Generator) -> Policy:
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


def constant(action: np.ndarray, rng: np.random.Generator) -> Policy:
    """Always the same action."""
    return lambda games: action


def wandering(
    low: np.ndarray,
    high: np.ndarray,
    pace: np.ndarray | float,
    strength: Draw,
    rng: np.random.Generator,
) -> Policy:
    """Let each action wander from the last one by N(0, pace), within its bounds.

    Args:
        strength: draws, once an episode, at which share of its strength each component acts.
    """
    state = rng.uniform(low, high)
    scale = strength(rng)

    def act(games: Any) -> np.ndarray:
        nonlocal state
        state = np.clip(state + pace * rng.standard_normal(len(low)), low, high)
        return (state * scale).astype(np.float32)

    return act


def full(rng: np.random.Generator) -> np.ndarray:
    """Every component at its full strength."""
    return np.ones(1)


def of_actions(actions: int) -> dict[str, Maker]:
    """The policies of a game with a few actions."""
    draw = functools.partial(any_of, actions)
    return {
        "white": functools.partial(white, draw),
        "repeated": functools.partial(repeated, draw),
        "held": functools.partial(held, draw),
    }


def of_box(low: np.ndarray, high: np.ndarray) -> dict[str, Maker]:
    """The policies of a game whose actions have bounds: the Brownian one steps by N(0, 1/20) of
    half their range."""
    pace = np.sqrt(1 / 20) * (high - low) / 2
    return {
        "brownian": functools.partial(wandering, low, high, pace, full),
        "white": functools.partial(white, functools.partial(within, low, high)),
    }
