"""Play a trained agent: its score in the genuine game, a video, a window, or the keyboard.

    python evaluate.py log/carracing                    100 episodes that training never saw
    python evaluate.py log/carracing --baselines        beside players that have learned nothing
    python evaluate.py log/carracing --video            drive.mp4 of one episode
    python evaluate.py log/carracing --render           watch it in a window
    python evaluate.py log/carracing --play             drive yourself
    python evaluate.py log/carracing --dream --video    dream.mp4: the game, and the dream beside it
    python evaluate.py log/carracing --dream --play     drive inside M

A score is the mean return over episodes of the genuine game (Gymnasium's own CarRacing-v3,
ViZDoom's take cover), written to result.json in the run's folder. A shorter evaluation does not
replace a longer one; another engine's is in result-<engine>.json, the dream's in
result-dream.json, and other seeds' in result-seed-<seed>.json.

A run of train_alphazero.py has options of its own: evaluate.py log/<run> --help.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib
import importlib.metadata
import platform
import sys
import time
from pathlib import Path

import numpy as np

import config
import envs
import runs
from config.worldmodels import ENGINES
from controller.model import load_controller
from controller.rollout import dream_rollout, dream_team, rollout, team
from controller.rounds import evolution_hours
from controller.scores import other_seeds, write_result
from runs import cli, workers

PACKAGES = ("tensorflow", "keras", "numpy")


def play(path, cfg, engine, batch_size, params, seeds) -> tuple[np.ndarray, np.ndarray, float]:
    """Play one episode a seed; returns (returns, lengths, CPU seconds)."""
    start = time.process_time()
    agent, games = team(path, cfg, engine, batch_size)
    out = rollout(agent, games, np.tile(params, (len(seeds), 1)), seeds)
    return out.returns, out.lengths, time.process_time() - start


def dream(path, cfg, max_steps, batch_size, params, seeds) -> tuple[np.ndarray, np.ndarray, float]:
    """Dream one episode a seed; returns (returns, lengths, CPU seconds)."""
    start = time.process_time()
    world, chunk = dream_team(path, cfg)
    world.max_steps = max_steps
    out = dream_rollout(world, chunk, np.tile(params, (len(seeds), 1)), seeds, batch_size)
    return out.returns, out.lengths, time.process_time() - start


@functools.cache
def one_game(game: str):
    """This worker's game for baselines, whose scores do not depend on who draws."""
    return envs.load(game).make(1)


def play_baseline(game: str, name: str, seeds: np.ndarray) -> np.ndarray:
    """Returns of a policy that learned nothing, one episode a seed."""
    games = one_game(game)
    returns = []
    for seed in seeds:
        games.reset(seed=int(seed))
        policy = games.game.baselines[name](np.random.default_rng([seed, 3]))
        total, over = 0.0, False
        while not over:
            action = games.game.to_actions(policy(games)[None])
            _, reward, terminated, truncated, _ = games.step(action)
            total, over = total + float(reward[0]), bool(terminated[0] or truncated[0])
        returns.append(total)
    return np.array(returns)


def summary(scores: np.ndarray) -> dict[str, float]:
    """Mean, standard deviation, median, min and max, two decimals."""
    values = {
        "mean": scores.mean(),
        "std": scores.std(),
        "median": np.median(scores),
        "min": scores.min(),
        "max": scores.max(),
    }
    return {k: round(float(v), 2) for k, v in values.items()}


def shares(seeds: np.ndarray, parts: int) -> list[np.ndarray]:
    """Split seeds into at most `parts` even shares."""
    return [s for s in np.array_split(seeds, min(parts, len(seeds))) if len(s)]


def table(rows: dict[str, dict[str, float]]) -> str:
    """Rows of summaries as text."""
    names = ("mean", "std", "median", "min", "max")
    lines = [f"{'':24}" + "".join(f"{n:>10}" for n in names)]
    lines += [f"{k:24}" + "".join(f"{v[n]:10.1f}" for n in names) for k, v in rows.items()]
    return "\n".join(lines)


