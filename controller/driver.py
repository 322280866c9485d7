"""The first driver: a C evolved in M's dream, in minutes, whose drive says what matters.

Which directions of z and h vary while somebody drives cannot be told from random play: that leaves
the road at once. A driver that learned in the dream stays on it, and costs no step of the game.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

import config
import runs
from controller.evolution import Evolution, new_optimizer
from controller.model import Shape

FOLDER = "driver"
EVALUATIONS = 5  # of its evolution, after equal parts
# Short dreams, since M's errors add up; many, since they cost little.
DREAMT = {
    "world": "dream",
    "max_steps": 400,
    "episodes": 8,
    "eval_episodes": 64,
    "sigma_init": 0.1,
    "hours": 0.0,
}


def dream_driver(
    pool, path: Path, cfg: config.Config, shape: Shape, marks: dict[str, str]
) -> np.ndarray:
    """Evolve a driver in the dream of run `path`, or go on with it; returns its parameters (P,).

    Its options are the run's, but for the world, and for what a dream wants otherwise.

    Args:
        marks: of the run's V and M (`runs.made_from`).
    """
    generations = cfg.controller.driver_generations
    options = dataclasses.replace(
        cfg.controller,
        **DREAMT,
        generations=generations,
        eval_every=max(1, generations // EVALUATIONS),
    )
    folder = path / "controller" / FOLDER
    folder.mkdir(exist_ok=True)
    cfg = dataclasses.replace(cfg, controller=options)
    evolution = Evolution(pool, path, cfg, folder, new_optimizer(options, shape), marks)
    print(evolution.describe("driver"), flush=True)
    evolution.run()
    return runs.read_npz(folder / "controller.npz")["params"]
