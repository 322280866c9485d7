"""The agent: V, M and C, for n games at once, compiled into one function.

Order within a step, as in the original: z_t from the frame, a_t from (z_t, h_t), and then M moves
on with (z_t, a_t).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

import config
import runs
from controller.model import count_params, layer_sizes, load_controller, random_params
from envs.carracing import ACTION_SIZE
from rnn.model import MDNRNN, load_rnn, make_rnn
from vae.model import ConvVAE, load_vae, pixels, reparameterize


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


def squash(raw: tf.Tensor) -> tf.Tensor:
    """CarRacing's action from tanh outputs (n, 3): steer, gas (a + 1) / 2, brake max(a, 0)."""
    steer, gas, brake = tf.unstack(raw, axis=-1)
    return tf.stack([steer, (gas + 1) / 2, tf.maximum(brake, 0)], -1)


class Agent:
    """V, M and the shape of C; the parameters of C come with every call.

    Attributes:
        sizes: widths of C. num_params: P.
    """

    def __init__(self, vae: ConvVAE, rnn: MDNRNN, inputs: str, z_mode: str):
        self.vae, self.rnn, self.inputs = vae, rnn, inputs
        self.z_size, self.hidden_size = rnn.z_size, rnn.hidden_size
        self.sample = z_mode == "sample"
        self.sizes = layer_sizes(inputs, rnn.z_size, rnn.hidden_size, rnn.action_size)
        self.num_params = count_params(self.sizes)
        self.uses_rnn = inputs in ("zh", "zc", "zch")
        self.act = tf.function(self._act)

    def _act(
        self, obs: tf.Tensor, h: tf.Tensor, c: tf.Tensor, params: tf.Tensor, noise: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """One step of n games.

        Args:
            obs: uint8 (n, 64, 64, 3). h, c: LSTM state (n, H). params: (n, P).
            noise: standard normal (n, Z), used if z is sampled.

        Returns:
            action (n, A), the next h and c, and z.
        """
        mu, logvar = self.vae.encode(pixels(obs))
        logvar = tf.clip_by_value(logvar, -20.0, 20.0)  # random weights overflow; trained never do
        z = reparameterize(mu, logvar, noise) if self.sample else mu
        action = squash(control(features(self.inputs, z, h, c), params, self.sizes))
        if self.uses_rnn:
            h, c = self.rnn.step(z, action, (h, c))
        return action, h, c, z


def load_agent(path: Path, cfg: config.Config) -> Agent:
    """Build the agent of a run from its V and M."""
    vae = load_vae(path, cfg.vae.z_size, cfg.vae.precision)
    rnn = load_rnn(path, cfg.vae.z_size, ACTION_SIZE, cfg.rnn)
    return Agent(vae, rnn, cfg.controller.inputs, cfg.controller.z_mode)


def policies(source: str, noise: float):
    """Policies for recording: of the run `source`, or of random V, M and C if it is empty.

    Args:
        noise: standard deviation added to a trained controller's actions.

    Returns:
        A function from a random generator to a policy `(obs, t) -> action`, for one episode.
    """
    if source:
        path, cfg = runs.find(source)
        agent, params = load_agent(path, cfg), load_controller(path)
    else:
        cfg = config.Config()
        rnn = make_rnn(cfg.vae.z_size, ACTION_SIZE, cfg.rnn)
        agent = Agent(ConvVAE(cfg.vae.z_size), rnn, "zh", "sample")

    def make(rng: np.random.Generator):
        weights, spread = (params, noise) if source else (randomise(agent, rng), 0.0)
        weights = tf.constant(weights[None], tf.float32)
        h, c = agent.rnn.zero_state(1)

        def act(obs: np.ndarray, t: int) -> np.ndarray:
            nonlocal h, c
            draw = rng.standard_normal((1, agent.z_size)).astype(np.float32)
            action, h, c, _ = agent.act(tf.constant(obs[None]), h, c, weights, tf.constant(draw))
            # Cauchy weights now and then overflow: such a network lets go of the controls.
            action = action.numpy()[0] if source else np.nan_to_num(action.numpy()[0])
            return action + spread * rng.standard_normal(len(action)).astype(np.float32)

        return act

    return make


def randomise(agent: Agent, rng: np.random.Generator) -> np.ndarray:
    """Redraw the weights of V's encoder and of M in place, and return new ones for C."""
    width = rng.uniform(0, 0.01)
    for variable in (*agent.vae.encoder.trainable_variables, *agent.rnn.trainable_variables):
        variable.assign(rng.standard_cauchy(variable.shape) * width)
    return random_params(rng, agent.num_params)
