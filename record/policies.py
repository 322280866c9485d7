"""Policies that need no training: what the first dataset is recorded with.

A policy is a function `(obs, t) -> action`, made anew for every episode from its seed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Policy = Callable[[np.ndarray, int], np.ndarray]


def white(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> Policy:
    """Draw each action uniformly from the action space (ctallec's `white`)."""
    return lambda obs, t: rng.uniform(low, high).astype(np.float32)


def brownian(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> Policy:
    """Let each action wander from the last one by N(0, 1/20), within the action space.

    After ctallec's `brown` (which steps by N(0, 1/50)). The last component, CarRacing's brake,
    wanders in only three episodes of ten, and acts at 0.3 of its strength: otherwise the car
    stands still for most of the recording.
    """
    state = rng.uniform(low, high)
    scale = np.ones(len(low))
    scale[-1] = 0.3 if rng.random() < 0.3 else 0.0

    def act(obs: np.ndarray, t: int) -> np.ndarray:
        nonlocal state
        state = np.clip(state + np.sqrt(1 / 20) * rng.standard_normal(len(low)), low, high)
        return (state * scale).astype(np.float32)

    return act


NOISE = {"white": white, "brownian": brownian}
