"""What the pipeline sees of a frame of CarRacing: its playfield, scaled to 64x64."""

from __future__ import annotations

import numpy as np

from fast_carracing.kernels import jit

ROWS = 84  # the rows below hold the indicator bar


def see(frame: np.ndarray) -> np.ndarray:
    """Crop a frame (>= 84, 96, 3) to the playfield and scale it to (64, 64, 3), by area.

    The same to the bit as OpenCV's INTER_AREA, in a quarter of its time.
    """
    out = np.empty((64, 64, 3), np.uint8)
    shrink(np.ascontiguousarray(frame[:ROWS]), *SHARES, out)
    return out


def row_shares() -> tuple[np.ndarray, np.ndarray]:
    """For each of 64 rows the first of the (at most) 3 of 84 under it, and their 16ths of it."""
    start = 21 * np.arange(64)  # 84 / 64 = 21 / 16
    first = np.minimum(start // 16, ROWS - 3)
    low = 16 * (first[:, None] + np.arange(3))
    share = np.minimum(low + 16, start[:, None] + 21) - np.maximum(low, start[:, None])
    return first, np.maximum(share, 0).astype(np.uint16)


SHARES = row_shares()


@jit
def shrink(frame, first, share, out):
    """Scale (84, 96, 3) to (64, 64, 3) by area: 3 columns become 2, rows as in row_shares.

    Everything is an integer until one division by 63 = 21 * 3, rounded: (s + 31) // 63.
    """
    source, target = frame.reshape(-1), out.reshape(-1)
    line = np.zeros(96 * 3 + 3, np.uint16)
    left, right = np.empty(96 * 3, np.uint8), np.empty(96 * 3, np.uint8)
    row, half = np.uint64(96 * 3), np.uint32(31)
    for r in range(64):
        at = np.uint64(first[r]) * row  # unsigned indices let LLVM vectorise
        a, b, c = share[r, 0], share[r, 1], share[r, 2]
        for i in range(96 * 3):
            k = at + np.uint64(i)
            total = source[k] * a + source[k + row] * b + source[k + row + row] * c
            line[np.uint64(i)] = np.uint16(total)
        for i in range(96 * 3):
            k = np.uint64(i)
            x, y = np.uint32(line[k]), np.uint32(line[k + np.uint64(3)])
            left[k] = ((x + x + y + half) * np.uint32(33289)) >> np.uint32(21)
            right[k] = ((x + y + y + half) * np.uint32(33289)) >> np.uint32(21)
        for p in range(32):
            for k in range(3):
                target[192 * r + 6 * p + k] = left[9 * p + k]
                target[192 * r + 6 * p + 3 + k] = right[9 * p + 3 + k]
