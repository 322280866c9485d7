"""Rollouts: a batch of games played by the agent, always full while there is work.

A job is (parameters of C, seed of the track). Games that end are reset for the next job at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import config
import envs
import runs

if TYPE_CHECKING:
    from controller.agent import Agent
    from rnn.dream import Dream


class Rollouts(NamedTuple):
    """What came of each job, in order."""

    returns: np.ndarray  # float64 (jobs,)
    lengths: np.ndarray  # int64 (jobs,)


@functools.cache
def team(path: Path, cfg: config.Config, engine: str, games: int):
    """The agent of a run and its games, made once in a worker, which alone loads TensorFlow."""
    runs.tensorflow(1)
    from controller.agent import load_agent

    return load_agent(path, cfg), envs.load(cfg.game).make(games, engine)


Look = Callable[[np.ndarray, np.ndarray, np.ndarray], None]


def rollout(
    agent: Agent, games, params: np.ndarray, seeds: np.ndarray, look: Look | None = None
) -> Rollouts:
    """Play job j with controller params[j] on track seeds[j].

    An episode's noise comes from its seed alone, so its outcome does not depend on which games
    are played beside it (but for the rounding of differently batched sums).

    Args:
        games: a batch of games (envs/batch.py).
        params: (jobs, P). seeds: (jobs,).
        look: called at every step with z, h and c as C sees them, a row a game.
    """
    jobs, n = len(seeds), len(games.obs)
    out = Rollouts(np.zeros(jobs), np.zeros(jobs, int))
    job = np.full(n, -1)
    h = np.zeros((n, agent.hidden_size), np.float32)
    c = np.zeros_like(h)
    noise = np.zeros((n, agent.noise_size), np.float32)
    rngs: list[np.random.Generator | None] = [None] * n
    weights = np.zeros((n, agent.num_params), np.float32)
    actions = np.zeros((n, agent.controller.action_size), np.float32)
    valid = np.zeros((n, 0), bool) if games.mask is None else games.mask
    following = 0

    while True:
        for i in np.flatnonzero(job < 0):
            if following == jobs:
                break
            job[i], following = following, following + 1
            games.start(i, seeds[job[i]])
            h[i] = c[i] = 0
            rngs[i] = np.random.default_rng([seeds[job[i]], 2])
            weights[i] = params[job[i]]
        alive = job >= 0
        if not alive.any():
            return out
        for i in np.flatnonzero(alive):
            noise[i] = rngs[i].standard_normal(agent.noise_size, np.float32)
        rows = padded(np.flatnonzero(alive), n)
        given = (games.obs, h, c, weights, noise, valid)
        act, *after, z = (x.numpy() for x in agent.act(*(x[rows] for x in given)))
        if look:
            look(*(x[: alive.sum()] for x in (z, h[rows], c[rows])))
        h[rows], c[rows] = after
        actions[rows] = act
        _, reward, terminated, truncated, _ = games.step(games.game.to_actions(actions))
        np.add.at(out.returns, job[alive], reward[alive].astype(np.float64))
        np.add.at(out.lengths, job[alive], 1)
        job[alive & (terminated | truncated)] = -1


@functools.cache
def dream_team(path: Path, cfg: config.Config):
    """The dream of a run and its compiled steps under C, made once in a worker."""
    runs.tensorflow(1)
    from controller.agent import Controller
    from rnn.dream import load_dream

    options = cfg.controller
    dream = load_dream(path, cfg, start=options.start)
    form = Controller(options, cfg.game, dream.rnn.z_size, dream.rnn.hidden_size)
    return dream, dream.make_chunk(form.act)


def dream_rollout(
    dream: Dream,
    chunk: Callable,
    params: np.ndarray,
    seeds: np.ndarray,
    n: int,
    look: Look | None = None,
) -> Rollouts:
    """Dream job j with controller params[j]; its chance comes from seeds[j] alone.

    Args:
        chunk: what `dream.make_chunk` compiled. params: (jobs, P). seeds: (jobs,).
        n: dreams at once; those that end make room for the next jobs every few steps.
        look: called every few steps with z, h and c as C sees them, a row a dream.
    """
    jobs, n = len(seeds), min(n, len(seeds))
    out = Rollouts(np.zeros(jobs), np.zeros(jobs, int))
    job = np.full(n, -1)
    state = [
        np.zeros((n, size), np.float32) for size in (dream.rnn.z_size, *2 * [dream.rnn.hidden_size])
    ]
    state.append(np.zeros((n, dream.start_mask.shape[1]), bool))
    left = np.zeros(n, np.int32)
    rngs: list[np.random.Generator | None] = [None] * n
    following = 0
    while True:
        for i in np.flatnonzero(job < 0):
            if following == jobs:
                break
            job[i], following = following, following + 1
            rngs[i] = np.random.default_rng([seeds[job[i]], 4])
            state[0][i], state[3][i] = dream.begin(rngs[i])
            state[1][i] = state[2][i] = 0
            left[i] = dream.max_steps
        alive = np.flatnonzero(job >= 0)
        if not len(alive):
            return out
        if look:
            look(*(x[alive] for x in state[:3]))
        rows = padded(alive, n)
        size = (dream.CHUNK, dream.noise_size)
        noise = np.stack([rngs[i].standard_normal(size, np.float32) for i in alive], 1)
        noise = np.concatenate([noise, np.repeat(noise[:, -1:], len(rows) - len(alive), 1)], 1)
        given = [x[rows] for x in (*state, left)]
        *after, returns, lengths, on = chunk(*given, noise, params[job[rows]].astype(np.float32))
        for old, new in zip(state, after, strict=True):
            old[alive] = new.numpy()[: len(alive)]
        returns, lengths, on = (x.numpy()[: len(alive)] for x in (returns, lengths, on))
        out.returns[job[alive]] += returns
        out.lengths[job[alive]] += lengths
        left[alive] -= lengths
        job[alive[~on]] = -1


def padded(rows: np.ndarray, most: int) -> np.ndarray:
    """Repeat the last row up to a multiple of an eighth of `most`, or below that to a power of two:
    few batch sizes are ever compiled, and little is computed for nothing."""
    eighth = max(4, most // 8)
    size = -(-len(rows) // eighth) * eighth
    if len(rows) <= eighth:
        size = 1 << (len(rows) - 1).bit_length()
    size = min(size, most)
    return np.concatenate([rows, np.repeat(rows[-1:], size - len(rows))])
