"""The ablations of CarRacing as a table and a bar chart: what C sees, and whether M was trained.

    python -m report.ablations pretrained/carracing log/z log/z-hidden log/untrained

Each run has been scored (`evaluate.py <run> --baselines`); its name in the table comes from its own
options. Beside it stands what was published. Two runs that played the same tracks are compared
track by track: the mean difference to the first run and its 95 % interval. Where both were judged
again (`controller.choose`), so are their equal generations. Writes ablations.json and ablations.png
to the first run's folder.
"""

from __future__ import annotations

import json

import matplotlib
import numpy as np

import config
import runs
from runs import cli
from runs.figures import save
from runs.scores import interval

# Mean and standard deviation of 100 tracks: World Models, table 1; ctallec/world-models for an
# untrained M (with a trained one: 860 ± 120). Its paper does not give random play.
PUBLISHED = {
    "z": (632, 251),
    "z-hidden": (788, 141),
    "zh": (906, 21),
    "zh, M untrained": (870, 120),
}


def label(cfg: config.Config) -> str:
    """What C sees, and whether M was trained."""
    inputs = cfg.controller.inputs
    blind = inputs in ("z", "z-hidden")
    return inputs if blind or cfg.rnn.steps else f"{inputs}, M untrained"


def at_equal_generations(first: dict, other: dict) -> dict[str, list[float]]:
    """Differences of two choice.json, `other` to `first`: mean and 95 % interval by generation."""
    if not first or not other or first["seeds"] != other["seeds"]:
        return {}
    found = {}
    for generation in sorted(first["rows"].keys() & other["rows"].keys(), key=int):
        a, b = (np.array(choice["rows"][generation]["scores"]) for choice in (first, other))
        found[generation] = [round(float((b - a).mean()), 2), *interval(b - a)]
    return found


def rows_of(names: list[str]) -> dict[str, dict]:
    """A row for each run, random play of the first one last.

    Raises:
        RunError: a run plays another game, has no score, or is the second of its kind.
    """
    rows, first, first_choice = {}, None, None
    for name in names:
        path, cfg = runs.find(name)
        if cfg.game != "carracing":
            raise runs.RunError(f"{path} plays {cfg.game}, not carracing")
        runs.require(path, "result.json")
        result = json.loads((path / "result.json").read_text())
        file = path / "choice.json"
        choice = json.loads(file.read_text()) if file.exists() else {}
        if first is None:
            first, first_choice = result, choice
        if label(cfg) in rows:
            raise runs.RunError(f"{path} and {rows[label(cfg)]['run']} are both {label(cfg)!r}")
        scores = np.array(result["scores"])
        row = {"run": str(path), "mean": result["mean"], "std": result["std"]}
        row |= {
            "ci95": interval(scores),
            "episodes": len(scores),
            "generation": result["generation"],
        }
        row["hours"] = result["evolution_hours"]
        if result is not first and result["seeds"] == first["seeds"]:
            difference = scores - np.array(first["scores"])
            row["difference"] = [round(float(difference.mean()), 2), *interval(difference)]
        if result is not first and (equal := at_equal_generations(first_choice, choice)):
            row["equal_generations"] = equal
        rows[label(cfg)] = row
    if "baselines" in first:
        random = first["baselines"]["random"]
        rows["random"] = {"mean": random["mean"], "std": random["std"]}
    return rows


def table(rows: dict[str, dict]) -> str:
    """The table as text."""
    lines = [["C sees", "mean ± std", "95 % of the mean", "to the first", "published"]]
    for name, row in rows.items():
        low, high = row.get("ci95", (None, None))
        gap = row.get("difference")
        mean, std = PUBLISHED.get(name, (None, None))
        lines.append(
            [
                name,
                f"{row['mean']:.0f} ± {row['std']:.0f}",
                "-" if low is None else f"{low:.0f} .. {high:.0f}",
                "-" if gap is None else f"{gap[0]:+.0f} ({gap[1]:+.0f} .. {gap[2]:+.0f})",
                "-" if mean is None else f"{mean} ± {std}",
            ]
        )
    text = ["".join(f"{word:>22}" for word in line) for line in lines]
    for name, row in rows.items():
        for generation, (mean, low, high) in row.get("equal_generations", {}).items():
            text.append(
                f"{name}, both at generation {generation}: {mean:+.1f} ({low:+.1f} .. {high:+.1f})"
            )
    return "\n".join(text)


def plot(rows: dict[str, dict]):
    """Draw the bars, published ones beside ours; returns the matplotlib figure."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5))
    for shift, colour, name in ((-0.2, "C0", "ours"), (0.2, "0.7", "published")):
        bars = {k: (row["mean"], row["std"]) for k, row in rows.items()}
        bars = bars if name == "ours" else {k: PUBLISHED[k] for k in rows if k in PUBLISHED}
        at = [list(rows).index(k) + shift for k in bars]
        means, stds = zip(*bars.values(), strict=True) if bars else ((), ())
        axes.bar(at, means, 0.38, yerr=stds, color=colour, capsize=3, label=name)
    axes.set_xticks(range(len(rows)), list(rows))
    axes.set(ylabel="mean return, standard deviation over tracks", xlabel="C sees")
    axes.legend(frameon=False, loc="upper right")
    figure.tight_layout()
    return figure


def main() -> None:
    parser = cli.OptionParser(__doc__)
    parser.add_argument("runs", nargs="+", help="scored runs of CarRacing, the full one first")
    args = parser.parse_args()
    rows = rows_of(args.runs)
    print(table(rows))
    path = runs.find(args.runs[0])[0]
    runs.write_json(path / "ablations.json", rows)
    matplotlib.use("Agg")
    save(plot(rows), path / "ablations.png")


if __name__ == "__main__":
    cli.run(main)
