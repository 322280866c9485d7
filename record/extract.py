"""Stage 1: record episodes of a simple policy to log/<run>/record/<seed>.npz.

    python -m record.extract carracing                      10,000 episodes, every core
    python -m record.extract carracing --preset small       1,500 short episodes
    mpirun -n 65 python -m record.extract carracing         64 workers
    python -m record.extract carracing --run second --policy controller --source carracing

Constant memory, one compressed file an episode. The same command goes on where it was stopped.
"""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import numpy as np

import config
import envs
import runs
from envs.batch import Batch
from envs.policies import Maker, Policy
from record.driver import Single, play
from record.episodes import Episode, save_episode
from runs import cli, workers

TRAINED = ("random-network", "controller")  # policies that are V, M and C


@functools.cache
def one_game(game: str, engine: str, view: str) -> Batch:
    """This worker's game, made once."""
    return envs.load(game).make(1, engine, view=view)


@functools.cache
def agent_policies(game: str, source: str, noise: float) -> Maker:
    """Policies that need V, M and C; source "" draws random weights for every episode."""
    # The one import against the order of the stages: what a trained agent plays is data too.
    runs.tensorflow(1)
    from controller.agent import policies

    return policies(game, source, noise)


def make_policy(game: str, options: config.Record, seed: int) -> Policy:
    """The policy of one episode."""
    rng = np.random.default_rng([seed, 1])
    simple = envs.load(game).policies.get(options.policy)
    source = options.source if options.policy == "controller" else ""
    return simple(rng) if simple else agent_policies(game, source, options.noise)(rng)


def lead(games: Batch, policy: Policy, steps: int, seed: int) -> bool:
    """Bring the first game to where `policy` is after some steps, off the record.

    Returns:
        Whether the game goes on; else its episode is to begin anew.
    """
    return not list(play(games, Single(lambda _: policy), [seed], budget=steps))


def record(
    games: Batch,
    policy: Policy,
    seed: int,
    max_steps: int,
    leader: tuple[Policy, int] | None = None,
) -> Episode:
    """Play one episode of the first game, and keep all of it.

    Args:
        max_steps: longest episode.
        leader: policy that plays before the recording begins, and for how many steps.
    """
    begun = False
    if leader:
        games.max_steps = leader[1] + max_steps
        begun = lead(games, *leader, seed)
    games.max_steps = max_steps + begun * int(games.steps[0])
    (played,) = play(games, Single(lambda _: policy), [seed], keep=True, begun=begun)
    return played.episode


def record_one(
    folder: Path, game: str, options: config.Record, seed: int
) -> tuple[int, int, float, int]:
    """Record one episode to disk; returns its seed, steps, return and bytes."""
    games = one_game(game, options.engine, options.view)
    policy, leader = make_policy(game, options, seed), None
    if options.lead_in:
        rng = np.random.default_rng([seed, 2])
        steps = int(rng.integers(options.lead_in + 1))
        leader = (agent_policies(game, options.source, options.noise)(rng), steps)
    episode = record(games, policy, seed, options.max_steps, leader)
    file = folder / f"{seed}.npz"
    save_episode(file, episode)
    return seed, len(episode), float(episode.reward.sum()), file.stat().st_size


def check(game: str, options: config.Record) -> None:
    """Refuse a policy or an engine that this game does not have.

    Raises:
        RunError: names those that it has; or the run whose controller is to play is missing.
    """
    spec = envs.load(game)
    has = (*spec.policies, *TRAINED)
    if options.policy not in has:
        raise runs.RunError(f"{game} has no policy {options.policy}; choose from {', '.join(has)}")
    spec.check(options.engine, options.view)
    if options.policy == "controller" or options.lead_in:
        if not options.source:
            raise runs.RunError(
                "--policy controller and --lead-in need --source, the run whose controller plays"
            )
        source, _ = runs.find(options.source)
        runs.require(source, "controller", "controller.npz")


def main() -> None:
    run, cfg = cli.parse("record", __doc__)
    options = cfg.record
    check(cfg.game, options)
    workers.launch(options.workers)
    with workers.pool() as pool:
        if pool is None:
            return
        folder = runs.claim(run, "record", cfg)
        runs.sweep(folder)
        seeds = range(options.seed, options.seed + options.episodes)
        todo = [s for s in seeds if not (folder / f"{s}.npz").exists()]
        print(
            f"record: {len(todo)} of {options.episodes} episodes of {cfg.game} to {folder}, "
            f"policy {options.policy}, engine {options.engine}; {workers.describe(pool.size)}",
            flush=True,
        )
        metrics = runs.Metrics(folder)
        progress = runs.Progress(options.episodes, "episodes", done=options.episodes - len(todo))
        task = functools.partial(record_one, folder, cfg.game, options)
        results = pool.map(task, todo, unordered=True)
        frames, returns = 0, []
        used = sum(file.stat().st_size for file in folder.iterdir())
        for seed, steps, score, size in results:
            frames += steps
            used += size
            returns.append(score)
            metrics.write(seed=seed, steps=steps, score=round(score, 2))
            free = shutil.disk_usage(folder).free
            progress.add(1, f"{used / 1e9:.2f} GB used, {free / 1e9:.0f} GB free")
        if returns:
            print(f"done: {frames:,} frames, mean return {np.mean(returns):.1f}")
        else:
            print("done: all episodes were there")


if __name__ == "__main__":
    cli.run(main)
