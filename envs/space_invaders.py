"""MinAtar's Space Invaders: shoot aliens, one point each; the game ends when one of them, or a
bullet of theirs, reaches the cannon. Every new wave moves a little faster."""

from __future__ import annotations

from envs import minatar_games
from envs.cells import CYAN, GREEN, GREY, MAGENTA, RED, YELLOW

ENGINES, OFFICIAL = minatar_games.ENGINES, minatar_games.OFFICIAL
ACTION_SIZE, DISCRETE, OUTPUTS = minatar_games.ACTION_SIZE, True, minatar_games.OUTPUTS
LIVING_REWARD = minatar_games.LIVING_REWARD
MAX_STEPS = minatar_games.MAX_STEPS
SOLVED = 45  # DQN after 5 million frames (Young and Tian 2019, read off their figure)
# An alien is always one that moves left or right as well, so GREY is never seen.
COLOURS = {
    "alien": GREY,
    "alien_left": MAGENTA,
    "alien_right": CYAN,
    "cannon": GREEN,
    "friendly_bullet": YELLOW,
    "enemy_bullet": RED,
}


class Games(minatar_games.Games):
    """n games of Space Invaders in one process; see envs/minatar_games.py."""

    name, colours = "space_invaders", COLOURS
