"""The plot of a planner: its score by frames played."""

from __future__ import annotations

from pathlib import Path

import runs
from runs.figures import save


def plot_progress(path: Path) -> None:
    """Draw planner/progress.png: score, depth and entropy of play by frames."""
    import matplotlib.pyplot as plt

    rows = runs.read_metrics(path / "planner" / "metrics.jsonl")
    if not rows:
        return
    frames = [row["frames"] for row in rows]
    figure, panes = plt.subplots(1, 3, figsize=(15, 4))
    mean, std = ([row[k] for row in rows] for k in ("mean", "std"))
    panes[0].plot(frames, mean, "o-", markersize=3)
    band = (
        [m - s for m, s in zip(mean, std, strict=True)],
        [m + s for m, s in zip(mean, std, strict=True)],
    )
    panes[0].fill_between(frames, *band, alpha=0.2)
    panes[0].set(title="score of play, with exploration", ylabel="mean ± std")
    panes[1].plot(frames, [row["depth"] for row in rows], "o-", markersize=3)
    panes[1].set(title="depth of the trees")
    panes[2].plot(frames, [row["entropy"] for row in rows], "o-", markersize=3)
    panes[2].set(title="entropy of the visits, nats")
    for axes in panes:
        axes.set(xlabel="frames played")
        axes.grid(alpha=0.3)
    figure.suptitle(path.name)
    figure.tight_layout()
    save(figure, path / "planner" / "progress.png")
