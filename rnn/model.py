"""The memory model M: an LSTM with a mixture density head (World Models, appendix A.2).

Input z_t and a_t; output the distribution of z_{t+1} and, if asked for, reward r_t and the logit
that the episode ends with step t. 422,368 parameters at Z = 32, A = 3, 256 units, 5 mixtures.

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
from rnn.lstm import lstm_sequence
from rnn.mdn import Parts, mdn_nll, mdn_parts, mdn_size

State = tuple[tf.Tensor, tf.Tensor]


class Prediction(NamedTuple):
    """What M says of the next step; heads that M lacks are None."""

    parts: Parts  # of the next z, see rnn/mdn.py
    reward: tf.Tensor | None  # (B, ...)
    done: tf.Tensor | None  # (B, ...) logit


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
        done_head: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.z_size, self.action_size, self.hidden_size = z_size, action_size, hidden_size
        self.mixtures, self.joint = mixtures, joint
        self.reward_head, self.done_head = reward_head, done_head
        self.lstm = layers.LSTM(hidden_size, return_sequences=True, return_state=True)
        size = mdn_size(z_size, mixtures, joint) + reward_head + done_head
        self.head = layers.Dense(size)
        self.lstm.build((None, None, z_size + action_size))
        self.head.build((None, hidden_size))
        self.built = True

    def zero_state(self, batch: int) -> State:
        """LSTM state (h, c) before the first step, (B, H) each."""
        return tf.zeros((batch, self.hidden_size)), tf.zeros((batch, self.hidden_size))

    def call(self, z: tf.Tensor, action: tf.Tensor) -> Prediction:
        """Predict every next step from zero state; z (B, T, Z), action (B, T, A)."""
        return self.unroll(z, action, self.zero_state(tf.shape(z)[0]))[0]

    def unroll(self, z: tf.Tensor, action: tf.Tensor, state: State) -> tuple[Prediction, State]:
        """Predict along a sequence from `state`; returns the state after it too."""
        cell = self.lstm.cell
        weights = (cell.kernel.value, cell.recurrent_kernel.value, cell.bias.value)
        hidden, h, c = lstm_sequence(tf.concat([z, action], -1), *state, *weights)
        return self.predict_from(hidden), (h, c)

    def step(self, z: tf.Tensor, action: tf.Tensor, state: State) -> State:
        """Move on by one step: z (B, Z), action (B, A), state (h, c) of (B, H) each."""
        _, (h, c) = self.lstm.cell(tf.concat([z, action], -1), list(state))
        return h, c

    def predict_from(self, hidden: tf.Tensor) -> Prediction:
        """Read the heads at LSTM outputs (B, ..., H)."""
        raw = self.head(hidden)
        size = mdn_size(self.z_size, self.mixtures, self.joint)
        parts = mdn_parts(raw[..., :size], self.z_size, self.mixtures, self.joint)
        reward = raw[..., size] if self.reward_head else None
        done = raw[..., -1] if self.done_head else None
        return Prediction(parts, reward, done)


def masked_mean(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean of x over the steps whose mask is 1; both (B, T)."""
    return tf.reduce_sum(x * mask) / tf.reduce_sum(mask)


def rnn_losses(model: MDNRNN, batch: dict, done_weight: float) -> dict[str, tf.Tensor]:
    """Losses of a batch made by `series.data.windows`.

    Returns:
        Scalars: `z`, nats a latent dimension; `reward`, squared error; `done`, cross-entropy with
        positives weighted; `loss`, their sum.
    """
    z, mask = batch["z"], batch["mask"]
    prediction = model(z[:, :-1], batch["action"])
    out = {"z": masked_mean(mdn_nll(prediction.parts, z[:, 1:], model.joint), mask)}
    if model.reward_head:
        out["reward"] = masked_mean((prediction.reward - batch["reward"]) ** 2, mask)
    if model.done_head:
        weighted = tf.nn.weighted_cross_entropy_with_logits(
            batch["done"], prediction.done, done_weight
        )
        out["done"] = masked_mean(weighted, mask)
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
        options.done_head,
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
    file = path / "rnn" / "rnn.weights.h5"
    try:
        rnn.load_weights(file)
    except Exception as error:
        raise runs.RunError(f"{file} is damaged or made with other options") from error
    return rnn
