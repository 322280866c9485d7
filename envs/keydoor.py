"""Key and door, from pixels: fetch the key, go through the door, reach the goal. n games at once.

A wall with one door splits a room of 8x8 cells. The agent and the key are on one side, the goal is
on the other; the door lets nobody through without the key. Up, down, left and right; a step costs
0.01, the goal is worth 1 and ends the game, and so do 50 steps. Breadth-first search tells the
best return.
"""

from __future__ import annotations

import numpy as np
from gymnasium.spaces import Discrete

from envs import policies
from envs.batch import Batch
from envs.cells import BLUE, GREEN, GREY, RED, WHITE, YELLOW, Cells
from envs.spec import Keys, Spec

SIDE = 8
GOAL, COST = 1.0, 0.01
MOVES = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])  # up, down, left, right, as (row, column)
COLOURS = {
    "wall": GREY,
    "door": RED,
    "open": BLUE,  # the door, once the agent has the key
    "key": YELLOW,
    "goal": GREEN,
    "agent": WHITE,
}


class KeyDoor(Batch):
    """n games.

    Attributes:
        wall: bool (n, 8, 8), without the door.
        door, key, goal, agent: int (n, 2), row and column.
        has_key: bool (n,).
    """

    def __init__(self, game: Spec, n: int, engine: str, max_steps: int | None, view: str, **more):
        super().__init__(game, n, max_steps, **more)
        self.cells = Cells(COLOURS, list(COLOURS), size=64 // SIDE)
        self.wall = np.zeros((n, SIDE, SIDE), bool)
        self.door, self.key, self.goal, self.agent = (np.zeros((n, 2), int) for _ in range(4))
        self.has_key = np.zeros(n, bool)

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

    def begin(self, i: int, seed: int) -> None:
        """Begin game i in the room of `seed`."""
        rng = np.random.default_rng(seed)
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
        self.has_key[i] = False
        self.look(np.array([i]))

    def advance(
        self, actions: np.ndarray, playing: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Move the agent of each game; see Batch."""
        reward, terminated = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, bool)
        there = self.agent[playing] + MOVES[actions[playing]]
        inside = ((there >= 0) & (there < SIDE)).all(-1)
        row, column = np.clip(there, 0, SIDE - 1).T
        closed = (there == self.door[playing]).all(-1) & ~self.has_key[playing]
        free = inside & ~self.wall[playing, row, column] & ~closed
        self.agent[playing[free]] = there[free]
        self.has_key[playing] |= (self.agent[playing] == self.key[playing]).all(-1)
        self.look(playing)
        terminated[playing] = (self.agent[playing] == self.goal[playing]).all(-1)
        reward[playing] = GOAL * terminated[playing] - COST
        return reward, terminated, False

    def keep(self, i: int) -> tuple:
        """Return a copy of game i; see Batch."""
        return tuple(array[i].copy() for array in self.state())

    def restore(self, i: int, kept: tuple) -> None:
        """Make game i what was kept; see Batch."""
        for array, value in zip(self.state(), kept, strict=True):
            array[i] = value

    def state(self) -> tuple[np.ndarray, ...]:
        return self.wall, self.door, self.key, self.goal, self.agent, self.has_key


def shortest(games: KeyDoor, i: int) -> int:
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


SPECS = {
    "keydoor": Spec(
        "keydoor",
        KeyDoor,
        Discrete(len(MOVES)),
        max_steps=50,
        solved=0.8,  # the shortest ways of 10,000 seeds earn 0.865 on average
        living_reward=-COST,
        policies=policies.of_actions(4),
        baselines={"random": policies.of_actions(4)["white"]},
        keys=Keys({"up": 0, "down": 1, "left": 2, "right": 3}),
        fps=8,
    )
}
