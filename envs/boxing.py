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
from gymnasium.spaces import Discrete

from envs import policies
from envs.batch import Batch
from envs.spec import Keys, Spec
from runs import RunError

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


class Boxing(Batch):
    """n games of Boxing."""

    def __init__(self, game: Spec, n: int, engine: str, max_steps: int | None, view: str, **more):
        super().__init__(game, n, max_steps, **more)
        self.games = [make() for _ in range(n)]
        self.actions = self.games[0].getMinimalActionSet()
        self.engine = engine
        self.chance = [np.random.default_rng(0) for _ in range(n)]
        self.last = [NOOP] * n
        self.screens = np.zeros((2, 210, 160, 3), np.uint8)

    def look(self, i: int, screen: np.ndarray) -> None:
        self.obs[i] = cv2.resize(screen[RING], (64, 64), interpolation=cv2.INTER_AREA)

    def begin(self, i: int, seed: int) -> None:
        """Begin game i; all its chance comes from the seed."""
        self.chance[i] = np.random.default_rng(seed)
        self.games[i].reset_game()
        if self.engine == "exact":  # every game would be the same one
            for _ in range(self.chance[i].integers(1, LONGEST_WAIT + 1)):
                self.games[i].act(NOOP)
        self.last[i] = NOOP
        self.look(i, self.games[i].getScreenRGB())

    def advance(
        self, actions: np.ndarray, playing: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Hold an action for four frames in each game; see Batch."""
        reward, terminated = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, bool)
        chosen = actions.tolist()
        for i in playing:
            kept = self.chance[i].random(SKIP) < REPEAT[self.engine]
            for frame in range(SKIP):
                self.last[i] = self.last[i] if kept[frame] else chosen[i]
                reward[i] += self.games[i].act(self.actions[self.last[i]])
                if frame >= SKIP - 2:
                    self.games[i].getScreenRGB(self.screens[frame - SKIP])
            self.look(i, self.screens.max(0))
            terminated[i] = self.games[i].game_over()
        return reward, terminated, False

    def keep(self, i: int) -> tuple:
        """Return a copy of game i; see Batch."""
        return self.games[i].cloneState(), self.chance[i].bit_generator.state, self.last[i]

    def restore(self, i: int, kept: tuple) -> None:
        """Make game i what was kept; see Batch."""
        state, self.chance[i].bit_generator.state, self.last[i] = kept
        self.games[i].restoreState(state)


SPECS = {
    "boxing": Spec(
        "boxing",
        Boxing,
        Discrete(18),
        max_steps=1800,  # two minutes of 60 frames a second; the bell rings 15 steps before
        engines=("sticky", "exact"),
        official="sticky",
        solved=18,  # half as much again as a human tester, 12.1 (Wang et al. 2016)
        policies=policies.of_actions(18),
        baselines={"random": policies.of_actions(18)["white"]},
        keys=Keys({"space": 1, "up": 2, "right": 3, "left": 4, "down": 5}, rest=NOOP),
        fps=15,  # four frames a step, of 60 a second
        packages=("ale-py",),
    )
}
