"""The dream: M as a world to act in, many at once, compiled.

A dream starts from the first frame of a recorded episode, z ~ N(mu, sigma). A step feeds (z, a) to
M, draws the next z at a temperature, and reads reward and end from M's heads; without those heads
the reward is 0 (as in the original's CarRacing dream) and only `max_steps` ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

import config
import runs
from envs.carracing import ACTION_SIZE
from rnn.mdn import mdn_sample
from rnn.model import MDNRNN, State, load_rnn

Policy = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


class Dream:
    """n dreams side by side.

    Args:
        rnn: M. start_mu, start_logvar: first frames to start from, (N, Z) each.
        temperature: of the sampled z; above 0.
        max_steps: longest dream.
        done_threshold: a dream ends when M's probability of the end exceeds this (the original: a
            cutoff at 0.5, not a draw).
    """

    def __init__(
        self,
        rnn: MDNRNN,
        start_mu: np.ndarray,
        start_logvar: np.ndarray,
        temperature: float = 1.0,
        max_steps: int = 1000,
        done_threshold: float = 0.5,
    ):
        if temperature <= 0:
            raise runs.RunError(f"temperature is {temperature}; it must be above 0")
        self.rnn, self.max_steps = rnn, max_steps
        self.start_mu = tf.constant(start_mu, tf.float32)
        self.start_logvar = tf.constant(start_logvar, tf.float32)
        self.temperature = tf.constant(temperature, tf.float32)
        self.cutoff = float(np.log(done_threshold / (1 - done_threshold)))  # of the logit
        self.advance = tf.function(self._advance)
        self.begin = tf.function(self._begin)

    def _begin(self, n: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Draw n first latents (n, Z)."""
        rows = tf.random.stateless_uniform(
            (n,), seed=seed, maxval=len(self.start_mu), dtype=tf.int32
        )
        mu, logvar = tf.gather(self.start_mu, rows), tf.gather(self.start_logvar, rows)
        noise = tf.random.stateless_normal(tf.shape(mu), seed=seed + 1)
        return mu + tf.exp(logvar / 2) * noise

    def _advance(
        self, z: tf.Tensor, state: State, action: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, State, tf.Tensor, tf.Tensor]:
        """One step of n dreams: next z, state, reward (n,), whether M says it ended (n,)."""
        state = self.rnn.step(z, action, state)
        prediction = self.rnn.predict_from(state[0])
        nothing = tf.zeros(tf.shape(z)[:1])
        reward = nothing if prediction.reward is None else prediction.reward
        ended = nothing > 0 if prediction.done is None else prediction.done > self.cutoff
        z = mdn_sample(prediction.parts, self.temperature, seed, self.rnn.joint)
        return z, state, reward, ended

    def make_rollout(self, policy: Policy) -> Callable:
        """Compile whole dreams of a policy `(z, h, c) -> action`, all tensors of n rows.

        Returns:
            A function (n, seed (2,) int32, *arguments of the policy) -> (returns (n,), lengths
            (n,)). It runs until every dream has ended, or for max_steps.
        """

        @tf.function
        def rollout(n, seed, *arguments):
            z = self._begin(n, seed)
            h, c = self.rnn.zero_state(n)
            alive = tf.ones((n,), tf.bool)
            returns, lengths = tf.zeros((n,)), tf.zeros((n,), tf.int32)
            t = tf.constant(0)
            while t < self.max_steps and tf.reduce_any(alive):
                action = policy(z, h, c, *arguments)
                draw = tf.random.experimental.stateless_fold_in(seed, t)
                z, (h, c), reward, ended = self._advance(z, (h, c), action, draw)
                returns += tf.where(alive, reward, 0.0)
                lengths += tf.cast(alive, tf.int32)
                alive = alive & ~ended
                t += 1
            return returns, lengths

        return rollout


def load_dream(path: Path, cfg: config.Config, **options) -> Dream:
    """Build the dream of a run from its M and the first frames of its series.

    Raises:
        RunError: one of them is missing, or was made with another V.
    """
    runs.require(path, "series", "initial_z.npz")
    file = path / "series" / "initial_z.npz"
    starts = runs.read_npz(file)
    runs.check_made_from(path, file, {"vae": starts["vae"].tobytes().decode()})
    rnn = load_rnn(path, cfg.vae.z_size, ACTION_SIZE, cfg.rnn)
    return Dream(rnn, starts["mu"], starts["logvar"], **options)
