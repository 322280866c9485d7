"""The games: one module each, all with the same words.

Games(n, engine, max_steps)  n games side by side: `obs` uint8 (n, 64, 64, 3), `mask` bool (n, A)
                             or None, `reset(i, seed)`, `close()`, and `step(actions, alive)`,
                             which returns reward, terminated and truncated, (n,) each;
                             `picture()`, the first game as people see it, (400, 600, 3)
save(i), load(i, snapshot)   of a game for planning: a copy of all that game i is, its chance and
                             its picture too; and back, as often as wanted, into any of the games
ENGINES, OFFICIAL            who may play it; which of them official scores come from
ACTION_SIZE                  A: an action is a float32 vector of A numbers, as M is told it
DISCRETE                     whether it is one-hot, or else within ACTION_LOW and ACTION_HIGH
OUTPUTS                      numbers that the controller puts out (controller/agent.py)
LIVING_REWARD                reward of a step in a dream whose M has no head for it
MAX_STEPS, SOLVED            longest episode; the mean return from which the game counts as solved
"""

from __future__ import annotations

import importlib
from types import ModuleType


def load(game: str) -> ModuleType:
    """The module of a game."""
    return importlib.import_module(f"envs.{game}")
