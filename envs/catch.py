"""Catch, from pixels: move a paddle under balls that fall slantwise. n games side by side.

Five balls fall through 10x10 cells, one row a step, straight or sideways, and bounce off the walls.
The paddle, one cell wide, moves left, stays or moves right. A ball caught is worth 1, a ball
missed -1. A trail behind the ball says where it comes from, and marks at the upper edge how many
balls are left: one picture is the whole state. Every ball can be caught from wherever the last one
was, so the best return is 5.
"""

from __future__ import annotations

import numpy as np

from envs.cells import GREEN, GREY, RED, WHITE, Cells, enlarged

ENGINES, OFFICIAL = ("exact",), "exact"
ACTION_SIZE, DISCRETE, OUTPUTS = 3, True, 3
LIVING_REWARD = 0
BALLS, SIDE, START = 5, 10, 5
FALL = SIDE - 1  # a ball is first seen in row 1 (its trail in row 0), and lands in row 9
MAX_STEPS = FALL * BALLS - 1
SOLVED = 4.5  # one ball in twenty missed
COLOURS = {"trail": RED, "ball": WHITE, "paddle": GREEN}
MARKS = GREY


def folded(x: np.ndarray) -> np.ndarray:
    """Where something is that flies straight on to x, in cells, between two walls: 0 to 9."""
    x = x % (2 * SIDE - 2)
    return np.minimum(x, 2 * SIDE - 2 - x)


class Games:
    """n games in one process; see envs/__init__.py.

    Attributes:
        column, drift: int (n, BALLS), where balls enter (row 0), and -1, 0 or 1 cells a step.
        paddle, steps: int (n,). They and the balls are the whole state.
    """

    mask = None

    def __init__(self, n: int, engine: str = OFFICIAL, max_steps: int = MAX_STEPS):
        self.cells = Cells(COLOURS, list(COLOURS))
        self.max_steps = max_steps
        self.column = np.zeros((n, BALLS), int)
        self.drift = np.zeros((n, BALLS), int)
        self.paddle = np.full(n, START)
        self.steps = np.zeros(n, int)
        self.obs = np.zeros((n, 64, 64, 3), np.uint8)

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

    def reset(self, i: int, seed: int) -> None:
        """Start game i anew with the balls of `seed`."""
        rng = np.random.default_rng(int(seed))
        self.column[i] = rng.integers(0, SIDE, BALLS)
        self.drift[i] = rng.integers(-1, 2, BALLS)
        self.paddle[i], self.steps[i] = START, 0
        self.look(np.array([i]))

    def step(
        self, actions: np.ndarray, alive: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Play one step of the games that are alive; actions float32 (n, 3), the largest counts.

        Returns:
            reward float32 (n,), terminated bool (n,), truncated bool (n,).
        """
        reward, games = np.zeros(len(alive), np.float32), np.flatnonzero(alive)
        moved = self.paddle[games] + actions[games].argmax(-1) - 1
        self.paddle[games] = np.clip(moved, 0, SIDE - 1)
        self.steps[games] += 1
        row, column, _ = self.ball(games)
        caught = np.where(column == self.paddle[games], 1, -1)
        reward[games] = np.where(row == SIDE - 1, caught, 0)
        self.look(games)
        over = alive & (self.steps >= min(self.max_steps, MAX_STEPS))
        return reward, over & (self.steps >= MAX_STEPS), over & (self.steps < MAX_STEPS)

    def save(self, i: int) -> tuple:
        """A copy of all that game i is, its balls to come and its picture too, for `load`."""
        kept = (self.column, self.drift, self.paddle, self.steps, self.obs)
        return tuple(array[i].copy() for array in kept)

    def load(self, i: int, snapshot: tuple) -> None:
        """Make game i what a game was when it was saved, as often as you like."""
        kept = (self.column, self.drift, self.paddle, self.steps, self.obs)
        for array, value in zip(kept, snapshot, strict=True):
            array[i] = value

    def picture(self) -> np.ndarray:
        """The first game's pixels, large: uint8 (400, 600, 3)."""
        return enlarged(self.obs[0])

    def close(self) -> None:
        """Nothing to release."""
