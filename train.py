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

import functools
import json
import math
import time
from pathlib import Path

import numpy as np

import config
import envs
import runs
from controller.components import (
    FILE,
    InComponents,
    load_components,
    load_driver,
    measure_components,
)
from controller.jobs import games_at_once, play_all
from controller.logs import Logs
from controller.model import count_params, load_controller, save_controller, shape_of
from controller.optimizers import make_optimizer
from controller.rounds import play_rounds
from controller.tracks import empty_bank, keep_hardest, training_seeds
from runs import cli, workers


def save(folder: Path, optimizer, state: dict, marks: dict[str, str]) -> None:
    """Save the optimiser and the counters: what the next generation starts from."""
    arrays = {f"optimizer.{k}": v for k, v in optimizer.state().items()}
    arrays["made_from"] = np.frombuffer(json.dumps(marks).encode(), np.uint8)
    runs.write_npz(folder / "checkpoint.npz", arrays | {k: np.array(v) for k, v in state.items()})


def restore(folder: Path, optimizer, state: dict) -> dict:
    """Load what `save` wrote, or return `state` for a new run.

    Raises:
        RunError: V or M has changed since, or the checkpoint is of another optimiser or version.
    """
    file = folder / "checkpoint.npz"
    if not file.exists():
        return state
    data = runs.read_npz(file)
    runs.check_made_from(folder.parent, file, json.loads(data["made_from"].tobytes()))
    if lacking := state.keys() - data.keys():
        raise runs.RunError(f"{file} is of another version (no {min(lacking)}); delete it")
    prefix = "optimizer."
    saved = {k.removeprefix(prefix): v for k, v in data.items() if k.startswith(prefix)}
    try:
        optimizer.load_state(saved)
    except (KeyError, ValueError) as error:
        raise runs.RunError(f"{file} is of another optimiser ({error}); delete it") from None
    judged = state["judged_by"]
    state = {k: data[k].item() if data[k].ndim == 0 else data[k] for k in state}
    if tuple(state["judged_by"]) != judged:
        state |= {"best": -math.inf, "judged_by": judged}
    return state


def judged_by(options: config.Controller) -> tuple:
    """What scores of evaluations depend on; others cannot be compared with the best one."""
    return (
        options.max_steps,
        options.eval_episodes,
        options.temperature,
        options.sigma_temperature,
        options.done_threshold,
        options.start == "any",
    )


def check_size(params: np.ndarray, count: int, source: Path) -> np.ndarray:
    """Refuse the parameters of a controller of another form."""
    if len(params) != count:
        raise runs.RunError(f"the controller of {source} has {len(params)} parameters, not {count}")
    return params


def finished(options: config.Controller, state: dict) -> str:
    """Why evolution is over, or nothing."""
    if options.generations and state["generation"] >= options.generations:
        return f"generation {state['generation']} reached"
    if options.hours and state["seconds"] >= options.hours * 3600:
        return f"{options.hours} hours of evolution reached"
    fresh = 0 < state["evaluated"] == state["generation"]
    if fresh and state["last"] >= options.target_return:
        return f"target return {options.target_return} reached"
    return ""


def time_left(options: config.Controller, state: dict, seconds: float) -> str:
    """How long evolution will go on at `seconds` a generation."""
    limits = []
    if options.generations:
        limits.append((options.generations - state["generation"]) * seconds)
    if options.hours:
        limits.append(options.hours * 3600 - state["seconds"])
    return f"{runs.clock(max(0, min(limits)))} left" if limits else "no limit"


def evaluate(pool, path, cfg, optimizer, logs: Logs, state: dict, marks: dict[str, str]) -> None:
    """Evaluate the distribution's mean; keep it if it is the best so far."""
    options, start = cfg.controller, time.monotonic()
    params = np.round(optimizer.mean, 4)
    seeds = config.EVAL_SEEDS + np.arange(options.eval_episodes)
    scores, _ = play_all(
        pool, path, cfg, np.tile(params, (len(seeds), 1)), seeds, options.max_steps
    )
    score = float(scores.mean())
    state["seconds"] += time.monotonic() - start
    logs.evaluation(
        state["generation"], state["seconds"], scores, params, state["last"], state["best"]
    )
    if score >= state["best"]:
        save_controller(path, params, marks, generation=state["generation"], score=score)
        state["best"], state["best_params"] = score, params
    elif options.retrain:
        optimizer.set_mean(state["best_params"])
    state["last"], state["evaluated"] = score, state["generation"]
    print(
        f"evaluation at generation {state['generation']}: {score:.1f} ± {scores.std():.1f} over "
        f"{len(scores)} tracks · best {state['best']:.1f}",
        flush=True,
    )


