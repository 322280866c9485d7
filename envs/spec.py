"""What is known of a game before it is played: one Spec each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.spaces import Box, Discrete

from runs import RunError

if TYPE_CHECKING:
    from envs.batch import Batch
    from envs.policies import Maker

PIXELS = "pixels"  # the view that every game has: uint8 (64, 64, 3)


@dataclasses.dataclass(frozen=True)
class Keys:
    """How a keyboard plays a game.

    Attributes:
        pressed: what each key means, by its name ("left", "space", "1"): if actions are discrete
            the action's number, else a vector; those of all pressed keys are added to `rest`.
            Empty: up and down choose an action's number, and Enter plays it.
        rest: the action while no key is pressed; None: the game waits for one.
    """

    pressed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    rest: Any = None


@dataclasses.dataclass(frozen=True, eq=False)
class Spec:
    """A game, said once.

    Attributes:
        batch: the class that plays it (envs/batch.py).
        action_space: of one game: Discrete, from 0 on, or a Box of one axis.
        max_steps: longest episode.
        engines, official: who may play it, the default first; whose scores are official.
        views: what an agent may see; `lacks`: which of them this game has not, and why, in a
            sentence each.
        options: names of further options of `make`.
        solved: mean return from which the game counts as solved, if anybody has said.
        living_reward: reward of a step in a dream whose M has no head for it.
        outputs: numbers that the controller puts out.
        squash: how they, between -1 and 1, become an action that is not discrete: "car"
            (CarRacing's), "scale" (to the bounds of the action space), or "none".
        masked: whether some actions are invalid now and then.
        policies, baselines: makers of players that learned nothing, for recording and to compare
            scores with (envs/policies.py).
        keys: how a keyboard plays. fps: steps a second at which people watch it, and play.
        packages: what plays it, whose versions belong to a score.
    """

    name: str
    batch: Callable[..., Batch]
    action_space: Discrete | Box
    max_steps: int
    policies: Mapping[str, Maker]
    baselines: Mapping[str, Maker]
    engines: tuple[str, ...] = ("exact",)
    official: str = "exact"
    views: tuple[str, ...] = (PIXELS,)
    lacks: Mapping[str, str] = dataclasses.field(default_factory=dict)
    options: tuple[str, ...] = ()
    solved: float | None = None
    living_reward: float = 0
    squash: str = "none"
    masked: bool = False
    keys: Keys = Keys()
    fps: int = 50
    packages: tuple[str, ...] = ()

    @property
    def discrete(self) -> bool:
        """Whether an action is one of a few."""
        return isinstance(self.action_space, Discrete)

    @property
    def action_size(self) -> int:
        """A: how many actions there are, or numbers in one."""
        return int(self.action_space.n) if self.discrete else self.action_space.shape[0]

    @property
    def outputs(self) -> int:
        """Numbers that the controller puts out."""
        return self.action_size

    def make(
        self,
        n: int,
        engine: str | None = None,
        max_steps: int | None = None,
        view: str = PIXELS,
        **options: Any,
    ) -> Batch:
        """Make n games side by side.

        Args:
            engine: who plays (default: the first of `engines`).
            max_steps: longest episode, if shorter than the game's own.
            view: what `obs` shows.
            options: of this game, as its class says; `copy` and `render_mode` of every Batch.

        Raises:
            RunError: the game has no such engine, view or option, or a package is missing.
        """
        self.check(engine or self.engines[0], view)
        unknown = sorted(set(options) - {*self.options, "copy", "render_mode"})
        if unknown:
            has = ", ".join(self.options) or "none"
            raise RunError(f"{self.name} has no option {unknown[0]}; it has {has}")
        return self.batch(self, n, engine or self.engines[0], max_steps, view=view, **options)

    def check(self, engine: str, view: str = PIXELS) -> None:
        """Refuse an engine or a view that this game does not have.

        Raises:
            RunError: says why, or names those that it has.
        """
        if view in self.lacks:
            raise RunError(self.lacks[view])
        for what, word, has in (("engine", engine, self.engines), ("view", view, self.views)):
            if word not in has:
                raise RunError(f"{self.name} has no {what} {word}; choose from {', '.join(has)}")

    def one_hot(self, actions: np.ndarray) -> np.ndarray:
        """Actions of the game as M is told them: float32 (n, A)."""
        if self.discrete:
            return np.eye(self.action_size, dtype=np.float32)[np.asarray(actions)]
        return np.asarray(actions, np.float32).reshape(-1, self.action_size)

    def to_actions(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors (n, A) as actions of the game: int (n,), of each the largest, or as they are."""
        return np.asarray(vectors).argmax(-1) if self.discrete else np.asarray(vectors)
