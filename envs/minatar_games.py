"""MinAtar's five games (Young and Tian 2019): n games side by side, as the pipeline sees them.

The rules are those of the package `minatar`, with its default of growing difficulty in the games
that have it (Asterix, Seaquest, Space Invaders), and all six actions in every game: nothing, left,
up, right, down, fire. Two engines: `sticky` repeats the last action with a chance of 0.1 in every
step, MinAtar's default (official scores); `exact` never does. The 10x10 cells are drawn as 64x64
pixels. What a module of a game adds is its colours.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from envs.cells import Cells, Colour, enlarged
from runs import RunError

ENGINES, OFFICIAL = ("sticky", "exact"), "sticky"
ACTION_SIZE, DISCRETE, OUTPUTS = 6, True, 6
LIVING_REWARD = 0
MAX_STEPS = 2500  # Freeway's own end would be the step after
REPEAT = {"sticky": 0.1, "exact": 0.0}
CONSTANT = ("channels", "action_map", "ramping", "random")  # of a game's attributes; not its state


def rules(name: str) -> ModuleType:
    """MinAtar's module of one game, alone: the package itself loads seaborn, which takes seconds.

    Raises:
        RunError: MinAtar is not installed here.
    """
    package = importlib.util.find_spec("minatar")
    if package is None:
        raise RunError(
            f"{name} needs the package minatar, which is not installed here; "
            "pip install -r requirements.txt"
        )
    file = Path(package.submodule_search_locations[0]) / "environments" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"minatar.environments.{name}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def twin(value: Any) -> Any:
    """A copy of one attribute of a game: a number, an array, or a list of lists of numbers."""
    if isinstance(value, list):
        return [row.copy() if isinstance(row, list) else row for row in value]
    return value.copy() if isinstance(value, np.ndarray) else value


class Games:
    """n games of one kind in one process; see envs/__init__.py.

    Attributes:
        name, colours: which game, and how it is drawn (envs/cells.py); a subclass says them.
        games: the n games behind them.
    """

    mask = None
    name: str
    colours: dict[str, Colour]

    def __init__(self, n: int, engine: str = OFFICIAL, max_steps: int = MAX_STEPS):
        module = rules(self.name)
        self.games = [module.Env() for _ in range(n)]
        channels = self.games[0].channels
        self.cells = Cells(self.colours, sorted(channels, key=channels.get))
        self.repeat, self.max_steps = REPEAT[engine], max_steps
        self.chance = [np.random.PCG64(0) for _ in range(n)]
        self.last = [0] * n
        self.steps = np.zeros(n, int)
        self.obs = np.zeros((n, 64, 64, 3), np.uint8)

    def look(self, games: np.ndarray) -> None:
        self.obs[games] = self.cells.draw(np.stack([self.games[i].state() for i in games]))

    def reset(self, i: int, seed: int) -> None:
        """Start game i anew; all its chance comes from the seed.

        MinAtar's own generator is MT19937, whose state takes 50 us to copy; PCG64's takes 2.
        """
        self.chance[i] = np.random.PCG64(int(seed))
        self.games[i].random = np.random.RandomState(self.chance[i])
        self.games[i].reset()
        self.last[i] = self.steps[i] = 0
        self.look(np.array([i]))

    def step(
        self, actions: np.ndarray, alive: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Play one step of the games that are alive; actions float32 (n, 6), the largest counts.

        Returns:
            reward float32 (n,), terminated bool (n,), truncated bool (n,).
        """
        n, chosen = len(self.games), actions.argmax(-1).tolist()
        reward, terminated = np.zeros(n, np.float32), np.zeros(n, bool)
        playing = np.flatnonzero(alive)
        for i in playing:
            game = self.games[i]
            if game.random.random_sample() >= self.repeat:
                self.last[i] = chosen[i]
            reward[i], terminated[i] = game.act(self.last[i])
        self.steps[playing] += 1
        if len(playing):
            self.look(playing)
        cut = alive & ~terminated & (self.steps >= min(self.max_steps, MAX_STEPS))
        return reward, terminated, cut

    def save(self, i: int) -> tuple:
        """A copy of all that game i is, its chance and its picture too, for `load`."""
        state = {k: twin(v) for k, v in vars(self.games[i]).items() if k not in CONSTANT}
        picture = self.obs[i].copy()
        return state, self.chance[i].state, self.last[i], int(self.steps[i]), picture

    def load(self, i: int, snapshot: tuple) -> None:
        """Make game i what a game of this class was when it was saved, as often as you like."""
        state, chance, self.last[i], self.steps[i], self.obs[i] = snapshot
        vars(self.games[i]).update({k: twin(v) for k, v in state.items()})
        self.chance[i].state = chance

    def picture(self) -> np.ndarray:
        """The first game's pixels, large: uint8 (400, 600, 3)."""
        return enlarged(self.obs[0])

    def close(self) -> None:
        """Nothing to release."""
