"""What M learns from, and what it is validated on: sequences drawn from the series."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import config
from record.episodes import split
from series.data import Series, Stream, windows

CHECKS = 100  # sequences of a validation, at most

Batch = dict[str, np.ndarray]


def episodes_of(series: Series, options: config.RNN) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the episodes to learn from and of those held out (all, if none is): the newest,
    if so asked."""
    train, held = split(series.seed, options.holdout)
    held = held if len(held) else train
    return tuple(newest(series, part, options.exp_replay_size) for part in (train, held))


def newest(series: Series, episodes: np.ndarray, count: int) -> np.ndarray:
    """The `count` episodes of the highest seeds, which were recorded last; 0: all."""
    return episodes[np.argsort(series.seed[episodes], kind="stable")][-count:]


def draw_batches(
    series: Series, episodes: np.ndarray, options: config.RNN, start: int
) -> Iterator[Batch]:
    """Yield training batches from step `start` on; each depends on the seed and its step alone."""
    size = (options.batch_size, options.sequence_length)
    stream = Stream(series, episodes, *size, (options.seed, 1)) if options.stream else None
    sample = sampler(series, options)
    for step in range(start, options.steps):
        rng = np.random.default_rng([options.seed, step])
        batch = stream.batch(step) if stream else sample(episodes, rng)
        batch["seen"] = blurred(batch.get("seen", batch["z"]), options.z_noise, rng)
        if options.passes:
            batch["passes"] = rng.integers(0, options.passes + 1, len(batch["z"]))
            shape = (options.passes, *batch["z"][:, 1:].shape)
            batch["noise"] = rng.standard_normal(shape, np.float32)
        yield batch


def sampler(
    series: Series, options: config.RNN
) -> Callable[[np.ndarray, np.random.Generator], Batch]:
    """Return a function from episodes and a generator to a batch of their sequences."""
    if not options.planning_heads:
        size = (options.batch_size, options.sequence_length)
        return lambda episodes, rng: windows(series, episodes, *size, rng)
    from rnn.planning import planning_batch
    from rnn.values import transform

    value = transform(series.returns(options.gamma), options.value_transform)
    return lambda episodes, rng: planning_batch(series, value, episodes, options, rng)


def blurred(z: np.ndarray, most: float, rng: np.random.Generator) -> np.ndarray:
    """Add noise to sequences z (B, L, Z), of a deviation from 0 to `most` in each of them."""
    if not most:
        return z
    size = rng.uniform(0, most, (len(z), 1, 1)).astype(np.float32)
    return z + size * rng.standard_normal(z.shape, np.float32)


def held_out_batches(series: Series, held: np.ndarray, options: config.RNN) -> list[Batch]:
    """What M is validated on, each time the same.

    A stream's M sees whole episodes, some side by side, of at most a hundred: the deaths that it is
    to foresee are at their ends. Another sees at most a hundred sequences from anywhere.
    """
    rng = np.random.default_rng([options.seed, 1 << 31])
    if options.planning_heads:
        sample = sampler(series, options)
        return [sample(held, rng) for _ in range(-(-CHECKS // options.batch_size))]
    if not options.stream:
        rows = min(CHECKS, 4 * len(held))
        return [windows(series, held, rows, options.sequence_length, rng)]
    held = rng.permutation(held)[:CHECKS]
    held = held[np.argsort(series.length[held], kind="stable")]
    parts = np.array_split(held, -(-len(held) // 10))
    whole = int(series.length[held].max())
    return [windows(series, part, len(part), whole, rng, anywhere=False) for part in parts]
