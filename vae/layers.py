"""Convolutions in the forms that are fast on a CPU, and layers that are right in bfloat16.

The layers are Keras' own, with its names, arguments and weights. Two things differ. Some products
are computed in another form, where that is faster. And outside float32 the bias is added plainly:
Keras adds it by `bias_add`, whose gradient TensorFlow sums up in the layer's own precision, and a
sum of 100,000 numbers in bfloat16 is not a sum any more.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from keras import layers, ops

FEW = 4  # channels up to which a picture's convolution is bound by memory and has a faster form


def precision(wanted: str) -> str:
    """Keras' dtype policy for `auto`, `float32` or `bfloat16` (auto: where the CPU has it)."""
    if wanted == "auto":
        info = Path("/proc/cpuinfo")
        flags = set(info.read_text().split()) if info.exists() else set()
        wanted = "bfloat16" if flags & {"amx_bf16", "avx512_bf16"} else "float32"
    return "mixed_bfloat16" if wanted == "bfloat16" else "float32"


def pairs(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolution of size 4 and stride 2 on a picture of few channels and an even width.

    Neighbours in a row lie side by side in memory, in the picture as in the kernel, so pairs of
    pixels are twice the channels without a copy.

    Args:
        x: (B, H, W, I). kernel: (4, 4, I, O).

    Returns:
        (B, H // 2 - 1, W // 2 - 1, O).
    """
    _, rows, columns, channels = x.shape
    x = tf.reshape(x, (-1, rows, columns // 2, 2 * channels))
    taps = tf.reshape(kernel, (4, 2, 2 * channels, kernel.shape[-1]))
    return tf.nn.conv2d(x, taps, (2, 1), "VALID")


def corners(x: tf.Tensor) -> tf.Tensor:
    """The four patches that a convolution of size 4 and stride 2 sees of 6x6: (B, 6, 6, I) to
    (4 B, 16 I)."""
    patches = [x[:, i : i + 4, j : j + 4] for i in (0, 2) for j in (0, 2)]
    return tf.reshape(tf.stack(patches, 1), (-1, 4 * 4 * x.shape[-1]))


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


class Biased:
    """What the layers below share: how they end.

    Raises:
        ValueError: channels are not the last axis.
    """

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        if getattr(self, "data_format", "channels_last") != "channels_last":
            raise ValueError(f"{type(self).__name__} computes channels_last alone")

    def finish(self, y: tf.Tensor) -> tf.Tensor:
        """Add the bias plainly, and apply the activation.

        On TensorFlow's tensors: Keras would make `bias_add` of a sum of its own.
        """
        y = tf.convert_to_tensor(y)
        return self.activation(y if self.bias is None else y + tf.convert_to_tensor(self.bias))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Keras' result; of `product` if it is not computed in float32."""
        if self.compute_dtype == "float32":
            return super().call(x)
        return self.finish(self.product(x))


class Dense(Biased, layers.Dense):
    """Keras' Dense."""

    def product(self, x: tf.Tensor) -> tf.Tensor:
        return ops.matmul(x, self.kernel)


class EinsumDense(Biased, layers.EinsumDense):
    """Keras' EinsumDense."""

    def product(self, x: tf.Tensor) -> tf.Tensor:
        return ops.einsum(self.equation, x, self.kernel)


class Conv2D(Biased, layers.Conv2D):
    """Keras' Conv2D; of size 4 and stride 2 in faster forms, at few channels and at 6x6."""

    def product(self, x: tf.Tensor) -> tf.Tensor:
        return self.convolution_op(x, self.kernel)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        _, rows, columns, channels = x.shape
        plain = self.padding == "valid" and self.dilation_rate == (1, 1) and self.groups == 1
        if plain and self.kernel_size == (4, 4) and self.strides == (2, 2):
            kernel = tf.convert_to_tensor(self.kernel)
            if channels <= FEW and columns % 2 == 0:
                return self.finish(pairs(x, kernel))
            if rows == columns == 6:  # one matrix product
                y = tf.matmul(corners(x), tf.reshape(kernel, (-1, self.filters)))
                return tf.reshape(self.finish(y), (-1, 2, 2, self.filters))
        return super().call(x)


class Conv2DTranspose(Biased, layers.Conv2DTranspose):
    """Keras' Conv2DTranspose; of stride 2 and even size to few channels by `upscale`."""

    def product(self, x: tf.Tensor) -> tf.Tensor:
        given = {name: getattr(self, name) for name in ("padding", "output_padding")}
        given |= {"strides": self.strides, "dilation_rate": self.dilation_rate}
        return ops.conv_transpose(x, self.kernel, data_format=self.data_format, **given)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        size, other = self.kernel_size
        plain = self.padding == "valid" and self.output_padding is None
        plain = plain and self.dilation_rate == (1, 1) and self.strides == (2, 2)
        if plain and size == other and size % 2 == 0 and self.filters <= FEW:
            return self.finish(upscale(x, tf.convert_to_tensor(self.kernel)))
        return super().call(x)
