"""Pictures of games that are grids of cells: every kind of thing has a colour of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Colour = tuple[int, int, int]

# Any two, and each and black, are at least 120 apart: a small V, too, tells them apart.
WHITE, GREY = (255, 255, 255), (128, 128, 128)
RED, ORANGE, YELLOW = (255, 0, 0), (255, 128, 0), (255, 255, 0)
GREEN, CYAN, BLUE = (0, 255, 0), (0, 255, 255), (0, 96, 255)
VIOLET, MAGENTA, PINK = (128, 0, 255), (255, 0, 255), (255, 128, 192)


class Cells:
    """Draws grids of 64 // size cells a side, each `size` pixels wide, in the middle of 64x64.

    Args:
        colours: of every kind of thing; where two share a cell, the later one is seen. Two kinds
            may have a colour of their own where they meet: "a+b".
        kinds: the order in which the grids give them.
    """

    def __init__(self, colours: dict[str, Colour], kinds: Sequence[str], size: int = 6):
        self.bits = (1 << np.arange(len(kinds))).astype(np.uint16)
        codes = np.arange(1 << len(kinds))
        look = np.zeros((len(codes), 3), np.uint8)
        for kind, colour in colours.items():
            bits = sum(self.bits[kinds.index(part)] for part in kind.split("+"))
            look[(codes & bits) == bits] = colour
        self.size = size
        self.rows = np.tile(look, size)  # one row of a cell's pixels for every set of things

    def draw(self, things: np.ndarray) -> np.ndarray:
        """Draw bool (n, G, G, K), from the top row down: uint8 (n, 64, 64, 3)."""
        n, side, _, _ = things.shape
        edge = (64 - side * self.size) // 2
        rows = self.rows[things.view(np.uint8) @ self.bits].reshape(n, side, 1, -1)
        pictures = np.zeros((n, 64, 64, 3), np.uint8)
        inner = pictures.reshape(n, 64, 192)[:, edge : 64 - edge, 3 * edge : 192 - 3 * edge]
        inner.reshape(n, side, self.size, -1)[:] = rows  # a view: only one axis is split
        return pictures


def enlarged(obs: np.ndarray) -> np.ndarray:
    """Six times as large, uint8 (64, 64, 3) to (400, 600, 3), without smoothing."""
    picture = np.zeros((400, 600, 3), np.uint8)
    picture[8:392, 108:492] = obs.repeat(6, 0).repeat(6, 1)
    return picture
