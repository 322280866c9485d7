"""CarRacing-v3: n games side by side, seen as the pipeline sees them.

Two engines play the same physics: `gymnasium` draws with Gymnasium's own renderer (official
scores), `fast` with ours (docs/fast_carracing.md).
"""

from __future__ import annotations

import os

import numpy as np

from runs import RunError

ENGINES, OFFICIAL = ("fast", "gymnasium"), "gymnasium"
ACTION_SIZE, DISCRETE, OUTPUTS = 3, False, 3
LIVING_REWARD = 0
ACTION_LOW = np.array([-1.0, 0.0, 0.0], np.float32)  # steer, gas, brake
ACTION_HIGH = np.array([1.0, 1.0, 1.0], np.float32)
MAX_STEPS = 1000
SOLVED = 900


def make(engine: str = "fast", **options):
    """Make one CarRacing-v3 with Gymnasium's interface, drawn by `engine`."""
    import gymnasium

    if options.get("render_mode") != "human":
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    if engine == "gymnasium":
        return gymnasium.make("CarRacing-v3", **options).unwrapped
    import fast_carracing  # registers the id

    assert fast_carracing
    return gymnasium.make("FastCarRacing-v3", rows=84, **options).unwrapped


class Games:
    """n games of CarRacing-v3 in one process; see envs/__init__.py.

    Attributes:
        obs: uint8 (n, 64, 64, 3), what each game shows now.
        games: the n games behind them.

    Raises:
        RunError: a package that the engine needs is missing.
    """

    mask = None

    def __init__(self, n: int, engine: str = "fast", max_steps: int = MAX_STEPS):
        from gymnasium.error import DependencyNotInstalled

        try:
            from envs.scaling import see  # numba takes half a second to load

            self.games = [make(engine, render_mode="rgb_array") for _ in range(n)]
        except (ImportError, DependencyNotInstalled) as error:
            raise RunError(
                f"engine {engine} is not installed here ({error}); pip install -r requirements.txt"
            ) from None
        self.see = see
        self.max_steps = max_steps
        self.steps = np.zeros(n, int)
        self.obs = np.zeros((n, 64, 64, 3), np.uint8)

    def reset(self, i: int, seed: int) -> None:
        """Start game i anew on the track of `seed`."""
        frame, _ = self.games[i].reset(seed=int(seed))
        self.steps[i] = 0
        self.obs[i] = self.see(frame)

    def step(
        self, actions: np.ndarray, alive: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Play one step of the games that are alive; the others stand still.

        Args:
            actions: float32 (n, 3), clipped to the game's range.
            alive: bool (n,).

        Returns:
            reward float32 (n,), terminated bool (n,), truncated bool (n,).

        Raises:
            RunError: an action is not finite (Box2D would fly apart).
        """
        if not np.isfinite(actions[alive]).all():
            raise RunError("the agent's action is not finite: its V, M or C is broken")
        n = len(self.games)
        reward = np.zeros(n, np.float32)
        terminated, truncated = np.zeros(n, bool), np.zeros(n, bool)
        actions = np.clip(actions, ACTION_LOW, ACTION_HIGH).astype(np.float64)
        for i in np.flatnonzero(alive):
            frame, reward[i], terminated[i], _, _ = self.games[i].step(actions[i])
            self.steps[i] += 1
            cut = self.steps[i] >= min(self.max_steps, MAX_STEPS)
            truncated[i] = cut and not terminated[i]
            self.obs[i] = self.see(frame)
        return reward, terminated, truncated

    def picture(self) -> np.ndarray:
        """The first game as it draws itself for people: uint8 (400, 600, 3)."""
        return self.games[0].render()

    def close(self) -> None:
        """Release the games."""
        for game in self.games:
            game.close()
