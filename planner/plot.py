"""Plots of a planner's run: its score by frames played, and its curve over simulations."""

from __future__ import annotations

from pathlib import Path

import runs
from controller.plot import save


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


def plot_curve(rows: list[dict], random: dict, title: str):
    """Plot scores against simulations, with 95 % intervals; returns the matplotlib figure.

    Args:
        rows: of `planner.curve`: world, simulations, mean, ci95. random: mean and ci95.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 5))
    places = sorted({row["simulations"] for row in rows})
    for world in dict.fromkeys(row["world"] for row in rows):
        mine = [row for row in rows if row["world"] == world]
        x = [places.index(row["simulations"]) for row in mine]
        mean = [row["mean"] for row in mine]
        low = [row["mean"] - row["ci95"][0] for row in mine]
        high = [row["ci95"][1] - row["mean"] for row in mine]
        axes.errorbar(x, mean, (low, high), marker="o", capsize=3, label=f"in the {world}")
    axes.axhspan(*random["ci95"], color="grey", alpha=0.3, label="random play")
    axes.set(
        xlabel="simulations of a move (0: the policy alone)",
        ylabel="mean score, 95 % interval",
        title=title,
        xticks=range(len(places)),
        xticklabels=places,
    )
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
