"""How wrong M is after k steps of imagination: z, reward and valid actions of held-out episodes.

    python -m rnn.errors log/binpacking
    python -m rnn.errors log/carracing --steps 1 10 100 --warmup 50

M sees `--warmup` true steps, then dreams on with the true actions. Each error stands beside that of
a guess that knows nothing but the data's mean (of an action: whether it is mostly valid); 1.00 is
no better than the guess. Writes errors.json to the folder of stage rnn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import config
import envs
import runs
from record.episodes import split
from runs import cli, workers
from series.data import Series, load_series


def sequences(series: Series, held: np.ndarray, length: int, count: int, seed: int) -> np.ndarray:
    """Rows (count, length + 1) of held-out episodes, from steps drawn at random.

    Raises:
        RunError: no held-out episode is that long.
    """
    long = held[series.length[held] >= length]
    if not len(long):
        raise runs.RunError(f"no held-out episode has {length} steps; lower --steps or --warmup")
    rng = np.random.default_rng(seed)
    chosen = rng.choice(long, count)
    start = rng.integers(0, series.length[chosen] - length + 1)
    return (series.offset[chosen] + start)[:, None] + np.arange(length + 1)


def measure(rnn, series: Series, rows: np.ndarray, warmup: int, steps: list[int]) -> dict:
    """Errors of M along rows, `steps` after the last true frame; see the module's head.

    Returns:
        For each k a dict of: `z`, root mean squared error over the standard deviation of z;
        `reward`, the same; `valid`, share of wrong valid actions of the true z, with M's memory of
        the dream, and `valid_guess`. With heads for planning, of the imagined state beside the
        true one: `policy`, half the summed differences of the probabilities; `value`, root mean
        squared difference over the standard deviation of the true states' values.
    """
    from rnn.pictures import imagine

    z = series.mu[rows].astype(np.float32)
    dream = imagine(rnn, z, series.action[rows], warmup, 1.0, bounds=series.bounds())
    if rnn.planning_heads:
        true = plans(rnn, z[:, 1:], rnn(z[:, :-1], series.action[rows[:, :-1]]).hidden)
        own = plans(rnn, dream.z, dream.hidden)
    out = {}
    for k in steps:
        at = rows[:, warmup - 1 + k]
        truth = series.mu[at].astype(np.float32)
        error = dream.z[:, k - 1] - truth
        row = {"z": np.sqrt((error**2).mean() / series.mu.astype(np.float32).var(0).mean())}
        if rnn.reward_head:
            error = dream.reward[:, k - 1] - series.reward[at - 1]
            row["reward"] = np.sqrt((error**2).mean()) / series.reward.std()
        if rnn.mask_head:
            mostly = series.mask.mean(0) > 0.5
            told = rnn.valid(truth, dream.hidden[:, k - 1]).numpy() > 0
            row["valid"] = (told != series.mask[at]).mean()
            row["valid_guess"] = (mostly != series.mask[at]).mean()
        if rnn.planning_heads:
            there = [x[:, warmup - 2 + k] for x in true]
            policy, value = (x[:, k - 1] for x in own)
            row["policy"] = np.abs(policy - there[0]).sum(-1).mean() / 2
            row["value"] = np.sqrt(((value - there[1]) ** 2).mean()) / there[1].std()
        out[k] = {name: round(float(value), 4) for name, value in row.items()}
    return out


def plans(rnn, z: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Policy (B, T, A) and value (B, T), as it is learned, of states; see MDNRNN.plan."""
    logits, value = rnn.plan(z, before)
    raised = np.exp(logits - np.max(logits, -1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True), value.numpy()


def main() -> None:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = cli.OptionParser(description=__doc__, formatter_class=formatter)
    add = parser.add_argument
    add("run", help="a run with V, M and series, such as log/binpacking")
    add("--steps", type=int, nargs="+", default=[1, 10, 100], help="k (default: 1 10 100)")
    add("--warmup", type=int, default=50, help="true steps that M sees first (default: 50)")
    add("--count", type=int, default=500, help="dreams to measure (default: 500)")
    add("--seed", type=int, default=0, help="which ones (default: 0)")
    args = parser.parse_args()
    if min(args.warmup, args.count, *args.steps) < 1:
        parser.error("--steps, --warmup and --count must be at least 1")
    workers.alone("rnn.errors")
    path, cfg = runs.find(args.run)
    print(table(run_errors(path, cfg, args.steps, args.warmup, args.count, args.seed)))


def run_errors(
    path: Path,
    cfg: config.Config,
    steps: list[int],
    warmup: int = 50,
    count: int = 500,
    seed: int = 0,
) -> dict:
    """Measure M of a run and write errors.json."""
    series = load_series(path)
    _, held = split(series.seed, cfg.rnn.holdout)
    rows = sequences(series, held, warmup + max(steps), count, seed)
    runs.tensorflow()
    from rnn.model import load_rnn

    rnn = load_rnn(path, cfg.vae.z_size, envs.load(cfg.game).action_size, cfg.rnn)
    errors = measure(rnn, series, rows, warmup, steps)
    runs.write_json(path / "rnn" / "errors.json", errors)
    return errors


def table(errors: dict) -> str:
    """The errors as text."""
    names = list(next(iter(errors.values())))
    lines = ["steps ahead" + "".join(f"{name:>14}" for name in names)]
    lines += [f"{k:11}" + "".join(f"{row[n]:14.4f}" for n in names) for k, row in errors.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run(main)
