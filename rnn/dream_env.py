"""The dream as Gymnasium environments: `WorldModelDream-v0`, single and vectorised.

    import gymnasium, rnn.dream_env
    env = gymnasium.make("WorldModelDream-v0", run="carracing", temperature=1.15)
    envs = gymnasium.make_vec(
        "WorldModelDream-v0", 256, vectorization_mode="vector_entry_point", run="carracing"
    )

Observations: `z` (Z,), `zh` (Z + H,) with the LSTM's h, or `frame` (64, 64, 3) drawn by V. Where a
game has invalid actions, `info["mask"]` says which are valid.
"""

from __future__ import annotations

import copy
from typing import Any

import gymnasium
import numpy as np
import tensorflow as tf
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

import envs
import runs
from envs.batch import FRAME
from envs.single import Single
from rnn.dream import load_dream
from vae.model import load_vae, to_uint8

ID = "WorldModelDream-v0"
OBSERVATIONS = ("z", "zh", "frame")


class DreamVectorEnv(VectorEnv):
    """n dreams of a run as one vector environment; a step is one compiled batch.

    Args:
        num_envs: n.
        run: a run with V, M and series: a name in log/, or a path.
        temperature, max_steps, done_threshold: see rnn.dream.Dream; None: as the run's controller
            dreams, and the game's longest episode.
        start: from episodes' "first" frames, or from "any"; None: as the run's controller dreams.
        observation: z, zh or frame.

    A dream that ended starts anew at its next step (Gymnasium's NEXT_STEP).
    """

    metadata = {
        "render_modes": ["rgb_array"],
        "render_fps": 50,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        run: str = "carracing",
        temperature: float | None = None,
        max_steps: int | None = None,
        done_threshold: float | None = None,
        start: str | None = None,
        observation: str = "z",
        render_mode: str | None = None,
    ):
        if observation not in OBSERVATIONS:
            raise runs.RunError(f"unknown observation {observation!r}; choose from {OBSERVATIONS}")
        path, cfg = runs.find(run)
        self.game, options = envs.load(cfg.game), cfg.controller
        self.num_envs, self.observation, self.render_mode = num_envs, observation, render_mode
        asked = {"temperature": temperature, "done_threshold": done_threshold}
        self.dream = load_dream(
            path,
            cfg,
            start=start or options.start,
            max_steps=self.game.max_steps if max_steps is None else max_steps,
            **{name: value for name, value in asked.items() if value is not None},
        )
        self.vae = load_vae(path, cfg.vae, "float32")
        self.decode = tf.function(self.vae.decode)
        sizes = {"z": cfg.vae.z_size, "zh": cfg.vae.z_size + cfg.rnn.hidden_size}
        if observation == "frame":
            space = gymnasium.spaces.Box(0, 255, FRAME.shape, np.uint8)
        else:
            space = gymnasium.spaces.Box(-np.inf, np.inf, (sizes[observation],), np.float32)
        self.single_observation_space = space
        self.single_action_space = copy.deepcopy(self.game.action_space)
        self.observation_space = batch_space(space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start all dreams anew; the same seed and actions dream the same."""
        super().reset(seed=seed)
        n = self.num_envs
        self.z, self.valid = self.begin(n)
        h, c = self.dream.rnn.zero_state(n)
        self.h, self.c = h.numpy(), c.numpy()
        self.steps = np.zeros(n, int)
        self.over = np.zeros(n, bool)
        return self.observe(), self.info()

    def step(self, actions: np.ndarray):
        """Dream one step with actions (n, A), or integers (n,) if they are discrete."""
        z, (h, c), reward, ended, valid = self.dream.advance(
            self.z, (self.h, self.c), self.game.one_hot(actions), self.draw()
        )
        self.z, self.valid, fresh = z.numpy(), valid.numpy(), self.over
        if fresh.any():
            self.z, self.valid = self.z.copy(), self.valid.copy()
            self.z[fresh], self.valid[fresh] = self.begin(fresh.sum())
        keep = ~fresh[:, None]
        self.h, self.c = h.numpy() * keep, c.numpy() * keep
        self.steps = np.where(fresh, 0, self.steps + 1)
        reward = np.where(fresh, 0.0, reward.numpy())
        terminated = ended.numpy() & ~fresh
        truncated = (self.steps >= self.dream.max_steps) & ~terminated & ~fresh
        self.over = terminated | truncated
        return self.observe(), reward, terminated, truncated, self.info()

    def info(self) -> dict[str, np.ndarray]:
        return {"mask": self.valid.copy()} if self.valid.shape[1] else {}

    def begin(self, n: int) -> list[np.ndarray]:
        """First latents and valid actions of n dreams."""
        starts = [self.dream.begin(self.np_random) for _ in range(n)]
        return [np.stack(x) for x in zip(*starts, strict=True)]

    def draw(self) -> np.ndarray:
        """The chance of one step of all dreams."""
        return self.np_random.standard_normal((self.num_envs, self.dream.noise_size), np.float32)

    def frames(self) -> np.ndarray:
        """What V makes of the dreams' z: uint8 (n, 64, 64, 3)."""
        return to_uint8(self.decode(self.z))

    def observe(self) -> np.ndarray:
        if self.observation == "frame":
            return self.frames()
        return np.concatenate([self.z, self.h], 1) if self.observation == "zh" else self.z.copy()

    def render(self) -> np.ndarray | None:
        return self.frames() if self.render_mode == "rgb_array" else None


class DreamEnv(Single):
    """One dream of a run; arguments as DreamVectorEnv's, without `num_envs`."""

    def __init__(self, **options):
        super().__init__(DreamVectorEnv(1, **options))

    def seed_of(self, seed: int | None) -> int:
        """Drawn as ever, so that a seed goes on meaning the same dream."""
        return int(self.np_random.integers(2**31 - 1))


if ID not in gymnasium.registry:
    gymnasium.register(ID, entry_point=DreamEnv, vector_entry_point=DreamVectorEnv)
