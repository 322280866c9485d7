"""The games: a spec each (envs/spec.py), played n side by side (envs/batch.py).

    game = envs.load("breakout")
    games = game.make(16)
    obs, info = games.reset(seed=0)
    obs, reward, terminated, truncated, info = games.step(games.action_space.sample())

Ours are registered with Gymnasium, as `world-models/Breakout-v0`; the import does it. The options
of `Spec.make` are arguments:

    envs = gymnasium.make_vec("envs:world-models/Breakout-v0", num_envs=16, view="cells")
    env = gymnasium.make("envs:world-models/Breakout-v0", render_mode="rgb_array")
"""

from __future__ import annotations

import importlib

import gymnasium

from envs.spec import Spec

# Which module holds the spec of which game, and what Gymnasium calls it.
GAMES = {
    "carracing": ("carracing", "CarRacing"),
    "takecover": ("takecover", "TakeCover"),
    "binpacking": ("binpacking", "BinPacking"),
    "breakout": ("minatar_games", "Breakout"),
    "freeway": ("minatar_games", "Freeway"),
    "asterix": ("minatar_games", "Asterix"),
    "seaquest": ("minatar_games", "Seaquest"),
    "space_invaders": ("minatar_games", "SpaceInvaders"),
    "catch": ("catch", "Catch"),
    "keydoor": ("keydoor", "KeyDoor"),
    "boxing": ("boxing", "Boxing"),
}


def load(game: str) -> Spec:
    """Return the spec of a game: one of ours, or any that is registered with Gymnasium.

    Raises:
        RunError: there is no such game, or it cannot be played here.
    """
    if game not in GAMES:
        return importlib.import_module("envs.gymnasium_games").load(game)
    return importlib.import_module(f"envs.{GAMES[game][0]}").SPECS[game]


def register() -> None:
    """Register our games with Gymnasium; a second call changes nothing."""
    for game, (_, name) in GAMES.items():
        if f"world-models/{name}-v0" not in gymnasium.registry:
            gymnasium.register(
                f"world-models/{name}-v0",
                entry_point="envs.single:Game",
                vector_entry_point="envs.single:games",
                kwargs={"game": game},
            )


register()
