"""Watch or drive: the agent or the keyboard, in the game or in the dream, to a video or a window.

A scene yields pictures, uint8 (400, 800, 3): the game as it draws itself for people, beside it
what the agent sees (above) and what V makes of its z (below). A dream has only the last, large.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

import envs
import runs
from controller.agent import Agent, valid_of
from rnn.dream import Dream

FPS = 50
Keys = Callable[[], np.ndarray]  # what the keyboard says: an action (A,)


def big(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scale a picture without smoothing."""
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)


def decode(agent: Agent, z: np.ndarray) -> np.ndarray:
    """What V makes of z (1, Z): uint8 (64, 64, 3)."""
    return (agent.vae.decode(z)[0].numpy() * 255).round().astype(np.uint8)


def write_on(picture: np.ndarray, text: str) -> np.ndarray:
    """Write a line of white text on black at the upper left."""
    font = (cv2.FONT_HERSHEY_SIMPLEX, 0.6)
    (width, height), _ = cv2.getTextSize(text, *font, 1)
    picture[: height + 16, : width + 20] = 0
    cv2.putText(picture, text, (10, height + 8), *font, (255, 255, 255), 1, cv2.LINE_AA)
    return picture


def in_game(agent: Agent, params: np.ndarray, seed: int, keys: Keys | None) -> Iterator[np.ndarray]:
    """Play one episode of the genuine game; the keyboard drives if `keys` is given."""
    game = envs.load(agent.controller.game)
    games = game.Games(1, game.OFFICIAL)
    games.reset(0, seed)
    rng = np.random.default_rng([seed, 2])
    h, c = (x.numpy() for x in agent.rnn.zero_state(1))
    total, over = 0.0, False
    while not over:
        noise = rng.standard_normal((1, agent.noise_size), np.float32)
        weights = params[None].astype(np.float32)
        answer = agent.act(games.obs, h, c, weights, noise, valid_of(games))
        action, h, c, z = (x.numpy() for x in answer)
        seen, shown = games.obs[0].copy(), games.picture()
        action = action if keys is None else keys()[None]
        reward, terminated, truncated = games.step(action, np.ones(1, bool))
        total, over = total + float(reward[0]), bool(terminated[0] or truncated[0])
        side = np.concatenate([big(seen, 200, 200), big(decode(agent, z), 200, 200)])
        picture = np.concatenate([shown, side], axis=1)
        yield write_on(np.ascontiguousarray(picture), f"seed {seed}   return {total:.0f}")
    games.close()


def in_dream(
    agent: Agent, dream: Dream, params: np.ndarray, seed: int, keys: Keys | None
) -> Iterator[np.ndarray]:
    """Play one dream; the keyboard drives if `keys` is given."""
    rng = np.random.default_rng([seed, 4])
    z, valid = (x[None] for x in dream.begin(rng))
    h, c = agent.rnn.zero_state(1)
    weights = params[None].astype(np.float32)
    total, act = 0.0, tf.function(agent.controller.act)
    for t in range(dream.max_steps):
        noise = rng.standard_normal((1, dream.noise_size), np.float32)
        chance = noise[:, : agent.controller.action_size]
        action = act(z, h, c, valid, chance, weights) if keys is None else keys()[None]
        picture = np.zeros((400, 800, 3), np.uint8)
        picture[:, 200:600] = big(decode(agent, z), 400, 400)
        earned = f"   return {total:.0f}" if agent.rnn.reward_head or dream.living_reward else ""
        yield write_on(picture, f"dream {seed}   step {t}{earned}")
        z, (h, c), reward, ended, valid = dream.advance(z, (h, c), action, noise)
        total += float(reward[0])
        if bool(ended[0]):
            return


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
    """A window with a keyboard: arrows steer, give gas and brake; Escape closes.

    Raises:
        RunError: this machine has no display.
    """

    def __init__(self, title: str, action_size: int):
        self.size = action_size
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

    def keys(self) -> np.ndarray:
        """The action that the pressed arrows mean."""
        down = self.pygame.key.get_pressed()
        p = self.pygame
        steer = float(down[p.K_RIGHT]) - float(down[p.K_LEFT])
        return np.array([steer, float(down[p.K_UP]), 0.8 * float(down[p.K_DOWN])], np.float32)[
            : self.size
        ]

    def show(self, pictures: Iterator[np.ndarray]) -> bool:
        """Show pictures at 50 a second; False if the user closed the window."""
        for picture in pictures:
            surface = self.pygame.surfarray.make_surface(picture.swapaxes(0, 1))
            self.screen.blit(surface, (0, 0))
            self.pygame.display.flip()
            self.clock.tick(FPS)
            for event in self.pygame.event.get():
                escape = event.type == self.pygame.KEYDOWN and event.key == self.pygame.K_ESCAPE
                if escape or event.type == self.pygame.QUIT:
                    return False
        return True
