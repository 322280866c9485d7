"""Rollouts: a batch of games, or of dreams, played by V, M and C.

A job is (parameters of C, seed of the track).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import config
import runs
from envs.batch import Batch
from record.driver import Notes, make_games, play

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

    return load_agent(path, cfg), make_games(cfg, games, engine)


Look = Callable[[np.ndarray, np.ndarray, np.ndarray], None]


class Pilot:
    """V, M and C as an agent of the driver, for n games: episode j is played with params[j].

    An episode's noise comes from its seed alone.

    Args:
        params: of C, (episodes, P).
        look: called at every step with z, h and c as C sees them, a row a game.
    """

    def __init__(self, agent: Agent, params: np.ndarray, n: int, look: Look | None = None):
        self.agent, self.params, self.n, self.look = agent, params, n, look
        self.h = np.zeros((n, agent.hidden_size), np.float32)
        self.c = np.zeros_like(self.h)
        self.noise = np.zeros((n, agent.noise_size), np.float32)
        self.rngs: list[np.random.Generator | None] = [None] * n
        self.weights = np.zeros((n, agent.num_params), np.float32)
        self.actions = np.zeros((n, agent.controller.action_size), np.float32)

    def begin(self, slot: int, number: int, seed: int) -> None:
        self.h[slot] = self.c[slot] = 0
        self.rngs[slot] = np.random.default_rng([seed, 2])
        self.weights[slot] = self.params[number]

    def act(self, games: Batch, at: np.ndarray) -> tuple[np.ndarray, Notes]:
        for i in at:
            self.noise[i] = self.rngs[i].standard_normal(self.agent.noise_size, np.float32)
        rows = padded(at, self.n)
        valid = np.zeros((self.n, 0), bool) if games.mask is None else games.mask
        given = (games.obs, self.h, self.c, self.weights, self.noise, valid)
        act, *after, z = (x.numpy() for x in self.agent.act(*(x[rows] for x in given)))
        if self.look:
            self.look(*(x[: len(at)] for x in (z, self.h[rows], self.c[rows])))
        self.h[rows], self.c[rows] = after
        self.actions[rows] = act
        return self.actions[at], {"z": z[: len(at)]}


def rollout(
    agent: Agent,
    games: Batch,
    params: np.ndarray,
    seeds: np.ndarray,
    look: Look | None = None,
    stall: int = 0,
) -> Rollouts:
    """Play job j with controller params[j] on track seeds[j]; `look` is Pilot's, `stall` play's."""
    out = Rollouts(np.zeros(len(seeds)), np.zeros(len(seeds), int))
    pilot = Pilot(agent, params, games.num_envs, look)
    for played in play(games, pilot, seeds, stall=stall):
        out.returns[played.number], out.lengths[played.number] = played.total, played.length
    return out


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


class Dreams:
    """n dreams under C, compiled, some steps at a time: job j is dreamt with params[j].

    Args:
        chunk: what `dream.make_chunk` compiled. params: of C, (jobs, P).

    Attributes:
        state: z, h, c and the valid actions of each. left: steps that each may still take.
    """

    def __init__(self, dream: Dream, chunk: Callable, params: np.ndarray, n: int):
        self.dream, self.chunk, self.params, self.n = dream, chunk, params, n
        sizes = (dream.rnn.z_size, *2 * [dream.rnn.hidden_size])
        self.state = [np.zeros((n, size), np.float32) for size in sizes]
        self.state.append(np.zeros((n, dream.start_mask.shape[1]), bool))
        self.left = np.zeros(n, np.int32)
        self.rngs: list[np.random.Generator | None] = [None] * n

    def begin(self, slot: int, seed: int) -> None:
        """Begin a dream, all its chance from the seed."""
        z, h, c, valid = self.state
        self.rngs[slot] = np.random.default_rng([seed, 4])
        z[slot], valid[slot] = self.dream.begin(self.rngs[slot])
        h[slot] = c[slot] = 0
        self.left[slot] = self.dream.max_steps

    def go_on(self, at: np.ndarray, job: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Dream on in the slots `at`, int (k,), of jobs (k,).

        Returns:
            What was earned (k,), in how many steps (k,), and which of them go on (k,).
        """
        count, rows = len(at), padded(at, self.n)
        size = (self.dream.CHUNK, self.dream.noise_size)
        noise = np.stack([self.rngs[i].standard_normal(size, np.float32) for i in at], 1)
        noise = np.concatenate([noise, np.repeat(noise[:, -1:], len(rows) - count, 1)], 1)
        params = self.params[np.concatenate([job, np.repeat(job[-1:], len(rows) - count)])]
        given = [x[rows] for x in (*self.state, self.left)]
        *after, returns, lengths, on = self.chunk(*given, noise, params.astype(np.float32))
        for old, new in zip(self.state, after, strict=True):
            old[at] = new.numpy()[:count]
        returns, lengths, on = (x.numpy()[:count] for x in (returns, lengths, on))
        self.left[at] -= lengths
        return returns, lengths, on


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
    dreams, job, following = Dreams(dream, chunk, params, n), np.full(n, -1), 0
    while True:
        for slot in np.flatnonzero(job < 0)[: jobs - following]:
            job[slot], following = following, following + 1
            dreams.begin(slot, seeds[job[slot]])
        at = np.flatnonzero(job >= 0)
        if not len(at):
            return out
        if look:
            look(*(x[at] for x in dreams.state[:3]))
        returns, lengths, on = dreams.go_on(at, job[at])
        out.returns[job[at]] += returns
        out.lengths[job[at]] += lengths
        job[at[~on]] = -1


def padded(rows: np.ndarray, most: int) -> np.ndarray:
    """Repeat the last row up to a multiple of an eighth of `most`, or below that to a power of two:
    few batch sizes are ever compiled, and little is computed for nothing."""
    eighth = max(4, most // 8)
    size = -(-len(rows) // eighth) * eighth
    if len(rows) <= eighth:
        size = 1 << (len(rows) - 1).bit_length()
    size = min(size, most)
    return np.concatenate([rows, np.repeat(rows[-1:], size - len(rows))])
