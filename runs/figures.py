"""Figures, written in one piece."""

from __future__ import annotations

from pathlib import Path

from runs.files import replacing


def save(figure, target: Path) -> None:
    """Write a figure in one piece and close it."""
    import matplotlib.pyplot as plt

    with replacing(target) as file:
        figure.savefig(file, format=target.suffix[1:], dpi=80, bbox_inches="tight")
    plt.close(figure)
    print(f"written {target}")
