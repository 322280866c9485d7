"""n games of FastCarRacing-v3 side by side in one process, as one Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from fast_carracing.env import FastCarRacing
from fast_carracing.kernels import OBS_W


class FastCarRacingVector(gymnasium.vector.VectorEnv):
    """The same games as SyncVectorEnv's, to the bit, drawn straight into one array.

    A game that has ended starts anew on the next step, which ignores its action and rewards it
    with 0 (AutoresetMode.NEXT_STEP, Gymnasium's default).

    Args:
        num_envs: how many games.
        max_episode_steps: after how many steps a game is truncated; None for never.
        render_mode: None or "rgb_array".
        copy: False hands out the live array of observations, which the next step overwrites.
        options: see FastCarRacing.

    Raises:
        ValueError: render_mode is another one.
    """

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = 1000,
        render_mode: str | None = None,
        copy: bool = True,
        **options,
    ):
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode must be None or rgb_array, not {render_mode}")
        self.metadata = {
            "autoreset_mode": AutoresetMode.NEXT_STEP,
            "render_modes": ["rgb_array"],
            "render_fps": FastCarRacing.metadata["render_fps"],
        }
        self.num_envs, self.render_mode, self.copy = num_envs, render_mode, copy
        self.max_episode_steps = max_episode_steps
        self.games = [FastCarRacing(render_mode, **options) for _ in range(num_envs)]
        self.single_observation_space = self.games[0].observation_space
        self.single_action_space = self.games[0].action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.obs = np.zeros(self.observation_space.shape, np.uint8)
        for game, frame in zip(self.games, self.obs, strict=True):
            game.words = frame.reshape(game.rows, 3 * OBS_W).view(np.uint32)
        self.steps = np.full(num_envs, -1)  # of this episode; -1 before the first reset
        self.over = np.zeros(num_envs, bool)

    def reset(self, *, seed: int | Sequence[int | None] | None = None, options: dict | None = None):
        """Start new episodes.

        Args:
            seed: game i is seeded with seed + i; or a sequence, one seed a game.
            options: {"reset_mask": bool (num_envs,)} resets those games alone.

        Returns:
            The observations, uint8 (num_envs, rows, 96, 3), and an empty dict.

        Raises:
            ValueError: another number of seeds, or a mask of another shape or type.
        """
        seeds = [None] * self.num_envs if seed is None else seed
        if isinstance(seed, (int, np.integer)):
            seeds = [int(seed) + i for i in range(self.num_envs)]
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds were given for {self.num_envs} games")
        mask = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs, bool)))
        if mask.shape != (self.num_envs,) or mask.dtype != bool:
            raise ValueError(f"reset_mask must be an array of {self.num_envs} booleans")
        for i in np.flatnonzero(mask):
            self.games[i].reset(seed=seeds[i])
        self.steps[mask], self.over[mask] = 0, False
        return self._observations(), {}

    def step(self, actions):
        """Play one step of every game.

        Args:
            actions: floats (num_envs, 3) of steer, gas, brake; integers (num_envs,) if not
                continuous.

        Returns:
            observations uint8 (num_envs, rows, 96, 3), reward float64 (num_envs,), terminated and
            truncated bool (num_envs,), info.

        Raises:
            ResetNeeded: a game was never reset.
        """
        if (self.steps < 0).any():
            raise ResetNeeded("call reset() before step()")
        reward = np.zeros(self.num_envs)
        terminated, truncated = np.zeros(self.num_envs, bool), np.zeros(self.num_envs, bool)
        info = {}
        for i, (game, action) in enumerate(zip(self.games, np.asarray(actions), strict=True)):
            if self.over[i]:
                game.reset()
                self.steps[i] = 0
                continue
            _, reward[i], terminated[i], _, told = game.step(action)
            self.steps[i] += 1
            info = self._add_info(info, told, i)
        if self.max_episode_steps is not None:
            truncated = self.steps >= self.max_episode_steps
        self.over = terminated | truncated
        return self._observations(), reward, terminated, truncated, info

    def render(self) -> tuple[np.ndarray, ...] | None:
        """Return a picture of every game, uint8 (400, 600, 3); None without a render mode."""
        return tuple(game.render() for game in self.games) if self.render_mode else None

    def close_extras(self, **kwargs) -> None:
        """Release the games."""
        for game in self.games:
            game.close()

    def _observations(self) -> np.ndarray:
        return self.obs.copy() if self.copy else self.obs
