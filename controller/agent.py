"""The agent: V, M and C, for n games at once, compiled into one function.

Order within a step, as in the original: z_t from the frame, a_t from (z_t, h_t), and then M moves
on with (z_t, a_t).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import config
import envs
import runs
from controller.model import Shape, count_params, load_controller, random_params, shape_of
from envs.spec import Spec
from rnn.mdn import to_uniform
from rnn.model import MDNRNN, load_rnn, make_rnn
from vae.model import ConvVAE, load_vae, pixels, reparameterize


def features(inputs: str, z: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
    """What C sees of z (n, Z) and the LSTM's h and c (n, H): (n, F)."""
    parts = {"z": [z], "z-hidden": [z], "zh": [z, h], "zc": [z, c], "zch": [z, c, h]}
    return tf.concat(parts[inputs], -1)


def control(x: tf.Tensor, params: tf.Tensor, shape: Shape) -> tf.Tensor:
    """Outputs tanh(W x + b) of n controllers at once: x (n, F), params (n, P) -> (n, O)."""
    start = 0
    x = tf.nn.relu(x) if shape.rectify else x
    for i, o in zip(shape.sizes[:-1], shape.sizes[1:], strict=True):
        bias = params[:, start : start + o * shape.bias]
        start += o * shape.bias
        weight = tf.reshape(params[:, start : start + i * o], (-1, i, o))
        start += i * o
        x = tf.linalg.matvec(weight, x, transpose_a=True)
        x = tf.tanh(x + bias if shape.bias else x)
    return x


def squash(raw: tf.Tensor) -> tf.Tensor:
    """CarRacing's action from tanh outputs (n, 3): steer, gas (a + 1) / 2, brake max(a, 0)."""
    steer, gas, brake = tf.unstack(raw, axis=-1)
    return tf.stack([steer, (gas + 1) / 2, tf.maximum(brake, 0)], -1)


def squash_of(spec: Spec) -> Callable[[tf.Tensor], tf.Tensor]:
    """How tanh outputs (n, A) become a game's actions; see envs/spec.py."""
    low, high = getattr(spec.action_space, "low", 0), getattr(spec.action_space, "high", 0)
    return {
        "car": squash,
        "scale": lambda raw: low + (raw + 1) / 2 * (high - low),
        "none": lambda raw: raw,
    }[spec.squash]


def choose(raw: tf.Tensor, valid: tf.Tensor, noise: tf.Tensor, greedy: bool) -> tf.Tensor:
    """A discrete action, one-hot, among the valid ones: (n, A).

    Args:
        raw: outputs of C, (n, A). valid: bool (n, A), or (n, 0) if all actions always are.
        noise: standard normal (n, A); makes the draw from softmax(raw), unless `greedy`.
    """
    if not greedy:  # Gumbel's trick, with the normal's distribution function for a uniform number
        uniform = tf.clip_by_value(to_uniform(noise), 1e-7, 1 - 1e-7)
        raw -= tf.math.log(-tf.math.log(uniform))
    if valid.shape[-1]:
        raw = tf.where(valid, raw, -np.inf)
    return tf.one_hot(tf.argmax(raw, -1), raw.shape[-1])


class Controller:
    """The form of C in a game; its parameters come with every call.

    Attributes:
        num_params: P. action_size: A.
    """

    def __init__(self, options: config.Controller, game: str, z_size: int, hidden_size: int):
        spec = envs.load(game)
        self.game, self.inputs, self.greedy = game, options.inputs, options.greedy
        self.discrete, self.action_size = spec.discrete, spec.action_size
        self.squash = squash_of(spec)
        self.shape = shape_of(options, z_size, hidden_size, spec.outputs)
        self.num_params = count_params(self.shape)

    def act(
        self,
        z: tf.Tensor,
        h: tf.Tensor,
        c: tf.Tensor,
        valid: tf.Tensor,
        noise: tf.Tensor,
        params: tf.Tensor,
    ) -> tf.Tensor:
        """Actions (n, A) of n controllers with params (n, P); the rest as in rnn/dream.py."""
        raw = control(features(self.inputs, z, h, c), params, self.shape)
        if self.discrete:
            return choose(raw, valid, noise, self.greedy)
        return self.squash(raw)


