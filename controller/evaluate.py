"""Play a driver of World Models: its score in the genuine game, a video, a window, or the keyboard.

    python evaluate.py log/carracing                    100 episodes that training never saw
    python evaluate.py log/carracing --baselines        beside players that have learned nothing
    python evaluate.py log/carracing --video            drive.mp4 of one episode
    python evaluate.py log/carracing --render           watch it in a window
    python evaluate.py log/carracing --play             drive yourself
    python evaluate.py log/carracing --dream            its score in M's dream of the game
    python evaluate.py log/carracing --dream --video    dream.mp4: the game, and the dream beside it
    python evaluate.py log/carracing --dream --play     drive inside M

A score is the mean return over episodes of the genuine game (Gymnasium's own CarRacing-v3,
ViZDoom's take cover), written to result.json in the run's folder. A shorter evaluation does not
replace a longer one; another engine's is in result-<engine>.json, the dream's in
result-dream.json, and other seeds' in result-seed-<seed>.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

import config
import envs
import runs
from controller import jobs
from controller.model import load_controller
from controller.rounds import evolution_hours
from record.driver import play_baseline
from runs import cli, workers
from runs.scores import Clock, made_by, other_seeds, summary, table, write_result


class Outcome(NamedTuple):
    """What came of some episodes."""

    scores: np.ndarray  # (N,)
    lengths: np.ndarray  # int (N,)
    seconds: float  # of the processor


def play(
    path: Path, cfg: config.Config, games: int, steps: int, params: np.ndarray, seeds: np.ndarray
) -> Outcome:
    """Play one episode a seed in this worker, with params (P,)."""
    start = time.process_time()
    many = np.tile(params, (len(seeds), 1))
    return Outcome(*jobs.play(path, cfg, games, steps, many, seeds), time.process_time() - start)


def play_simple(cfg: config.Config, name: str, seeds: np.ndarray) -> Outcome:
    """Play one episode a seed of a baseline, whose scores do not depend on who draws."""
    start = time.process_time()
    rows = play_baseline(cfg, name, envs.load(cfg.game).engines[0], seeds)
    scores, lengths = np.array([(row.total, row.length) for row in rows]).T
    return Outcome(scores, lengths, time.process_time() - start)


def shares(seeds: np.ndarray, parts: int) -> list[np.ndarray]:
    """Split seeds into at most `parts` even shares."""
    return [s for s in np.array_split(seeds, min(parts, len(seeds))) if len(s)]


def play_all(
    pool, task: Callable[[np.ndarray], Outcome], seeds: np.ndarray, parts: int, name: str
) -> Outcome:
    """Deal seeds out to the workers in parts; returns the outcome of all, in order."""
    progress, done = runs.Progress(len(seeds), "episodes"), []
    for part in pool.map(task, shares(seeds, parts)):
        done.append(part)
        mean = np.concatenate([row.scores for row in done]).mean()
        progress.add(len(part.scores), f"{name}, mean {mean:.1f}")
    scores, lengths, seconds = zip(*done, strict=True)
    return Outcome(np.concatenate(scores), np.concatenate(lengths), sum(seconds))


def about(path: Path, args: argparse.Namespace) -> dict:
    """What else a result says: which C was played, and where."""
    saved = path / "controller" / "controller.npz"
    facts = {"temperature": args.temperature} if args.dream else {}
    return facts | {
        "controller": runs.fingerprint(saved),
        "generation": int(runs.read_npz(saved)["generation"]),
        "evolution_hours": evolution_hours(path),
    }


def score(pool, path: Path, cfg: config.Config, args: argparse.Namespace) -> None:
    """Play all episodes, print the table and write result.json."""
    clock, game, params = Clock(), envs.load(cfg.game), load_controller(path)
    seeds = args.seed + np.arange(args.episodes)
    where = f"dream at temperature {args.temperature}" if args.dream else f"engine {args.engine}"
    print(
        f"evaluate: {path}, {args.episodes} episodes, seeds {seeds[0]} to {seeds[-1]}, "
        f"{where}; {workers.describe(pool.size)}",
        flush=True,
    )
    world = {"world": "dream" if args.dream else "game", "engine": args.engine}
    options = dataclasses.replace(cfg.controller, temperature=args.temperature, **world)
    cfg = dataclasses.replace(cfg, controller=options)
    batch = min(16, -(-args.episodes // pool.workers))
    steps = args.steps if args.dream else game.max_steps
    task = functools.partial(play, path, cfg, batch, steps, params)
    parts = max(pool.workers, args.episodes // batch)
    outcome = play_all(pool, task, seeds, parts, path.name)
    rows, cpu = {path.name: summary(outcome.scores, outcome.lengths)}, outcome.seconds
    for name in game.baselines if args.baselines else ():
        task = functools.partial(play_simple, cfg, name)
        simple = play_all(pool, task, seeds, pool.workers, name)
        rows[name], cpu = summary(simple.scores, simple.lengths), cpu + simple.seconds
    engine = "dream" if args.dream else args.engine
    result = made_by("worldmodels", cfg.game, engine, seeds, game.packages)
    result = result | rows[path.name] | about(path, args) | clock.hours(cpu)
    result["baselines"] = {name: rows[name] for name in list(rows)[1:]}
    print(table(rows))
    parts = [] if engine == game.official else [engine]
    print(f"written to {write_result(path, result, parts + other_seeds(args.seed))}")


def watch(path: Path, cfg: config.Config, args: argparse.Namespace) -> None:
    """Show the game or the dream, in a window or as a video."""
    runs.tensorflow()
    from controller import show
    from controller.agent import load_agent
    from rnn.dream import load_dream

    agent, dream = load_agent(path, cfg), None
    params = np.zeros(agent.num_params) if args.play else load_controller(path)
    if args.dream:
        dream = load_dream(path, cfg, temperature=args.temperature, max_steps=args.steps)
    show.watch(path, show.Controlled(cfg, agent, params, dream, args.engine), args)


def add_common(parser: argparse.ArgumentParser, episodes: str) -> None:
    """Add the options of every system that plays a game seen as pictures."""
    add = parser.add_argument
    add("--episodes", type=int, default=100, help=f"{episodes} (default: 100)")
    add(
        "--seed",
        type=int,
        default=config.TEST_SEEDS,
        help="episode i plays the game of seed + i (default: %(default)s)",
    )
    add("--engine", help="who plays the game (default: the one whose scores are official)")
    add("--video", action="store_true", help="write a video of the first episode")
    add("--render", action="store_true", help="watch in a window")
    add("--play", action="store_true", help="play yourself, with the keyboard, in a window")
    add("--dream", action="store_true", help="inside M, not in the game")
    add("--temperature", type=float, help="of the dream (default: the run's)")
    add("--steps", type=int, help="longest dream, video or show (default: the game's)")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of evaluate.py for a run of World Models."""
    add_common(parser, "episodes to play")
    parser.add_argument(
        "--baselines", action="store_true", help="also play policies that learned nothing"
    )
    parser.add_argument(
        "--workers", type=int, default=0, help="worker processes (default: one a core)"
    )


