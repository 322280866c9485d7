"""Rollouts in one process and thread: the whole agent in the game, and in the dream.

python -m benchmarks.bench_rollout
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

import config
import envs
import runs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--games", type=int, default=32, help="games in a batch (default: 32)")
    parser.add_argument("--dreams", type=int, default=256, help="dreams in a batch (default: 256)")
    parser.add_argument("--steps", type=int, default=1000, help="longest episode (default: 1000)")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions (default: 3)")
    parser.add_argument(
        "--precision", default="auto", help="of V: auto, float32 or bfloat16 (default: auto)"
    )
    parser.add_argument("--run", help="take V, M and C of this run, not random ones")
    args = parser.parse_args()
    runs.tensorflow(1)
    from controller.agent import Agent, load_agent, load_controller
    from controller.rollout import dream_rollout, rollout
    from rnn.dream import Dream
    from rnn.model import make_rnn
    from vae.model import make_vae

    if args.run:
        path, cfg = runs.find(args.run)
        agent, params = load_agent(path, cfg), load_controller(path)
    else:
        models = make_vae(config.VAE(precision=args.precision)), make_rnn(32, 3, config.RNN())
        agent = Agent(*models, config.Controller(), "carracing")
        params = np.random.default_rng(0).normal(0, 0.1, agent.num_params)
    games = envs.load("carracing").make(args.games, "fast", args.steps)
    many = np.tile(params, (args.games, 1))
    name = f"game, V, M and C, {args.games} in a batch, whole episodes with reset"
    measure(
        name,
        args.rounds,
        lambda i: rollout(agent, games, many, 1000 * i + np.arange(args.games)).lengths,
    )
    zero = np.zeros((8, 32), np.float32)
    starts = {"mu": zero, "logvar": zero, "mask": np.zeros((8, 0), bool)}
    dream = Dream(agent.rnn, starts, max_steps=args.steps)
    chunk, many_dreams = dream.make_chunk(agent.controller.act), np.tile(params, (args.dreams, 1))
    measure(
        f"dream, {args.dreams} in a batch",
        args.rounds,
        lambda i: (
            dream_rollout(
                dream, chunk, many_dreams, 1000 * i + np.arange(args.dreams), args.dreams
            ).lengths
        ),
    )


def measure(name: str, rounds: int, play: Callable[[int], np.ndarray]) -> None:
    """Print steps a second of CPU time, median and best of some rounds after a first one."""
    play(1)  # compiles
    rates = []
    for i in range(rounds):
        clock = time.process_time()
        steps = play(i + 2).sum()
        rates.append(steps / (time.process_time() - clock))
    median, best = statistics.median(rates), max(rates)
    print(f"{name}: {median:,.0f} steps/s a core, median of {rounds}; best {best:,.0f}")


if __name__ == "__main__":
    main()
