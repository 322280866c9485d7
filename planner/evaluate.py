"""Score a planner: random play, the policy alone, and the search, on the same frozen model.

    python evaluate.py log/breakout                     100 games of each that training never saw
    python evaluate.py log/breakout --simulations 8     with a smaller search
    python evaluate.py log/breakout --drawn             and with moves drawn as in training
    python evaluate.py log/breakout --show-tree 20      what the search thought of a move
    python evaluate.py log/breakout --video             drive.mp4: the game, and its plan
    python evaluate.py log/breakout --render            watch that in a window
    python evaluate.py log/breakout --play              play yourself
    python evaluate.py log/breakout --dream             the scores in M's dream of the game
    python evaluate.py log/breakout --dream --video     dream.mp4: the game, and the dream beside it
    python evaluate.py log/breakout --dream --play      play inside M

The score is the search's; it is written to result.json in the run's folder. A shorter evaluation
does not replace a longer one, and another engine, search or first seed goes to
result-<what>.json.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

import config
import envs
import runs
from controller.evaluate import add_common, check_common, opened
from envs.batch import Batch
from record import driver
from runs import cli, workers
from runs.scores import Clock, made_by, other_seeds, summary, table, write_result

if TYPE_CHECKING:
    from planner.agent import Agent
    from rnn.dream import Dream

DECIMALS = 3  # of a score that is kept; a table shows one less


def summary_of(episodes: list[driver.Played]) -> dict:
    """Summarise episodes."""
    scores, lengths = np.array([(row.total, row.length) for row in episodes]).T
    return summary(scores, lengths, DECIMALS)


def play_random(cfg: config.Config, engine: str, seeds: Sequence[int]) -> dict:
    """The summary of random play, one episode a seed."""
    steps = cfg.planner.max_steps
    return summary_of(driver.play_baseline(cfg, "random", engine, seeds, steps))


def with_search(agent: Agent, simulations: int) -> Agent:
    """The same agent with a search of some simulations, and no noise; 0: the policy alone."""
    options = dataclasses.replace(agent.options, n_simulations=simulations, noise_ratio=0.0)
    if not simulations:
        options = dataclasses.replace(options, timeout=0.0)
    return dataclasses.replace(agent, options=options)


def play_greedily(
    games: Batch, agent: Agent, seeds: Sequence[int], what: str, drawn: bool = False
) -> dict:
    """The summary of one episode a seed of greedy play.

    Args:
        games: of the game, or dreams of it. what: is planned with, for the line of progress.
        drawn: draw moves as in training.
    """
    from planner.play import Player, Sleeper
    from rnn.dream_games import DreamGames

    kind = Sleeper if isinstance(games, DreamGames) else Player
    player = kind(agent, games.num_envs, drawn, (1,))
    progress, scores, episodes = runs.Progress(len(seeds), "episodes"), [], []
    for played in driver.play(games, player, seeds):
        episodes.append(played)
        scores.append(played.total)
        progress.add(1, f"{what}, mean {np.mean(scores):.2f}")
    games.close()
    return summary_of(sorted(episodes, key=lambda played: played.number))


def play_planned(
    cfg: config.Config,
    agent: Agent,
    engine: str,
    seeds: Sequence[int],
    simulations: int,
    simulator: bool = False,
    drawn: bool = False,
) -> dict:
    """The summary of greedy play with a search of some simulations (0: the policy alone).

    Args:
        simulator: search in the game itself, not in M. drawn: draw moves as in training.
    """
    agent = with_search(agent, simulations)
    count, steps = min(agent.options.games, len(seeds)), agent.options.max_steps
    games, inner = driver.make_games(cfg, count, engine, steps), None
    if simulator:
        from planner.simulator import Simulator

        inner = driver.make_games(cfg, count, engine, steps)
        simulated = Simulator(inner, agent, agent.options.gamma)
        agent = dataclasses.replace(agent, model=simulated)
    what = f"{simulations} simulations in the {'game' if simulator else 'model'}"
    row = play_greedily(games, agent, seeds, what, drawn)
    if inner is not None:
        inner.close()
    return row


def play_asleep(
    cfg: config.Config, agent: Agent, dream: Dream, seeds: Sequence[int], simulations: int
) -> dict:
    """The summary of greedy play in the dream."""
    from rnn.dream_games import DreamGames

    agent = with_search(agent, simulations)
    count = min(agent.options.games, len(seeds))
    dreams = DreamGames(envs.load(cfg.game), dream, agent.decode, count)
    return play_greedily(dreams, agent, seeds, f"{simulations} simulations in the dream")


def rows_of(
    cfg: config.Config, agent: Agent, dream: Dream | None, args: argparse.Namespace
) -> dict[str, dict]:
    """The summaries of all that is to be compared."""
    seeds, budget = args.seed + np.arange(args.episodes), agent.options.n_simulations
    if dream is not None:
        players = {"prior": 0, "search": budget}
        return {name: play_asleep(cfg, agent, dream, seeds, n) for name, n in players.items()}
    rows = {"random": play_random(cfg, args.engine, seeds)}
    rows["prior"] = play_planned(cfg, agent, args.engine, seeds, 0)
    rows["search"] = play_planned(cfg, agent, args.engine, seeds, budget)
    if args.drawn:
        rows["search, drawn"] = play_planned(cfg, agent, args.engine, seeds, budget, drawn=True)
    return rows


def score(
    path: Path,
    cfg: config.Config,
    agent: Agent,
    dream: Dream | None,
    args: argparse.Namespace,
    changed: dict[str, int],
) -> None:
    """Play all, print the table and write result.json.

    Args:
        changed: what was chosen otherwise than in training, by name.
    """
    clock, game, seeds = Clock(), envs.load(cfg.game), args.seed + np.arange(args.episodes)
    engine = "dream" if dream is not None else args.engine
    print(
        f"evaluate: {path}, {args.episodes} episodes, seeds {seeds[0]} to {seeds[-1]}, engine "
        f"{engine}; 1 worker, in this process",
        flush=True,
    )
    rows = rows_of(cfg, agent, dream, args)
    played = runs.read_metrics(path / "planner" / "metrics.jsonl")
    result = made_by("alphazero", cfg.game, engine, seeds, game.packages) | rows["search"]
    result |= {
        "simulations": agent.options.n_simulations,
        "determinisations": agent.options.determinisations,
        "frames": played[-1]["frames"] if played else None,
        "training_hours": played[-1]["hours"] if played else None,
        "models": runs.made_from(path, "vae", "rnn"),
    }
    result |= clock.hours()
    result["baselines"] = {name: row for name, row in rows.items() if name in ("random", "prior")}
    if args.drawn:
        result["drawn"] = rows["search, drawn"]
    print(table(rows, DECIMALS - 1))
    parts = [] if engine == game.official else [engine]
    parts += [f"{name}-{value}" for name, value in changed.items()] + other_seeds(args.seed)
    print(f"written to {write_result(path, result, parts)}")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of evaluate.py for a planner's run."""
    add_common(parser, "episodes of each")
    add = parser.add_argument
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
    add("--show-tree", type=int, metavar="MOVE", help="print the tree of a move, and draw its plan")