def check_common(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exit with one sentence if the options of `add_common` cannot be."""
    if args.episodes < 1:
        parser.error("--episodes must be at least 1")
    if args.temperature is not None and args.temperature <= 0:
        parser.error("--temperature must be above 0")
    if args.steps is not None and args.steps < 1:
        parser.error("--steps must be at least 1")
    if args.video and (args.render or args.play):
        parser.error("--video writes a file and --render and --play open a window: choose one")


def opened(args: argparse.Namespace) -> tuple[Path, config.Config]:
    """Find the run, and fill in what was not said of how to play it.

    Raises:
        RunError: there is no such run, or its game has no such engine.
    """
    path, cfg = runs.find(args.run)
    game = envs.load(cfg.game)
    args.engine = args.engine or game.official
    args.temperature = args.temperature or cfg.controller.temperature
    args.steps = args.steps or game.max_steps
    game.check(args.engine, cfg.record.view)
    return path, cfg


def main() -> None:
    parser = cli.OptionParser(__doc__)
    parser.add_argument("run", help="a run's folder, such as log/carracing")
    add_options(parser)
    args = parser.parse_args()
    check_common(parser, args)
    if args.dream and args.baselines:
        parser.error("--baselines play the game, not the dream")
    path, cfg = opened(args)
    if args.video or args.render or args.play:
        workers.alone("evaluate.py with a picture")
        watch(path, cfg, args)
        return
    load_controller(path)  # what is missing is said before anything starts
    workers.launch(args.workers)
    with workers.pool() as pool:
        if pool is not None:
            score(pool, path, cfg, args)
