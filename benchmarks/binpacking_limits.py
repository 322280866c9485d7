"""What limits the bin packing run: V, M or the optimiser? A measurement of each.

    python -m benchmarks.binpacking_limits log/binpacking

V: of held-out frames, how often each level's bins and the item can still be read from V's
reconstruction. M: the same of what it imagines 1, 10 and 100 steps ahead, with its errors of reward
and valid actions, while the items and actions of the game are given to it; and rnn/errors.py. The
optimiser: the evolved controller beside best fit, written as a controller of the same form (a bias
that grows with the level), both in the dream and in the game.
"""

from __future__ import annotations

import argparse

import numpy as np

import config
import runs
from envs import binpacking
from record.episodes import list_episodes, load_episode, split
from runs import cli, workers

WARMUP, STEPS = 50, [1, 10, 100]  # true steps that M sees first, and imagined ones


def read_back(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read pictures (n, 64, 64, 3): counts (n, 30), by the nearest colours, and items (n,)."""
    few = binpacking.BARS[:29, 0].astype(int)  # below 29 bins the first two columns say it all
    rows = 59 - 2 * np.arange(30)
    cells = (pictures[:, rows, :2].astype(int) + pictures[:, np.minimum(rows + 1, 59), :2]) / 2
    cells = cells.mean(2)
    counts = ((cells[:, :, None] - few) ** 2).sum(-1).argmin(-1)
    counts[:, 0] = 0
    strip = pictures[:, 60:64].astype(int)
    errors = [
        ((strip[:, :, 6 * s : 6 * s + 6] - binpacking.COLOURS[s]) ** 2).mean((1, 2, 3))
        + sum((strip[:, :, 6 * o : 6 * o + 6] ** 2).mean((1, 2, 3)) for o in range(1, 10) if o != s)
        for s in range(1, 10)
    ]
    return counts, 1 + np.argmin(errors, 0)


def measure_vision(path, cfg: config.Config, frames: int) -> None:
    """Print how much of a state survives V."""
    from vae.model import load_vae, pixels, to_uint8

    files = [file for file, _ in list_episodes(path / "record", False)]
    _, held = split([int(f.stem) for f in files], cfg.vae.holdout)
    rng = np.random.default_rng(0)
    vae = load_vae(path, cfg.vae, "float32")
    truth, seen = [], []
    for i in held:
        obs = load_episode(files[i]).obs
        obs = obs[rng.choice(len(obs), min(len(obs), max(1, frames // len(held))), replace=False)]
        truth.append(obs)
        seen.append(to_uint8(vae.decode(vae.encode(pixels(obs))[0])))
    counts, items = read_back(np.concatenate(truth))
    counts_seen, items_seen = read_back(np.concatenate(seen))
    print(f"V, {len(items)} held-out frames, read from its reconstruction:")
    print(f"  items right: {(items == items_seen).mean():.1%}")
    for s in range(1, 10):
        of = items == s
        if of.any():
            print(f"    size {s}: {(items_seen[of] == s).mean():6.1%} of {of.sum()}")
    print(f"  counts right: {(counts == counts_seen)[:, 1:].mean():.1%} of all levels")
    print(f"{'level':>9}{'open':>9}{'exact':>9}{'seen open':>12}{'false open':>12}")
    for level in range(1, 30):
        is_open = counts[:, level] > 0
        exact = (counts[:, level] == counts_seen[:, level])[is_open].mean() if is_open.any() else 1
        hit = (counts_seen[is_open, level] > 0).mean() if is_open.any() else 1
        false = (counts_seen[~is_open, level] > 0).mean() if (~is_open).any() else 0
        print(f"{level:9}{is_open.mean():9.1%}{exact:9.1%}{hit:12.1%}{false:12.1%}")


def measure_memory(path, cfg: config.Config, count: int, temperature: float) -> None:
    """Print how much of a state survives some steps of M, if what came in the game comes in the
    dream too: the same items and actions."""
    from rnn.errors import run_errors, sequences, table
    from rnn.model import load_rnn
    from rnn.pictures import imagine
    from series.data import load_series
    from vae.model import load_vae, to_uint8

    series = load_series(path)
    vae = load_vae(path, cfg.vae, "float32")
    rnn = load_rnn(path, cfg.vae.z_size, binpacking.CAPACITY, cfg.rnn)
    _, held = split(series.seed, cfg.rnn.holdout)
    rows = sequences(series, held, WARMUP + max(STEPS), count, 0)
    z, action = series.mu[rows].astype(np.float32), series.action[rows]
    dream = imagine(rnn, z, action, WARMUP, temperature, told=True, bounds=series.bounds())
    print(f"M, {count} held-out sequences of the same items and actions, drawn at {temperature}:")
    print(
        f"{'steps':>9}{'all levels right':>18}{'false open':>12}{'missed':>9}{'items':>9}", end=""
    )
    print(f"{'valid wrong':>13}{'reward error':>14}")
    episode = np.searchsorted(series.offset, rows[:, 0], "right") - 1
    for k in STEPS:
        at = rows[:, WARMUP - 1 + k]
        truth = [
            load_episode(path / "record" / f"{series.seed[e]}.npz").obs[row - series.offset[e]]
            for e, row in zip(episode, at, strict=True)
        ]
        counts, items = read_back(np.stack(truth))
        own = dream.z[:, k - 1]
        counts_own, items_own = read_back(to_uint8(vae.decode(own)))
        is_open, seen = counts[:, 1:] > 0, counts_own[:, 1:] > 0
        told = rnn.valid(own, dream.hidden[:, k - 1]).numpy() > 0
        errors = dream.reward[:, k - 1] - series.reward[at - 1]
        print(
            f"{k:9}{(is_open == seen).all(1).mean():18.1%}{(seen & ~is_open).sum(1).mean():12.2f}"
            f"{(is_open & ~seen).sum(1).mean():9.2f}{(items == items_own).mean():9.1%}"
            f"{(told != series.mask[at]).mean():13.2%}{np.sqrt((errors**2).mean()):14.2f}"
        )
    print(table(run_errors(path, cfg, steps=STEPS, warmup=WARMUP)))


def best_fit_params(options: config.Controller, num_params: int) -> np.ndarray:
    """Best fit as parameters of C: a bias that grows with the level.

    Raises:
        RunError: C has no bias, or hidden units.
    """
    if not options.bias or options.inputs == "z-hidden":
        raise runs.RunError("best fit cannot be written without a bias, or with hidden units")
    params = np.zeros(num_params)
    params[:30] = np.linspace(-1, 1, 30)
    return params


def measure_controllers(path, cfg: config.Config, episodes: int) -> None:
    """Print the scores of the evolved controller and of best fit, in the dream and in the game."""
    from controller.model import load_controller
    from controller.rollout import dream_rollout, dream_team, rollout, team

    params = load_controller(path)
    rows = {"evolved": params, "best fit": best_fit_params(cfg.controller, len(params))}
    seeds = config.TEST_SEEDS + np.arange(episodes)
    agent, games = team(path, cfg, "numpy", 16)
    dream, chunk = dream_team(path, cfg)
    dream.max_steps = cfg.controller.max_steps
    for name, weights in rows.items():
        jobs = np.tile(weights, (episodes, 1))
        asleep = dream_rollout(dream, chunk, jobs, seeds, 256).returns
        awake = rollout(agent, games, jobs, seeds).returns
        print(
            f"{name:10} dream {asleep.mean():8.1f} ± {asleep.std():6.1f}   "
            f"game {awake.mean():8.1f} ± {awake.std():6.1f}   {episodes} episodes"
        )


def main() -> None:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = cli.OptionParser(description=__doc__, formatter_class=formatter)
    add = parser.add_argument
    add("run", help="a run of bin packing, such as log/binpacking")
    add("--frames", type=int, default=2000, help="of V to look at; of M a quarter (default: 2000)")
    add("--episodes", type=int, default=100, help="episodes of a score (default: 100)")
    add("--temperature", type=float, default=1.0, help="of M's imagination (default: 1.0)")
    args = parser.parse_args()
    if min(args.frames, args.episodes) < 1 or args.temperature <= 0:
        parser.error("--frames and --episodes must be at least 1, --temperature above 0")
    workers.alone("binpacking_limits")
    path, cfg = runs.find(args.run)
    if cfg.game != "binpacking":
        raise runs.RunError(f"{path} plays {cfg.game}, not binpacking")
    runs.tensorflow()
    measure_vision(path, cfg, args.frames)
    measure_memory(path, cfg, max(1, args.frames // 4), args.temperature)
    measure_controllers(path, cfg, args.episodes)


if __name__ == "__main__":
    cli.run(main)
