"""What the value head learns in place of returns (MuZero, appendix F)."""

from __future__ import annotations

import numpy as np


def transform(x: np.ndarray, kind: str) -> np.ndarray:
    """Shrink values x: "none" leaves them, "sqrt" is MuZero's."""
    if kind == "none":
        return x
    return np.sign(x) * (np.sqrt(np.abs(x) + 1) - 1) + 0.001 * x


def inverse(y: np.ndarray, kind: str) -> np.ndarray:
    """Undo `transform`."""
    if kind == "none":
        return y
    root = (np.sqrt(1 + 0.004 * (np.abs(y) + 1.001)) - 1) / 0.002
    return np.sign(y) * (root**2 - 1)
