"""Stage 1: record episodes of a simple policy to log/<run>/record/<seed>.npz.

    python -m record.extract carracing                      10,000 episodes, every core
    python -m record.extract carracing --preset small       320 episodes
    mpirun -n 65 python -m record.extract carracing         64 workers
    python -m record.extract carracing --run second --policy controller --source carracing

Constant memory, one compressed file an episode. The same command goes on where it was stopped.
"""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import numpy as np

import cli
import config
import runs
import workers
from envs import carracing
from record.episodes import Episode, save_episode
from record.policies import NOISE, Policy


@functools.cache
def game(engine: str, max_steps: int) -> carracing.CarRacing:
    """This worker's game, made once."""
    return carracing.CarRacing(1, engine, max_steps)


@functools.cache
def agent_policies(source: str, noise: float):
    """Policies that need V, M and C; source "" draws random weights for every episode."""
    # The one import against the order of the stages: what a trained agent plays is data too.
    runs.tensorflow(1)
    from controller.agent import policies

    return policies(source, noise)


def make_policy(options: config.Record, seed: int) -> Policy:
    """The policy of one episode."""
    rng = np.random.default_rng([seed, 1])
    if options.policy in NOISE:
        return NOISE[options.policy](carracing.ACTION_LOW, carracing.ACTION_HIGH, rng)
    return agent_policies(options.source, options.noise)(rng)


def play(games: carracing.CarRacing, policy: Policy, seed: int) -> Episode:
    """Play one episode and keep everything."""
    games.reset(0, seed)
    alive = np.ones(1, bool)
    obs, actions, rewards = [games.obs[0].copy()], [], []
    ended = cut = np.zeros(1, bool)
    while not (ended[0] or cut[0]):
        # What was played, not what was wished for: M would never meet that again.
        action = np.clip(policy(obs[-1], len(actions)), carracing.ACTION_LOW, carracing.ACTION_HIGH)
        reward, ended, cut = games.step(action[None], alive)
        obs.append(games.obs[0].copy())
        actions.append(action)
        rewards.append(reward[0])
    return Episode(
        obs=np.stack(obs),
        action=np.stack(actions),
        reward=np.array(rewards, np.float32),
        terminated=ended[0],
        truncated=cut[0],
    )


def record_one(folder: Path, options: config.Record, seed: int) -> tuple[int, int, float, int]:
    """Record one episode to disk; returns its seed, steps, return and bytes."""
    games = game(options.engine, options.max_steps)
    episode = play(games, make_policy(options, seed), seed)
    file = folder / f"{seed}.npz"
    save_episode(file, episode)
    return seed, len(episode), float(episode.reward.sum()), file.stat().st_size


def main() -> None:
    run, cfg = cli.parse("record", __doc__)
    options = cfg.record
    if options.policy == "controller":
        if not options.source:
            raise runs.RunError(
                "--policy controller needs --source, the run whose controller plays"
            )
        source, _ = runs.find(options.source)
        runs.require(source, "controller", "controller.npz")
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
        progress = workers.Progress(options.episodes, "episodes", done=options.episodes - len(todo))
        results = pool.map(functools.partial(record_one, folder, options), todo, unordered=True)
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


if __name__ == "__main__":
    cli.run(main)
