"""CarRacing-v3 with Gymnasium's physics and a drawing that is many times faster.

    env = gymnasium.make("fast_carracing:FastCarRacing-v3", rows=84)
    envs = gymnasium.make_vec("fast_carracing:FastCarRacing-v3", num_envs=4)

The import registers the id; `import fast_carracing` and "FastCarRacing-v3" do as well.
"""

from __future__ import annotations

import importlib

import gymnasium

__version__ = "1.0.0"
# Where the classes are. They are imported when they are asked for: Box2D and pygame come with them.
HOMES = {
    "FastCarRacing": "fast_carracing.env",
    "FastCarRacingVector": "fast_carracing.vector",
}
__all__ = ["FastCarRacing", "FastCarRacingVector", "register"]


def __getattr__(name: str):
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(HOMES[name]), name)


def register() -> None:
    """Register FastCarRacing-v3 with Gymnasium; a second call changes nothing."""
    if "FastCarRacing-v3" not in gymnasium.registry:
        gymnasium.register(
            "FastCarRacing-v3",
            entry_point="fast_carracing.env:FastCarRacing",
            vector_entry_point="fast_carracing.vector:FastCarRacingVector",
            max_episode_steps=1000,
            reward_threshold=900,
        )


register()
