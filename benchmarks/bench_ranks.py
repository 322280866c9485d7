"""What workers bring and cost: two against one, and dealing out tiny tasks to many.

mpirun -n 3 python -m benchmarks.bench_ranks          two workers and rank 0
mpirun -n 65 python -m benchmarks.bench_ranks --tiny  the cost of dispatch alone
"""

from __future__ import annotations

import argparse
import functools
import time

import numpy as np

import config
import envs
import runs
from controller.rollout import rollout
from runs import cli, workers


@functools.cache
def team(games: int, steps: int):
    """This worker's agent with random weights, and games, made once."""
    runs.tensorflow(1)
    from controller.agent import Agent
    from rnn.model import make_rnn
    from vae.model import ConvVAE

    agent = Agent(ConvVAE(32), make_rnn(32, 3, config.RNN()), config.Controller(), "carracing")
    return agent, envs.load("carracing").make(games, "fast", steps)


def work(games: int, steps: int, seeds: np.ndarray) -> int:
    """Play episodes with a random controller; returns the steps."""
    agent, batch = team(games, steps)
    params = np.random.default_rng(0).normal(0, 0.1, (len(seeds), agent.num_params))
    return int(rollout(agent, batch, params, seeds).lengths.sum())


def tiny(params: np.ndarray, seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A task that does nothing but come and go with what a real one carries."""
    return np.zeros(len(seeds)), np.zeros(len(seeds), int)


def dispatch(pool: workers.Pool) -> None:
    """Print the time of a generation whose 1,024 jobs do nothing."""
    rng = np.random.default_rng(0)
    jobs = 1024 // pool.workers or 1
    params = [rng.normal(0, 0.1, (jobs, 867)) for _ in range(pool.workers)]
    seeds = [np.arange(jobs)] * pool.workers
    list(pool.map(tiny, params, seeds))
    start = time.perf_counter()
    for _ in range(10):
        list(pool.map(tiny, params, seeds))
    seconds = (time.perf_counter() - start) / 10
    print(f"a generation of 1,024 empty jobs on {pool.workers} workers: {seconds:.3f} s")


def compare(pool: workers.Pool, args: argparse.Namespace) -> None:
    """Print the rate of all workers against that of one at a time, in turns."""
    task = functools.partial(work, args.games, args.steps)
    tasks = [1000 * i + np.arange(args.games) for i in range(args.tasks * pool.workers)]
    list(pool.map(task, tasks[: pool.workers]))  # every worker sets up
    ratios = []
    for _ in range(args.rounds):
        start = time.perf_counter()
        alone = sum(next(pool.map(task, [seeds])) for seeds in tasks[: args.tasks])
        alone /= time.perf_counter() - start
        start = time.perf_counter()
        together = sum(pool.map(task, tasks)) / (time.perf_counter() - start)
        ratios.append(together / alone)
        print(f"one worker {alone:,.0f} steps/s, {pool.workers} workers {together:,.0f}")
    print(f"ratio {np.median(ratios):.2f}, median of {args.rounds}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiny", action="store_true", help="tasks that do nothing")
    parser.add_argument("--tasks", type=int, default=4, help="tasks a worker a round (default: 4)")
    parser.add_argument("--games", type=int, default=16, help="games in a batch (default: 16)")
    parser.add_argument("--steps", type=int, default=300, help="episode length (default: 300)")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions (default: 5)")
    args = parser.parse_args()
    with workers.pool() as pool:
        if pool is not None:
            print(workers.describe(pool.size))
            dispatch(pool) if args.tiny else compare(pool, args)


if __name__ == "__main__":
    cli.run(main)
