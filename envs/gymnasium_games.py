"""Any game that is registered with Gymnasium: n games side by side.

    envs.load("CartPole-v1")
    envs.load("some_module:MyEnv-v0")    imports some_module first, which registers the game

An action is Discrete, or a bounded Box. The views: `pixels` is the observation if that is a
picture, else what the game renders; `observation` and `render` say which; `vector` is the
observation as it is, flat float32. A picture is (H, W, 3), (H, W, 1) or (H, W), uint8 or between
0 and 1, and is scaled to 64x64.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib
import importlib.metadata
import os
import sys
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, Space
from gymnasium.utils.env_checker import data_equivalence

from envs import policies
from envs.batch import FRAME, Batch
from envs.pictures import coloured, framed, is_picture, seen
from envs.spec import PIXELS, Keys, Spec
from runs import RunError

OBSERVATION, RENDER, VECTOR = "observation", "render", "vector"
LONGEST = 1000  # steps of a game that says nothing of its longest episode
SMALLEST = 8  # rows and columns of an observation that is taken for a picture
DRAWN = "rgb_array"  # the mode in which Gymnasium's games render


def register(game: str) -> gymnasium.envs.registration.EnvSpec:
    """Import the module that a game's name begins with, if any, and return what is registered.

    Raises:
        RunError: there is no such module, or no such game.
    """
    module, _, name = game.rpartition(":")
    if module:
        if os.getcwd() not in sys.path:  # a module of the user's, whichever script is run
            sys.path.append(os.getcwd())
        try:
            importlib.import_module(module)
        except Exception as error:
            raise RunError(
                f"{game}: the module {module} cannot be imported "
                f"({type(error).__name__}: {error}); run this where it is, or install it"
            ) from None
    try:
        return gymnasium.spec(name)
    except gymnasium.error.Error as error:
        said = str(error).strip().rstrip(".")
        raise RunError(
            f"{game} is no game of ours, and not registered with Gymnasium ({said}); a module that "
            f"registers it can be named before it, as in some_module:{name or 'MyEnv-v0'}"
        ) from None


def make(game: str, render_mode: str | None = None) -> gymnasium.Env:
    """Make one game; its episodes are not cut.

    Raises:
        RunError: it cannot be made here.
    """
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    more = {"render_mode": render_mode, "max_episode_steps": -1, "disable_env_checker": True}
    try:
        return gymnasium.make(register(game), **more)
    except RunError:
        raise
    except Exception as error:
        raise RunError(f"{game} cannot be made ({type(error).__name__}: {error})") from None


def lacking(game: str, env: gymnasium.Env) -> dict[str, str]:
    """Which views a game does not have, and why, in a sentence each."""
    space, kind = env.observation_space, type(env.observation_space).__name__
    no_render = f"{game} cannot be rendered: its metadata has no render mode {DRAWN}"
    missing = {} if DRAWN in env.metadata.get("render_modes", ()) else {RENDER: no_render}
    if not is_picture(space):
        missing[OBSERVATION] = (
            f"{game} shows no picture: its observation is {space}, not (H, W, 3), (H, W, 1) or "
            "(H, W) of uint8 or of float from 0 to 1"
        )
    if not isinstance(space, Box):
        missing[VECTOR] = (
            f"{game} shows a {kind}, not a Box; gymnasium.wrappers.FlattenObservation makes it one"
        )
    if kind in ("Dict", "Tuple"):
        missing[PIXELS] = (
            f"{game} shows a {kind}, in which no picture is looked for; register it wrapped so "
            "that it shows a picture, or see what it renders with --view render"
        )
    elif {RENDER, OBSERVATION} <= {*missing}:
        missing[PIXELS] = (
            f"{game} has no picture: its observation is none ({space}), and it has no render mode "
            f"{DRAWN}; give it either"
        )
    return missing


def actions_of(game: str, space: Space) -> Discrete | Box:
    """The action space as ours: Discrete from 0 on, or a Box of one axis.

    Raises:
        RunError: it is of another kind, or has no bounds.
    """
    if isinstance(space, Discrete):
        return Discrete(int(space.n))
    if not isinstance(space, Box) or space.dtype.kind != "f":
        raise RunError(
            f"{game} takes actions of {space}; only Discrete and a Box of floats can be played: "
            "register it wrapped in a gymnasium.ActionWrapper that has one of them"
        )
    if not space.is_bounded():
        raise RunError(
            f"{game} takes actions without bounds, {space}; register it wrapped in "
            "gymnasium.wrappers.RescaleAction or one of your own that has bounds"
        )
    return Box(space.low.ravel().astype(np.float32), space.high.ravel().astype(np.float32))


def keys_of(space: Discrete | Box) -> Keys:
    """Digits are a few actions; arrows are the bounds of the first two numbers of a vector."""
    if isinstance(space, Discrete):
        return Keys({str(a): a for a in range(space.n)} if space.n <= 10 else {})
    rest, pressed = np.clip(np.zeros_like(space.low), space.low, space.high), {}
    pairs = (("left", "right"), ("down", "up"))
    for k, pair in enumerate(pairs[: len(rest)]):
        for key, bound in zip(pair, (space.low, space.high), strict=True):
            pressed[key] = np.where(np.arange(len(rest)) == k, bound - rest, 0).tolist()
    return Keys(pressed, rest.tolist())


def packages_of(env: gymnasium.Env) -> tuple[str, ...]:
    """The packages that play a game."""
    module = type(env.unwrapped).__module__.split(".")[0]
    found = importlib.metadata.packages_distributions().get(module, []) if module else []
    return tuple(dict.fromkeys(("gymnasium", *found)))


@functools.cache
def load(game: str) -> Spec:
    """The spec of a game that is registered with Gymnasium.

    Raises:
        RunError: it is not, or cannot be made here, or its actions are of another kind.
    """
    registered, env = register(game), make(game)
    space = actions_of(game, env.action_space)
    discrete = isinstance(space, Discrete)
    makers = (
        policies.of_actions(int(space.n)) if discrete else policies.of_box(space.low, space.high)
    )
    spec = Spec(
        game,
        Registered,
        space,
        max_steps=registered.max_episode_steps or LONGEST,
        policies=makers,
        baselines={"random": makers["white"]},
        engines=("gymnasium",),
        official="gymnasium",
        views=(PIXELS, OBSERVATION, RENDER, VECTOR),
        lacks=lacking(game, env),
        solved=registered.reward_threshold,
        squash="scale",
        keys=keys_of(space),
        fps=int(env.metadata.get("render_fps") or 30),
        packages=packages_of(env),
    )
    env.close()
    return spec


def trial(env: gymnasium.Env) -> list[tuple]:
    """Play some steps of a game that nobody needs any more; returns what came of each."""
    played, over = [], False
    env.action_space.seed(0)
    while not over and len(played) < 30:
        played.append(env.step(env.action_space.sample())[:4])
        over = played[-1][2] or played[-1][3]
    return played


class Registered(Batch):
    """n games of one that is registered with Gymnasium.

    Attributes:
        games: the n games behind them.
    """

    def __init__(self, game: Spec, n: int, engine: str, max_steps: int | None, view: str, **more):
        render_mode = None if RENDER in game.lacks else DRAWN
        self.games = [make(game.name, render_mode) for _ in range(n)]
        space = self.games[0].observation_space
        if view == PIXELS:
            picture = is_picture(space, SMALLEST) or RENDER in game.lacks
            view = OBSERVATION if picture else RENDER
        if view == VECTOR:
            low, high = (bound.ravel().astype(np.float32) for bound in (space.low, space.high))
            shown = Box(low, high, dtype=np.float32)
        super().__init__(game, n, max_steps, shown if view == VECTOR else FRAME, **more)
        self.view = view
        inner = self.games[0].action_space
        self.first = int(inner.start) if game.discrete else 0
        self.form = inner.shape, inner.dtype
        self.trusted = False  # whether copies have been seen to be whole

    def look(self, i: int, observation: Any) -> None:
        if self.view == VECTOR:
            self.obs[i] = np.asarray(observation, np.float32).ravel()
        elif self.view == OBSERVATION:
            self.obs[i] = seen(observation)
        else:
            self.obs[i] = seen(self.rendered(i))

    def rendered(self, i: int) -> np.ndarray:
        """What game i renders.

        Raises:
            RunError: it is no picture.
        """
        picture = self.games[i].render()
        if not isinstance(picture, np.ndarray) or picture.ndim not in (2, 3):
            raise RunError(f"{self.game.name} renders {type(picture).__name__}, not a picture")
        return picture

    def begin(self, i: int, seed: int) -> None:
        """Begin game i; see Batch."""
        observation, _ = self.games[i].reset(seed=seed)
        self.look(i, observation)

    def advance(
        self, actions: np.ndarray, playing: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Play one step of each game; see Batch."""
        reward = np.zeros(self.num_envs, np.float32)
        terminated, cut = np.zeros(self.num_envs, bool), np.zeros(self.num_envs, bool)
        shape, kind = self.form
        for i in playing:
            if self.game.discrete:
                action = kind.type(actions[i] + self.first)
            else:
                action = actions[i].astype(kind).reshape(shape)
            observation, reward[i], terminated[i], cut[i], _ = self.games[i].step(action)
            self.look(i, observation)
        return reward, terminated, cut

    def keep(self, i: int) -> gymnasium.Env:
        """Return a copy of game i; see Batch.

        Raises:
            RunError: it cannot be copied.
        """
        if not self.trusted:
            self.try_copies(self.games[i])
        return self.twin(self.games[i])

    def try_copies(self, env: gymnasium.Env) -> None:
        """Play two copies alike: those that share what is not Python's own go different ways.

        Raises:
            RunError: they do.
        """
        with contextlib.suppress(Exception):  # whatever a broken copy comes to
            first, second = (trial(self.twin(env)) for _ in range(2))
            self.trusted = data_equivalence(first, second)
        if not self.trusted:
            raise RunError(f"{self.game.name} cannot be copied, so no search can step through it")

    def restore(self, i: int, kept: gymnasium.Env) -> None:
        """Make game i what was kept; see Batch."""
        self.games[i] = self.twin(kept)

    def twin(self, env: gymnasium.Env) -> gymnasium.Env:
        """A copy of a game; pygame's surfaces, drawn anew for every picture, are shared."""
        inside = vars(env.unwrapped).values()
        shared = {id(x): x for x in inside if type(x).__module__.startswith("pygame")}
        return copy.deepcopy(env, shared)

    def picture(self, i: int = 0) -> np.ndarray:
        """A game as it renders itself, or as an agent sees it: uint8 (400, 600, 3)."""
        if RENDER in self.game.lacks:
            return super().picture(i) if self.view != VECTOR else np.zeros((400, 600, 3), np.uint8)
        return framed(coloured(self.rendered(i)))

    def close_extras(self) -> None:
        """Close the games."""
        for game in self.games:
            game.close()
