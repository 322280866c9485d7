"""MinAtar's Asterix: take gold, one point each, and touch no enemy. Both run in from the sides,
with a trail behind them, and come ever faster and more often."""

from __future__ import annotations

from envs import minatar_games
from envs.cells import GREEN, GREY, RED, YELLOW

ENGINES, OFFICIAL = minatar_games.ENGINES, minatar_games.OFFICIAL
ACTION_SIZE, DISCRETE, OUTPUTS = minatar_games.ACTION_SIZE, True, minatar_games.OUTPUTS
LIVING_REWARD = minatar_games.LIVING_REWARD
MAX_STEPS = minatar_games.MAX_STEPS
SOLVED = 17  # DQN after 5 million frames (Young and Tian 2019, read off their figure)
COLOURS = {
    "trail": GREY,
    "gold": YELLOW,
    "enemy": RED,
    "player": GREEN,
}


class Games(minatar_games.Games):
    """n games of Asterix in one process; see envs/minatar_games.py."""

    name, colours = "asterix", COLOURS
