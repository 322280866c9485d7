"""The vision model V: a convolutional VAE (World Models, appendix A.1).

    encoder  4 convolutions 4x4 stride 2, 32-64-128-256, ReLU; dense mu and logvar
    decoder  dense 1024; 4 transposed convolutions 5, 5, 6, 6 stride 2, 128-64-32-3; sigmoid

4,348,547 parameters at z = 32. In shapes, B is the batch and Z the latent size.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import config
import runs

CLIP = 10.0  # standard deviations; what is seen in one frame of a hundred is so far from the mean


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


class ConvVAE(keras.Model):
    """The VAE; `call` reconstructs from the posterior's mean.

    Args:
        z_size: Z.
        dtype: Keras' policy of the convolutions; mu, logvar and pictures are float32.
        standardize: see and paint every pixel less its mean, divided by its standard deviation.
    """

    def __init__(
        self, z_size: int = 32, dtype: str = "float32", standardize: bool = False, **kwargs
    ):
        super().__init__(**kwargs)
        self.z_size, self.standardize = z_size, standardize
        conv = {"strides": 2, "activation": "relu", "dtype": dtype}
        self.encoder = keras.Sequential(
            [
                layers.Input((64, 64, 3)),
                Conv2D(32, 4, **conv),
                Conv2D(64, 4, **conv),
                Conv2D(128, 4, **conv),
                Conv2D(256, 4, **conv),
                layers.Flatten(),
                layers.Dense(2 * z_size, dtype="float32"),  # mu, then logvar
            ],
            name="encoder",
        )
        self.decoder = keras.Sequential(
            [
                layers.Input((z_size,)),
                layers.Dense(1024, dtype=dtype),
                # The first transposed convolution, 5x5 on a 1x1 picture, is a matrix product;
                # written as one it takes a third of the time.
                layers.EinsumDense(
                    "bi,ihwc->bhwc", (5, 5, 128), bias_axes="c", activation="relu", dtype=dtype
                ),
                layers.Conv2DTranspose(64, 5, **conv),
                layers.Conv2DTranspose(32, 6, **conv),
                Conv2DTranspose(3, 6, strides=2, dtype=dtype),
                layers.Activation("linear" if standardize else "sigmoid", dtype="float32"),
            ],
            name="decoder",
        )
        if standardize:
            fixed = {"shape": (64, 64, 3), "trainable": False}
            self.mean = self.add_weight(initializer="zeros", name="mean", **fixed)
            self.scale = self.add_weight(initializer="ones", name="scale", **fixed)
        self.built = True

    def start_from_mean(self, x: np.ndarray) -> None:
        """Let an untrained decoder begin with the mean colour of frames (N, 64, 64, 3) in [0, 1].

        On the way from grey to a nearly black picture (bin packing's) its units would die.
        """
        mean = np.clip(x.mean((0, 1, 2)), 0.01, 0.99)
        self.decoder.layers[-2].bias.assign(np.log(mean / (1 - mean)))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Reconstruct frames (B, 64, 64, 3) in [0, 1]."""
        return self.decode(self.encode(x)[0])

    def encode(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Frames (B, 64, 64, 3) in [0, 1] to mu and logvar, (B, Z) each."""
        mu, logvar = tf.split(self.encoder(self.standard(x)), 2, axis=-1)
        return mu, logvar

    def decode(self, z: tf.Tensor) -> tf.Tensor:
        """Latents (B, Z) to frames (B, 64, 64, 3) in [0, 1]."""
        if not self.standardize:
            return self.decoder(z)
        return tf.clip_by_value(self.mean + self.scale * self.decoder(z), 0.0, 1.0)

    def standard(self, x: tf.Tensor) -> tf.Tensor:
        """Frames in [0, 1] as the encoder sees them, and as the decoder is to paint them."""
        if not self.standardize:
            return x
        return tf.clip_by_value((x - self.mean) / self.scale, -CLIP, CLIP)


def pixels(obs: tf.Tensor) -> tf.Tensor:
    """uint8 frames to float32 in [0, 1]."""
    return tf.cast(obs, tf.float32) / 255.0


def to_uint8(x: tf.Tensor) -> np.ndarray:
    """What `pixels` made, or V, as uint8 frames again."""
    return (np.clip(np.asarray(x), 0, 1) * 255).round().astype(np.uint8)


def reparameterize(mu: tf.Tensor, logvar: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """z = mu + sigma * noise, with sigma = exp(logvar / 2)."""
    return mu + tf.exp(logvar / 2) * noise


def kl_divergence(mu: tf.Tensor, logvar: tf.Tensor) -> tf.Tensor:
    """KL(N(mu, sigma) || N(0, 1)) of each sample, in nats (B,)."""
    return -0.5 * tf.reduce_sum(1 + logvar - mu**2 - tf.exp(logvar), axis=-1)


def vae_loss(
    x: tf.Tensor,
    y: tf.Tensor,
    mu: tf.Tensor,
    logvar: tf.Tensor,
    tolerance: float,
    weight: float = 1.0,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Loss of a batch: squared error summed over pixels, plus the KL above its tolerance.

    Args:
        x, y: frames and reconstructions (B, 64, 64, 3).
        mu, logvar: (B, Z).
        tolerance: KL below tolerance * Z nats a sample costs nothing.
        weight: of the squared error.

    Returns:
        Scalars: loss, squared error, KL as charged.
    """
    floor = tolerance * mu.shape[-1]
    recon = tf.reduce_mean(tf.reduce_sum((x - y) ** 2, axis=(1, 2, 3)))
    kl = tf.reduce_mean(tf.maximum(kl_divergence(mu, logvar), floor))
    return weight * recon + kl, recon, kl


def make_vae(options: config.VAE, wanted: str = "") -> ConvVAE:
    """Build V as a run's options say, or with another precision."""
    return ConvVAE(options.z_size, precision(wanted or options.precision), options.standardize)


def load_vae(path: Path, options: config.VAE, wanted: str = "") -> ConvVAE:
    """Load the V of a run's folder; see `make_vae`.

    Raises:
        RunError: it is missing or of another size.
    """
    runs.require(path, "vae", "vae.weights.h5")
    vae = make_vae(options, wanted)
    runs.load_weights(vae, path / "vae" / "vae.weights.h5")
    return vae
