"""What the games have in common: rows of marks, symmetries, pictures."""

from __future__ import annotations

import numpy as np

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def in_a_row(marks: np.ndarray, length: int) -> np.ndarray:
    """Whether `length` marks lie in a line, across, down or diagonally.

    Args:
        marks: bool (n, rows, cols).

    Returns:
        bool (n,).
    """
    rows, cols = marks.shape[1:]
    found = np.zeros(len(marks), bool)
    for down, right, grid in (
        (0, 1, marks),
        (1, 0, marks),
        (1, 1, marks),
        (1, 1, marks[:, :, ::-1]),
    ):
        height, width = rows - (length - 1) * down, cols - (length - 1) * right
        line = grid[:, :height, :width]
        for k in range(1, length):
            line = line & grid[:, k * down : k * down + height, k * right : k * right + width]
        found |= line.any((1, 2))
    return found


def place(boards: np.ndarray, actions: np.ndarray, length: int):
    """Put own stones on cells `actions` int (n,); who has `length` in a row wins.

    Returns what the `play` of a game does.
    """
    after = boards.copy()
    after.reshape(len(boards), -1)[np.arange(len(boards)), actions] = 1
    won = in_a_row(after == 1, length)
    return -after, won.astype(np.float32), won | (after != 0).all((1, 2))


def names(rows: int, cols: int) -> tuple[str, ...]:
    """What the cells are called: a1 is in the upper left corner, b1 right of it."""
    return tuple(f"{LETTERS[c]}{r + 1}" for r in range(rows) for c in range(cols))


def symmetries(rows: int, cols: int) -> np.ndarray:
    """Permutations of the cells (S, rows * cols): 8 of a square, else 2 (left and right)."""
    cells = np.arange(rows * cols).reshape(rows, cols)
    turned = [np.rot90(cells, k) for k in range(4 if rows == cols else 1)]
    return np.stack([grid.reshape(-1) for t in turned for grid in (t, t[:, ::-1])])


def text(board: np.ndarray, columns: str = LETTERS) -> str:
    """Draw a board (rows, cols) with the names of its columns and rows."""
    rows, cols = board.shape
    lines = ["   " + " ".join(columns[:cols])]
    lines += [f"{r + 1:2d} " + " ".join(".XO"[cell] for cell in row) for r, row in enumerate(board)]
    return "\n".join(lines)
