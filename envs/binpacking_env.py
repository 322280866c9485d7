"""Bin packing as Gymnasium environments, single and vectorised, and for a person at the terminal.

    import gymnasium, envs.binpacking_env
    env = gymnasium.make("BinPackingMask-v0", items="bounded")
    envs = gymnasium.make_vec(
        "BinPacking-v0", 1000, vectorization_mode="vector_entry_point", items="large-perfect"
    )

    python -m envs.binpacking_env --items perfect          play yourself

Observations are the number of bins at each level 0 .. B - 1 and the size of the item in hand; the
variants differ in that and in what an invalid action does (Balaji et al. 2019):

    BinPacking-v0             ends the game: -100, and minus what the last step wasted
    BinPackingIncremental-v0  the same price, but the game goes on and the item is lost
    BinPackingNear-v0         is taken for the nearest level that is valid, or a new bin
    BinPackingContinuous-v0   as Near; actions are numbers from 0 to 1, cut into B - 1 levels
    BinPackingMask-v0         as Incremental; the observation is a Dict of action_mask and real_obs
    BinPackingPixels-v0       as Incremental; 64x64x3 pixels, 30 levels; action_mask is in `info`
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

import runs
from envs.binpacking import ITEMS, Bins, draw
from envs.single import Single
from runs import cli

VARIANTS = {
    "": "BinPacking-v0",
    "incremental": "BinPackingIncremental-v0",
    "near": "BinPackingNear-v0",
    "continuous": "BinPackingContinuous-v0",
    "mask": "BinPackingMask-v0",
    "pixels": "BinPackingPixels-v0",
}


def nearest(levels: np.ndarray, bins: Bins) -> np.ndarray:
    """Each level's nearest valid one, the lower of two; a new bin (0) if no open bin fits."""
    valid = bins.valid()
    distance = np.abs(np.arange(valid.shape[1]) - levels[:, None])
    distance = np.where(valid, distance, valid.shape[1])
    distance[:, 0] = np.where(levels == 0, 0, valid.shape[1])
    return distance.argmin(1)


class BinPackingVectorEnv(VectorEnv):
    """n games of one variant; a game that ended starts anew at its next step.

    Args:
        num_envs: n. items: which items come, a name in ITEMS; the pixels are of `pixels` alone.
        variant: a name in VARIANTS.

    Raises:
        RunError: no such items or variant.
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self,
        num_envs: int = 1,
        items: str | None = None,
        variant: str = "",
        render_mode: str | None = None,
    ):
        items = items or ("pixels" if variant == "pixels" else "linear")
        if items not in ITEMS:
            raise runs.RunError(f"no items {items!r}; choose from {', '.join(ITEMS)}")
        if variant not in VARIANTS:
            raise runs.RunError(f"no variant {variant!r}; choose from {', '.join(VARIANTS)}")
        if items != "pixels" and (variant == "pixels" or render_mode == "rgb_array"):
            raise runs.RunError("only the items `pixels` can be drawn: 64x64 has 30 levels")
        self.num_envs, self.variant, self.render_mode = num_envs, variant, render_mode
        self.bins = Bins(num_envs, ITEMS[items])
        levels, horizon = self.bins.items.capacity, self.bins.items.horizon
        numbers = Box(0, horizon, (levels + 1,), np.int32)
        spaces = {
            "mask": Dict(action_mask=MultiBinary(levels), real_obs=numbers),
            "pixels": Box(0, 255, (64, 64, 3), np.uint8),
        }
        self.single_observation_space = spaces.get(variant, numbers)
        self.single_action_space = Discrete(levels)
        if variant == "continuous":
            self.single_action_space = Box(0.0, 1.0, (1,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start all games anew; the same seed brings the same items."""
        super().reset(seed=seed)
        for i in range(self.num_envs):
            self.bins.reset(i, self.np_random)
        self.over = np.zeros(self.num_envs, bool)
        return self.observe(), self.info()

    def step(self, actions: np.ndarray):
        """Place an item in every game; actions are levels (n,), or numbers from 0 to 1 (n, 1)."""
        levels = np.asarray(actions)
        if self.variant == "continuous":
            whole = self.bins.items.capacity - 1
            levels = (np.clip(levels.reshape(-1), 0, 1) * whole).astype(int)
        if self.variant in ("near", "continuous"):
            levels = nearest(levels, self.bins)
        fresh, everyone = self.over, np.arange(self.num_envs)
        good = self.bins.valid()[everyone, levels] & ~fresh
        bad = ~good & ~fresh
        reward = np.zeros(self.num_envs)
        reward[good] = self.bins.place(np.flatnonzero(good), levels[good])
        reward[bad] = self.bins.spoil(np.flatnonzero(bad))
        for i in np.flatnonzero(fresh):
            self.bins.reset(i, self.np_random)
        ended = (self.bins.time >= self.bins.items.horizon) | (bad if not self.variant else False)
        self.over = ended & ~fresh
        return self.observe(), reward, self.over.copy(), np.zeros(self.num_envs, bool), self.info()

    def observe(self) -> Any:
        if self.variant == "pixels":
            return draw(self.bins.counts, self.bins.item)
        numbers = np.concatenate([self.bins.counts, self.bins.item[:, None]], 1)
        if self.variant == "mask":
            return {"action_mask": self.bins.valid().astype(np.int8), "real_obs": numbers}
        return numbers

    def info(self) -> dict[str, np.ndarray]:
        return {"action_mask": self.bins.valid()}

    def render(self) -> Any:
        """The games as text, or as pixels."""
        if self.render_mode == "rgb_array":
            return draw(self.bins.counts, self.bins.item)
        return tuple(text(self.bins, i) for i in range(self.num_envs)) if self.render_mode else None


