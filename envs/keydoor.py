"""Key and door, from pixels: fetch the key, go through the door, reach the goal. n games at once.

A wall with one door splits a room of 8x8 cells. The agent and the key are on one side, the goal is
on the other; the door lets nobody through without the key. Up, down, left and right; a step costs
0.01, the goal is worth 1 and ends the game, and so do 50 steps. Breadth-first search tells the
best return.
"""

from __future__ import annotations

import numpy as np

from envs.cells import BLUE, GREEN, GREY, RED, WHITE, YELLOW, Cells, enlarged

ENGINES, OFFICIAL = ("exact",), "exact"
ACTION_SIZE, DISCRETE, OUTPUTS = 4, True, 4
LIVING_REWARD = -0.01
SIDE = 8
MAX_STEPS = 50
GOAL, COST = 1.0, 0.01
SOLVED = 0.8  # the shortest ways of 10,000 seeds earn 0.865 on average
MOVES = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])  # up, down, left, right, as (row, column)
COLOURS = {
    "wall": GREY,
    "door": RED,
    "open": BLUE,  # the door, once the agent has the key
    "key": YELLOW,
    "goal": GREEN,
    "agent": WHITE,
}


class Games:
    """n games in one process; see envs/__init__.py.

    Attributes:
        wall: bool (n, 8, 8), without the door.
        door, key, goal, agent: int (n, 2), row and column.
        has_key: bool (n,).
    """

    mask = None

    def __init__(self, n: int, engine: str = OFFICIAL, max_steps: int = MAX_STEPS):
        self.cells = Cells(COLOURS, list(COLOURS), size=64 // SIDE)
        self.max_steps = max_steps
        self.wall = np.zeros((n, SIDE, SIDE), bool)
        self.door, self.key, self.goal, self.agent = (np.zeros((n, 2), int) for _ in range(4))
        self.has_key = np.zeros(n, bool)
        self.steps = np.zeros(n, int)
        self.obs = np.zeros((n, 64, 64, 3), np.uint8)

    def look(self, games: np.ndarray) -> None:
        k, has = np.arange(len(games)), self.has_key[games]
        things = np.zeros((len(games), SIDE, SIDE, len(COLOURS)), bool)
        things[..., 0] = self.wall[games]
        for kind, place, there in (
            (1, self.door, ~has),
            (2, self.door, has),
            (3, self.key, ~has),
            (4, self.goal, True),
            (5, self.agent, True),
        ):
            row, column = place[games].T
            things[k, row, column, kind] = there
        self.obs[games] = self.cells.draw(things)

    def reset(self, i: int, seed: int) -> None:
        """Start game i anew in the room of `seed`."""
        rng = np.random.default_rng(int(seed))
        split, gap = rng.integers(2, SIDE - 2), rng.integers(SIDE)
        self.wall[i] = False
        self.wall[i, :, split] = True
        self.wall[i, gap, split] = False
        self.door[i] = gap, split
        left = [(r, c) for r in range(SIDE) for c in range(split)]
        right = [(r, c) for r in range(SIDE) for c in range(split + 1, SIDE)]
        near, far = (left, right) if rng.integers(2) else (right, left)
        agent, key = rng.choice(len(near), 2, replace=False)
        self.agent[i], self.key[i] = near[agent], near[key]
        self.goal[i] = far[rng.integers(len(far))]
        self.has_key[i], self.steps[i] = False, 0
        self.look(np.array([i]))

    def step(
        self, actions: np.ndarray, alive: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Play one step of the games that are alive; actions float32 (n, 4), the largest counts.

        Returns:
            reward float32 (n,), terminated bool (n,), truncated bool (n,).
        """
        n, games = len(alive), np.flatnonzero(alive)
        there = self.agent[games] + MOVES[actions[games].argmax(-1)]
        inside = ((there >= 0) & (there < SIDE)).all(-1)
        row, column = np.clip(there, 0, SIDE - 1).T
        closed = (there == self.door[games]).all(-1) & ~self.has_key[games]
        free = inside & ~self.wall[games, row, column] & ~closed
        self.agent[games[free]] = there[free]
        self.has_key[games] |= (self.agent[games] == self.key[games]).all(-1)
        self.steps[games] += 1
        self.look(games)
        terminated, reward = np.zeros(n, bool), np.zeros(n, np.float32)
        terminated[games] = (self.agent[games] == self.goal[games]).all(-1)
        reward[games] = GOAL * terminated[games] - COST
        return (
            reward,
            terminated,
            alive & ~terminated & (self.steps >= min(self.max_steps, MAX_STEPS)),
        )

    def save(self, i: int) -> tuple:
        """A copy of all that game i is, its picture too, for `load`."""
        return tuple(array[i].copy() for array in self.state())

    def load(self, i: int, snapshot: tuple) -> None:
        """Make game i what a game was when it was saved, as often as you like."""
        for array, value in zip(self.state(), snapshot, strict=True):
            array[i] = value

    def state(self) -> tuple[np.ndarray, ...]:
        places = (self.wall, self.door, self.key, self.goal, self.agent)
        return (*places, self.has_key, self.steps, self.obs)

    def picture(self) -> np.ndarray:
        """The first game's pixels, large: uint8 (400, 600, 3)."""
        return enlarged(self.obs[0])

    def close(self) -> None:
        """Nothing to release."""


def shortest(games: Games, i: int) -> int:
    """Fewest steps from where game i stands to its goal, by breadth-first search."""
    key, goal, door = (tuple(place[i].tolist()) for place in (games.key, games.goal, games.door))
    start = (tuple(games.agent[i].tolist()), bool(games.has_key[i]))
    seen, layer, steps = {start}, [start], 0
    while not any(cell == goal for cell, _ in layer):
        following = []
        for cell, has in layer:
            for move in MOVES.tolist():
                row, column = cell[0] + move[0], cell[1] + move[1]
                if not (0 <= row < SIDE and 0 <= column < SIDE) or games.wall[i, row, column]:
                    continue
                state = ((row, column), has or (row, column) == key)
                if state not in seen and (has or (row, column) != door):
                    seen.add(state)
                    following.append(state)
        layer, steps = following, steps + 1
    return steps
