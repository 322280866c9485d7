"""Pictures of what M imagines, beside what came."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import imageio.v3 as imageio
import numpy as np
import tensorflow as tf

import config
import runs
from record.episodes import load_episode
from rnn.mdn import mdn_noise_size, mdn_rendition, mdn_sample
from series.data import Series
from vae.model import to_uint8

GAP = 2  # white pixels between frames


class Imagined(NamedTuple):
    """What M imagined, k = 0 .. n - 1 steps after the last true frame; heads it lacks are None."""

    z: np.ndarray  # (B, n, Z)
    reward: np.ndarray | None  # (B, n), of the step to that z
    hidden: np.ndarray  # (B, n, H), what M knew before it


def imagine(
    rnn,
    z: np.ndarray,
    action: np.ndarray,
    warmup: int,
    temperature: float,
    told: bool = False,
    bounds: tuple = (-np.inf, np.inf),
) -> Imagined:
    """Let M see a sequence's first `warmup` steps, then dream on with the true actions.

    Args:
        z: latents (B, T, Z). action: (B, T, A).
        warmup: steps that M sees; at least 1.
        temperature: of the sampled z.
        told: the true z tells which of M's components is drawn from, as in `rehearse`.
        bounds: lowest and highest z (Z,) of the dream.

    Returns:
        n = T - warmup steps: `z[:, k]` is the dream of the argument z[:, warmup + k].
    """
    state, rng = rnn.zero_state(len(z)), np.random.default_rng(7)
    size = (len(z), z.shape[-1] if told else mdn_noise_size(z.shape[-1], rnn.joint))
    dream, now = [], tf.constant(z[:, 0])
    for t in range(z.shape[1] - 1):
        now = tf.constant(z[:, t]) if t < warmup else now
        played = tf.constant(action[:, t])
        state = rnn.step(now, played, state)
        said = rnn.predict_from(state[0], now, played)
        noise = rng.standard_normal(size, np.float32)
        if told:
            now = mdn_rendition(said.parts, z[:, t + 1], noise * temperature**0.5, rnn.joint)
        else:
            now = mdn_sample(said.parts, temperature, noise, rnn.joint)
        now = tf.clip_by_value(now, *bounds)
        if t + 1 >= warmup:
            dream.append((now, said.reward, state[0]))
    columns = zip(*dream, strict=True)
    return Imagined(*(None if c[0] is None else np.stack(c, 1) for c in columns))


def grid(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Join frames (H, W, 3) uint8 of one size into one picture with white gaps."""
    height, width = (side + GAP for side in rows[0][0].shape[:2])
    picture = np.full((len(rows) * height + GAP, len(rows[0]) * width + GAP, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, frame in enumerate(row):
            y, x = GAP + i * height, GAP + j * width
            picture[y : y + len(frame), x : x + frame.shape[1]] = frame
    return picture


def draw_dreams(
    vae, rnn, series: Series, held: np.ndarray, path: Path, options: config.RNN, target: Path
) -> None:
    """Draw held-out episodes, two rows each: what came, and below it what M imagined.

    M sees the first half of a sequence. The first column is the last frame it saw; each further
    one lies `rend_step` steps ahead, `rend_n_rollouts` of them. Episodes too short for that are
    left out; rnn.train has made sure that one is long enough.
    """
    ahead = options.rend_step * options.rend_n_rollouts
    warmup = min(options.sequence_length, int(series.length[held].max())) // 2
    fits = held[series.length[held] >= warmup + ahead][: options.rend_n_episodes]
    steps = warmup + ahead
    rows = series.offset[fits][:, None] + np.arange(steps)
    z = series.mu[rows].astype(np.float32)
    dream = imagine(rnn, z, series.action[rows], warmup, options.temperature).z
    marks = np.arange(options.rend_n_rollouts + 1) * options.rend_step
    picture = []
    for i, episode in enumerate(fits):
        obs = load_episode(path / "record" / f"{series.seed[episode]}.npz").obs
        picture.append([obs[warmup - 1 + k] for k in marks])
        first = vae.decode(z[i, warmup - 1][None])
        later = [vae.decode(dream[i, k - 1][None]) for k in marks[1:]]
        picture.append([to_uint8(x[0]) for x in (first, *later)])
    with runs.replacing(target) as file:
        file.write(imageio.imwrite("<bytes>", grid(picture), extension=".png"))
