"""CarRacing-v3: n games side by side, seen as the pipeline sees them.

Two engines play the same physics: `gymnasium` draws with Gymnasium's own renderer (official
scores), `fast` with ours (docs/fast_carracing.md).
"""

from __future__ import annotations

import functools
import os

import numpy as np
from gymnasium.spaces import Box

from envs import policies
from envs.batch import Batch
from envs.spec import Keys, Spec
from runs import RunError

LOW = np.array([-1.0, 0.0, 0.0], np.float32)  # steer, gas, brake
HIGH = np.array([1.0, 1.0, 1.0], np.float32)


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


class CarRacing(Batch):
    """n games of CarRacing-v3.

    Attributes:
        games: the n games behind them.

    Raises:
        RunError: a package that the engine needs is missing.
    """

    def __init__(self, game: Spec, n: int, engine: str, max_steps: int | None, view: str, **more):
        super().__init__(game, n, max_steps, **more)
        from gymnasium.error import DependencyNotInstalled

        try:
            from envs.scaling import see  # numba takes half a second to load

            self.games = [make(engine, render_mode="rgb_array") for _ in range(n)]
        except (ImportError, DependencyNotInstalled) as error:
            raise RunError(
                f"engine {engine} is not installed here ({error}); pip install -r requirements.txt"
            ) from None
        self.see = see

    def begin(self, i: int, seed: int) -> None:
        """Begin game i on the track of `seed`."""
        frame, _ = self.games[i].reset(seed=seed)
        self.obs[i] = self.see(frame)

    def advance(
        self, actions: np.ndarray, playing: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Drive one step; see Batch."""
        reward, terminated = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, bool)
        actions = actions.astype(np.float64)
        for i in playing:
            frame, reward[i], terminated[i], _, _ = self.games[i].step(actions[i])
            self.obs[i] = self.see(frame)
        return reward, terminated, False

    def picture(self, i: int = 0) -> np.ndarray:
        """A game as it draws itself for people: uint8 (400, 600, 3)."""
        return self.games[i].render()

    def close_extras(self) -> None:
        """Release the games."""
        for game in self.games:
            game.close()


PACE = np.sqrt(1 / 20)  # ctallec's `brown` steps by N(0, 1/50)


def brakes(rng: np.random.Generator) -> np.ndarray:
    """At which strengths a Brownian driver steers, gives gas and brakes: float64 (3,).

    The brake wanders in only three episodes of ten, and acts at 0.3 of its strength: otherwise the
    car stands still for most of the recording.
    """
    return np.array([1.0, 1.0, 0.3 if rng.random() < 0.3 else 0.0])


SPECS = {
    "carracing": Spec(
        "carracing",
        CarRacing,
        Box(LOW, HIGH),
        max_steps=1000,
        engines=("fast", "gymnasium"),
        official="gymnasium",
        solved=900,
        squash="car",
        policies={
            "brownian": functools.partial(policies.wandering, LOW, HIGH, PACE, brakes),
            "white": policies.of_box(LOW, HIGH)["white"],
        },
        baselines={
            "random": policies.of_box(LOW, HIGH)["white"],
            "full-throttle": functools.partial(policies.constant, np.array([0, 1, 0], np.float32)),
        },
        keys=Keys(
            {"left": (-1, 0, 0), "right": (1, 0, 0), "up": (0, 1, 0), "down": (0, 0, 0.8)},
            rest=(0, 0, 0),
        ),
        packages=("gymnasium", "box2d"),
    )
}
