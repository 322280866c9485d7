"""MinAtar's Freeway: cross a road of eight lanes, one point each time, for 2,500 steps; a car
throws you back. The colour of a car's trail says how often it moves. You move every third step at
most."""

from __future__ import annotations

from envs import minatar_games
from envs.cells import BLUE, CYAN, GREEN, MAGENTA, RED, WHITE, YELLOW

ENGINES, OFFICIAL = minatar_games.ENGINES, minatar_games.OFFICIAL
ACTION_SIZE, DISCRETE, OUTPUTS = minatar_games.ACTION_SIZE, True, minatar_games.OUTPUTS
LIVING_REWARD = minatar_games.LIVING_REWARD
MAX_STEPS = minatar_games.MAX_STEPS
SOLVED = 50  # DQN after 5 million frames (Young and Tian 2019, read off their figure)
# The trails, from the fastest car's to the slowest's, lie below.
COLOURS = {
    "speed1": YELLOW,
    "speed2": GREEN,
    "speed3": CYAN,
    "speed4": BLUE,
    "speed5": MAGENTA,
    "car": RED,
    "chicken": WHITE,
}


class Games(minatar_games.Games):
    """n games of Freeway in one process; see envs/minatar_games.py."""

    name, colours = "freeway", COLOURS
