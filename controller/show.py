"""Watch or drive: the agent or the keyboard, in the game or in the dream, to a video or a window.

A scene yields pictures, uint8 (400, 800, 3): the game as it draws itself for people, beside it
what the agent sees (above) and what V makes of its z (below). A dream has only the last, large;
side by side, it stands right of what the agent sees of the game.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf

import envs
import runs
from controller.agent import Agent, valid_of
from rnn.dream import Dream
from vae.model import to_uint8

FPS = 50
# What the keyboard says, given the valid actions (A or 0,): an action (A,), or None yet.
Keys = Callable[[np.ndarray], np.ndarray | None]


def big(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scale a picture without smoothing."""
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)


def decode(agent: Agent, z: np.ndarray) -> np.ndarray:
    """What V makes of z (1, Z): uint8 (64, 64, 3)."""
    return to_uint8(agent.vae.decode(z)[0])


def write_on(picture: np.ndarray, text: str) -> np.ndarray:
    """Write a line of white text on black at the upper left."""
    font = (cv2.FONT_HERSHEY_SIMPLEX, 0.6)
    (width, height), _ = cv2.getTextSize(text, *font, 1)
    picture[: height + 16, : width + 20] = 0
    cv2.putText(picture, text, (10, height + 8), *font, (255, 255, 255), 1, cv2.LINE_AA)
    return picture


class Moment(NamedTuple):
    """A step of a game or of a dream, before the action."""

    t: int
    total: float  # return so far
    z: np.ndarray  # (1, Z)
    valid: np.ndarray  # (1, A or 0)
    seen: np.ndarray | None = None  # what the agent sees of a game, uint8 (64, 64, 3)
    shown: np.ndarray | None = None  # what people see of it, uint8 (400, 600, 3)


def chosen(keys: Keys, moment: Moment) -> Iterator[Moment]:
    """Wait until the person has chosen an action, and return it."""
    while (action := keys(moment.valid[0])) is None:
        yield moment
    return action[None]


def play_game(agent: Agent, params: np.ndarray, seed: int, keys: Keys | None) -> Iterator[Moment]:
    """Play one episode of the genuine game; the keyboard drives if `keys` is given."""
    game = envs.load(agent.controller.game)
    games = game.make(1, game.official)
    games.reset(seed=seed)
    rng = np.random.default_rng([seed, 2])
    h, c = (x.numpy() for x in agent.rnn.zero_state(1))
    weights = params[None].astype(np.float32)
    t, total, over = 0, 0.0, False
    while not over:
        noise = rng.standard_normal((1, agent.noise_size), np.float32)
        valid = valid_of(games).copy()
        answer = agent.act(games.obs, h, c, weights, noise, valid)
        action, h, c, z = (x.numpy() for x in answer)
        moment = Moment(t, total, z, valid, games.obs[0].copy(), games.picture())
        yield moment
        if keys is not None:
            action = yield from chosen(keys, moment)
        _, reward, terminated, truncated, _ = games.step(game.to_actions(action))
        t, total = t + 1, total + float(reward[0])
        over = bool(terminated[0] or truncated[0])
    games.close()


def play_dream(
    agent: Agent,
    dream: Dream,
    params: np.ndarray,
    seed: int,
    keys: Keys | None,
    start: tuple[np.ndarray, np.ndarray] | None = None,
) -> Iterator[Moment]:
    """Play one dream; the keyboard drives if `keys` is given.

    Args:
        start: z (1, Z) and valid actions (1, A or 0) to begin with, instead of a recorded frame's.
    """
    rng = np.random.default_rng([seed, 4])
    z, valid = start or (x[None] for x in dream.begin(rng))
    h, c = agent.rnn.zero_state(1)
    weights = params[None].astype(np.float32)
    total, act = 0.0, tf.function(agent.controller.act)
    for t in range(dream.max_steps):
        moment = Moment(t, total, np.asarray(z), np.asarray(valid))
        yield moment
        noise = rng.standard_normal((1, dream.noise_size), np.float32)
        if keys is None:
            action = act(z, h, c, valid, noise[:, : agent.controller.action_size], weights)
        else:
            action = yield from chosen(keys, moment)
        z, (h, c), reward, ended, valid = dream.advance(z, (h, c), action, noise)
        total += float(reward[0])
        if bool(ended[0]):
            return


def in_game(agent: Agent, params: np.ndarray, seed: int, keys: Keys | None) -> Iterator[np.ndarray]:
    """Pictures of an episode of the genuine game."""
    for now in play_game(agent, params, seed, keys):
        side = np.concatenate([big(now.seen, 200, 200), big(decode(agent, now.z), 200, 200)])
        picture = np.ascontiguousarray(np.concatenate([now.shown, side], axis=1))
        yield write_on(picture, f"seed {seed}   step {now.t}   return {now.total:.0f}")


