"""n games side by side, as a vector environment of Gymnasium's.

Every game is started by hand: one that is over stands still until it is (AutoresetMode.DISABLED).
"""

from __future__ import annotations

import copy as copying
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envs.cells import enlarged
from runs import RunError

if TYPE_CHECKING:
    from envs.spec import Spec

FRAME = Box(0, 255, (64, 64, 3), np.uint8)


class Batch(VectorEnv):
    """n games of one kind in one process.

    A game's class says how it begins (`begin`) and goes on (`advance`), and, if a search can step
    through it, what it is made of (`keep`, `restore`).

    Args:
        game: its spec. n: how many.
        max_steps: longest episode, at most the game's own.
        space: of what a game shows.
        copy: return copies of `obs` and `mask`, not the buffers that the next step overwrites.

    Attributes:
        game: the spec.
        obs: (n, ...), what each game shows now; of pixels uint8 (n, 64, 64, 3).
        mask: bool (n, A), the valid actions, or None if all always are.
        over: bool (n,), which games stand still: they have ended, or were never started. May be
            set, to let a game stand.
        steps: int (n,), how many each has played, the one of `advance` included.
        longest, max_steps: no episode is longer than either; `max_steps` may be changed.
    """

    metadata = {
        "render_modes": ["rgb_array"],
        "render_fps": 50,
        "autoreset_mode": AutoresetMode.DISABLED,
    }

    def __init__(
        self,
        game: Spec,
        n: int,
        max_steps: int | None = None,
        space: Space = FRAME,
        copy: bool = False,
        render_mode: str | None = None,
    ):
        self.game, self.num_envs, self.copy, self.render_mode = game, n, copy, render_mode
        self.longest = game.max_steps
        self.max_steps = max_steps or self.longest
        self.single_observation_space = copying.deepcopy(space)
        self.single_action_space = copying.deepcopy(game.action_space)
        self.observation_space = batch_space(space, n)
        self.action_space = batch_space(game.action_space, n)
        self.obs = np.zeros((n, *space.shape), space.dtype)
        self.mask = np.zeros((n, game.action_size), bool) if game.masked else None
        self.choices = game.action_size if game.discrete else 0
        self.over = np.ones(n, bool)
        self.steps = np.zeros(n, int)
        self.seeds = np.random.default_rng().integers(1 << 31, size=n).tolist()

    # What a game's class says.

    def begin(self, i: int, seed: int) -> None:
        """Begin game i anew, all its chance from the seed, and show it."""
        raise NotImplementedError

    def advance(
        self, actions: np.ndarray, playing: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | bool]:
        """Play one step of the games `playing`, int (k,), and show them.

        Args:
            actions: of all games: int (n,), or float32 (n, A) within the bounds of the space.

        Returns:
            reward float32 (n,); terminated bool (n,); and which games the rules cut short, bool
            (n,), or False. Those that stand still have 0 and False.
        """
        raise NotImplementedError

    def keep(self, i: int) -> Any:
        """Return a copy of all that game i is, its chance too, but `steps` and `obs`."""
        raise RunError(f"{self.game.name} cannot be saved, so no search can step through it")

    def restore(self, i: int, kept: Any) -> None:
        """Make game i what was kept; `kept` is used again and must not change."""
        raise RunError(f"{self.game.name} cannot be saved, so no search can step through it")

    def pixels(self, i: int) -> np.ndarray:
        """Game i's frame: uint8 (64, 64, 3)."""
        return self.obs[i]

    # What a batch does.

    def start(self, i: int, seed: int) -> None:
        """Start game i anew; the episode depends on the seed alone."""
        self.seeds[i], self.steps[i] = int(seed), 0
        self.begin(i, int(seed))
        self.over[i] = False

    def reset(
        self,
        *,
        seed: int | Sequence[int] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start games anew.

        Args:
            seed: game i gets seed + i; or one seed a game; None: what follows from the seed before.
            options: `{"reset_mask": bool (n,)}` starts those games alone.

        Returns:
            obs, and info with `action_mask` where some actions are invalid.

        Raises:
            ValueError: the mask or the seeds are not one a game.
        """
        mask = (options or {}).get("reset_mask")
        if mask is not None and (mask.shape != self.over.shape or mask.dtype != bool):
            raise ValueError(f"reset_mask must be bool ({self.num_envs},), one a game")
        if isinstance(seed, (int, np.integer)):
            seed = range(seed, seed + self.num_envs)
        if seed is not None and len(seed) != self.num_envs:
            raise ValueError(f"{len(seed)} seeds for {self.num_envs} games; give one a game")
        for i in range(self.num_envs) if mask is None else np.flatnonzero(mask).tolist():
            self.start(i, self.following(i) if seed is None else seed[i])
        return self.shown()

    def following(self, i: int) -> int:
        """The seed that follows game i's last one."""
        return int(np.random.default_rng([self.seeds[i], 9]).integers(1 << 31))

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play one step of the games that are not over.

        Args:
            actions: int (n,), or float32 (n, A), clipped to the bounds of the space.

        Returns:
            obs; reward float32 (n,); terminated and truncated, bool (n,); info as `reset`'s. A
            game that stands still earns 0 and does not end.

        Raises:
            RunError: an action is not finite, or not one of those there are.
        """
        alive = ~self.over
        (playing,) = alive.nonzero()
        if not len(playing):
            nothing = np.zeros((2, self.num_envs), bool)
            obs, info = self.shown()
            return obs, np.zeros(self.num_envs, np.float32), *nothing, info
        actions = self.checked(np.asarray(actions), playing)
        self.steps += alive
        reward, terminated, cut = self.advance(actions, playing)
        # In place: this is a tenth of the time of a small game's step.
        truncated = self.steps >= min(self.max_steps, self.longest)
        if cut is not False:
            truncated |= cut
        truncated &= alive
        np.greater(truncated, terminated, out=truncated)  # and not terminated
        self.over |= terminated
        self.over |= truncated
        obs, info = self.shown()
        return obs, reward, terminated, truncated, info

    def checked(self, actions: np.ndarray, playing: np.ndarray) -> np.ndarray:
        """Actions as `advance` takes them."""
        if actions.shape != self.action_space.shape:
            raise RunError(
                f"{self.game.name} takes actions {self.action_space.shape}, not {actions.shape}"
            )
        if self.choices:
            listed = actions.tolist()
            if min(listed) < 0 or max(listed) >= self.choices:
                raise RunError(f"{self.game.name} has no such action: {actions[playing]}")
            return actions
        if not np.isfinite(actions[playing]).all():
            raise RunError("the agent's action is not finite: its V, M or C is broken")
        return np.clip(actions, self.game.action_space.low, self.game.action_space.high)

    def shown(self) -> tuple[np.ndarray, dict[str, Any]]:
        """What the games show, and their valid actions."""
        if self.mask is None:
            return (self.obs.copy() if self.copy else self.obs), {}
        if self.copy:
            return self.obs.copy(), {"action_mask": self.mask.copy()}
        return self.obs, {"action_mask": self.mask}

    def save(self, i: int) -> tuple:
        """Return a copy of all that game i is, its chance and its picture too, for `load`.

        Raises:
            RunError: this game cannot be saved.
        """
        return self.keep(i), int(self.steps[i]), self.obs[i].copy()

    def load(self, i: int, snapshot: tuple) -> None:
        """Make game i what a game was when it was saved, as often as you like; it goes on."""
        kept, self.steps[i], self.obs[i] = snapshot
        self.restore(i, kept)
        self.over[i] = False

    def picture(self, i: int = 0) -> np.ndarray:
        """A game as people see it: uint8 (400, 600, 3)."""
        return enlarged(self.pixels(i))

    def render(self) -> tuple[np.ndarray, ...] | None:
        """Pictures of all games, if the render mode is rgb_array."""
        if self.render_mode != "rgb_array":
            return None
        return tuple(self.picture(i) for i in range(self.num_envs))
