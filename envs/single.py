"""One game alone, as Gymnasium's plain environment: a batch of one."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

import envs
from envs.batch import Batch
from envs.spec import PIXELS


class Single(gymnasium.Env):
    """The only game of a batch.

    Args:
        batch: a vector environment of one.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}

    def __init__(self, batch: VectorEnv):
        self.batch, self.render_mode = batch, batch.render_mode
        self.observation_space = batch.single_observation_space
        self.action_space = batch.single_action_space

    def first(self, answer: Any) -> Any:
        """The only game's share of what the batch says."""
        if isinstance(answer, dict):
            return {key: value[0] for key, value in answer.items()}
        return answer[0]

    def seed_of(self, seed: int | None) -> int:
        """The batch's seed for the seed that `reset` was given."""
        return int(self.np_random.integers(1 << 31))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start anew."""
        super().reset(seed=seed)
        obs, info = self.batch.reset(seed=self.seed_of(seed))
        return self.first(obs), self.first(info)

    def step(self, action: Any):
        """Play one step."""
        obs, reward, ended, cut, info = self.batch.step(np.asarray(action)[None])
        return self.first(obs), float(reward[0]), bool(ended[0]), bool(cut[0]), self.first(info)

    def render(self) -> Any:
        """The game's picture or text, as the render mode says."""
        pictures = self.batch.render()
        return None if pictures is None else pictures[0]

    def close(self) -> None:
        """Release the game."""
        self.batch.close()


class Game(Single):
    """One game of ours; `seed` is the game's own, the same as in a batch."""

    def __init__(self, game: str, **options: Any):
        super().__init__(games(1, game, **options))

    def seed_of(self, seed: int | None) -> int:
        """The seed itself, or one drawn from what follows the last."""
        return super().seed_of(None) if seed is None else seed


def games(
    num_envs: int,
    game: str,
    engine: str | None = None,
    max_steps: int | None = None,
    view: str = PIXELS,
    copy: bool = True,
    **options: Any,
) -> Batch:
    """Make games of ours as Gymnasium asks for them: what they return is the caller's to keep.

    Raises:
        RunError: the game has no such engine, view or option, or a package is missing.
    """
    return envs.load(game).make(num_envs, engine, max_steps, view, copy=copy, **options)
