"""MinAtar's five games (Young and Tian 2019): n games side by side.

The rules are those of the package `minatar`, with its default of growing difficulty in the games
that have it (Asterix, Seaquest, Space Invaders). Two engines: `sticky` repeats the last action with
a chance of 0.1 in every step, MinAtar's default (official scores); `exact` never does. The actions
are all six in every game: nothing, left, up, right, down, fire. Two views: `pixels`, the 10x10
cells drawn in 64x64, and `cells`, bool (10, 10, C) as MinAtar gives them.

Published scores are of two protocols, which must not be mixed:

    native    make(n, "sticky", actions="minimal", cap=0)
    gymnax    make(n, "exact", actions="minimal", cap=1000), Freeway's cap 2500

gymnax tells of its cap as an end of the game; here such an episode is truncated. In Freeway the
rules end the game after 2,500 steps, whatever the cap.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from envs import policies
from envs.batch import FRAME, Batch
from envs.cells import (
    BLUE,
    CYAN,
    GREEN,
    GREY,
    MAGENTA,
    ORANGE,
    PINK,
    RED,
    VIOLET,
    WHITE,
    YELLOW,
    Cells,
    Colour,
)
from envs.spec import PIXELS, Keys, Spec
from runs import RunError

MAX_STEPS = 2500  # Freeway's own end would be the step after
REPEAT = {"sticky": 0.1, "exact": 0.0}
CONSTANT = ("channels", "action_map", "ramping", "random")  # of a game's attributes; not its state
CELLS = "cells"


class Kind(NamedTuple):
    """What the games differ in.

    `colours` are of the package's channels, spelling and all; where two share a cell, the later one
    is seen. `hidden` are the channels that a partial observation lacks.
    """

    colours: dict[str, Colour]
    hidden: tuple[str, ...]
    solved: float  # DQN after 5 million frames (Young and Tian 2019, read off their figure)


KINDS = {
    # A ball breaks three rows of bricks, one point each; the game ends when the paddle misses it.
    # The ball flies diagonally, and its trail says where it came from. It is seen above its trail
    # (at the start they share a cell) and above bricks.
    "breakout": Kind({"brick": BLUE, "trail": RED, "paddle": GREEN, "ball": WHITE}, ("trail",), 10),
    # Cross a road of eight lanes, one point each time, for 2,500 steps; a car throws you back. The
    # colour of a car's trail says how often it moves. You move every third step at most. The
    # trails, from the fastest car's to the slowest's, lie below.
    "freeway": Kind(
        {
            "speed1": YELLOW,
            "speed2": GREEN,
            "speed3": CYAN,
            "speed4": BLUE,
            "speed5": MAGENTA,
            "car": RED,
            "chicken": WHITE,
        },
        ("speed1", "speed2", "speed3", "speed4", "speed5"),
        50,
    ),
    # Take gold, one point each, and touch no enemy. Both run in from the sides, with a trail behind
    # them, and come ever faster and more often.
    "asterix": Kind({"trail": GREY, "gold": YELLOW, "enemy": RED, "player": GREEN}, ("trail",), 17),
    # Shoot fish and submarines, one point each, fetch divers, and surface for air; six divers at
    # once earn up to ten points more. Every time you surface, enemies come faster and more often.
    # Two gauges share the lowest row.
    "seaquest": Kind(
        {
            "trail": GREY,
            "oxygen_guage": BLUE,
            "diver_guage": CYAN,
            "oxygen_guage+diver_guage": PINK,
            "diver": GREEN,
            "enemy_fish": MAGENTA,
            "enemy_sub": VIOLET,
            "sub_back": ORANGE,
            "sub_front": WHITE,
            "friendly_bullet": YELLOW,
            "enemy_bullet": RED,
        },
        ("trail",),
        20,
    ),
    # Shoot aliens, one point each; the game ends when one of them, or a bullet of theirs, reaches
    # the cannon. Every new wave moves a little faster. An alien is always one that moves left or
    # right as well, so GREY is seen in partial observations alone.
    "space_invaders": Kind(
        {
            "alien": GREY,
            "alien_left": MAGENTA,
            "alien_right": CYAN,
            "cannon": GREEN,
            "friendly_bullet": YELLOW,
            "enemy_bullet": RED,
        },
        ("alien_left", "alien_right"),
        45,
    ),
}


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


def of_actions(spec: Spec, actions: Sequence[int]) -> Spec:
    """The spec of a game with so many actions."""
    makers = policies.of_actions(len(actions))
    keys = {key: actions.index(a) for key, a in KEYS.items() if a in actions}
    return dataclasses.replace(
        spec,
        action_space=Discrete(len(actions)),
        policies=makers,
        baselines={"random": makers["white"]},
        keys=Keys(keys, rest=0),
    )


class MinAtar(Batch):
    """n games of one kind.

    Args:
        view: pixels or cells.
        actions: "all" six, or the "minimal" set of those that do something in this game.
        sticky: chance that a step repeats the last action; None: the engine's.
        cap: longest episode; 0: as long as the rules let it be.
        partial: leave out of the picture what tells where things move.

    Attributes:
        games: the n games behind them.

    Raises:
        RunError: MinAtar is not installed here, or there is no such set of actions.
    """

    def __init__(
        self,
        game: Spec,
        n: int,
        engine: str,
        max_steps: int | None,
        view: str,
        actions: str = "all",
        sticky: float | None = None,
        cap: int = MAX_STEPS,
        partial: bool = False,
        **more,
    ):
        kind, module = KINDS[game.name], rules(game.name)
        self.games = [module.Env() for _ in range(n)]
        sets = {"all": list(range(6)), "minimal": self.games[0].minimal_action_set()}
        if actions not in sets:
            raise RunError(f"{game.name} has no actions {actions}; choose from all, minimal")
        channels = self.games[0].channels
        kinds = sorted(channels, key=channels.get)
        self.seen = [not partial or kind_ not in kind.hidden for kind_ in kinds]
        space = FRAME if view == PIXELS else Box(0, 1, (10, 10, sum(self.seen)), bool)
        self.view, self.cells = view, Cells(kind.colours, kinds)
        self.known = sets[actions]
        super().__init__(of_actions(game, self.known), n, max_steps, space, **more)
        self.longest = cap or np.inf
        self.max_steps = max_steps or self.longest
        self.repeat = REPEAT[engine] if sticky is None else sticky
        self.chance = [np.random.PCG64(0) for _ in range(n)]
        for inner, chance in zip(self.games, self.chance, strict=True):
            inner.random = np.random.RandomState(chance)  # of what is loaded before any start, too
        self.last = [0] * n

    def look(self, games: np.ndarray) -> None:
        things = np.stack([self.games[i].state() for i in games])
        self.obs[games] = things[..., self.seen] if self.view == CELLS else self.drawn(things)

    def drawn(self, things: np.ndarray) -> np.ndarray:
        """Cells bool (k, 10, 10, C) as pixels."""
        return self.cells.draw(things if all(self.seen) else things & self.seen)

    def pixels(self, i: int) -> np.ndarray:
        """Game i's frame: uint8 (64, 64, 3)."""
        return self.drawn(self.games[i].state()[None])[0] if self.view == CELLS else self.obs[i]

    def begin(self, i: int, seed: int) -> None:
        """Begin game i; all its chance comes from the seed.

        MinAtar's own generator is MT19937, whose state takes 50 us to copy; PCG64's takes 2.
        """
        self.chance[i] = np.random.PCG64(seed)
        self.games[i].random = np.random.RandomState(self.chance[i])
        self.games[i].reset()
        self.last[i] = 0
        self.look(np.array([i]))

    def advance(
        self, actions: np.ndarray, playing: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Play one step of each game; see Batch."""
        reward, terminated = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, bool)
        chosen = actions.tolist()
        for i in playing:
            game = self.games[i]
            if game.random.random_sample() >= self.repeat:
                self.last[i] = self.known[chosen[i]]
            reward[i], terminated[i] = game.act(self.last[i])
        self.look(playing)
        return reward, terminated, False

    def keep(self, i: int) -> tuple:
        """Return a copy of game i; see Batch."""
        state = {k: twin(v) for k, v in vars(self.games[i]).items() if k not in CONSTANT}
        return state, self.chance[i].state, self.last[i]

    def restore(self, i: int, kept: tuple) -> None:
        """Make game i what was kept; see Batch."""
        state, self.chance[i].state, self.last[i] = kept
        vars(self.games[i]).update({k: twin(v) for k, v in state.items()})


KEYS = {"left": 1, "up": 2, "right": 3, "down": 4, "space": 5}
SPECS = {
    name: of_actions(
        Spec(
            name,
            MinAtar,
            Discrete(6),
            max_steps=MAX_STEPS,
            policies={},
            baselines={},
            engines=("sticky", "exact"),
            official="sticky",
            views=(PIXELS, CELLS),
            options=("actions", "sticky", "cap", "partial"),
            solved=kind.solved,
            fps=10,
            packages=("minatar",),
        ),
        range(6),
    )
    for name, kind in KINDS.items()
}
