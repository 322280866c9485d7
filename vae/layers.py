"""Convolutions in the forms that are fast on a CPU, and the precision they compute in."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from keras import layers


def precision(wanted: str) -> str:
    """Keras' dtype policy for `auto`, `float32` or `bfloat16` (auto: where the CPU has it)."""
    if wanted == "auto":
        info = Path("/proc/cpuinfo")
        flags = set(info.read_text().split()) if info.exists() else set()
        wanted = "bfloat16" if flags & {"amx_bf16", "avx512_bf16"} else "float32"
    return "mixed_bfloat16" if wanted == "bfloat16" else "float32"


@tf.custom_gradient
def upscale(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Transposed convolution of stride 2 and even size, by phases.

    Output pixels of one parity are a plain convolution with every other row and column of the
    kernel. To few channels, the four together take a third of the time of TensorFlow's own. Its
    gradients are plain convolutions already.

    Args:
        x: (B, n, n, I). kernel: (2k, 2k, O, I), as Keras' Conv2DTranspose has it.

    Returns:
        (B, m, m, O) with m = 2 (n + k - 1).
    """
    k, channels = kernel.shape[0] // 2, kernel.shape[2]
    taps = tf.reshape(kernel, (k, 2, k, 2, channels, -1))[::-1, :, ::-1]
    taps = tf.reshape(tf.transpose(taps, (0, 2, 5, 1, 3, 4)), (k, k, -1, 4 * channels))
    border = (k - 1, k - 1)
    phases = tf.nn.conv2d(tf.pad(x, ((0, 0), border, border, (0, 0))), taps, 1, "VALID")

    def gradient(dy):
        stride = {"strides": [1, 2, 2, 1], "padding": "VALID"}
        dkernel = tf.raw_ops.Conv2DBackpropFilter(
            input=dy, filter_sizes=kernel.shape, out_backprop=x, **stride
        )
        return tf.nn.conv2d(dy, kernel, 2, "VALID"), dkernel

    return tf.nn.depth_to_space(phases, 2), gradient


class Conv2D(layers.Conv2D):
    """Keras' layer of size 4, stride 2 and ReLU, for V's four pictures.

    Neighbours in a row lie side by side in memory, in the picture as in the kernel: pairs of pixels
    are 6 channels without a copy. The last convolution is one matrix product over four patches.
    """

    def call(self, x: tf.Tensor) -> tf.Tensor:
        rows, channels = x.shape[1], x.shape[-1]
        if rows not in (64, 6):
            return super().call(x)
        kernel, bias = (tf.convert_to_tensor(v) for v in (self.kernel, self.bias))
        if rows == 64:
            pairs = tf.reshape(x, (-1, 64, 32, 2 * channels))
            taps = tf.reshape(kernel, (4, 2, 2 * channels, self.filters))
            return tf.nn.relu(tf.nn.conv2d(pairs, taps, (2, 1), "VALID") + bias)
        size = 4 * 4 * channels
        corners = [x[:, i : i + 4, j : j + 4] for i in (0, 2) for j in (0, 2)]
        patches = tf.reshape(tf.stack(corners, 1), (-1, size))
        y = tf.nn.relu(tf.matmul(patches, tf.reshape(kernel, (size, self.filters))) + bias)
        return tf.reshape(y, (-1, 2, 2, self.filters))


class Conv2DTranspose(layers.Conv2DTranspose):
    """Keras' layer for stride 2, an even size and no padding, computed by `upscale`."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        kernel, bias = (tf.convert_to_tensor(v) for v in (self.kernel, self.bias))
        return upscale(x, kernel) + bias
