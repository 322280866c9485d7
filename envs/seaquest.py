"""MinAtar's Seaquest: shoot fish and submarines, one point each, fetch divers, and surface for
air; six divers at once earn up to ten points more. Every time you surface, enemies come faster
and more often."""

from __future__ import annotations

from envs import minatar_games
from envs.cells import BLUE, CYAN, GREEN, GREY, MAGENTA, ORANGE, PINK, RED, VIOLET, WHITE, YELLOW

ENGINES, OFFICIAL = minatar_games.ENGINES, minatar_games.OFFICIAL
ACTION_SIZE, DISCRETE, OUTPUTS = minatar_games.ACTION_SIZE, True, minatar_games.OUTPUTS
LIVING_REWARD = minatar_games.LIVING_REWARD
MAX_STEPS = minatar_games.MAX_STEPS
SOLVED = 20  # DQN after 5 million frames (Young and Tian 2019, read off their figure)
# The names are the package's, spelling and all. Its two gauges share the lowest row.
COLOURS = {
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
}


class Games(minatar_games.Games):
    """n games of Seaquest in one process; see envs/minatar_games.py."""

    name, colours = "seaquest", COLOURS
