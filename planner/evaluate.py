"""Score a planner: random play, the policy alone, and the search, on the same frozen model.

    python evaluate.py log/breakout

Written to result.json in the run's folder. A shorter evaluation does not replace a longer one, and
another engine, search or first seed goes to result-<what>.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import platform
import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import config
import envs
import runs
from config.worldmodels import ENGINES
from controller.scores import interval, other_seeds, write_result
from planner.agent import Agent, load_agent
from planner.play import play
from planner.simulator import Simulator
from runs import cli, workers

PACKAGES = ("tensorflow", "keras", "numpy", "minatar", "ale-py")


def summary(scores: np.ndarray) -> dict:
    """Mean, its interval, standard deviation, median, least and largest, and the scores."""
    values = {
        "mean": scores.mean(),
        "std": scores.std(),
        "median": np.median(scores),
        "min": scores.min(),
        "max": scores.max(),
    }
    row = {k: round(float(v), 3) for k, v in values.items()}
    listed = [round(float(s), 3) for s in scores]
    return row | {"ci95": interval(scores), "episodes": len(scores), "scores": listed}


def play_random(cfg: config.Config, engine: str, seeds: np.ndarray) -> np.ndarray:
    """Scores of random play, one episode a seed."""
    game = envs.load(cfg.game)
    games = game.make(1, engine, cfg.planner.max_steps)
    policies = (game.baselines["random"](np.random.default_rng([s, 3])) for s in seeds)
    scores = []
    for seed, policy in zip(seeds, policies, strict=True):
        games.reset(seed=int(seed))
        total, over = 0.0, False
        while not over:
            _, reward, terminated, truncated, _ = games.step(game.to_actions(policy(games)[None]))
            total, over = total + float(reward[0]), bool(terminated[0] or truncated[0])
        scores.append(total)
    games.close()
    return np.array(scores)


def play_planned(
    cfg: config.Config,
    agent: Agent,
    engine: str,
    seeds: np.ndarray,
    simulations: int,
    simulator: bool = False,
    drawn: bool = False,
) -> np.ndarray:
    """Scores of greedy play with a search of some simulations (0: the policy alone).

    Args:
        simulator: search in the game itself, not in M. drawn: draw moves as in training.
    """
    options = dataclasses.replace(agent.options, n_simulations=simulations, noise_ratio=0.0)
    if not simulations:
        options = dataclasses.replace(options, timeout=0.0)
    agent.options, agent.model = options, agent.latent
    game, count = envs.load(cfg.game), min(options.games, len(seeds))
    games = game.make(count, engine, options.max_steps)
    inner = None
    if simulator:
        inner = game.make(count, engine, options.max_steps)
        agent.model = Simulator(inner, agent, options.gamma)
    what = f"{simulations} simulations in the {'game' if simulator else 'model'}"
    progress = runs.Progress(len(seeds), "episodes")
    scores = {}
    for played in play(games, agent, [int(s) for s in seeds], drawn, (1,)):
        scores[played.seed] = float(played.episode.reward.sum())
        progress.add(1, f"{what}, mean {np.mean(list(scores.values())):.2f}")
    for batch in (games, inner):
        if batch is not None:
            batch.close()
    return np.array([scores[int(s)] for s in seeds])


def table(rows: dict[str, dict]) -> str:
    """Rows of summaries as text."""
    names = ("mean", "std", "median", "min", "max")
    lines = [f"{'':24}" + "".join(f"{n:>9}" for n in names) + f"{'95 % of the mean':>20}"]
    for name, row in rows.items():
        low, high = row["ci95"]
        values = "".join(f"{row[n]:9.2f}" for n in names)
        lines.append(f"{name:24}{values}{f'{low:.2f} .. {high:.2f}':>20}")
    return "\n".join(lines)


def score(
    path: Path, cfg: config.Config, agent: Agent, args: argparse.Namespace, changed: dict[str, int]
) -> None:
    """Play all three, print the table and write result.json.

    Args:
        changed: what was chosen otherwise than in training, by name.
    """
    start, cpu = time.monotonic(), time.process_time()
    seeds, options = args.seed + np.arange(args.episodes), cfg.planner
    print(
        f"evaluate: {path}, {args.episodes} episodes, seeds {seeds[0]} to {seeds[-1]}, engine "
        f"{args.engine}; 1 worker, in this process",
        flush=True,
    )
    rows = {"random": summary(play_random(cfg, args.engine, seeds))}
    rows["prior"] = summary(play_planned(cfg, agent, args.engine, seeds, 0))
    budget = options.n_simulations
    rows["search"] = summary(play_planned(cfg, agent, args.engine, seeds, budget))
    if args.drawn:
        again = play_planned(cfg, agent, args.engine, seeds, budget, drawn=True)
        rows["search, drawn"] = summary(again)
    played = runs.read_metrics(path / "planner" / "metrics.jsonl")
    result = {
        **rows,
        "simulations": budget,
        "determinisations": options.determinisations,
        "episodes": args.episodes,
        "engine": args.engine,
        "seeds": [int(seeds[0]), int(seeds[-1])],
        "frames": played[-1]["frames"] if played else None,
        "training_hours": played[-1]["hours"] if played else None,
        "models": runs.made_from(path, "vae", "rnn"),
        "command": " ".join(["python", *sys.argv]),
        "versions": {p: importlib.metadata.version(p) for p in PACKAGES}
        | {"python": platform.python_version()},
        "wall_hours": round((time.monotonic() - start) / 3600, 4),
        "cpu_hours": round((time.process_time() - cpu) / 3600, 4),
    }
    print(table(rows))
    parts = [] if args.engine == envs.load(cfg.game).official else [args.engine]
    parts += [f"{name}-{value}" for name, value in changed.items()] + other_seeds(args.seed)
    print(f"written to {write_result(path, result, parts)}")


def watch(path: Path, cfg: config.Config, agent: Agent, args: argparse.Namespace) -> None:
    """Write a video of one planned episode: the game, and beside it what its tree expects."""
    from controller.show import save_video
    from planner.show import episode_pictures

    pictures = episode_pictures(cfg, agent, args.engine, args.seed)
    print(f"{save_video(pictures, path / 'drive.mp4')} frames written to {path / 'drive.mp4'}")


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = cli.OptionParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("run", help="a planner's run, such as log/breakout")
    add("--episodes", type=int, default=100, help="episodes of each (default: 100)")
    add("--seed", type=int, default=config.TEST_SEEDS, help="of the first (default: %(default)s)")
    add("--engine", choices=ENGINES, help="who plays (default: the one whose scores are official)")
    add("--simulations", type=int, help="of a move (default: those of training)")
    add(
        "--determinisations",
        type=int,
        metavar="K",
        help="trees a move, each of its own chance, for an M with mixtures; 0 is one tree of M's "
        "likeliest component (default: as in training)",
    )
    add(
        "--drawn",
        action="store_true",
        help="play once more with moves drawn from the search as in training, without its noise",
    )
    add("--video", action="store_true", help="write drive.mp4: the game and the plan")
    add("--show-tree", type=int, metavar="MOVE", help="print the tree of a move, and draw its plan")
    args = parser.parse_args(argv)
    if args.episodes < 1 or (args.simulations is not None and args.simulations < 1):
        parser.error("--episodes and --simulations must be at least 1")
    if args.show_tree is not None and args.show_tree < 0:
        parser.error("--show-tree takes the number of a move, from 0 on")
    if args.determinisations is not None and args.determinisations < 0:
        parser.error("--determinisations must be at least 0")
    return args


def main() -> None:
    args = parse()
    path, cfg = runs.find(args.run)
    workers.alone("evaluating a planner")
    game = envs.load(cfg.game)
    args.engine = args.engine or game.official
    game.check(args.engine)
    if args.determinisations and not cfg.rnn.mixtures:
        raise runs.RunError(f"the M of {path} has no mixtures: every determinisation is the same")
    typed = {"n_simulations": args.simulations, "determinisations": args.determinisations}
    typed = {name: value for name, value in typed.items() if value is not None}
    was = dataclasses.asdict(cfg.planner)
    changed = {name.removeprefix("n_"): n for name, n in typed.items() if n != was[name]}
    cfg = dataclasses.replace(cfg, planner=dataclasses.replace(cfg.planner, **typed))
    threadpool_limits(1, "blas")
    agent = load_agent(path, cfg)
    if args.show_tree is not None:
        from planner.show import show_tree

        show_tree(path, cfg, agent, args.engine, args.seed, args.show_tree)
    elif args.video:
        watch(path, cfg, agent, args)
    else:
        score(path, cfg, agent, args, changed)