class BinPackingEnv(Single):
    """One game; arguments as BinPackingVectorEnv's, without `num_envs`."""

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 10}

    def __init__(self, **options):
        super().__init__(BinPackingVectorEnv(1, **options))


def text(bins: Bins, i: int) -> str:
    """Game i for a person: the open bins by level, and the item."""
    capacity = bins.items.capacity
    rows = [
        f"{level:4}  {'#' * round(30 * level / capacity):30}  x {bins.counts[i, level]}"
        + ("" if level + bins.item[i] <= capacity else "   (too full)")
        for level in np.flatnonzero(bins.counts[i])
    ]
    item = f"item {bins.item[i]}, {bins.time[i]} of {bins.items.horizon} placed"
    return "\n".join([*rows, item])


def main() -> None:
    """Play at the terminal."""
    parser = cli.OptionParser(description="Bin packing by hand, one item after the other.")
    parser.add_argument("--items", choices=ITEMS, default="perfect", help="which items come")
    parser.add_argument("--steps", type=int, default=100, help="items to place (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="which items come in which order")
    args = parser.parse_args()
    env = gymnasium.make("BinPackingIncremental-v0", items=args.items, render_mode="ansi")
    _, info = env.reset(seed=args.seed)
    total = 0.0
    for _ in range(args.steps):
        print(f"\n{env.render()}   return {total:.0f}")
        valid, answer = np.flatnonzero(info["action_mask"]), ""
        while not (answer.isdigit() and int(answer) in valid):
            try:
                answer = input("level to put it at (0 or Enter: a new bin, q: stop) ").strip()
            except EOFError:
                answer = "q"
            answer = answer or "0"
            if answer == "q":
                print(f"return {total:.0f}")
                return
        _, reward, _, _, info = env.step(int(answer))
        total += reward
    print(f"return {total:.0f}")


for name, identifier in VARIANTS.items():
    if identifier not in gymnasium.registry:
        gymnasium.register(
            identifier,
            entry_point=BinPackingEnv,
            vector_entry_point=BinPackingVectorEnv,
            kwargs={"variant": name},
        )

if __name__ == "__main__":
    cli.run(main)
