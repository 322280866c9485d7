"""M as the model of a search, in NumPy: a call of TensorFlow costs more than the matrix product.

A state is one row of float32 numbers: room for a one-hot action, z_t, h_{t-1} and c_{t-1}. Policy
and value are read from (h_{t-1}, z_t); a step feeds (z_t, a_t) to the LSTM and reads the reward,
the end and z_{t+1} from h_t.
"""

from __future__ import annotations

import numpy as np

from planner.gumbel import drawn
from planner.mcts import Root, Step
from rnn.values import inverse


class LatentModel:
    """A frozen copy of M's weights.

    Args:
        rnn: M with heads for reward, end, policy and value.
        gamma: discount of a step; what comes after a likely end counts less: gamma * (1 - p_done).
        done_weight: of ends in M's loss; their odds are divided by it.
        transform: of the values that M learned, see rnn/values.py.
        low, high: bounds of z (Z,), as in a dream.
        rng: draws z from the mixture, if there is one; else z is the likeliest component's mean.
    """

    def __init__(
        self,
        rnn,
        gamma: float,
        done_weight: float,
        transform: str,
        low: np.ndarray,
        high: np.ndarray,
        rng: np.random.Generator | None = None,
    ):
        self.z_size, self.hidden = rnn.z_size, rnn.hidden_size
        self.mixtures, self.joint = rnn.mixtures, rnn.joint
        self.gamma, self.done_weight, self.transform = gamma, done_weight, transform
        self.reward_scale, self.low, self.high, self.rng = rnn.reward_scale, low, high, rng
        cell = rnn.lstm.cell
        kernel, recurrent, bias = (
            w.numpy() for w in (cell.kernel, cell.recurrent_kernel, cell.bias)
        )
        # sigmoid(x) is (1 + tanh(x / 2)) / 2, so that one tanh serves all four gates.
        half = np.full(4 * self.hidden, 0.5, np.float32)
        half[2 * self.hidden : 3 * self.hidden] = 1
        kernel, recurrent, bias = kernel * half, recurrent * half, bias * half
        rows = kernel[self.z_size :] + bias, kernel[: self.z_size], recurrent
        self.gates = np.concatenate(rows)  # (A + Z + H, 4H), the bias with the action
        self.actions = rnn.action_size
        self.z_at = slice(self.actions, self.actions + self.z_size)
        self.h_at = slice(self.z_at.stop, self.z_at.stop + self.hidden)
        self.c_at = slice(self.h_at.stop, self.h_at.stop + self.hidden)
        self.seen = slice(self.z_at.start, self.h_at.stop)  # z and h
        self.between = None
        if rnn.between is not None:
            self.between = [w.numpy() for w in rnn.between.weights]
        head, bias = (w.numpy() for w in rnn.head.weights)
        wanted = self.head_columns(head.shape[1])
        self.head = np.ascontiguousarray(head[:, wanted]), bias[wanted]
        units, bias = (w.numpy() for w in rnn.planning_units.weights)
        self.units = np.roll(units, self.z_size, axis=0), bias  # of z, then of h
        self.plan_head = [w.numpy() for w in rnn.policy_value.weights]

    def head_columns(self, columns: int) -> np.ndarray:
        """The head's outputs without the deviations, unless z is drawn from them."""
        k, z = self.mixtures, self.z_size
        everything = np.arange(columns)
        if not k or self.rng is not None:
            return everything
        spread = np.zeros(columns, bool)
        if self.joint:
            spread[k * (1 + z) : k * (1 + 2 * z)] = True
        else:
            spread[: 3 * k * z] = np.tile(np.arange(3 * k) >= 2 * k, z)
        return everything[~spread]

    def states(self, z: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """Join z (B, Z) and memory (B, 2H) to states."""
        room = np.zeros((len(z), self.actions), np.float32)
        return np.concatenate([room, z, memory], 1, dtype=np.float32)

    def memory(self, states: np.ndarray) -> np.ndarray:
        """h and c of states: (B, 2H)."""
        return states[:, self.h_at.start :]

    def root(self, states: np.ndarray) -> Root:
        """Read policy and value of states (B, A + Z + 2H)."""
        return Root(states, *self.plan(states))

    def plan(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Policy logits (B, A) and value (B,), in the game's units."""
        x = states[:, self.seen] @ self.units[0]
        x += self.units[1]
        raw = np.maximum(x, 0, out=x) @ self.plan_head[0] + self.plan_head[1]
        return raw[:, :-1], inverse(raw[:, -1], self.transform)

    def remember(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Feed z and actions int (B,) to the LSTM; returns states with the next h and c, no z."""
        n = self.hidden
        states[np.arange(len(states)), actions] = 1
        gates = states[:, : self.h_at.stop] @ self.gates
        np.tanh(gates, out=gates)
        after = np.empty_like(states)
        after[:, : self.actions] = 0
        h, c = after[:, self.h_at], after[:, self.c_at]
        gates[:, : 2 * n] += 1  # i and f, doubled
        gates[:, 3 * n :] += 1  # o, doubled
        np.multiply(gates[:, n : 2 * n], states[:, self.c_at], out=c)
        gates[:, :n] *= gates[:, 2 * n : 3 * n]
        c += gates[:, :n]
        c *= 0.5
        np.tanh(c, out=h)
        h *= gates[:, 3 * n :]
        h *= 0.5
        return after

    def step(self, states: np.ndarray, actions: np.ndarray) -> Step:
        """Imagine one step; see planner/mcts.py."""
        after = self.remember(states, actions)
        weights, bias = self.head
        raw = self.features(after[:, self.h_at], states[:, self.z_at], actions) @ weights + bias
        np.clip(self.next_z(raw[:, :-2]), self.low, self.high, out=after[:, self.z_at])
        reward, done = raw[:, -2] * self.reward_scale, raw[:, -1]
        alive = 1 / (1 + np.exp(np.minimum(done, 80)) / self.done_weight)
        return Step(after, reward, np.float32(self.gamma) * alive, *self.plan(after))

    def features(self, h: np.ndarray, z: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """What the heads read, as MDNRNN.features."""
        if self.between is None:
            return h
        weights, bias = self.between
        size = self.hidden + self.z_size
        x = np.concatenate([h, z], 1) @ weights[:size] + weights[size:][actions] + bias
        return np.concatenate([h, z, np.maximum(x, 0)], 1)

    def next_z(self, raw: np.ndarray) -> np.ndarray:
        """z (B, Z) of the raw mixtures: the likeliest mean, or drawn."""
        k, z, n = self.mixtures, self.z_size, len(raw)
        if not k:
            return raw
        parts = 2 if self.rng is None else 3
        if self.joint:
            logits, rest = raw[:, None, :k], raw[:, k:].reshape(n, parts - 1, k, z)
            rest = rest.transpose(0, 3, 1, 2)  # (B, Z, parts - 1, K)
        else:
            raw = raw.reshape(n, z, parts, k)
            logits, rest = raw[:, :, 0], raw[:, :, 1:]
        best = logits.argmax(-1) if self.rng is None else drawn(logits, self.rng)
        best = np.broadcast_to(best, (n, z))[..., None, None]
        chosen = np.take_along_axis(rest, best, -1)[..., 0]  # (B, Z, parts - 1)
        if self.rng is None:
            return chosen[..., 0]
        noise = self.rng.standard_normal((n, z), np.float32)
        return chosen[..., 0] + np.exp(chosen[..., 1]) * noise