def evolve(pool, run: str, cfg: config.Config) -> None:
    """The loop of evolution, on rank 0."""
    options = cfg.controller
    path = runs.folder(run)
    game = envs.load(cfg.game)
    shape = shape_of(options, cfg.vae.z_size, cfg.rnn.hidden_size, game.OUTPUTS)
    count = count_params(shape)
    make = functools.partial(
        make_optimizer,
        options.optimizer,
        population=options.population,
        sigma_init=options.sigma_init,
        sigma_decay=options.sigma_decay,
        weight_decay=options.weight_decay,
        antithetic=options.antithetic,
        seed=options.seed,
    )
    try:
        optimizer = make(count)
    except ValueError as error:
        raise runs.RunError(f"{options.optimizer} cannot start: {error}") from None
    marks = runs.made_from(path, "vae", "rnn")
    driver = None
    if options.components_of and not (path / "controller" / FILE).exists():
        driver = load_driver(path, options, shape, marks)
    folder = runs.claim(run, "controller", cfg)
    runs.sweep(folder)
    if driver is not None:
        measure_components(pool, path, cfg, games_at_once(pool, options), driver, marks)
    if options.components_of:
        optimizer = InComponents(make, load_components(path), shape)
    if options.start_from:
        source, _ = runs.find(options.start_from)
        optimizer.set_mean(check_size(load_controller(source), count, source))
    state = restore(
        folder,
        optimizer,
        {
            "generation": 0,
            "seconds": 0.0,
            "best": -math.inf,
            "best_params": np.zeros(count),
            "last": 0.0,
            "evaluated": 0,
            "max_steps": options.max_steps,
            "judged_by": judged_by(options),
            "bank": empty_bank(),
        },
    )
    if not options.cap_time:
        state["max_steps"] = options.max_steps  # it may have been another before a restart
    names = (cfg.game, options.optimizer, options.episodes, options.population)
    logs = Logs(folder / ".".join(map(str, names)), state["generation"])
    where = f"temperature {options.temperature}" if options.world == "dream" else ""
    where = f"in the {options.world}, {where or 'engine ' + options.engine}"
    print(
        f"controller: {options.optimizer}, {count} parameters, {options.population} candidates x "
        f"{options.episodes} episodes, {where}; {workers.describe(pool.size)}"
        + (f"; goes on at generation {state['generation'] + 1}" if state["generation"] else ""),
        flush=True,
    )
    while not (why := finished(options, state)):
        start = time.monotonic()
        state["generation"] += 1
        candidates = optimizer.ask()
        seeds = training_seeds(options, state["generation"], state["bank"])
        returns, lengths = play_all(
            pool,
            path,
            cfg,
            np.repeat(candidates, options.episodes, axis=0),
            seeds.ravel(),
            int(state["max_steps"]),
        )
        returns = returns.reshape(seeds.shape)
        scores = returns.mean(1)
        optimizer.tell(scores)
        if options.common_seeds:
            state["bank"] = keep_hardest(state["bank"], seeds[0], returns)
        seconds = time.monotonic() - start
        state["seconds"] += seconds
        rate = lengths.sum() / seconds
        logs.generation(
            state["generation"],
            state["seconds"],
            scores,
            lengths,
            optimizer.sigma,
            optimizer.mean,
            rate,
        )
        if options.cap_time:
            state["max_steps"] = min(options.max_steps, 2 * int(lengths.mean() + 1))
        print(
            f"generation {state['generation']} · mean {scores.mean():.1f} · best {scores.max():.1f}"
            f" · sigma {optimizer.sigma:.4f} · {rate:,.0f} steps/s · {seconds:.1f} s · "
            + time_left(options, state, seconds),
            flush=True,
        )
        if state["generation"] % options.eval_every == 0 or finished(options, state):
            evaluate(pool, path, cfg, optimizer, logs, state, marks)
        save(folder, optimizer, state, marks)
    print(f"done: {why}; best {state['best']:.1f}, {folder / 'controller.npz'}")


def check_models(path: Path, cfg: config.Config) -> None:
    """Say what is missing before anything starts."""
    runs.require(path, "vae", "vae.weights.h5")
    runs.require(path, "rnn", "rnn.weights.h5")
    if cfg.controller.world == "dream":
        runs.require(path, "series", "initial_z.npz")


def check_dream(path: Path, cfg: config.Config) -> None:
    """Refuse a dream that is not a game: M lacks a head for reward, end or valid actions."""
    game, head = envs.load(cfg.game), ""
    if not cfg.rnn.reward_head and not game.LIVING_REWARD:
        head, why = "--reward-head --done-head", "pays no reward"
    elif game.LIVING_REWARD and not cfg.rnn.reward_head and not cfg.rnn.done_head:
        head, why = "--done-head", "pays for every step and never ends"
    elif game.DISCRETE and game.Games(1).mask is not None and not cfg.rnn.mask_head:
        head, why = "--mask-head", "does not know which actions are valid"
    if head:
        raise runs.RunError(
            f"the dream of {path} {why}: its M has no head for it; train it with "
            f"`{runs.command(path, 'rnn')} {head}` in another --run"
        )


def main() -> None:
    run, cfg = cli.parse("controller", __doc__)
    if cfg.controller.rounds > 1:
        workers.alone("train.py --rounds")
        play_rounds(run, cfg)
        return
    if not cfg.controller.models:
        check_models(runs.folder(run), cfg)
    engines = envs.load(cfg.game).ENGINES
    if cfg.controller.engine not in engines:
        raise runs.RunError(
            f"{cfg.game} has no engine {cfg.controller.engine}; choose from {engines}"
        )
    if cfg.controller.replay_tracks and not cfg.controller.common_seeds:
        raise runs.RunError("--replay-tracks needs --common-seeds: tracks that all candidates play")
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
