"""The vision model V: a convolutional VAE (World Models, appendix A.1).

    encoder  4 convolutions 4x4 stride 2, 32-64-128-256, ReLU; dense mu and logvar
    decoder  dense 1024; 4 transposed convolutions 5, 5, 6, 6 stride 2, 128-64-32-3; sigmoid

4,348,547 parameters at z = 32. All widths grow with `channels`, 32 in the paper. V sees pixels,
(64, 64, 3): of no other size do its convolutions end at 2x2, and its transposed ones at what they
began with. In shapes, B is the batch and Z the latent size.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import config
import runs
from envs.batch import FRAME
from vae.layers import Conv2D, Conv2DTranspose, Dense, EinsumDense, precision

CLIP = 10.0  # standard deviations; what is seen in one frame of a hundred is so far from the mean


class ConvVAE(keras.Model):
    """The VAE; `call` reconstructs from the posterior's mean.

    Args:
        z_size: Z.
        channels: of the first convolution; all other widths grow with it.
        dtype: Keras' policy of the convolutions; mu, logvar and pictures are float32.
        standardize: see and paint every pixel less its mean, divided by its standard deviation.
    """

    def __init__(
        self,
        z_size: int = 32,
        dtype: str = "float32",
        standardize: bool = False,
        channels: int = 32,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.z_size, self.standardize = z_size, standardize
        conv = {"strides": 2, "activation": "relu", "dtype": dtype}
        self.encoder = keras.Sequential(
            [
                layers.Input(FRAME.shape),
                Conv2D(channels, 4, **conv),
                Conv2D(2 * channels, 4, **conv),
                Conv2D(4 * channels, 4, **conv),
                Conv2D(8 * channels, 4, **conv),
                layers.Flatten(),
                Dense(2 * z_size, dtype="float32"),  # mu, then logvar
            ],
            name="encoder",
        )
        self.decoder = keras.Sequential(
            [
                layers.Input((z_size,)),
                Dense(32 * channels, dtype=dtype),
                # The first transposed convolution, 5x5 on a 1x1 picture, is a matrix product;
                # written as one it takes a third of the time.
                EinsumDense(
                    "bi,ihwc->bhwc",
                    (5, 5, 4 * channels),
                    bias_axes="c",
                    activation="relu",
                    dtype=dtype,
                ),
                Conv2DTranspose(2 * channels, 5, **conv),
                Conv2DTranspose(channels, 6, **conv),
                Conv2DTranspose(3, 6, strides=2, dtype=dtype),
                layers.Activation("linear" if standardize else "sigmoid", dtype="float32"),
            ],
            name="decoder",
        )
        if standardize:
            fixed = {"shape": FRAME.shape, "trainable": False}
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
    dtype = precision(wanted or options.precision)
    return ConvVAE(options.z_size, dtype, options.standardize, options.channels)


def load_vae(path: Path, options: config.VAE, wanted: str = "") -> ConvVAE:
    """Load the V of a run's folder; see `make_vae`.

    Raises:
        RunError: it is missing or of another size.
    """
    runs.require(path, "vae", "vae.weights.h5")
    vae = make_vae(options, wanted)
    runs.load_weights(vae, path / "vae" / "vae.weights.h5")
    return vae
