"""V for pictures whose small and rare differences matter as much as the large ones (bin packing's).

With `--standardize` V sees and paints pixels less their mean, divided by their standard deviation.
A plain start would still learn what covers most pixels and nothing else: as long as z does not tell
of a small thing, the decoder cannot learn to paint it, and then nothing asks the encoder for it. So
mu starts at the whitened principal components of the pictures, as far as the untrained
convolutions allow a linear read-out of them; there the decoder finds everything at once.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

FLOOR = 1 / 255  # least deviation of a pixel: one grey level
FRAMES = 2000  # that the statistics are of
RIDGE = 1e-7  # of the regression on the features, as a share of their summed squares
LOGVAR = -3.0  # of the posterior at the start: it hides little of mu


def whitened_components(x: np.ndarray, count: int) -> np.ndarray:
    """Scores of the first principal components, each with variance 1: x (N, D) to (N, count).

    Those that do not exist are 0.
    """
    x = x - x.mean(0)
    _, vectors = np.linalg.eigh(x @ x.T)  # ascending; N is smaller than D
    exist = min(count, len(x) - 1)
    scores = vectors[:, ::-1][:, :exist] * np.sqrt(len(x))
    return np.pad(scores, ((0, 0), (0, count - exist)))


def start(vae, frames: np.ndarray) -> None:
    """Set V's mean and deviation of every pixel and its first mu; uint8 frames (N, 64, 64, 3)."""
    x = frames.astype(np.float32) / 255
    vae.mean.assign(x.mean(0))
    vae.scale.assign(np.maximum(x.std(0), FLOOR))
    *convolutions, dense = vae.encoder.layers
    seen, features = [], []
    for i in range(0, len(x), 200):
        y = vae.standard(tf.constant(x[i : i + 200]))
        seen.append(y.numpy().reshape(len(y), -1))
        for layer in convolutions:
            y = layer(y)
        features.append(tf.cast(y, tf.float32).numpy())
    seen, features = np.concatenate(seen), np.concatenate(features)
    scores = whitened_components(seen[:, seen.std(0) > 0], vae.z_size)
    centre = features.mean(0)
    features -= centre
    features = features.astype(np.float64)
    square = features.T @ features
    square += RIDGE * np.trace(square) * np.eye(len(square))
    weight = np.linalg.solve(square, features.T @ scores).astype(np.float32)
    kernel, bias = np.zeros(dense.kernel.shape, np.float32), np.zeros(dense.bias.shape, np.float32)
    kernel[:, : vae.z_size] = weight
    bias[: vae.z_size], bias[vae.z_size :] = -centre @ weight, LOGVAR
    dense.kernel.assign(kernel)
    dense.bias.assign(bias)
