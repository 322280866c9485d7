"""Which tracks a generation plays: new ones, and of all so far the hardest again.

Late in evolution most tracks tell no candidate from another, and the mean is lost on the few where
the car leaves the road. A share of a generation's tracks may come from a bank of those on which the
population did worst, in the spirit of prioritised level replay (Jiang et al., 2021).
"""

from __future__ import annotations

import numpy as np

import config

BANK = 32  # tracks kept


def empty_bank() -> np.ndarray:
    """A bank (N, 2) of tracks' seeds and the population's mean return on each, with none."""
    return np.zeros((0, 2))


def training_seeds(options: config.Controller, generation: int, bank: np.ndarray) -> np.ndarray:
    """Draw the tracks of a generation: seeds (population, episodes)."""
    rng = np.random.default_rng([options.seed, generation])
    rows = options.population
    if options.common_seeds:
        rows = 1
    elif options.antithetic and options.population % 2 == 0:
        rows = options.population // 2
    seeds = rng.integers(config.TRAIN_SEEDS, 2**31, (rows, options.episodes))
    again = min(round(options.replay_tracks * options.episodes), len(bank))
    seeds[:, :again] = rng.choice(bank[:, 0], again, replace=False)
    return np.tile(seeds, (options.population // rows, 1))


def keep_hardest(bank: np.ndarray, seeds: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Update a bank with the tracks that all candidates of a generation have played.

    Args:
        seeds: (E,). returns: (population, E).

    Returns:
        At most `BANK` rows, the hardest first; a track played again has its new mean return.
    """
    old = bank[~np.isin(bank[:, 0], seeds)]
    both = np.concatenate([old, np.stack([seeds, returns.mean(0)], axis=1)])
    return both[np.argsort(both[:, 1], kind="stable")][:BANK]
