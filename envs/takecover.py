"""Doom's take cover (ViZDoom): n games side by side, as the pipeline sees every game.

Monsters at the far wall throw fireballs; step left or right, and survive. The score is the number
of steps survived, 2,100 at most. Two engines play the same game with the same seeds, and differ
only in the size of the picture that ViZDoom draws before it is scaled to 64x64: `vizdoom` 320x240,
as `VizdoomTakeCover-v1` does (official scores), `fast` 160x120, two and a half times as fast.
"""

from __future__ import annotations

import os

import cv2
import numpy as np
from gymnasium.utils import seeding

from runs import RunError

ENGINES, OFFICIAL = ("fast", "vizdoom"), "vizdoom"
ACTION_SIZE, DISCRETE, OUTPUTS = 1, False, 1
LIVING_REWARD = 1
ACTION_LOW, ACTION_HIGH = np.array([-1.0], np.float32), np.array([1.0], np.float32)
MAX_STEPS = 2100
SOLVED = 750
BUTTONS = ([1.0, 0.0], [0.0, 0.0], [0.0, 1.0])  # left, nothing, right


def make(engine: str):
    """Make one game of ViZDoom, not yet started.

    Raises:
        RunError: ViZDoom is not installed here.
    """
    try:
        import vizdoom
    except ImportError as error:
        raise RunError(
            f"engine {engine} is not installed here ({error}); pip install -r requirements.txt"
        ) from None
    game = vizdoom.DoomGame()
    game.load_config("take_cover.cfg")
    size = {"vizdoom": "RES_320X240", "fast": "RES_160X120"}[engine]
    game.set_screen_resolution(getattr(vizdoom.ScreenResolution, size))
    game.set_screen_format(vizdoom.ScreenFormat.RGB24)
    game.set_window_visible(False)
    game.set_mode(vizdoom.Mode.PLAYER)
    return game


class Games:
    """n games of take cover in one process; see envs/__init__.py.

    Each is a process of ViZDoom's own, idle unless it is stepped.
    """

    mask = None

    def __init__(self, n: int, engine: str = "fast", max_steps: int = MAX_STEPS):
        # Each game makes this folder when it finds none, and dies if another was quicker.
        os.makedirs("_vizdoom", exist_ok=True)
        self.games = [make(engine) for _ in range(n)]
        for game in self.games:
            game.init()
        self.max_steps = max_steps
        self.steps = np.zeros(n, int)
        self.obs = np.zeros((n, 64, 64, 3), np.uint8)

    def look(self, i: int) -> None:
        screen = self.games[i].get_state().screen_buffer
        self.obs[i] = cv2.resize(screen, (64, 64), interpolation=cv2.INTER_AREA)

    def reset(self, i: int, seed: int) -> None:
        """Start game i anew, the same game as `VizdoomTakeCover-v1` plays for this seed."""
        rng, _ = seeding.np_random(int(seed))
        self.games[i].set_seed(int(rng.integers(0, 1 << 32, dtype=np.uint32)))
        self.games[i].new_episode()
        self.steps[i] = 0
        self.look(i)

    def step(
        self, actions: np.ndarray, alive: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Play one step of the games that are alive; the others stand still.

        Args:
            actions: float32 (n, 1): left below -1/3, right above 1/3. alive: bool (n,).

        Returns:
            reward float32 (n,), 1 a step; terminated bool (n,); truncated bool (n,). The last
            observation of a game that ended is the one before: ViZDoom draws none.

        Raises:
            RunError: an action is not finite.
        """
        if not np.isfinite(actions[alive]).all():
            raise RunError("the agent's action is not finite: its V, M or C is broken")
        terminated, truncated = np.zeros(len(alive), bool), np.zeros(len(alive), bool)
        pressed = np.searchsorted((-1 / 3, 1 / 3), actions[:, 0])
        for i in np.flatnonzero(alive):
            game = self.games[i]
            game.make_action(BUTTONS[pressed[i]])
            self.steps[i] += 1
            terminated[i] = game.is_episode_finished()
            if not terminated[i]:
                truncated[i] = self.steps[i] >= min(self.max_steps, MAX_STEPS)
                self.look(i)
        return alive.astype(np.float32), terminated, truncated

    def picture(self) -> np.ndarray:
        """The first game as ViZDoom draws it: uint8 (400, 600, 3)."""
        state = self.games[0].get_state()
        screen = np.zeros((240, 320, 3), np.uint8) if state is None else state.screen_buffer
        picture = np.zeros((400, 600, 3), np.uint8)
        picture[:, 33:566] = cv2.resize(screen, (533, 400), interpolation=cv2.INTER_NEAREST)
        return picture

    def close(self) -> None:
        """End the games' processes."""
        for game in self.games:
            game.close()
