"""Stage 5: evolve the controller C, in the game or in M's dream of it.

    python train.py carracing                      every core, the paper's sizes
    python train.py carracing --preset small       sizes for two cores and an hour
    python train.py takecover                      inside M's dream
    python train.py carracing --in dream --run asleep --models carracing
    mpirun -n 65 python train.py carracing         64 workers, as the original

Each candidate plays some episodes; its fitness is their mean return. Every so many generations
the distribution's mean is evaluated on episodes that evolution never plays, in the same world;
the best one is kept in controller.npz. Every generation is saved: the same command goes on where
it stopped.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import config
import envs
import runs
from controller.components import (
    FILE,
    check_count,
    load_components,
    load_driver,
    measure_components,
    save_components,
)
from controller.evolution import Evolution, new_optimizer
from controller.model import count_params, load_controller, shape_of
from controller.regression import fit_controller
from controller.rounds import play_rounds
from runs import cli, workers
from series.data import load_series


def check_size(params: np.ndarray, count: int, source: Path) -> np.ndarray:
    """Refuse the parameters of a controller of another form."""
    if len(params) != count:
        raise runs.RunError(f"the controller of {source} has {len(params)} parameters, not {count}")
    return params


def evolve(pool, run: str, cfg: config.Config) -> None:
    """Evolve C, on rank 0: from zero or from another run's C, in its weights or in components."""
    options, path = cfg.controller, runs.folder(run)
    shape = shape_of(options, cfg.vae.z_size, cfg.rnn.hidden_size, envs.load(cfg.game).outputs)
    optimizer = new_optimizer(options, shape)  # what cannot be is refused before a claim
    marks = runs.made_from(path, "vae", "rnn")
    first, fitted, measured = None, None, path / "controller" / FILE
    if options.start_from:
        source, _ = runs.find(options.start_from)
        first = check_size(load_controller(source), count_params(shape), source)
    elif options.fit_first and not (path / "controller" / "checkpoint.npz").exists():
        lender = runs.find(options.models)[0] if options.models else path
        if options.models and not (lender / "series" / "series.npz").exists():
            raise runs.RunError(
                f"{lender} has no series to fit a C to; give --fit-first 0 --components-at 5 8"
            )
        fitted = fit_controller(load_series(lender), envs.load(cfg.game), shape)
    if options.components_at or options.components_of:
        check_count(options, shape)
    if options.components_of and not measured.exists():
        driver = load_driver(path, options, shape, marks)
    folder = runs.claim(run, "controller", cfg)
    runs.sweep(folder)
    if options.components_of:
        if not measured.exists():
            who, chance = f"that of {options.components_of}", (options.seed, 0)
            found = measure_components(pool, path, cfg, driver, who, chance)
            save_components(path, found, marks)
        optimizer = new_optimizer(options, shape, load_components(path))
    if first is not None:
        optimizer.set_mean(first)
    evolution = Evolution(pool, path, cfg, shape, optimizer, marks)
    print(evolution.describe(), flush=True)
    if fitted is not None:
        evolution.begin_with(fitted)
    why = evolution.run()
    print(f"done: {why}; best {evolution.state['best']:.1f}, {folder / 'controller.npz'}")


def check_models(path: Path, cfg: config.Config) -> None:
    """Say what is missing before anything starts."""
    runs.require(path, "vae", "vae.weights.h5")
    runs.require(path, "rnn", "rnn.weights.h5")
    if cfg.controller.world == "dream":
        runs.require(path, "series", "initial_z.npz")


def check_dream(path: Path, cfg: config.Config) -> None:
    """Refuse a dream that is not a game: M lacks a head for reward, end or valid actions."""
    game, head = envs.load(cfg.game), ""
    if not cfg.rnn.reward_head and not game.living_reward:
        head, why = "--reward-head --done-head", "pays no reward"
    elif game.living_reward and not cfg.rnn.reward_head and not cfg.rnn.done_head:
        head, why = "--done-head", "pays for every step and never ends"
    elif game.masked and not cfg.rnn.mask_head:
        head, why = "--mask-head", "does not know which actions are valid"
    if head:
        raise runs.RunError(
            f"the dream of {path} {why}: its M has no head for it; train it with "
            f"`{runs.command(path, 'rnn')} {head}` in another --run"
        )


def check_options(options: config.Controller) -> None:
    """Refuse options that do not go together."""
    if options.replay_tracks and not options.common_seeds:
        raise runs.RunError("--replay-tracks needs --common-seeds: tracks that all candidates play")
    if options.stall and options.world == "dream":
        raise runs.RunError("--stall is for the game; give --stall 0 in a dream")
    if 0 in options.components_at and not (options.fit_first or options.start_from):
        raise runs.RunError("--components-at 0 needs a driver: --fit-first, or --from a run")


def main() -> None:
    run, cfg = cli.parse("controller", __doc__)
    check_options(cfg.controller)
    if cfg.controller.rounds > 1:
        workers.alone("train.py --rounds")
        play_rounds(run, cfg)
        return
    if not cfg.controller.models:
        check_models(runs.folder(run), cfg)
    envs.load(cfg.game).check(cfg.controller.engine, cfg.record.view)
    workers.launch(cfg.controller.workers)
    with workers.pool() as pool:
        if pool is None:
            return
        if cfg.controller.models:
            cfg = runs.borrow(run, cfg, cfg.controller.models)
        if cfg.controller.world == "dream":
            check_dream(runs.folder(run), cfg)
        evolve(pool, run, cfg)


if __name__ == "__main__":
    cli.run(main)
