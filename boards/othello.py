"""Othello: 8x8, discs between the new one and another of the same colour are turned. A move is a
cell, or the last one: to pass, valid only if nothing else is; see boards/__init__.py.

Inside, a board is two 64-bit numbers, whose highest bit is the upper left cell: all eight
directions of all boards are shifted at once.
"""

from __future__ import annotations

import numpy as np

from boards import grid
from boards.grid import text  # noqa: F401

ROWS = COLS = 8
PASS = ROWS * COLS
NAMES = (*grid.names(ROWS, COLS), "pass")
CELLS = grid.symmetries(ROWS, COLS)
SYMMETRIES = CELLS, np.pad(CELLS, ((0, 0), (0, 1)), constant_values=PASS)
OPENINGS = 8

# One row a direction: west, north, north-west, north-east; east, south, south-east, south-west.
# What a shift carries over an edge of the board is masked out.
ALL = 2**64 - 1
EAST_EDGE, WEST_EDGE = 0x0101010101010101, 0x8080808080808080
LEFT, RIGHT, MASK = np.array(
    [
        (1, 0, ALL - EAST_EDGE),
        (8, 0, ALL),
        (9, 0, ALL - EAST_EDGE),
        (7, 0, ALL - WEST_EDGE),
        (0, 1, ALL - WEST_EDGE),
        (0, 8, ALL),
        (0, 9, ALL - WEST_EDGE),
        (0, 7, ALL - EAST_EDGE),
    ],
    np.uint64,
).T[:, :, None]


def shift(bits: np.ndarray) -> np.ndarray:
    """Move bits (n,) or (8, n) by one cell, each row in its direction: (8, n)."""
    return ((bits << LEFT) >> RIGHT) & MASK


def pack(cells: np.ndarray) -> np.ndarray:
    """Cells bool (n, 8, 8) to numbers uint64 (n,)."""
    packed = np.packbits(cells.reshape(len(cells), PASS), axis=1)
    return np.ascontiguousarray(packed).view(">u8")[:, 0].astype(np.uint64)


def unpack(bits: np.ndarray) -> np.ndarray:
    """Undo `pack`, without the rows: 0 or 1, uint8 (n, 64)."""
    return np.unpackbits(bits.astype(">u8")[:, None].view(np.uint8), axis=1)


def runs_of(from_bits: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The other's discs that follow `from_bits` (n,) without a gap, in every direction: (8, n)."""
    run = shift(from_bits) & other
    for _ in range(5):
        run |= shift(run) & other
    return run


def moves(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cells that turn a disc: uint64 (n,)."""
    return np.bitwise_or.reduce(shift(runs_of(own, other)), axis=0) & ~(own | other)


def start(n: int) -> np.ndarray:
    """Boards with the four discs of the beginning; black is to move."""
    boards = np.zeros((n, ROWS, COLS), np.int8)
    boards[:, [3, 4], [4, 3]] = 1
    boards[:, [3, 4], [3, 4]] = -1
    return boards


def valid(boards: np.ndarray) -> np.ndarray:
    """Cells that turn a disc; without any, to pass."""
    cells = unpack(moves(pack(boards == 1), pack(boards == -1)))
    return np.concatenate([cells, 1 - cells.max(1, keepdims=True)], 1).astype(bool)


def play(boards: np.ndarray, actions: np.ndarray):
    """Put discs on cells `actions` int (n,), or pass. Over when nobody can move; more discs win."""
    own, other = pack(boards == 1), pack(boards == -1)
    cell = np.minimum(actions, PASS - 1).astype(np.uint64)
    placed = np.where(actions == PASS, np.uint64(0), np.uint64(1) << (np.uint64(63) - cell))
    run = runs_of(placed, other)
    turned = np.bitwise_or.reduce(np.where(shift(run) & own, run, np.uint64(0)), axis=0)
    own, other = own | placed | turned, other & ~turned
    mine, theirs = unpack(own).astype(np.int8), unpack(other).astype(np.int8)
    over = (moves(other, own) == 0) & (moves(own, other) == 0)
    lead = np.sign(mine.sum(1, dtype=int) - theirs.sum(1, dtype=int))
    return (theirs - mine).reshape(boards.shape), (lead * over).astype(np.float32), over
