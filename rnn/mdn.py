"""Mixture density output of M (Bishop 1994; World Models, appendix A.2).

M's dense layer gives raw numbers; here they become a tensorflow-probability distribution for the
loss, and samples for the dream. B is any batch shape, Z the latent size, K the mixtures.

    per dimension (the original)  Z mixtures of K Gaussians:      Z * 3K numbers
    joint (ctallec)               one mixture of K Gaussians in Z dimensions: K * (1 + 2Z) numbers
    deterministic                 K = 0: a mean and no more, Z numbers
"""

from __future__ import annotations

import tensorflow as tf

Parts = tuple[tf.Tensor, tf.Tensor, tf.Tensor]

SURE = -20.0  # log standard deviation of a deterministic head: what is drawn is the mean


def mdn_size(z_size: int, mixtures: int, joint: bool) -> int:
    """How many raw numbers describe the next z."""
    if not mixtures:
        return z_size
    return mixtures * (1 + 2 * z_size) if joint else z_size * 3 * mixtures


def mdn_parts(raw: tf.Tensor, z_size: int, mixtures: int, joint: bool) -> Parts:
    """Split raw numbers (B, size) into logits, means and log standard deviations.

    Returns:
        Per dimension: (B, Z, K) each, K = 1 if deterministic. Joint: logits (B, K); means and
        logstd (B, K, Z).
    """
    if not mixtures:
        mean = raw[..., None]
        return tf.zeros_like(mean), mean, tf.fill(tf.shape(mean), SURE)
    if not joint:
        shape = tf.concat([tf.shape(raw)[:-1], [z_size, 3 * mixtures]], 0)
        logits, mean, logstd = tf.split(tf.reshape(raw, shape), 3, axis=-1)
        return logits, mean, logstd
    sizes = [mixtures, mixtures * z_size, mixtures * z_size]
    logits, mean, logstd = tf.split(raw, sizes, axis=-1)
    shape = tf.concat([tf.shape(raw)[:-1], [mixtures, z_size]], 0)
    return logits, tf.reshape(mean, shape), tf.reshape(logstd, shape)


def mdn_distribution(parts: Parts, joint: bool):
    """The distribution of the next z: batch (B, Z), or batch (B,) with event (Z,) if joint."""
    import tensorflow_probability as tfp

    tfd = tfp.distributions
    logits, mean, logstd = parts
    gaussians = tfd.Normal(mean, tf.exp(logstd))
    if joint:
        gaussians = tfd.Independent(gaussians, 1)
    return tfd.MixtureSameFamily(tfd.Categorical(logits=logits), gaussians)


def mdn_nll(parts: Parts, z: tf.Tensor, joint: bool) -> tf.Tensor:
    """Negative log-likelihood of z (B, Z), in nats for one latent dimension: (B,)."""
    log_prob = mdn_distribution(parts, joint).log_prob(z)
    return -log_prob / z.shape[-1] if joint else -tf.reduce_mean(log_prob, -1)


def mdn_likeliest(parts: Parts, joint: bool) -> tf.Tensor:
    """Mean of the likeliest component: (B, Z)."""
    logits, mean, _ = parts
    best = tf.argmax(logits, -1)[..., None]
    axis = -2 if joint else -1
    return tf.squeeze(tf.gather(mean, best, batch_dims=len(logits.shape) - 1, axis=axis), axis)


def to_uniform(noise: tf.Tensor) -> tf.Tensor:
    """Standard normal numbers as uniform ones in (0, 1), by the normal distribution function."""
    return 0.5 * tf.math.erfc(-noise / 2**0.5)


def mdn_noise_size(z_size: int, joint: bool) -> int:
    """How many normal numbers a sample takes: one for each choice of a component, and Z."""
    return z_size + (1 if joint else z_size)


def mdn_sample(
    parts: Parts,
    temperature: tf.Tensor,
    noise: tf.Tensor,
    joint: bool,
    sigma_temperature: tf.Tensor | None = None,
) -> tf.Tensor:
    """Draw the next z (B, Z) at a temperature: logits / T, and noise times sqrt(T).

    One uniform number picks each component by the inverse of the cumulative distribution, which
    in the dream's loop is several times faster than drawing from the tfp distribution.

    Args:
        noise: standard normal, (B, mdn_noise_size).
        sigma_temperature: T of the noise, if not that of the logits.
    """
    logits, mean, logstd = parts
    choices, axis = (1, -2) if joint else (mean.shape[-2], -1)
    odds = tf.exp((logits - tf.reduce_max(logits, -1, keepdims=True)) / temperature)
    odds = tf.unstack(odds[..., None] if joint else odds, axis=axis)
    means, logstds = tf.unstack(mean, axis=axis), tf.unstack(logstd, axis=axis)
    drawn = to_uniform(noise[..., :choices]) * tf.add_n(odds)
    below, mean, logstd = odds[0], means[0], logstds[0]
    for k in range(1, len(odds)):
        beyond = drawn >= below
        mean, logstd = tf.where(beyond, means[k], mean), tf.where(beyond, logstds[k], logstd)
        below += odds[k]
    spread = tf.sqrt(temperature if sigma_temperature is None else sigma_temperature)
    return mean + tf.exp(logstd) * noise[..., choices:] * spread


def mdn_rendition(parts: Parts, z: tf.Tensor, noise: tf.Tensor, joint: bool) -> tf.Tensor:
    """Draw z (B, Z) anew from the components that explain it best, one a dimension or one in all.

    It is what a dream in which the same things happened would have seen.

    Args:
        noise: standard normal, (B, Z).
    """
    logits, mean, logstd = parts
    z = z[..., None, :] if joint else z[..., None]
    error = 0.5 * ((z - mean) / tf.exp(logstd)) ** 2 + logstd
    logits = logits - (tf.reduce_sum(error, -1) if joint else error)
    best = tf.argmax(logits, -1)[..., None]
    axis = -2 if joint else -1
    batch_dims = len(mean.shape) - 2 if joint else len(mean.shape) - 1
    mean, logstd = (tf.gather(x, best, batch_dims=batch_dims, axis=axis) for x in (mean, logstd))
    return tf.squeeze(mean, axis) + tf.exp(tf.squeeze(logstd, axis)) * noise
