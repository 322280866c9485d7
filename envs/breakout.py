"""MinAtar's Breakout: a ball breaks three rows of bricks, one point each; the game ends when the
paddle misses it. The ball flies diagonally, and its trail says where it came from."""

from __future__ import annotations

from envs import minatar_games
from envs.cells import BLUE, GREEN, RED, WHITE

ENGINES, OFFICIAL = minatar_games.ENGINES, minatar_games.OFFICIAL
ACTION_SIZE, DISCRETE, OUTPUTS = minatar_games.ACTION_SIZE, True, minatar_games.OUTPUTS
LIVING_REWARD = minatar_games.LIVING_REWARD
MAX_STEPS = minatar_games.MAX_STEPS
SOLVED = 10  # DQN after 5 million frames (Young and Tian 2019, read off their figure)
# The ball is seen above its trail (at the start they share a cell) and above bricks.
COLOURS = {
    "brick": BLUE,
    "trail": RED,
    "paddle": GREEN,
    "ball": WHITE,
}


class Games(minatar_games.Games):
    """n games of Breakout in one process; see envs/minatar_games.py."""

    name, colours = "breakout", COLOURS
