"""Pictures of any game's: which observations are some, and how they are scaled."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from gymnasium.spaces import Box, Space


def is_picture(space: Space, smallest: int = 1) -> bool:
    """Whether observations of this space are pictures."""
    shape = space.shape or ()
    flat = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
    if not isinstance(space, Box) or not flat or min(shape[:2]) < smallest:
        return False
    shares = space.dtype.kind == "f" and space.low.min() >= 0 and space.high.max() <= 1
    return space.dtype == np.uint8 or shares


def seen(picture: Any) -> np.ndarray:
    """A picture as agents see it: uint8 (64, 64, 3).

    Args:
        picture: (H, W, 3), (H, W, 1) or (H, W), uint8, or float from 0 to 1.
    """
    picture = coloured(picture)
    return scaled(picture, 64, 64)


def coloured(picture: Any) -> np.ndarray:
    """A picture as uint8 (H, W, 3)."""
    picture = np.asarray(picture)
    if picture.dtype.kind == "f":
        picture = (np.clip(picture, 0, 1) * 255).round()
    picture = picture.astype(np.uint8).reshape(*picture.shape[:2], -1)
    return np.repeat(picture, 3, 2) if picture.shape[2] == 1 else np.ascontiguousarray(picture)


def framed(picture: np.ndarray) -> np.ndarray:
    """A picture uint8 (H, W, 3) as large as fits, on black: uint8 (400, 600, 3)."""
    height, width = picture.shape[:2]
    scale = min(400 / height, 600 / width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    out = np.zeros((400, 600, 3), np.uint8)
    top, left = (400 - rows) // 2, (600 - columns) // 2
    out[top : top + rows, left : left + columns] = scaled(picture, rows, columns)
    return out


def scaled(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """A picture uint8 (H, W, 3) with so many rows and columns; cells stay sharp."""
    larger = max(picture.shape[0] / rows, picture.shape[1] / columns) <= 1
    way = cv2.INTER_NEAREST if larger else cv2.INTER_AREA
    return cv2.resize(picture, (columns, rows), interpolation=way)
