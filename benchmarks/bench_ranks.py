"""What ranks bring and cost: two workers against one, and dealing out tiny tasks to many.

mpirun -n 2 python -m benchmarks.bench_ranks          one worker and rank 0
mpirun -n 3 python -m benchmarks.bench_ranks          two workers and rank 0
mpirun -n 65 python -m benchmarks.bench_ranks --tiny  the cost of dispatch alone
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import config
import runs
import workers


def work(params: np.ndarray, seeds: np.ndarray, games: int, steps: int) -> int:
    """Play episodes with a random agent; returns the steps."""
    agent, batch = team(games, steps)
    from controller.rollout import rollout

    return int(rollout(agent, batch, params, seeds).lengths.sum())


TEAM: list = []


def team(games: int, steps: int):
    """This rank's agent and games, made once."""
    if not TEAM:
        runs.tensorflow(1)
        from controller.agent import Agent
        from envs.carracing import CarRacing
        from rnn.model import make_rnn
        from vae.model import ConvVAE

        agent = Agent(ConvVAE(32), make_rnn(32, 3, config.RNN()), "zh", "sample")
        TEAM.extend((agent, CarRacing(games, "fast", steps)))
    return TEAM


def tiny(params: np.ndarray, seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A task that does nothing but come and go with what a real one carries."""
    return np.zeros(len(seeds)), np.zeros(len(seeds), int)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiny", action="store_true", help="tasks that do nothing")
    parser.add_argument("--tasks", type=int, default=8, help="tasks of a round (default: 8)")
    parser.add_argument("--games", type=int, default=16, help="games in a batch (default: 16)")
    parser.add_argument("--steps", type=int, default=300, help="episode length (default: 300)")
    args = parser.parse_args()
    with workers.pool() as pool:
        if pool is None:
            return
        rng = np.random.default_rng(0)
        print(workers.describe(pool.size))
        if args.tiny:
            jobs = 1024 // pool.workers or 1
            params = [rng.normal(0, 0.1, (jobs, 867)) for _ in range(pool.workers)]
            seeds = [np.arange(jobs)] * pool.workers
            list(pool.map(tiny, params, seeds))
            start = time.perf_counter()
            for _ in range(10):
                list(pool.map(tiny, params, seeds))
            seconds = (time.perf_counter() - start) / 10
            print(f"a generation of 1,024 empty jobs on {pool.workers} workers: {seconds:.3f} s")
            return
        params = [rng.normal(0, 0.1, (args.games, 867)) for _ in range(args.tasks)]
        seeds = [1000 * i + np.arange(args.games) for i in range(args.tasks)]
        sizes = ([args.games] * args.tasks, [args.steps] * args.tasks)
        list(pool.map(work, params, seeds, *sizes))  # every rank sets up
        for name in ("first", "second", "third"):
            start = time.perf_counter()
            steps = sum(pool.map(work, params, seeds, *sizes))
            print(f"{name}: {steps / (time.perf_counter() - start):,.0f} steps/s")


if __name__ == "__main__":
    main()
