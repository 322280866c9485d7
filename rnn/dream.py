"""The dream: M as a world to act in, many at once, compiled.

A dream starts from the first frame of a recorded episode, z ~ N(mu, sigma). A step feeds (z, a) to
M, draws the next z at a temperature, and reads reward, end and valid actions from M's heads.
Without them the reward is a constant (the original's: 0 in CarRacing, 1 in Doom), only `max_steps`
ends it, and all actions are valid.

All chance comes in as standard normal numbers, drawn by the caller: a dream's from its own seed, so
that it does not depend on what is dreamt beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

import config
import envs
import runs
from rnn.mdn import mdn_noise_size, mdn_sample, to_uniform
from rnn.model import MDNRNN, State, load_rnn

# (z, h, c, valid, noise (n, A), params (n, P)) -> action (n, A)
Policy = Callable[..., tf.Tensor]


class Dream:
    """Dreams side by side.

    Args:
        rnn: M, trained.
        starts: frames to start from: mu and logvar (N, Z), mask bool (N, A or 0); and the bounds of
            all recorded mu, `low` and `high` (Z,), within which z is kept (they may be missing).
        temperature: of the sampled z; above 0. sigma_temperature: of the spread of its components
            alone; 0: the same.
        max_steps: longest dream.
        done_threshold: a dream ends when M's probability of the end exceeds this (the original: a
            cutoff at 0.5); 0 draws it instead.
        done_weight: how many times M was told of each end while it learned; a draw allows for it.
        danger: factor on the odds of drawn ends.
        living_reward: of a step, if M has no head for the reward.

    Attributes:
        noise_size: normal numbers that a step takes: for the action (A), for z, and for the end.
    """

    CHUNK = 50  # steps between two looks at which dreams have ended

    def __init__(
        self,
        rnn: MDNRNN,
        starts: dict[str, np.ndarray],
        temperature: float = 1.0,
        max_steps: int = 1000,
        done_threshold: float = 0.5,
        done_weight: float = 1.0,
        living_reward: float = 0.0,
        sigma_temperature: float = 0.0,
        danger: float = 1.0,
    ):
        if temperature <= 0:
            raise runs.RunError(f"temperature is {temperature}; it must be above 0")
        if not 0 <= done_threshold < 1:
            raise runs.RunError(f"done_threshold is {done_threshold}; it must be from 0 to below 1")
        self.rnn, self.max_steps, self.living_reward = rnn, max_steps, living_reward
        self.start_mu = starts["mu"].astype(np.float32)
        self.start_sigma = np.exp(starts["logvar"].astype(np.float32) / 2)
        self.start_mask = starts["mask"].astype(bool)
        # Beyond what was recorded M knows nothing, and heads that read z (--head-units) can send a
        # dream off to infinity.
        inf = np.full(rnn.z_size, np.inf, np.float32)
        self.low = starts.get("low", -inf).astype(np.float32)
        self.high = starts.get("high", inf).astype(np.float32)
        self.temperature = tf.constant(temperature, tf.float32)
        self.sigma_temperature = tf.constant(sigma_temperature or temperature, tf.float32)
        self.done_threshold, self.odds = done_threshold, math.log(done_weight / danger)
        self.noise_size = rnn.action_size + mdn_noise_size(rnn.z_size, rnn.joint) + 1
        self.advance = tf.function(self._advance, reduce_retracing=True)

    def begin(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a first latent (Z,), and the actions valid there (A or 0,)."""
        row = rng.integers(len(self.start_mu))
        noise = rng.standard_normal(self.start_mu.shape[1], np.float32)
        return self.start_mu[row] + self.start_sigma[row] * noise, self.start_mask[row]

    def _advance(
        self, z: tf.Tensor, state: State, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[tf.Tensor, State, tf.Tensor, tf.Tensor, tf.Tensor]:
        """One step of n dreams: next z, state, reward (n,), whether M says it ended (n,), and the
        actions valid next (n, A or 0): the likeliest always is."""
        state = self.rnn.step(z, action, state)
        prediction = self.rnn.predict_from(state[0], z, action)
        nothing = tf.zeros(tf.shape(z)[:1])
        reward, logit = prediction.reward, prediction.done
        reward = nothing + self.living_reward if reward is None else reward
        ended = nothing > 0
        if logit is not None:
            if self.done_threshold:
                ended = tf.sigmoid(logit) > self.done_threshold
            else:  # the odds that M learned are those of its weighted examples
                ended = tf.sigmoid(logit - self.odds) > to_uniform(noise[:, -1])
        noise = noise[:, self.rnn.action_size : -1]
        given = (self.temperature, noise, self.rnn.joint, self.sigma_temperature)
        z = mdn_sample(prediction.parts, *given)
        z = tf.clip_by_value(z, self.low, self.high)
        valid, logits = tf.zeros((tf.shape(z)[0], 0), tf.bool), self.rnn.valid(z, state[0])
        if logits is not None:
            valid = (logits > 0) | (logits == tf.reduce_max(logits, -1, keepdims=True))
        return z, state, reward, ended, valid

    def make_chunk(self, policy: Policy) -> Callable:
        """Compile some steps of n dreams under a policy `(z, h, c, valid, noise, params)`.

        Returns:
            A function of z, h, c, valid, left (n,) int32 steps that each may still take, noise
            (steps, n, noise_size) and params (n, P). It returns the next z, h, c and valid, and
            each dream's return (n,), steps (n,) and whether it goes on (n,).
        """

        @tf.function(reduce_retracing=True)
        def chunk(z, h, c, valid, left, noise, params):
            alive = left > 0
            returns, lengths = tf.zeros(tf.shape(left)), tf.zeros(tf.shape(left), tf.int32)
            t = tf.constant(0)
            while t < tf.shape(noise)[0] and tf.reduce_any(alive):
                action = policy(z, h, c, valid, noise[t, :, : self.rnn.action_size], params)
                z, (h, c), reward, ended, valid = self._advance(z, (h, c), action, noise[t])
                returns += tf.where(alive, reward, 0.0)
                lengths += tf.cast(alive, tf.int32)
                alive = alive & ~ended & (lengths < left)
                t += 1
            return z, h, c, valid, returns, lengths, alive

        return chunk


def load_dream(path: Path, cfg: config.Config, start: str = "first", **options) -> Dream:
    """Build the dream of a run from its M and frames of its series.

    Args:
        start: which frames dreams begin with: episodes' "first", or "any".
        options: of Dream; the others are as the run's controller has them.

    Raises:
        RunError: one of them is missing, or was made with another V; or M knows a state of zero as
            the beginning of an episode, and is to start anywhere.
    """
    runs.require(path, "series", "initial_z.npz")
    file = path / "series" / "initial_z.npz"
    starts = runs.read_npz(file)
    runs.check_made_from(path, file, {"vae": starts["vae"].tobytes().decode()})
    if start == "any":
        if cfg.rnn.stream:
            raise runs.RunError(
                f"M of {path} takes a zero state for an episode's first (--stream); its dreams can "
                "only --start first"
            )
        if "any_mu" not in starts:
            raise runs.RunError(f"{file} has first frames only; make it again with series.encode")
        starts |= {k.removeprefix("any_"): v for k, v in starts.items() if k.startswith("any_")}
    game = envs.load(cfg.game)
    rnn = load_rnn(path, cfg.vae.z_size, game.action_size, cfg.rnn)
    fixed = {"living_reward": game.living_reward, "done_weight": cfg.rnn.done_weight}
    names = ("temperature", "sigma_temperature", "done_threshold", "danger")
    as_trained = {name: getattr(cfg.controller, name) for name in names}
    return Dream(rnn, starts, **fixed, **(as_trained | options))
