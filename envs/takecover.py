"""Doom's take cover (ViZDoom): n games side by side, as the pipeline sees every game.

Monsters at the far wall throw fireballs; step left or right, and survive. The score is the number
of steps survived, 2,100 at most. Two engines play the same game with the same seeds, and differ
only in the size of the picture that ViZDoom draws before it is scaled to 64x64: `vizdoom` 320x240,
as `VizdoomTakeCover-v1` does (official scores), `fast` 160x120, two and a half times as fast.
"""

from __future__ import annotations

import functools
import os

import cv2
import numpy as np
from gymnasium.spaces import Box
from gymnasium.utils import seeding

from envs import policies
from envs.batch import Batch
from envs.spec import Keys, Spec
from runs import RunError

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


class TakeCover(Batch):
    """n games of take cover, each a process of ViZDoom's own, idle unless it is stepped.

    An action is a number: left below -1/3, right above 1/3. The last picture of a game that ended
    is the one before: ViZDoom draws none.
    """

    def __init__(self, game: Spec, n: int, engine: str, max_steps: int | None, view: str, **more):
        super().__init__(game, n, max_steps, **more)
        # Each game makes this folder when it finds none, and dies if another was quicker.
        os.makedirs("_vizdoom", exist_ok=True)
        self.games = [make(engine) for _ in range(n)]
        for each in self.games:
            each.init()

    def look(self, i: int) -> None:
        screen = self.games[i].get_state().screen_buffer
        self.obs[i] = cv2.resize(screen, (64, 64), interpolation=cv2.INTER_AREA)

    def begin(self, i: int, seed: int) -> None:
        """Begin game i, the same game as `VizdoomTakeCover-v1` plays for this seed."""
        rng, _ = seeding.np_random(seed)
        self.games[i].set_seed(int(rng.integers(0, 1 << 32, dtype=np.uint32)))
        self.games[i].new_episode()
        self.look(i)

    def advance(
        self, actions: np.ndarray, playing: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Step left or right, or stay; see Batch."""
        reward, terminated = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, bool)
        pressed = np.searchsorted((-1 / 3, 1 / 3), actions[:, 0])
        for i in playing:
            self.games[i].make_action(BUTTONS[pressed[i]])
            terminated[i] = self.games[i].is_episode_finished()
            if not terminated[i]:
                self.look(i)
        reward[playing] = 1
        return reward, terminated, False

    def picture(self, i: int = 0) -> np.ndarray:
        """A game as ViZDoom draws it: uint8 (400, 600, 3)."""
        state = self.games[i].get_state()
        screen = np.zeros((240, 320, 3), np.uint8) if state is None else state.screen_buffer
        picture = np.zeros((400, 600, 3), np.uint8)
        picture[:, 33:566] = cv2.resize(screen, (533, 400), interpolation=cv2.INTER_NEAREST)
        return picture

    def close_extras(self) -> None:
        """End the games' processes."""
        for game in self.games:
            game.close()


SPACE = Box(-1.0, 1.0, (1,), np.float32)
ANYTHING = functools.partial(policies.within, SPACE.low, SPACE.high)
SPECS = {
    "takecover": Spec(
        "takecover",
        TakeCover,
        SPACE,
        max_steps=2100,
        engines=("fast", "vizdoom"),
        official="vizdoom",
        solved=750,
        living_reward=1,
        policies={
            "repeated": functools.partial(policies.repeated, ANYTHING),
            "held": functools.partial(policies.held, ANYTHING),
            "white": functools.partial(policies.white, policies.one_of_three),
        },
        baselines={
            "random": functools.partial(policies.white, policies.one_of_three),
            "still": functools.partial(policies.constant, np.zeros(1, np.float32)),
        },
        keys=Keys({"left": (-1,), "right": (1,)}, rest=(0,)),
        fps=35,  # Doom's own
        packages=("vizdoom",),
    )
}