def check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exit with one sentence if the options cannot be."""
    check_common(parser, args)
    if args.simulations is not None and args.simulations < 1:
        parser.error("--simulations must be at least 1")
    if args.show_tree is not None and args.show_tree < 0:
        parser.error("--show-tree takes the number of a move, from 0 on")
    if args.determinisations is not None and args.determinisations < 0:
        parser.error("--determinisations must be at least 0")
    if args.dream and (args.drawn or args.show_tree is not None):
        parser.error("--drawn and --show-tree are of the game, not of the dream")


def main() -> None:
    parser = cli.OptionParser(__doc__)
    parser.add_argument("run", help="a planner's run, such as log/breakout")
    add_options(parser)
    args = parser.parse_args()
    check(parser, args)
    path, cfg = opened(args)
    workers.alone("evaluating a planner")
    if args.determinisations and not cfg.rnn.mixtures:
        raise runs.RunError(f"the M of {path} has no mixtures: every determinisation is the same")
    typed = {"n_simulations": args.simulations, "determinisations": args.determinisations}
    typed = {name: value for name, value in typed.items() if value is not None}
    was = dataclasses.asdict(cfg.planner)
    changed = {name.removeprefix("n_"): n for name, n in typed.items() if n != was[name]}
    cfg = dataclasses.replace(cfg, planner=dataclasses.replace(cfg.planner, **typed))
    threadpool_limits(1, "blas")
    from planner.agent import load_agent

    agent, dream = load_agent(path, cfg), None
    if args.dream:
        from rnn.dream import load_dream

        dream = load_dream(path, cfg, temperature=args.temperature, max_steps=args.steps)
    if args.show_tree is not None:
        from planner.show import show_tree

        show_tree(path, cfg, agent, args.engine, args.seed, args.show_tree)
    elif args.video or args.render or args.play:
        from controller.show import watch
        from planner.show import Planned

        watch(path, Planned(cfg, agent, args.engine, dream, args.play), args)
    else:
        score(path, cfg, agent, dream, args, changed)
