"""What M learns for planning: policy and value beside the rest, along its own imagination.

Alignment (what seed implementations got wrong): policy and value of s_t are read from h_{t-1} and
z_t, before a_t is chosen; reward, end and z_{t+1} from h_t, after it. The policy's target is what a
search made of s_t, the value's the discounted return from t on.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

import config
from rnn.mdn import mdn_likeliest
from rnn.model import MDNRNN, Prediction, losses_of, masked_mean
from series.data import Series, draw, rows_of


def planning_batch(
    series: Series,
    value: np.ndarray,
    episodes: np.ndarray,
    options: config.RNN,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Draw sequences for `planning_losses`, in which every step of every episode is as likely.

    A share of `terminal_prob` ends where its episode does. Shorter episodes are padded and masked.

    Args:
        value: what the value head is to learn (rows,), see rnn/values.py.

    Returns:
        As `series.data.windows`; and `seen`, the z that M is shown, drawn anew; policy (B, L, A),
        value (B, L), and `told` (): how many steps M is shown before the `unroll` it imagines.
    """
    k, size = options.unroll, options.batch_size
    chosen = rng.choice(episodes, size, p=series.length[episodes] / series.length[episodes].sum())
    steps = np.minimum(series.length[chosen], options.sequence_length)
    width = max(int(steps.max()), k + 1)
    told = int(rng.integers(1, width - k + 1)) if k else width
    steps, width = np.minimum(steps, told + k), told + k
    most = series.length[chosen] - steps
    start = np.where(rng.random(size) < options.terminal_prob, most, rng.integers(0, most + 1))
    rows, mask, done = rows_of(series, chosen, start, steps, width)
    now = rows[:, :-1]
    policy = series.policy if series.policy.shape[1] else series.action
    batch = draw(series, rows, mask, rng)
    batch["seen"] = batch["z"]
    if not options.mixtures:  # what it can be asked for is the mean, all of chance that V knows
        batch["z"] = series.mu[rows].astype(np.float32)
    planned = {"policy": policy[now] * mask[..., None], "value": value[now] * mask}
    return batch | planned | {"done": done, "told": np.int32(told)}


def unrolled(model: MDNRNN, batch: dict, k: int) -> tuple[Prediction, tf.Tensor, tf.Tensor]:
    """Predict along sequences, the last k steps of which M imagines itself (MuZero, section 3).

    Its imagination is the likeliest component's mean. Gradients flow through all k steps.

    Returns:
        The predictions of L steps; policy logits (B, L, A) and values (B, L) of their states.
    """
    seen, action, told = batch["seen"], batch["action"], batch["told"]
    first = tf.concat([tf.ones_like(seen[:, :1, 0]), tf.zeros_like(seen[:, 1:told, 0])], 1)
    zero = model.zero_state(tf.shape(seen)[0])
    said, state = model.unroll(seen[:, :told], action[:, :told], first, zero)
    before = tf.concat([zero[0][:, None], said.hidden[:, :-1]], 1)
    policy, value = model.plan(seen[:, :told], before)
    rows = [(said, policy, value)]
    last = tf.nest.map_structure(lambda x: x[:, -1], said)
    for step in range(k):
        z, played, before = mdn_likeliest(last.parts, model.joint), action[:, told + step], state[0]
        state = model.step(z, played, state)
        last = model.predict_from(state[0], z, played)
        row = (last, *model.plan(z, before))
        rows.append(tf.nest.map_structure(lambda x: x[:, None], row))
    return tf.nest.map_structure(lambda *parts: tf.concat(parts, 1), *rows)


def planning_losses(model: MDNRNN, batch: dict, options: config.RNN) -> dict[str, tf.Tensor]:
    """Losses of a batch of `planning_batch`: those of `losses_of`, and

    `policy`, cross-entropy to the target; `value`, squared error of the transformed return; `loss`,
    the sum of all, z's times `z_weight`.
    """
    prediction, policy, value = unrolled(model, batch, options.unroll)
    out = losses_of(model, prediction, batch, options.done_weight)
    mask = batch["mask"]
    crosses = tf.nn.softmax_cross_entropy_with_logits(batch["policy"], policy)
    planned = {
        "policy": masked_mean(crosses, mask),
        "value": masked_mean((value - batch["value"]) ** 2, mask),
    }
    more = tf.add_n([*planned.values(), (options.z_weight - 1) * out["z"]])
    return out | {"loss": out["loss"] + more} | planned
