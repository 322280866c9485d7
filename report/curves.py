"""Learning curves of CarRacing runs beside those that the originals published.

    python -m report.curves pretrained/carracing
    python -m report.curves log/a log/b --cores 2 64

The score of the distribution's mean against generations, environment steps, wall hours and core
hours. Ours are evaluations during evolution, a few dozen whole episodes each; the originals' are
points of their released logs. Writes curves.png to the first run's folder.
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import numpy as np

import runs
from controller.logs import history, history_files
from runs import cli
from runs.figures import save

# What was published: generations, evaluations, seconds of a generation. Both played 64 x 16
# episodes of up to 1,000 steps a generation on 64 workers.
PUBLISHED = {
    "Ha & Schmidhuber 2018, released log": (
        (0, 25, 50, 100, 200, 500, 1000, 1800),
        (-54.6, 822.9, 867.5, 867.0, 880.4, 890.6, 892.2, 900.5),
        2237,
    ),
    "Wellmer 2020 (TensorFlow 2), released log": (
        (0, 10, 50, 90, 170, 190, 200),
        (123, 730, 842, 880, 888, 888, 885),
        2485,
    ),
}
AXES = ("generation", "environment steps", "wall time in hours", "core hours")


def published_curve(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Points of an original: x (4, n), one row for each of AXES, and scores (n,)."""
    generations, scores, seconds = PUBLISHED[name]
    generations = np.array(generations, float)
    hours = generations * seconds / 3600
    steps = generations * 64 * 16 * 1000
    return np.stack([generations, steps, hours, 64 * hours]), np.array(scores, float)


def own_curve(path: Path, cores: int) -> tuple[np.ndarray, np.ndarray]:
    """Evaluations of a run on whole episodes, as `published_curve`.

    Raises:
        RunError: it has none.
    """
    hist, evaluations = history(path)
    whole = hist[hist[:, 8] > 1000, 0]
    evaluations = evaluations[np.isin(evaluations[:, 0], whole)]
    if not len(evaluations):
        raise runs.RunError(f"{path} has no evaluation on whole episodes of 1,000 steps")
    played = {}  # steps of each generation; a run may have changed its episodes
    for file in history_files(path):
        episodes, population = (int(word) for word in file.name.split(".")[2:4])
        for row in json.loads(file.read_text()):
            played[int(row[0])] = row[7] * episodes * population
    steps = np.cumsum([played[g] for g in sorted(played)])
    at = np.searchsorted(sorted(played), evaluations[:, 0], "right") - 1
    hours = evaluations[:, 1] / 3600
    return np.stack([evaluations[:, 0], steps[at], hours, cores * hours]), evaluations[:, 2]


def plot(curves: dict[str, tuple[np.ndarray, np.ndarray]]):
    """Plot curves, the published ones dotted; returns the matplotlib figure."""
    import matplotlib.pyplot as plt

    figure, panes = plt.subplots(2, 2, figsize=(13, 9), sharey=True)
    lowest = min(score[x[0] > 0].min() for x, score in curves.values())
    for axis, label in enumerate(AXES):
        axes = panes.flat[axis]
        for name, (x, score) in curves.items():
            seen = x[axis] > 0
            style = ":o" if name in PUBLISHED else "-o"
            axes.plot(x[axis][seen], score[seen], style, markersize=3, linewidth=1.2, label=name)
        axes.axhline(906, color="black", linestyle="--", linewidth=0.8)
        axes.set(xlabel=label, xscale="log", ylim=(lowest - 20, 950))
        axes.grid(alpha=0.3)
    for axes in panes[:, 0]:
        axes.set_ylabel("mean return")
    panes[0, 0].legend(loc="lower right", fontsize=9)
    figure.suptitle("CarRacing: evaluations during evolution (dashed: the paper's 906 ± 21)")
    figure.tight_layout()
    return figure


def main() -> None:
    parser = cli.OptionParser(__doc__)
    add = parser.add_argument
    add("runs", nargs="+", help="runs of CarRacing, such as pretrained/carracing")
    add("--cores", type=int, nargs="+", default=[2], help="of each run, or of all (default: 2)")
    args = parser.parse_args()
    cores = args.cores * (len(args.runs) if len(args.cores) == 1 else 1)
    if len(cores) != len(args.runs) or min(cores) < 1:
        parser.error("--cores takes one number, or one for each run; at least 1")
    curves = {name: published_curve(name) for name in PUBLISHED}
    for run, count in zip(args.runs, cores, strict=True):
        path, cfg = runs.find(run)
        if cfg.game != "carracing":
            raise runs.RunError(f"{path} plays {cfg.game}, not carracing")
        curves[str(path)] = own_curve(path, count)
    matplotlib.use("Agg")
    save(plot(curves), runs.find(args.runs[0])[0] / "curves.png")


if __name__ == "__main__":
    cli.run(main)
