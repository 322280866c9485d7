"""Moving pictures: to an mp4, or to a window with a keyboard."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from runs.errors import RunError

FPS = 50
SIZE = (800, 400)  # of a window, in pixels
HINT = (360, 400)  # rows in which a window writes


class Keys(Protocol):
    """How a keyboard plays a game (envs/spec.py)."""

    pressed: Mapping[str, Any]
    rest: Any


class Closed(Exception):
    """The person has closed the window."""


def big(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scale a picture without smoothing."""
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)


def write_on(picture: np.ndarray, text: str) -> np.ndarray:
    """Write a line of white text on black at the upper left, in place."""
    font = (cv2.FONT_HERSHEY_SIMPLEX, 0.6)
    (width, height), _ = cv2.getTextSize(text, *font, 1)
    picture[: height + 16, : width + 20] = 0
    cv2.putText(picture, text, (10, height + 8), *font, (255, 255, 255), 1, cv2.LINE_AA)
    return picture


class Video:
    """An mp4 (H.264) that is there, in one piece, once the `with` block has ended well.

    Attributes:
        count: pictures so far.

    Raises:
        RunError: no video encoder is installed.
    """

    def __init__(self, path: Path, fps: int = FPS):
        import imageio.v2 as imageio

        try:
            import imageio_ffmpeg

            imageio_ffmpeg.get_ffmpeg_exe()
        except (ImportError, RuntimeError):
            raise RunError(
                "no video encoder; install it with `pip install imageio-ffmpeg`"
            ) from None
        self.path, self.count = path, 0
        self.temporary = path.with_name(f".{os.getpid()}.tmp{path.suffix}")
        self.writer = imageio.get_writer(self.temporary, fps=fps, codec="libx264", quality=7)

    def show(self, picture: np.ndarray) -> None:
        """Add a picture, uint8 (rows, columns, 3), of an even size."""
        self.writer.append_data(picture)
        self.count += 1

    def __enter__(self) -> Video:
        return self

    def __exit__(self, kind: type | None, *_: Any) -> None:
        self.writer.close()
        if kind is None:
            os.replace(self.temporary, self.path)
        self.temporary.unlink(missing_ok=True)


class Window:
    """A window with a keyboard; Escape closes it.

    Args:
        keys: how they play; without any, up and down choose an action's number among the valid
            ones, and Enter plays it.
        size: A. fps: pictures a second.

    Raises:
        RunError: this machine has no display.
    """

    def __init__(self, title: str, keys: Keys, size: int, fps: int = FPS):
        self.keys, self.size, self.fps = keys, size, fps
        self.chosen, self.down, self.picture = 0, "", np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
        displays = ("DISPLAY", "WAYLAND_DISPLAY")
        if sys.platform == "linux" and not any(os.environ.get(name) for name in displays):
            raise RunError("no display for a window; use --video instead")
        # With its OpenGL, SDL loads a second LLVM beside TensorFlow's and the process crashes.
        os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        import pygame

        self.pygame = pygame
        pygame.display.init()
        self.screen = pygame.display.set_mode(SIZE)
        pygame.display.set_caption(title)
        pygame.key.set_repeat(250, 100)  # milliseconds: a key that is held is pressed again
        self.codes = {pygame.key.key_code(name): name for name in keys.pressed}
        self.clock = pygame.time.Clock()

    def show(self, picture: np.ndarray) -> None:
        """Show a picture as long as a step takes, and read the keyboard.

        Raises:
            Closed: the person has closed the window.
        """
        self.picture = picture
        surface = self.pygame.surfarray.make_surface(picture.swapaxes(0, 1))
        self.screen.blit(surface, (0, 0))
        self.pygame.display.flip()
        self.clock.tick(self.fps)
        self.down = ""
        for event in self.pygame.event.get():
            if event.type == self.pygame.QUIT:
                raise Closed
            if event.type == self.pygame.KEYDOWN:
                self.down = self.pygame.key.name(event.key)
                if self.down == "escape":
                    raise Closed

    def ask(self, valid: np.ndarray) -> Any:
        """Return the action that the keys mean, and wait for it if the game does.

        Args:
            valid: which actions may be chosen, bool (A,), or (0,) if all may.

        Raises:
            Closed: the person has closed the window.
        """
        while (action := self.choice(valid) if not self.codes else self.pressed()) is None:
            self.show(self.picture)
        return action

    def pressed(self) -> Any:
        """The action of the keys that are held, or were just pressed; None while the game waits."""
        pressed, rest, held = self.keys.pressed, self.keys.rest, self.pygame.key.get_pressed()
        last = pressed.get(self.down)  # a short press may be over by now
        if rest is None:
            return last
        actions = [pressed[name] for code, name in self.codes.items() if held[code]]
        if not actions:
            return rest if last is None else last
        return actions[-1] if np.ndim(rest) == 0 else np.sum([rest, *actions], 0, dtype=np.float32)

    def choice(self, valid: np.ndarray) -> int | None:
        """Move the choice among the valid actions; its number once Enter was pressed."""
        options = np.flatnonzero(valid) if len(valid) else np.arange(self.size)
        nearest = int(np.abs(options - self.chosen).argmin())
        move = {"up": 1, "down": -1}.get(self.down, 0)
        self.chosen = int(options[np.clip(nearest + move, 0, len(options) - 1)])
        entered, self.down = self.down in ("return", "space"), ""
        top, bottom = HINT
        hint = f"action {self.chosen}: up, down, Enter"
        self.picture[top:bottom] = write_on(self.picture[top:bottom].copy(), hint)
        return self.chosen if entered else None
