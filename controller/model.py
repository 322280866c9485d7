"""The controller C: a linear map from what the agent knows to its action (World Models, 2.3).

A batch of n games may hold n different controllers, so parameters come as rows (n, P). A row is
the bias first, then the matrix (inputs, A) row by row; with hidden units, two such layers.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

HIDDEN = 40  # tanh units of the variant with a hidden layer


def input_size(inputs: str, z_size: int, hidden_size: int) -> int:
    """Numbers that C sees: z, and of the LSTM h, c or both."""
    sizes = {
        "z": z_size,
        "z-hidden": z_size,
        "zh": z_size + hidden_size,
        "zc": z_size + hidden_size,
        "zch": z_size + 2 * hidden_size,
    }
    return sizes[inputs]


def layer_sizes(inputs: str, z_size: int, hidden_size: int, action_size: int) -> list[int]:
    """Widths from input to action."""
    first = input_size(inputs, z_size, hidden_size)
    return [first, HIDDEN, action_size] if inputs == "z-hidden" else [first, action_size]


def count_params(sizes: list[int]) -> int:
    """P: 867 for z and h of CarRacing."""
    return sum((i + 1) * o for i, o in zip(sizes[:-1], sizes[1:], strict=True))


def features(inputs: str, z: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
    """What C sees of z (n, Z) and the LSTM's h and c (n, H): (n, F)."""
    parts = {"z": [z], "z-hidden": [z], "zh": [z, h], "zc": [z, c], "zch": [z, c, h]}
    return tf.concat(parts[inputs], -1)


def control(x: tf.Tensor, params: tf.Tensor, sizes: list[int]) -> tf.Tensor:
    """Raw actions tanh(W x + b) of n controllers at once: x (n, F), params (n, P) -> (n, A)."""
    start = 0
    for i, o in zip(sizes[:-1], sizes[1:], strict=True):
        bias = params[:, start : start + o]
        weight = tf.reshape(params[:, start + o : start + o + i * o], (-1, i, o))
        x = tf.tanh(tf.linalg.matvec(weight, x, transpose_a=True) + bias)
        start += (i + 1) * o
    return x


def random_params(rng: np.random.Generator, count: int) -> np.ndarray:
    """Parameters of the original's random agent: Cauchy, of a width drawn from U(0, 0.01)."""
    return rng.standard_cauchy(count) * rng.uniform(0, 0.01)
