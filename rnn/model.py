"""The memory model M: an LSTM with a mixture density head (World Models, appendix A.2).

Input z_t and a_t; output the distribution of z_{t+1} and, if asked for, reward r_t, the logit that
the episode ends with step t; and, of z_{t+1} and what M knew before it, which actions are valid
there. For planning also policy and value of s_t, which are read from h_{t-1} and z_t.
422,368 parameters at Z = 32, A = 3, 256 units, 5 mixtures.

In shapes, B is the batch, T time, Z the latent size, A the action's, H the units, K the mixtures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import layers

import config
import runs
from rnn.mdn import Parts, mdn_nll, mdn_parts, mdn_rendition, mdn_size

State = tuple[tf.Tensor, tf.Tensor]


class Prediction(NamedTuple):
    """What M says of the next step; heads that M lacks are None."""

    parts: Parts  # of the next z, see rnn/mdn.py
    reward: tf.Tensor | None  # (B, ...), in the game's units
    done: tf.Tensor | None  # (B, ...) logit
    hidden: tf.Tensor  # (B, ..., H), the LSTM's output that this was read from


class MDNRNN(keras.Model):
    """M; `call` unrolls it over a sequence, `step` moves it on by one."""

    def __init__(
        self,
        z_size: int = 32,
        action_size: int = 3,
        hidden_size: int = 256,
        mixtures: int = 5,
        joint: bool = False,
        reward_head: bool = False,
        reward_scale: float = 1.0,
        done_head: bool = False,
        mask_head: bool = False,
        stream: bool = False,
        head_units: int = 0,
        planning_heads: bool = False,
        planning_units: int = 128,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.z_size, self.action_size, self.hidden_size = z_size, action_size, hidden_size
        self.mixtures, self.joint, self.stream = mixtures, joint and mixtures > 0, stream
        self.reward_head, self.done_head, self.mask_head = reward_head, done_head, mask_head
        self.reward_scale = reward_scale
        self.lstm = layers.LSTM(hidden_size, return_sequences=True, return_state=True)
        self.head = layers.Dense(mdn_size(z_size, mixtures, joint) + reward_head + done_head)
        self.planning_heads = planning_heads
        self.lstm.build((None, None, z_size + action_size + stream))
        self.between = None
        if head_units:
            self.between = layers.Dense(head_units, activation="relu")
            self.between.build((None, hidden_size + z_size + action_size))
        extra = z_size + head_units if head_units else 0
        self.head.build((None, hidden_size + extra))
        if mask_head:
            self.valid_head = layers.Dense(action_size)
            self.valid_head.build((None, z_size + hidden_size))
        if planning_heads:
            self.planning_units = layers.Dense(planning_units, activation="relu")
            self.planning_units.build((None, hidden_size + z_size))
            self.policy_value = layers.Dense(action_size + 1)
            self.policy_value.build((None, planning_units))
        self.built = True

    def zero_state(self, batch: int) -> State:
        """LSTM state (h, c) before the first step, (B, H) each."""
        return tf.zeros((batch, self.hidden_size)), tf.zeros((batch, self.hidden_size))

    def call(self, z: tf.Tensor, action: tf.Tensor) -> Prediction:
        """Predict every next step from zero state; z (B, T, Z), action (B, T, A)."""
        first = tf.concat([tf.ones_like(z[:, :1, 0]), tf.zeros_like(z[:, 1:, 0])], 1)
        return self.unroll(z, action, first, self.zero_state(tf.shape(z)[0]))[0]

    def unroll(
        self, z: tf.Tensor, action: tf.Tensor, restart: tf.Tensor, state: State
    ) -> tuple[Prediction, State]:
        """Predict along a sequence from `state`; returns the state after it too.

        Args:
            restart: (B, T), 1 where an episode begins: the state is zero there. Only an M made for
                streams of episodes takes it as an input too.
        """
        if self.stream:
            x = tf.concat([z, action, restart[..., None]], -1)
            hidden, h, c = unroll_restarting(self.lstm.cell, x, state, restart)
        else:
            hidden, h, c = self.lstm(tf.concat([z, action], -1), initial_state=list(state))
        return self.predict_from(hidden, z, action), (h, c)

    def step(self, z: tf.Tensor, action: tf.Tensor, state: State) -> State:
        """Move on by one step: z (B, Z), action (B, A), state (h, c) of (B, H) each."""
        parts = [z, action]
        if self.stream:  # an episode has just begun where the state is zero
            fresh = tf.reduce_all((state[0] == 0) & (state[1] == 0), -1, keepdims=True)
            parts.append(tf.cast(fresh, tf.float32))
        _, (h, c) = self.lstm.cell(tf.concat(parts, -1), list(state))
        return h, c

    def predict_from(self, hidden: tf.Tensor, z: tf.Tensor, action: tf.Tensor) -> Prediction:
        """Read the heads at the LSTM's outputs (B, ..., H) for z (B, ..., Z), a (B, ..., A)."""
        raw = self.head(self.features(hidden, z, action))
        size = mdn_size(self.z_size, self.mixtures, self.joint)
        parts = mdn_parts(raw[..., :size], self.z_size, self.mixtures, self.joint)
        reward = raw[..., size] * self.reward_scale if self.reward_head else None
        done = raw[..., size + self.reward_head] if self.done_head else None
        return Prediction(parts, reward, done, hidden)

    def features(self, hidden: tf.Tensor, z: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        """What the heads read: h and, with `head_units`, z_t and ReLU units of h, z_t and a_t."""
        if self.between is None:
            return hidden
        units = self.between(tf.concat([hidden, z, action], -1))
        return tf.concat([hidden, z, units], -1)

    def valid(self, z: tf.Tensor, h: tf.Tensor) -> tf.Tensor | None:
        """Logits of the actions valid at z_{t+1} (B, ..., Z), with h_t: (B, ..., A)."""
        return self.valid_head(tf.concat([z, h], -1)) if self.mask_head else None

    def plan(self, z: tf.Tensor, before: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Policy logits (B, ..., A) and value (B, ...), as it is learned, of a state.

        Args:
            z: (B, ..., Z), the state's frame.
            before: (B, ..., H), h after the step that led to it, zero at an episode's first.
        """
        raw = self.policy_value(self.planning_units(tf.concat([before, z], -1)))
        return raw[..., :-1], raw[..., -1]


def unroll_restarting(
    cell: keras.layers.Layer, x: tf.Tensor, state: State, restart: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Unroll an LSTM's cell over x (B, T, I) with the state zeroed wherever an episode begins.

    Args:
        state: h and c (B, H) before the first step. restart: (B, T), 1 where they are zeroed.

    Returns:
        Outputs (B, T, H), and the last h and c.
    """

    def step(state: State, now: tuple[tf.Tensor, tf.Tensor]) -> State:
        x, restart = now
        _, (h, c) = cell(x, [v * (1 - restart) for v in state])
        return h, c

    by_time = (tf.transpose(x, (1, 0, 2)), tf.transpose(restart)[..., None])
    h, c = tf.scan(step, by_time, state)
    return tf.transpose(h, (1, 0, 2)), h[-1], c[-1]


def masked_mean(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean of x over the steps whose mask is 1; both (B, T)."""
    return tf.reduce_sum(x * mask) / tf.reduce_sum(mask)


def rnn_losses(model: MDNRNN, batch: dict, done_weight: float) -> dict[str, tf.Tensor]:
    """Losses of a batch made by `series.data.windows`; see `losses_of`."""
    seen = batch.get("seen", batch["z"])
    return losses_of(model, model(seen[:, :-1], batch["action"]), batch, done_weight)


def rehearse(model: MDNRNN, batch: dict, bounds: tuple[tf.Tensor, tf.Tensor]) -> dict:
    """Show M its own renditions of the last z instead of z: parallel scheduled sampling.

    In every pass each z_{t+1} becomes what M draws for it after what it was shown up to z_t: after
    k passes it has come through k steps of imagination. What happened tells which component is
    drawn from, so that what M is asked for stays right in a world of chance. (Duckworth et al.
    2019, "Parallel Scheduled Sampling"; the choice of the component is ours.)

    Args:
        batch: with `passes` int (B,), how many each sequence goes through, and `noise`
            (largest, B, L, Z), standard normal.
        bounds: lowest and highest z (Z,) that M is shown of its own, as in a dream.

    Returns:
        The batch with another `seen`.
    """
    seen, z = batch["seen"], batch["z"]
    for k in range(batch["noise"].shape[0]):
        parts = model(seen[:, :-1], batch["action"]).parts
        own = mdn_rendition(parts, z[:, 1:], batch["noise"][k], model.joint)
        own = tf.clip_by_value(own, *bounds)
        chosen = (batch["passes"] > k)[:, None, None]
        seen = tf.concat([seen[:, :1], tf.where(chosen, own, seen[:, 1:])], 1)
    return batch | {"seen": tf.stop_gradient(seen)}


def losses_of(
    model: MDNRNN, prediction: Prediction, batch: dict, done_weight: float
) -> dict[str, tf.Tensor]:
    """Losses of what M predicted for a batch; `seen`, if it is there, is what M is shown of z.

    Returns:
        Scalars: `z`, nats a latent dimension (half the squared error of a deterministic head);
        `reward`, squared error of the scaled reward; `done`,
        cross-entropy with positives weighted; `valid`, cross-entropy an action; `loss`, their sum.
    """
    z, mask = batch["z"], batch["mask"]
    if model.mixtures:
        errors = mdn_nll(prediction.parts, z[:, 1:], model.joint)
    else:
        errors = tf.reduce_mean((prediction.parts[1][..., 0] - z[:, 1:]) ** 2, -1) / 2
    out = {"z": masked_mean(errors, mask)}
    if model.reward_head:
        error = (prediction.reward - batch["reward"]) / model.reward_scale
        out["reward"] = masked_mean(error**2, mask)
    if model.done_head:
        weighted = tf.nn.weighted_cross_entropy_with_logits(
            batch["done"], prediction.done, done_weight
        )
        out["done"] = masked_mean(weighted, mask)
    if model.mask_head:
        logits = model.valid(batch.get("seen", z)[:, 1:], prediction.hidden)
        crosses = tf.nn.sigmoid_cross_entropy_with_logits(batch["valid"], logits)
        out["valid"] = masked_mean(tf.reduce_mean(crosses, -1), mask)
    return {"loss": tf.add_n(list(out.values()))} | out


def make_rnn(z_size: int, action_size: int, options: config.RNN) -> MDNRNN:
    """Build M as a run's options say."""
    return MDNRNN(
        z_size,
        action_size,
        options.hidden_size,
        options.mixtures,
        options.joint,
        options.reward_head,
        options.reward_scale,
        options.done_head,
        options.mask_head,
        options.stream,
        options.head_units,
        options.planning_heads,
        options.planning_units,
    )


def load_rnn(path: Path, z_size: int, action_size: int, options: config.RNN) -> MDNRNN:
    """Load the M of a run's folder.

    Raises:
        RunError: it is missing, of another size, or has learned the latents of another V.
    """
    runs.require(path, "rnn", "rnn.weights.h5", "made_from.json")
    marks = path / "rnn" / "made_from.json"
    runs.check_made_from(path, marks, json.loads(marks.read_text()))
    rnn = make_rnn(z_size, action_size, options)
    runs.load_weights(rnn, path / "rnn" / "rnn.weights.h5")
    return rnn
