"""Rollouts: a batch of games played by the agent, always full while there is work.

A job is (parameters of C, seed of the track). Games that end are reset for the next job at once.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import config
import runs

if TYPE_CHECKING:
    from controller.agent import Agent


class Rollouts(NamedTuple):
    """What came of each job, in order."""

    returns: np.ndarray  # float64 (jobs,)
    lengths: np.ndarray  # int64 (jobs,)


@functools.cache
def team(path: Path, cfg: config.Config, engine: str, games: int):
    """The agent of a run and its games, made once in a worker, which alone loads TensorFlow."""
    runs.tensorflow(1)
    from controller.agent import load_agent
    from envs.carracing import CarRacing

    return load_agent(path, cfg), CarRacing(games, engine)


def rollout(agent: Agent, games, params: np.ndarray, seeds: np.ndarray) -> Rollouts:
    """Play job j with controller params[j] on track seeds[j].

    An episode's noise comes from its seed alone, so its outcome does not depend on which games
    are played beside it (but for the rounding of differently batched sums).

    Args:
        games: a batch of games (envs/).
        params: (jobs, P). seeds: (jobs,).
    """
    jobs, n = len(seeds), len(games.obs)
    out = Rollouts(np.zeros(jobs), np.zeros(jobs, int))
    job = np.full(n, -1)
    h = np.zeros((n, agent.hidden_size), np.float32)
    c = np.zeros_like(h)
    noise = np.zeros((n, agent.z_size), np.float32)
    rngs: list[np.random.Generator | None] = [None] * n
    weights = np.zeros((n, agent.num_params), np.float32)
    actions = np.zeros((n, games.action_size), np.float32)
    following = 0

    while True:
        for i in np.flatnonzero(job < 0):
            if following == jobs:
                break
            job[i], following = following, following + 1
            games.reset(i, seeds[job[i]])
            h[i] = c[i] = 0
            rngs[i] = np.random.default_rng([seeds[job[i]], 2])
            weights[i] = params[job[i]]
        alive = job >= 0
        if not alive.any():
            return out
        for i in np.flatnonzero(alive):
            noise[i] = rngs[i].standard_normal(agent.z_size, np.float32)
        rows = padded(np.flatnonzero(alive), n)
        answer = agent.act(games.obs[rows], h[rows], c[rows], weights[rows], noise[rows])
        act, h[rows], c[rows], _ = (x.numpy() for x in answer)
        actions[rows] = act
        reward, terminated, truncated = games.step(actions, alive)
        np.add.at(out.returns, job[alive], reward[alive].astype(np.float64))
        np.add.at(out.lengths, job[alive], 1)
        job[alive & (terminated | truncated)] = -1


def padded(rows: np.ndarray, most: int) -> np.ndarray:
    """Repeat the last row up to a power of two, or `most`: few batch sizes are ever compiled."""
    size = min(1 << (len(rows) - 1).bit_length(), most)
    return np.concatenate([rows, np.repeat(rows[-1:], size - len(rows))])
