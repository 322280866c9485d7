"""The scores of a planner's runs that differ in their seed, one by one and pooled.

    python -m report.pool log/breakout-sticky-0 log/breakout-sticky-1 log/breakout-sticky-2
    python -m report.pool --engine exact log/breakout-exact-0 log/breakout-exact-1

Each run has been scored on the same games (`evaluate.py <run>`). Prints random play, the policy
alone and the search with 95 % intervals of the mean, and how much the search adds to the policy,
game by game. Pooled: over the games of all runs, and below it with the runs drawn anew too, which
says what another set of seeds would give. Writes pool-<engine>.json and .png to the first run's
folder.
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import numpy as np

import runs
from config.worldmodels import ENGINES
from runs import cli
from runs.figures import save
from runs.scores import PLAYERS, interval, read_players

NAMES = {"random": "random play", "prior": "the policy alone", "search": "search"}


def read_scores(names: list[str], engine: str) -> tuple[str, dict[str, dict[str, np.ndarray]]]:
    """The engine, and of each run every player's scores, game by game.

    Raises:
        RunError: a run has no score on that engine, or played other games than the first.
    """
    results: dict[str, dict] = {}
    for name in names:
        path = runs.find(name)[0]
        file = path / (f"result-{engine}.json" if engine else "result.json")
        if engine and not file.exists():
            file = path / "result.json"  # where the engine's scores are the official ones
        if not file.exists():
            raise runs.RunError(f"{path} has no score; run `python evaluate.py {path}`")
        result = json.loads(file.read_text())
        if not read_players(result):
            raise runs.RunError(f"{file} is not the score of a planner")
        if engine and result["engine"] != engine:
            command = f"python evaluate.py {path} --engine {engine}"
            raise runs.RunError(f"{path} has no score on {engine}; run `{command}`")
        results[str(path)] = result
    first, *others = results.items()
    for name, result in others:
        for key in ("engine", "seeds", "simulations"):
            if result[key] != first[1][key]:
                raise runs.RunError(f"{name} was scored with other {key} than {first[0]}")
    scores = {
        name: {who: np.array(row["scores"]) for who, row in read_players(result).items()}
        for name, result in results.items()
    }
    return first[1]["engine"], scores


def interval_over_runs(scores: np.ndarray) -> list[float]:
    """95 % interval of the mean when runs are drawn anew, and games within them.

    Args:
        scores: (runs, games).
    """
    rng, (count, games) = np.random.default_rng(0), scores.shape
    drawn = rng.integers(count, size=(10_000, count, 1))
    means = scores[drawn, rng.integers(games, size=(10_000, count, games))].mean((1, 2))
    return [round(float(x), 3) for x in np.percentile(means, (2.5, 97.5))]


def rows_of(scores: dict[str, dict[str, np.ndarray]]) -> dict[str, dict]:
    """A row for each run, then the pooled one: each player's mean and interval, and the gain."""
    together = {p: np.stack([run[p] for run in scores.values()]) for p in PLAYERS}
    rows = {}
    for name, run in (scores | {"all": together}).items():
        columns = {p: run[p] for p in PLAYERS} | {"gain": run["search"] - run["prior"]}
        rows[name] = {
            column: {"mean": round(float(v.mean()), 3), "ci95": interval(v.ravel())}
            for column, v in columns.items()
        }
        if name == "all":
            for column, v in columns.items():
                rows[name][column]["ci95_over_runs"] = interval_over_runs(v)
    return rows


def table(rows: dict[str, dict]) -> str:
    """The rows as text."""

    def cell(row: dict, which: str = "ci95") -> str:
        return f"{row['mean']:.2f} ({row[which][0]:.2f} to {row[which][1]:.2f})"

    columns = (*PLAYERS, "gain")
    lines = [["", *NAMES.values(), "search - policy"]]
    lines += [[Path(name).name, *(cell(row[c]) for c in columns)] for name, row in rows.items()]
    lines.append(["all, other runs", *(cell(rows["all"][c], "ci95_over_runs") for c in columns)])
    return "\n".join("".join(f"{word:>25}" for word in line) for line in lines)


def plot(rows: dict[str, dict], title: str):
    """Draw every run's means and intervals side by side; returns the matplotlib figure."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5))
    for k, player in enumerate(PLAYERS):
        values = [row[player] for row in rows.values()]
        mean = np.array([v["mean"] for v in values])
        low, high = np.array([v["ci95"] for v in values]).T
        at = np.arange(len(rows)) + 0.2 * (k - 1)
        axes.errorbar(at, mean, (mean - low, high - mean), fmt="o", capsize=3, label=NAMES[player])
    axes.set_xticks(range(len(rows)), [Path(name).name for name in rows], rotation=15)
    axes.set(ylabel="mean score, 95 % interval", title=title)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3, axis="y")
    axes.legend(frameon=False)
    figure.tight_layout()
    return figure


def main() -> None:
    parser = cli.OptionParser(__doc__)
    parser.add_argument("runs", nargs="+", help="scored runs of a planner")
    parser.add_argument(
        "--engine", choices=ENGINES, default="", help="whose scores (default: the official ones)"
    )
    args = parser.parse_args()
    engine, scores = read_scores(args.runs, args.engine)
    rows = rows_of(scores)
    print(table(rows))
    folder, games = Path(next(iter(scores))), len(next(iter(scores.values()))["prior"])
    runs.write_json(folder / f"pool-{engine}.json", rows)
    matplotlib.use("Agg")
    title = f"{len(scores)} runs, {games} games each, engine {engine}"
    save(plot(rows, title), folder / f"pool-{engine}.png")


if __name__ == "__main__":
    cli.run(main)