def score(pool, path: Path, cfg: config.Config, args: argparse.Namespace) -> None:
    """Play all episodes, print the table and write result.json."""
    start = time.monotonic()
    params = load_controller(path)
    saved = path / "controller" / "controller.npz"
    seeds = args.seed + np.arange(args.episodes)
    batch = min(16, -(-args.episodes // pool.workers))
    parts = shares(seeds, max(pool.workers, args.episodes // batch))
    where = f"dream at temperature {args.temperature}" if args.dream else f"engine {args.engine}"
    print(
        f"evaluate: {path}, {args.episodes} episodes, seeds {seeds[0]} to {seeds[-1]}, "
        f"{where}; {workers.describe(pool.size)}",
        flush=True,
    )
    progress = runs.Progress(args.episodes, "episodes")
    task = functools.partial(play, path, cfg, args.engine, batch, params)
    if args.dream:
        options = dataclasses.replace(cfg.controller, temperature=args.temperature)
        cfg = dataclasses.replace(cfg, controller=options)
        task = functools.partial(dream, path, cfg, args.steps, batch, params)
    packages = (*PACKAGES, *envs.load(cfg.game).packages)
    returns, lengths, cpu = [], [], 0.0
    for part, steps, seconds in pool.map(task, parts):
        returns.append(part)
        lengths.append(steps)
        cpu += seconds
        progress.add(len(part), f"mean {np.concatenate(returns).mean():.1f}")
    scores = np.concatenate(returns)
    result = summary(scores) | {
        "episodes": args.episodes,
        "engine": "dream" if args.dream else args.engine,
        **({"temperature": args.temperature} if args.dream else {}),
        "seeds": [int(seeds[0]), int(seeds[-1])],
        "controller": runs.fingerprint(saved),
        "generation": int(runs.read_npz(saved)["generation"]),
        "command": " ".join(["python", *sys.argv]),
        "versions": {p: importlib.metadata.version(p) for p in packages}
        | {"python": platform.python_version()},
        "wall_hours": round((time.monotonic() - start) / 3600, 4),
        "cpu_hours": round(cpu / 3600, 4),
        "evolution_hours": round(evolution_hours(path), 3) or None,
        "scores": [round(float(s), 2) for s in scores],
        "lengths": [int(n) for n in np.concatenate(lengths)],
    }
    rows = {path.name: result}
    if args.baselines:
        for name in envs.load(cfg.game).baselines:
            task = functools.partial(play_baseline, cfg.game, name)
            parts = pool.map(task, shares(seeds, pool.workers))
            rows[name] = summary(np.concatenate(list(parts)))
        result["baselines"] = {name: rows[name] for name in envs.load(cfg.game).baselines}
    print(table(rows))
    parts = [] if result["engine"] == envs.load(cfg.game).official else [result["engine"]]
    print(f"written to {write_result(path, result, parts + other_seeds(args.seed))}")


def watch(path: Path, cfg: config.Config, args: argparse.Namespace) -> None:
    """Show the game or the dream, in a window or as a video."""
    runs.tensorflow()
    from controller import show
    from controller.agent import load_agent
    from rnn.dream import load_dream

    agent = load_agent(path, cfg)
    params = np.zeros(agent.num_params) if args.play else load_controller(path)
    window = (
        show.Window(
            f"{path.name}: {'dream' if args.dream else 'game'}",
            agent.rnn.action_size,
            agent.controller.discrete,
        )
        if (args.render or args.play)
        else None
    )
    keys = window.keys if args.play else None
    dream = (
        load_dream(path, cfg, temperature=args.temperature, max_steps=args.steps)
        if args.dream
        else None
    )
    for i in range(args.seed, args.seed + (1 if window is None else args.episodes)):
        if dream is None:
            pictures = show.in_game(agent, params, i, keys)
        elif window is None:
            pictures = show.side_by_side(agent, dream, params, i)
        else:
            pictures = show.in_dream(agent, dream, params, i, keys)
        if window is None:
            file = path / ("dream.mp4" if dream else "drive.mp4")
            print(f"{show.save_video(pictures, file)} frames written to {file}")
        elif not window.show(pictures):
            break


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = cli.OptionParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("run", help="a run's folder, such as log/carracing or pretrained/carracing")
    add("--episodes", type=int, default=100, help="tracks to play (default: 100)")
    add(
        "--seed",
        type=int,
        default=config.TEST_SEEDS,
        help="episode i plays the track of seed + i (default: %(default)s)",
    )
    add(
        "--engine",
        choices=ENGINES,
        help="who plays the game (default: the one whose scores are official)",
    )
    add("--baselines", action="store_true", help="also play policies that learned nothing")
    add("--video", action="store_true", help="write a video of the first track")
    add("--render", action="store_true", help="watch in a window")
    add("--play", action="store_true", help="drive with the arrow keys, in a window")
    add("--dream", action="store_true", help="inside M, not in the game")
    add("--temperature", type=float, help="of the dream (default: that of C's evolution)")
    add("--steps", type=int, help="longest dream (default: the game's longest episode)")
    add("--workers", type=int, default=0, help="worker processes (default: one a core)")
    args = parser.parse_args(argv)
    if args.episodes < 1:
        parser.error("--episodes must be at least 1")
    if args.temperature is not None and args.temperature <= 0:
        parser.error("--temperature must be above 0")
    if args.steps is not None and args.steps < 1:
        parser.error("--steps must be at least 1")
    if args.dream and args.baselines:
        parser.error("--baselines play the game, not the dream")
    if args.video and (args.render or args.play):
        parser.error("--video writes a file and --render and --play open a window: choose one")
    return args


def main() -> None:
    named = [w for w in sys.argv[1:] if (runs.folder(w) / "config.json").exists()]
    if named:
        evaluator = config.SYSTEMS[runs.find(named[0])[1].system].evaluator
        if evaluator != "evaluate":
            importlib.import_module(evaluator).main()
            return
    args = parse()
    path, cfg = runs.find(args.run)
    game = envs.load(cfg.game)
    args.engine = args.engine or game.official
    args.temperature = args.temperature or cfg.controller.temperature
    args.steps = args.steps or game.max_steps
    game.check(args.engine)
    if args.video or args.render or args.play:
        workers.alone("evaluate.py with a picture")
        watch(path, cfg, args)
        return
    load_controller(path)  # what is missing is said before anything starts
    workers.launch(args.workers)
    with workers.pool() as pool:
        if pool is not None:
            score(pool, path, cfg, args)


if __name__ == "__main__":
    cli.run(main)
