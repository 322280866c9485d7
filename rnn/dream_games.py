"""Dreams as games: what plays a game plays M's dream of it, too, and is seen to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.spaces import Box

from envs.batch import Batch
from envs.spec import Spec
from rnn.dream import Dream
from vae.model import to_uint8


class DreamGames(Batch):
    """n dreams of a game side by side (envs/batch.py); they show z.

    Args:
        game: what is dreamt of. decode: V's, of z (k, Z), to draw pictures.
        start: z (1, Z) and the valid actions (1, A or 0) that all dreams begin with; None: a
            recorded frame's, drawn.

    Attributes:
        h, c: float32 (n, H), of M. noise: float32 (n, N), the chance of the next step, of which the
            first A numbers are for the choice of an action.
    """

    def __init__(
        self,
        game: Spec,
        dream: Dream,
        decode: Callable[[np.ndarray], Any],
        n: int = 1,
        start: tuple[np.ndarray, np.ndarray] | None = None,
    ):
        z = Box(-np.inf, np.inf, (dream.rnn.z_size,), np.float32)
        super().__init__(game, n, space=z)
        self.longest = self.max_steps = dream.max_steps
        self.dream, self.decode, self.start_from = dream, decode, start
        self.h, self.c = np.zeros((2, n, dream.rnn.hidden_size), np.float32)
        self.noise = np.zeros((n, dream.noise_size), np.float32)
        self.rngs: list[np.random.Generator | None] = [None] * n

    def begin(self, i: int, seed: int) -> None:
        self.rngs[i] = np.random.default_rng([seed, 4])
        if self.start_from is None:
            self.obs[i], valid = self.dream.begin(self.rngs[i])
        else:
            self.obs[i], valid = (part[0] for part in self.start_from)
        self.allow(np.array([i]), valid[None])
        self.h[i] = self.c[i] = 0
        self.draw(i)

    def allow(self, at: np.ndarray, valid: np.ndarray) -> None:
        """Say which actions are valid, bool (k, A), or (k, 0) if M cannot tell: then all are."""
        if self.mask is not None:
            self.mask[at] = valid if valid.shape[1] else True

    def draw(self, i: int) -> None:
        """Draw the chance of dream i's next step."""
        self.noise[i] = self.rngs[i].standard_normal(self.dream.noise_size, np.float32)

    def advance(
        self, actions: np.ndarray, playing: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        vectors = self.game.one_hot(actions)[playing]
        state = self.h[playing], self.c[playing]
        z, (h, c), reward, ended, valid = self.dream.advance(
            self.obs[playing], state, vectors, self.noise[playing]
        )
        self.obs[playing], self.h[playing], self.c[playing] = z, h, c
        self.allow(playing, valid.numpy())
        for i in playing:
            self.draw(i)
        rewards, terminated = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, bool)
        rewards[playing], terminated[playing] = reward, ended
        return rewards, terminated, False

    def pixels(self, i: int) -> np.ndarray:
        """What V makes of dream i: uint8 (64, 64, 3)."""
        return to_uint8(self.decode(self.obs[i : i + 1])[0])
