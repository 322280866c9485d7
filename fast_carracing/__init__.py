"""CarRacing-v3 with Gymnasium's physics and a drawing that is many times faster.

import fast_carracing  # registers the id
env = gymnasium.make("FastCarRacing-v3", rows=84)
env = gymnasium.make("fast_carracing:FastCarRacing-v3")  # the same
"""

from fast_carracing.env import FastCarRacing

__all__ = ["FastCarRacing"]
