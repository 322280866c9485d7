"""Rollouts in one process and thread: the whole agent in the game, and in the dream.

python -m benchmarks.bench_rollout
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import config
import runs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--games", type=int, default=32, help="games in a batch (default: 32)")
    parser.add_argument("--dreams", type=int, default=256, help="dreams in a batch (default: 256)")
    parser.add_argument("--steps", type=int, default=1000, help="longest episode (default: 1000)")
    parser.add_argument("--run", help="take V, M and C of this run, not random ones")
    args = parser.parse_args()
    tf = runs.tensorflow(1)
    from controller.agent import Agent, control, features, load_agent, load_controller, squash
    from controller.rollout import rollout
    from envs.carracing import CarRacing
    from rnn.dream import Dream
    from rnn.model import make_rnn
    from vae.model import ConvVAE

    if args.run:
        path, cfg = runs.find(args.run)
        agent, params = load_agent(path, cfg), load_controller(path)
    else:
        agent = Agent(ConvVAE(32), make_rnn(32, 3, config.RNN()), "zh", "sample")
        params = np.random.default_rng(0).normal(0, 0.1, agent.num_params)
    games = CarRacing(args.games, "fast", args.steps)
    many = np.tile(params, (args.games, 1))
    rollout(agent, games, many, np.arange(args.games) + 1)  # compiles
    for name, start in (("first", 1000), ("second", 2000)):
        clock = time.process_time()
        lengths = rollout(agent, games, many, start + np.arange(args.games)).lengths
        clock = time.process_time() - clock
        print(
            f"game, V, M and C, {args.games} in a batch, {name}: "
            f"{lengths.sum() / clock:,.0f} steps/s a core, whole episodes with reset"
        )
    dream = Dream(agent.rnn, np.zeros((8, 32)), np.zeros((8, 32)), max_steps=args.steps)
    play = dream.make_rollout(
        lambda z, h, c, p: squash(control(features("zh", z, h, c), p, agent.sizes))
    )
    many = tf.constant(np.tile(params, (args.dreams, 1)), tf.float32)
    play(args.dreams, tf.constant([0, 0]), many)
    for name in ("first", "second"):
        clock = time.process_time()
        lengths = play(args.dreams, tf.constant([1, 0]), many)[1].numpy()
        clock = time.process_time() - clock
        print(
            f"dream, {args.dreams} in a batch, {name}: {lengths.sum() / clock:,.0f} steps/s a core"
        )


if __name__ == "__main__":
    main()
