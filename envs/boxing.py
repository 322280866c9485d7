"""Atari's Boxing (ALE): n games side by side, as the pipeline sees every game.

Two minutes in the ring; a punch that lands earns 1 or 2 points, one that is taken costs as many,
and 100 points are a knockout. An action is held for four frames, and a picture is the maximum of
the last two, cropped to the ring and scaled to 64x64. Two engines: `sticky` keeps the action before
with a chance of 0.25 in every frame (Machado et al. 2018; official scores), `exact` never does and
waits 1 to 30 frames at the start instead (Mnih et al. 2015).
"""

from __future__ import annotations

import cv2
import numpy as np

from envs.cells import enlarged
from runs import RunError

ENGINES, OFFICIAL = ("sticky", "exact"), "sticky"
ACTION_SIZE, DISCRETE, OUTPUTS = 18, True, 18
LIVING_REWARD = 0
MAX_STEPS = 1800  # two minutes of 60 frames a second; the bell rings 15 steps before
SOLVED = 18  # half as much again as a human tester, 12.1 (Wang et al. 2016)
SKIP = 4
RING = (slice(30, 183), slice(28, 131))
REPEAT = {"sticky": 0.25, "exact": 0.0}
NOOP, LONGEST_WAIT = 0, 30


def make():
    """Make one Boxing of ALE, with its minimal set of actions.

    Raises:
        RunError: ALE is not installed here.
    """
    try:
        import ale_py
    except ImportError as error:
        raise RunError(
            f"boxing needs the package ale-py, which is not installed here ({error}); "
            "pip install -r requirements.txt"
        ) from None
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    game = ale_py.ALEInterface()
    # A state of ALE's lacks the action that its own stickiness would repeat, so ours does it.
    game.setFloat("repeat_action_probability", 0.0)
    game.loadROM(ale_py.roms.get_rom_path("boxing"))
    return game


class Games:
    """n games of Boxing in one process; see envs/__init__.py."""

    mask = None

    def __init__(self, n: int, engine: str = OFFICIAL, max_steps: int = MAX_STEPS):
        self.games = [make() for _ in range(n)]
        self.actions = self.games[0].getMinimalActionSet()
        self.engine, self.max_steps = engine, max_steps
        self.chance = [np.random.default_rng(0) for _ in range(n)]
        self.last = [NOOP] * n
        self.screens = np.zeros((2, 210, 160, 3), np.uint8)
        self.steps = np.zeros(n, int)
        self.obs = np.zeros((n, 64, 64, 3), np.uint8)

    def look(self, i: int, screen: np.ndarray) -> None:
        self.obs[i] = cv2.resize(screen[RING], (64, 64), interpolation=cv2.INTER_AREA)

    def reset(self, i: int, seed: int) -> None:
        """Start game i anew; all its chance comes from the seed."""
        self.chance[i] = np.random.default_rng(int(seed))
        self.games[i].reset_game()
        if self.engine == "exact":  # every game would be the same one
            for _ in range(self.chance[i].integers(1, LONGEST_WAIT + 1)):
                self.games[i].act(NOOP)
        self.last[i], self.steps[i] = NOOP, 0
        self.look(i, self.games[i].getScreenRGB())

    def step(
        self, actions: np.ndarray, alive: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Play one step of the games that are alive; actions float32 (n, 18), the largest counts.

        Returns:
            reward float32 (n,), terminated bool (n,), truncated bool (n,).
        """
        reward = np.zeros(len(alive), np.float32)
        terminated, truncated = np.zeros(len(alive), bool), np.zeros(len(alive), bool)
        chosen = actions.argmax(-1).tolist()
        for i in np.flatnonzero(alive):
            kept = self.chance[i].random(SKIP) < REPEAT[self.engine]
            for frame in range(SKIP):
                self.last[i] = self.last[i] if kept[frame] else chosen[i]
                reward[i] += self.games[i].act(self.actions[self.last[i]])
                if frame >= SKIP - 2:
                    self.games[i].getScreenRGB(self.screens[frame - SKIP])
            self.look(i, self.screens.max(0))
            self.steps[i] += 1
            terminated[i] = self.games[i].game_over()
            cut = self.steps[i] >= min(self.max_steps, MAX_STEPS)
            truncated[i] = cut and not terminated[i]
        return reward, terminated, truncated

    def save(self, i: int) -> tuple:
        """A copy of all that game i is, its chance and its picture too, for `load`."""
        state, chance = self.games[i].cloneState(), self.chance[i].bit_generator.state
        return state, chance, self.last[i], int(self.steps[i]), self.obs[i].copy()

    def load(self, i: int, snapshot: tuple) -> None:
        """Make game i what a game was when it was saved, as often as you like."""
        state, chance, self.last[i], self.steps[i], self.obs[i] = snapshot
        self.games[i].restoreState(state)
        self.chance[i].bit_generator.state = chance

    def picture(self) -> np.ndarray:
        """The first game's pixels, large: uint8 (400, 600, 3)."""
        return enlarged(self.obs[0])

    def close(self) -> None:
        """Nothing to release."""