class Agent:
    """V, M and C; the parameters of C come with every call.

    Attributes:
        controller: C. noise_size: random numbers that a step takes.
    """

    def __init__(self, vae: ConvVAE, rnn: MDNRNN, options: config.Controller, game: str):
        self.vae, self.rnn = vae, rnn
        self.z_size, self.hidden_size = rnn.z_size, rnn.hidden_size
        self.controller = Controller(options, game, rnn.z_size, rnn.hidden_size)
        self.num_params = self.controller.num_params
        self.noise_size = rnn.z_size + self.controller.action_size
        self.sample = options.z_mode == "sample"
        self.uses_rnn = options.inputs in ("zh", "zc", "zch")
        self.act = tf.function(self._act)

    def _act(
        self,
        obs: tf.Tensor,
        h: tf.Tensor,
        c: tf.Tensor,
        params: tf.Tensor,
        noise: tf.Tensor,
        valid: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """One step of n games.

        Args:
            obs: uint8 (n, 64, 64, 3). h, c: LSTM state (n, H). params: (n, P).
            noise: standard normal (n, Z + A): for z and for the action, if they are drawn.
            valid: bool (n, A), or (n, 0) if all actions always are.

        Returns:
            action (n, A), the next h and c, and z.
        """
        mu, logvar = self.vae.encode(pixels(obs))
        logvar = tf.clip_by_value(logvar, -20.0, 20.0)  # random weights overflow; trained never do
        z = reparameterize(mu, logvar, noise[:, : self.z_size]) if self.sample else mu
        action = self.controller.act(z, h, c, valid, noise[:, self.z_size :], params)
        if self.uses_rnn:
            h, c = self.rnn.step(z, action, (h, c))
        return action, h, c, z


def load_agent(path: Path, cfg: config.Config) -> Agent:
    """Build the agent of a run from its V and M."""
    vae = load_vae(path, cfg.vae)
    rnn = load_rnn(path, cfg.vae.z_size, envs.load(cfg.game).action_size, cfg.rnn)
    return Agent(vae, rnn, cfg.controller, cfg.game)


def policies(game: str, source: str, noise: float):
    """Policies for recording: of the run `source`, or of random V, M and C if it is empty.

    Args:
        noise: standard deviation added to a trained controller's actions; if actions are discrete,
            the share of them that is any valid one.

    Returns:
        A function from a random generator to a policy (envs/policies.py), for one episode.

    Raises:
        RunError: the source plays another game.
    """
    if source:
        path, cfg = runs.find(source)
        if cfg.game != game:
            raise runs.RunError(f"{path} plays {cfg.game}, not {game}")
        agent, params = load_agent(path, cfg), load_controller(path)
    else:
        cfg = config.preset(game, "full")
        rnn = make_rnn(cfg.vae.z_size, envs.load(game).action_size, cfg.rnn)
        agent = Agent(ConvVAE(cfg.vae.z_size), rnn, cfg.controller, game)

    def make(rng: np.random.Generator):
        weights, spread = (params, noise) if source else (randomise(agent, rng), 0.0)
        weights = tf.constant(weights[None], tf.float32)
        h, c = agent.rnn.zero_state(1)

        def act(games: Any) -> np.ndarray:
            nonlocal h, c
            draw = rng.standard_normal((1, agent.noise_size)).astype(np.float32)
            valid = valid_of(games)[:1]
            action, h, c, _ = agent.act(games.obs[:1], h, c, weights, draw, valid)
            # Cauchy weights now and then overflow: such a network lets go of the controls.
            action = action.numpy()[0] if source else np.nan_to_num(action.numpy()[0])
            if not agent.controller.discrete:
                return action + spread * rng.standard_normal(len(action)).astype(np.float32)
            if rng.random() < spread:
                options = np.flatnonzero(valid) if valid.size else len(action)
                action = np.eye(len(action), dtype=np.float32)[rng.choice(options)]
            return action

        return act

    return make


def valid_of(games: Any) -> np.ndarray:
    """Valid actions of a batch of games: bool (n, A), or (n, 0) if all always are."""
    return np.zeros((len(games.obs), 0), bool) if games.mask is None else games.mask


def randomise(agent: Agent, rng: np.random.Generator) -> np.ndarray:
    """Redraw the weights of V's encoder and of M in place, and return new ones for C."""
    width = rng.uniform(0, 0.01)
    for variable in (*agent.vae.encoder.trainable_variables, *agent.rnn.trainable_variables):
        variable.assign(rng.standard_cauchy(variable.shape) * width)
    return random_params(rng, agent.num_params)
