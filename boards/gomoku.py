"""Gomoku (gobang), freestyle: five or more in a row. A move is a cell; see boards/__init__.py."""

from __future__ import annotations

import numpy as np

from boards import grid
from boards.grid import text  # noqa: F401

ROWS = COLS = 15
NAMES = grid.names(ROWS, COLS)
SYMMETRIES = (grid.symmetries(ROWS, COLS),) * 2
OPENINGS = 8


def start(n: int) -> np.ndarray:
    """Empty boards."""
    return np.zeros((n, ROWS, COLS), np.int8)


def valid(boards: np.ndarray) -> np.ndarray:
    """Empty cells."""
    return boards.reshape(len(boards), -1) == 0


def play(boards: np.ndarray, actions: np.ndarray):
    """Take cells `actions` int (n,)."""
    return grid.place(boards, actions, 5)
