"""Train Stable-Baselines3's PPO inside a dream of ours, then let it play the genuine game.

    pip install stable-baselines3
    python -m benchmarks.sb3_in_the_dream log/takecover
    python -m benchmarks.sb3_in_the_dream pretrained/takecover --steps 500000 --temperature 1.15

Shows that `WorldModelDream-v0` is an environment like any other: nothing of ours but Gymnasium's
interface is between PPO and M. It sees z and h, as the controller C does. Games with invalid
actions need an agent that knows masks, which PPO does not.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

import config
import envs
import runs
from record.driver import make_games, play
from runs import cli, workers

GAMES = 16  # played side by side


class Player:
    """V and M watch n games, another library's model acts on z and h: an agent of the driver."""

    def __init__(self, model, vae, rnn, n: int):
        self.model, self.vae, self.rnn = model, vae, rnn
        self.h, self.c = np.zeros((2, n, rnn.hidden_size), np.float32)

    def begin(self, slot: int, number: int, seed: int) -> None:
        self.h[slot] = self.c[slot] = 0

    def act(self, games, at: np.ndarray) -> tuple[np.ndarray, dict]:
        from vae.model import pixels

        z, _ = self.vae.encode(pixels(games.obs[at]))
        vectors, _ = self.model.predict(np.concatenate([z, self.h[at]], 1), deterministic=True)
        self.h[at], self.c[at] = self.rnn.step(z, vectors, (self.h[at], self.c[at]))
        return vectors, {}


def score(model, path, cfg: config.Config, seeds: np.ndarray) -> np.ndarray:
    """Returns of the genuine game, one a seed."""
    from rnn.model import load_rnn
    from vae.model import load_vae

    game = envs.load(cfg.game)
    games = make_games(cfg, min(GAMES, len(seeds)), game.official)
    vae = load_vae(path, cfg.vae, "float32")
    rnn = load_rnn(path, cfg.vae.z_size, game.action_size, cfg.rnn)
    progress, totals = runs.Progress(len(seeds), "episodes"), np.zeros(len(seeds))
    for played in play(games, Player(model, vae, rnn, games.num_envs), seeds):
        totals[played.number] = played.total
        progress.add(1)
    games.close()
    return totals


def main() -> None:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = cli.OptionParser(description=__doc__, formatter_class=formatter)
    add = parser.add_argument
    add("run", help="a run with V, M and series, such as log/takecover")
    add("--steps", type=int, default=200_000, help="steps of PPO in the dream (default: 200000)")
    add("--temperature", type=float, default=1.15, help="of the dream (default: 1.15)")
    add("--dreams", type=int, default=16, help="dreams side by side (default: 16)")
    add("--episodes", type=int, default=100, help="episodes of the game (default: 100)")
    add("--seed", type=int, default=0, help="of PPO and the dream (default: 0)")
    args = parser.parse_args()
    workers.alone("sb3_in_the_dream")
    path, cfg = runs.find(args.run)
    game = envs.load(cfg.game)
    if game.discrete:
        raise runs.RunError(f"{cfg.game} has invalid actions, of which PPO knows nothing")
    # PyTorch's Triton and TensorFlow each bring an LLVM, and a process cannot hold both.
    sys.modules["triton"] = None
    try:
        from stable_baselines3 import PPO
        from stable_baselines3.common.env_util import make_vec_env
    except ImportError:
        raise runs.RunError("this needs `pip install stable-baselines3`") from None
    runs.tensorflow()
    from rnn.dream_env import ID

    options = {
        "run": str(path),
        "temperature": args.temperature,
        "max_steps": game.max_steps,
        "done_threshold": cfg.controller.done_threshold,
        "observation": "zh",
    }
    dreams = make_vec_env(ID, args.dreams, seed=args.seed, env_kwargs=options)
    model = PPO("MlpPolicy", dreams, n_steps=512, batch_size=512, seed=args.seed, verbose=1)
    model.learn(args.steps)
    scores = score(model, path, cfg, config.TEST_SEEDS + np.arange(args.episodes))
    print(
        f"PPO, {args.steps:,} steps in the dream of {path}: {scores.mean():.1f} ± "
        f"{scores.std():.1f} over {len(scores)} episodes of {cfg.game}, engine {game.official}"
    )


if __name__ == "__main__":
    cli.run(main)
