"""The paper's table of temperatures (World Models, section 4.2): a controller evolved in the dream
at each temperature, its score there and in the genuine game, and a random policy's.

    python -m report.temperatures log/takecover
    python -m report.temperatures log/takecover --temperatures 0.5 1.0 --generations 20

Needs a run with V, M and series. Each controller is a run of its own, `<run>-t<temperature>`, made
by train.py with the run's options for its own controller; what else the command line says goes to
train.py too. Writes temperatures.json and temperatures.png to the run's folder. The same command
goes on where it was stopped.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import matplotlib

import config
import runs
from controller.rounds import words_of
from runs import cli, workers
from runs.figures import save

# Score in the dream and in the game, mean and standard deviation (World Models, table 2).
PAPER = {
    "0.1": (2086, 140, 193, 58),
    "0.5": (2060, 277, 196, 50),
    "1": (1145, 690, 868, 511),
    "1.15": (918, 546, 1092, 556),
    "1.3": (732, 269, 753, 139),
    "random": (None, None, 210, 108),
}


def run_row(
    run: Path, cfg: config.Config, temperature: float, episodes: int, more: list[str]
) -> dict:
    """Evolve at one temperature, score it in the dream and in the game; returns the table's row."""
    path = run.with_name(f"{run.name}-t{temperature:g}")
    wanted = dataclasses.replace(cfg.controller, world="dream", temperature=temperature)
    options = words_of(wanted, config.preset(cfg.game, cfg.preset).controller)
    words = (cfg.game, "--run", str(path), "--preset", cfg.preset, "--models", str(run))
    workers.script("train.py", *words, *options, *more)
    play = ("evaluate.py", str(path), "--episodes", str(episodes))
    controller = runs.fingerprint(path / "controller" / "controller.npz")
    for file, words in (("result-dream.json", ("--dream",)), ("result.json", ("--baselines",))):
        was = json.loads((path / file).read_text()) if (path / file).exists() else {}
        same = (was.get("controller"), was.get("episodes")) == (controller, episodes)
        if not same or ("--baselines" in words and "baselines" not in was):
            workers.script(*play, *words)
    dream = json.loads((path / "result-dream.json").read_text())
    real = json.loads((path / "result.json").read_text())
    return {
        "dream": [dream["mean"], dream["std"]],
        "game": [real["mean"], real["std"]],
        "random": [real["baselines"]["random"]["mean"], real["baselines"]["random"]["std"]],
        "generation": real["generation"],
        "evolution_hours": real["evolution_hours"],
    }


def cell(mean: float | None, std: float | None) -> str:
    """A score of the table."""
    return "-" if mean is None else f"{mean:.0f} ± {std:.0f}"


def table(rows: dict[str, dict], game: str) -> str:
    """The table as text, the paper's figures beside ours."""
    head = ["temperature", "dream", "game"]
    head += ["paper: dream", "paper: game"] if game == "takecover" else []
    lines = [head]
    for name, row in rows.items():
        line = [name, cell(*row["dream"]), cell(*row["game"])]
        if game == "takecover":
            paper = PAPER.get(name, (None,) * 4)
            line += [cell(*paper[:2]), cell(*paper[2:])]
        lines.append(line)
    return "\n".join("".join(f"{word:>16}" for word in line) for line in lines)


def plot(rows: dict[str, dict], game: str):
    """Plot both scores against the temperature; returns the matplotlib figure."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5))
    ours = {float(k): row for k, row in rows.items() if k != "random"}
    for what, colour in (("dream", "C0"), ("game", "C1")):
        means, stds = zip(*(row[what] for row in ours.values()), strict=True)
        axes.errorbar(list(ours), means, stds, color=colour, marker="o", capsize=3, label=what)
        if game == "takecover":
            at = 0 if what == "dream" else 2
            paper = {float(k): v[at : at + 2] for k, v in PAPER.items() if k != "random"}
            means, stds = zip(*paper.values(), strict=True)
            places = [x + 0.012 for x in paper]
            axes.errorbar(
                places, means, stds, color=colour, ls=":", lw=1, alpha=0.6, label=f"{what} (paper)"
            )
    axes.axhline(rows["random"]["game"][0], color="grey", lw=1, label="random policy, game")
    axes.set(xlabel="temperature of the dream", ylabel="mean return", title="evolved in the dream")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    figure.tight_layout()
    return figure


def main() -> None:
    parser = cli.OptionParser(__doc__)
    parser.add_argument("run", help="a run with V, M and series, such as log/takecover")
    parser.add_argument(
        "--temperatures",
        nargs="+",
        type=float,
        default=[0.1, 0.5, 1.0, 1.15, 1.3],
        help="temperatures (default: the paper's five)",
    )
    parser.add_argument(
        "--episodes", type=int, default=100, help="episodes of a score (default: 100)"
    )
    args, more = parser.parse_known_args()
    if min(args.temperatures) <= 0 or args.episodes < 1:
        parser.error("--temperatures must be above 0 and --episodes at least 1")
    workers.alone("report.temperatures")
    run, cfg = runs.find(args.run)
    rows = {}
    for temperature in args.temperatures:
        name = f"{temperature:g}"
        rows[name] = run_row(run, cfg, temperature, args.episodes, more)
        random = rows[name].pop("random")
        rows.pop("random", None)
        rows["random"] = {"dream": [None, None], "game": random}
        runs.write_json(run / "temperatures.json", {"rows": rows, "episodes": args.episodes})
    print(table(rows, cfg.game))
    matplotlib.use("Agg")
    save(plot(rows, cfg.game), run / "temperatures.png")


if __name__ == "__main__":
    cli.run(main)
