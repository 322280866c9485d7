"""Deal episodes out to the workers: each job is parameters of C and the seed of its episode."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np

import config
from controller.rollout import dream_rollout, dream_team, rollout, team


def play(
    path: Path,
    cfg: config.Config,
    games: int,
    max_steps: int,
    params: np.ndarray,
    seeds: np.ndarray,
    stall: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Play jobs in this worker, in the game or in the dream: (returns, lengths)."""
    if cfg.controller.world == "dream":
        dream, chunk = dream_team(path, cfg)
        dream.max_steps = max_steps
        return tuple(dream_rollout(dream, chunk, params, seeds, games))
    agent, batch = team(path, cfg, cfg.controller.engine, games)
    batch.max_steps = max_steps
    return tuple(rollout(agent, batch, params, seeds, stall=stall))


def games_at_once(pool, options: config.Controller) -> int:
    """Games, or dreams, that a worker plays side by side."""
    jobs = max(options.population * options.episodes, options.eval_episodes)
    most = options.dreams if options.world == "dream" else options.batch_size
    return min(math.ceil(jobs / pool.workers), most)  # a game of CarRacing takes 17 MB


def play_all(
    pool,
    path: Path,
    cfg: config.Config,
    params: np.ndarray,
    seeds: np.ndarray,
    max_steps: int,
    stall: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Deal jobs out to the workers: params (jobs, P), seeds (jobs,); (returns, lengths) in order.

    A task is what fills a worker's games twice over, or less if that keeps all workers busy.
    """
    games = games_at_once(pool, cfg.controller)
    size = min(math.ceil(len(seeds) / pool.workers), 2 * games)
    cuts = range(0, len(seeds), size)
    task = functools.partial(play, path, cfg, games, max_steps, stall=stall)
    results = list(
        pool.map(task, [params[i : i + size] for i in cuts], [seeds[i : i + size] for i in cuts])
    )
    return tuple(np.concatenate(column) for column in zip(*results, strict=True))
