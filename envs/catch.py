"""Catch, from pixels: move a paddle under balls that fall slantwise. n games side by side.

Five balls fall through 10x10 cells, one row a step, straight or sideways, and bounce off the walls.
The paddle, one cell wide, moves left, stays or moves right. A ball caught is worth 1, a ball
missed -1. A trail behind the ball says where it comes from, and marks at the upper edge how many
balls are left: one picture is the whole state. Every ball can be caught from wherever the last one
was, so the best return is 5.
"""

from __future__ import annotations

import numpy as np
from gymnasium.spaces import Discrete

from envs import policies
from envs.batch import Batch
from envs.cells import GREEN, GREY, RED, WHITE, Cells
from envs.spec import Keys, Spec

BALLS, SIDE, START = 5, 10, 5
FALL = SIDE - 1  # a ball is first seen in row 1 (its trail in row 0), and lands in row 9
MAX_STEPS = FALL * BALLS - 1
COLOURS = {"trail": RED, "ball": WHITE, "paddle": GREEN}
MARKS = GREY


def folded(x: np.ndarray) -> np.ndarray:
    """Where something is that flies straight on to x, in cells, between two walls: 0 to 9."""
    x = x % (2 * SIDE - 2)
    return np.minimum(x, 2 * SIDE - 2 - x)


class Catch(Batch):
    """n games.

    Attributes:
        column, drift: int (n, BALLS), where balls enter (row 0), and -1, 0 or 1 cells a step.
        paddle: int (n,). It, the balls and `steps` are the whole state.
    """

    def __init__(self, game: Spec, n: int, engine: str, max_steps: int | None, view: str, **more):
        super().__init__(game, n, max_steps, **more)
        self.cells = Cells(COLOURS, list(COLOURS))
        self.column = np.zeros((n, BALLS), int)
        self.drift = np.zeros((n, BALLS), int)
        self.paddle = np.full(n, START)

    def ball(self, games: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row and column of the ball, and the column it was in a row before, (k,) each."""
        number, row = self.steps[games] // FALL, 1 + self.steps[games] % FALL
        column, drift = self.column[games, number], self.drift[games, number]
        return row, folded(column + drift * row), folded(column + drift * (row - 1))

    def look(self, games: np.ndarray) -> None:
        row, column, before = self.ball(games)
        things, k = np.zeros((len(games), SIDE, SIDE, 3), bool), np.arange(len(games))
        things[k, row - 1, before, 0] = True
        things[k, row, column, 1] = True
        things[k, SIDE - 1, self.paddle[games], 2] = True
        pictures = self.cells.draw(things)
        left = BALLS - (self.steps[games] + 1) // FALL
        marks = np.zeros((len(games), BALLS, 12, 3), np.uint8)
        marks[:, :, :10] = np.where(np.arange(BALLS) < left[:, None], MARKS[0], 0)[..., None, None]
        pictures[:, :2, 2:62] = marks.reshape(-1, 1, 12 * BALLS, 3)
        self.obs[games] = pictures

    def begin(self, i: int, seed: int) -> None:
        """Begin game i with the balls of `seed`."""
        rng = np.random.default_rng(seed)
        self.column[i] = rng.integers(0, SIDE, BALLS)
        self.drift[i] = rng.integers(-1, 2, BALLS)
        self.paddle[i] = START
        self.look(np.array([i]))

    def advance(
        self, actions: np.ndarray, playing: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Move the paddle and let the ball fall a row in each game; see Batch."""
        reward, terminated = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, bool)
        moved = self.paddle[playing] + actions[playing] - 1
        self.paddle[playing] = np.clip(moved, 0, SIDE - 1)
        row, column, _ = self.ball(playing)
        caught = np.where(column == self.paddle[playing], 1, -1)
        reward[playing] = np.where(row == SIDE - 1, caught, 0)
        self.look(playing)
        terminated[playing] = self.steps[playing] >= MAX_STEPS
        return reward, terminated, False

    def keep(self, i: int) -> tuple:
        """Return a copy of game i, its balls to come too; see Batch."""
        return self.column[i].copy(), self.drift[i].copy(), int(self.paddle[i])

    def restore(self, i: int, kept: tuple) -> None:
        """Make game i what was kept; see Batch."""
        self.column[i], self.drift[i], self.paddle[i] = kept


SPECS = {
    "catch": Spec(
        "catch",
        Catch,
        Discrete(3),
        max_steps=MAX_STEPS,
        solved=4.5,  # one ball in twenty missed
        policies=policies.of_actions(3),
        baselines={"random": policies.of_actions(3)["white"]},
        keys=Keys({"left": 0, "right": 2}, rest=1),
        fps=6,
    )
}
