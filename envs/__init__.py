"""The games: a spec each (envs/spec.py), played n side by side (envs/batch.py).

game = envs.load("breakout")
games = game.make(16)
obs, info = games.reset(seed=0)
obs, reward, terminated, truncated, info = games.step(games.action_space.sample())
"""

from __future__ import annotations

import importlib

from envs.spec import Spec

# Which module holds the spec of which game.
GAMES = {
    "carracing": "carracing",
    "takecover": "takecover",
    "binpacking": "binpacking",
    "breakout": "minatar_games",
    "freeway": "minatar_games",
    "asterix": "minatar_games",
    "seaquest": "minatar_games",
    "space_invaders": "minatar_games",
    "catch": "catch",
    "keydoor": "keydoor",
    "boxing": "boxing",
}


def load(game: str) -> Spec:
    """Return the spec of a game.

    Raises:
        RunError: there is no such game.
    """
    if game not in GAMES:
        return importlib.import_module("envs.gymnasium_games").load(game)
    return importlib.import_module(f"envs.{GAMES[game]}").SPECS[game]
