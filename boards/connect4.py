"""Connect four: 6 rows, 7 columns, four in a row. A move is a column, whose lowest empty cell is
taken; see boards/__init__.py."""

from __future__ import annotations

import numpy as np

from boards import grid

ROWS, COLS = 6, 7
NAMES = tuple(str(column + 1) for column in range(COLS))
SYMMETRIES = grid.symmetries(ROWS, COLS), grid.symmetries(1, COLS)
OPENINGS = 6


def start(n: int) -> np.ndarray:
    """Empty boards."""
    return np.zeros((n, ROWS, COLS), np.int8)


def valid(boards: np.ndarray) -> np.ndarray:
    """Columns that are not full."""
    return boards[:, 0] == 0


def play(boards: np.ndarray, actions: np.ndarray):
    """Drop a stone into columns `actions` int (n,)."""
    depth = (boards[np.arange(len(boards)), :, actions] == 0).sum(1)
    return grid.place(boards, (depth - 1) * COLS + actions, 4)


def text(board: np.ndarray) -> str:
    """Draw a board; the columns are numbered as moves are."""
    return grid.text(board, "".join(NAMES))