def in_dream(
    agent: Agent, dream: Dream, params: np.ndarray, seed: int, keys: Keys | None
) -> Iterator[np.ndarray]:
    """Pictures of a dream."""
    for now in play_dream(agent, dream, params, seed, keys):
        picture = np.zeros((400, 800, 3), np.uint8)
        picture[:, 200:600] = big(decode(agent, now.z), 400, 400)
        yield write_on(picture, f"dream {seed}   step {now.t}" + earned(agent, dream, now))


def side_by_side(agent: Agent, dream: Dream, params: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Pictures of the agent in the game, as it sees it, and of its dream from the same frame on.

    Each goes its own way; the one that ends first stays, darkened.
    """
    game = play_game(agent, params, seed, None)
    first = next(game)
    asleep = play_dream(agent, dream, params, seed, None, (first.z, first.valid))
    awake = itertools.islice(itertools.chain([first], game), dream.max_steps)
    left = right = np.zeros((400, 400, 3), np.uint8)
    for real, dreamt in itertools.zip_longest(awake, asleep):
        if real is not None:
            text = f"game   step {real.t}   return {real.total:.0f}"
            left = write_on(big(real.seen, 400, 400), text)
        if dreamt is not None:
            text = f"dream   step {dreamt.t}" + earned(agent, dream, dreamt)
            right = write_on(big(decode(agent, dreamt.z), 400, 400), text)
        pair = (left if real else left // 2, right if dreamt else right // 2)
        yield np.concatenate(pair, axis=1)


def earned(agent: Agent, dream: Dream, now: Moment) -> str:
    """The return of a dream, if it pays any."""
    return f"   return {now.total:.0f}" if agent.rnn.reward_head or dream.living_reward else ""


def save_video(pictures: Iterator[np.ndarray], path: Path) -> int:
    """Write pictures to an mp4 (H.264) in one piece; returns how many.

    Raises:
        RunError: no video encoder is installed.
    """
    import imageio.v2 as imageio

    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        raise runs.RunError(
            "no video encoder; install it with `pip install imageio-ffmpeg`"
        ) from None
    temporary = path.with_name(f".{os.getpid()}.tmp{path.suffix}")
    count = 0
    try:
        with imageio.get_writer(temporary, fps=FPS, codec="libx264", quality=7) as writer:
            for picture in pictures:
                writer.append_data(picture)
                count += 1
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


class Window:
    """A window with a keyboard: arrows steer, give gas and brake; Escape closes. In bin packing, up
    and down choose among the valid levels, and Enter puts the item there.

    Raises:
        RunError: this machine has no display.
    """

    def __init__(self, title: str, action_size: int, discrete: bool):
        self.size, self.discrete = action_size, discrete
        self.level, self.moves, self.entered = 0, 0, False
        if sys.platform == "linux" and not (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        ):
            raise runs.RunError("no display for a window; use --video instead")
        # With its OpenGL, SDL loads a second LLVM beside TensorFlow's and the process crashes.
        os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        import pygame

        self.pygame = pygame
        pygame.display.init()
        self.screen = pygame.display.set_mode((800, 400))
        pygame.display.set_caption(title)
        self.clock = pygame.time.Clock()

    def keys(self, valid: np.ndarray) -> np.ndarray | None:
        """The action that the pressed keys mean; None while no level is chosen."""
        if self.discrete:
            return self.choice(valid)
        down = self.pygame.key.get_pressed()
        p = self.pygame
        steer = float(down[p.K_RIGHT]) - float(down[p.K_LEFT])
        return np.array([steer, float(down[p.K_UP]), 0.8 * float(down[p.K_DOWN])], np.float32)[
            : self.size
        ]

    def choice(self, valid: np.ndarray) -> np.ndarray | None:
        """Move the choice among the valid levels; one-hot once Enter was pressed."""
        levels = np.flatnonzero(valid) if len(valid) else np.arange(self.size)
        nearest = int(np.abs(levels - self.level).argmin())
        self.level = int(levels[np.clip(nearest + self.moves, 0, len(levels) - 1)])
        self.moves, entered, self.entered = 0, self.entered, False
        return np.eye(self.size, dtype=np.float32)[self.level] if entered else None

    def show(self, pictures: Iterator[np.ndarray]) -> bool:
        """Show pictures at 50 a second; False if the user closed the window."""
        for picture in pictures:
            if self.discrete:
                hint = f"level {self.level or 'new'}: up, down, Enter"
                picture[360:] = write_on(picture[360:].copy(), hint)
            surface = self.pygame.surfarray.make_surface(picture.swapaxes(0, 1))
            self.screen.blit(surface, (0, 0))
            self.pygame.display.flip()
            self.clock.tick(FPS)
            for event in self.pygame.event.get():
                escape = event.type == self.pygame.KEYDOWN and event.key == self.pygame.K_ESCAPE
                if escape or event.type == self.pygame.QUIT:
                    return False
                if event.type == self.pygame.KEYDOWN:
                    self.moves += (event.key == self.pygame.K_UP) - (
                        event.key == self.pygame.K_DOWN
                    )
                    self.entered |= event.key in (self.pygame.K_RETURN, self.pygame.K_SPACE)
        return True
