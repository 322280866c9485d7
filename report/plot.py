"""Pictures of a run: its training curves, losses, reconstructions and dreams, in its folder.

    python -m report.plot log/carracing

Writes training.png, losses.png, reconstructions.png and dreams.png. The notebook
`notebooks/plot_training_progress.ipynb` draws with the same functions.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import matplotlib
import numpy as np

import envs
import runs
from controller.logs import history
from runs import cli
from runs.figures import save

DAY = 86400


def plot_training(path: Path, by: str = "generation"):
    """Plot mean, min, max and evaluations of a run by `generation` or by `time`.

    Returns:
        The matplotlib figure.
    """
    import matplotlib.pyplot as plt

    hist, evaluations = history(path)
    hours = hist[-1, 1] < 3 * DAY
    scale = {"generation": 1, "time": 3600 if hours else DAY}[by]
    column = {"generation": 0, "time": 1}[by]
    x = hist[:, column] / scale
    figure, axes = plt.subplots(figsize=(16, 10))
    for name, i, color in (
        ("mean", 2, "tab:blue"),
        ("min", 3, "tab:gray"),
        ("max", 4, "tab:green"),
    ):
        axes.plot(x, hist[:, i], label=f"{name} of the population", color=color, linewidth=1)
    if len(evaluations):
        best = np.maximum.accumulate(evaluations[:, 2])
        axes.plot(
            evaluations[:, column] / scale, evaluations[:, 2], "o", color="tab:red",
            label="evaluation of the distribution's mean",
        )  # fmt: skip
        axes.plot(evaluations[:, column] / scale, best, color="tab:red", label="best evaluation")
    solved = envs.load(runs.find(str(path))[1].game).solved
    if solved is not None:
        axes.axhline(solved, color="black", linestyle="--", linewidth=1, label=f"solved: {solved}")
    unit = {"generation": "generation", "time": f"wall time in {'hours' if hours else 'days'}"}
    steps = int(hist[-1, 8]) - 1
    axes.set(
        xlabel=unit[by],
        ylabel=f"return (episodes of up to {steps:,} steps)",
        title=f"{path.name}: evolution of the controller",
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure


def plot_losses(path: Path):
    """Plot the losses of V by epoch and of M by step.

    Returns:
        The matplotlib figure.
    """
    import matplotlib.pyplot as plt

    figure, panes = plt.subplots(1, 2, figsize=(16, 5))
    for axes, stage, key in ((panes[0], "vae", "epoch"), (panes[1], "rnn", "step")):
        rows = runs.read_metrics(path / stage / "metrics.jsonl")
        for name, label in (("loss", "training"), ("val_loss", "held out")):
            x = [row[key] for row in rows if name in row]
            axes.plot(x, [row[name] for row in rows if name in row], ".-", label=label)
        unit = {"vae": "squared error + KL a frame", "rnn": "nats a latent dimension"}[stage]
        axes.set(xlabel=key, ylabel=unit, title={"vae": "V", "rnn": "M"}[stage])
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def latest(path: Path, stage: str, folder: str) -> Path | None:
    """The newest picture that a stage drew."""
    return max((path / stage / folder).glob("*.png"), default=None)


def main() -> None:
    parser = cli.OptionParser(__doc__)
    parser.add_argument("run", help="a run's folder, such as log/carracing")
    path, _ = runs.find(parser.parse_args().run)
    matplotlib.use("Agg")
    save(plot_training(path), path / "training.png")
    save(plot_training(path, "time"), path / "training.wall.png")
    save(plot_losses(path), path / "losses.png")
    pictures = (("vae", "epochs", "reconstructions"), ("rnn", "steps", "dreams"))
    for stage, folder, name in pictures:
        picture = latest(path, stage, folder)
        if picture:
            shutil.copyfile(picture, path / f"{name}.png")
            print(f"written {path / name}.png")


if __name__ == "__main__":
    cli.run(main)
