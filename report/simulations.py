"""Score against simulations: in M's imagination, and in the game itself as an upper bound.

    python -m report.simulations log/breakout
    python -m report.simulations log/breakout --simulations 0 2 8 16 50 --episodes 100

Writes curve.json and curve.png to the run's folder. What is there already is not played again, so a
curve that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib
import numpy as np
from threadpoolctl import threadpool_limits

import config
import runs
from planner.agent import load_agent
from planner.evaluate import DECIMALS, play_planned, play_random
from runs import cli, workers
from runs.figures import save
from runs.scores import table


def plot_curve(rows: list[dict], random: dict, title: str):
    """Plot scores against simulations, with 95 % intervals; returns the matplotlib figure.

    Args:
        rows: of `curve.json`: world, simulations, mean, ci95. random: mean and ci95.
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


def measure(path: Path, cfg: config.Config, args: argparse.Namespace) -> dict:
    """Play what curve.json lacks, write it there, and return it all."""
    agent, engine = load_agent(path, cfg), cfg.planner.engine
    seeds = config.TEST_SEEDS + np.arange(args.episodes)
    file, marks = path / "curve.json", runs.made_from(path, "vae", "rnn")
    key = {"models": marks, "episodes": args.episodes, "engine": engine}
    data = json.loads(file.read_text()) if file.exists() else {}
    if {name: data.get(name) for name in key} != key:
        data = key | {"random": play_random(cfg, engine, seeds), "rows": []}
    worlds = ("model",) if args.no_game else ("model", "game")
    wanted = [(w, n) for w in worlds for n in args.simulations if n or w == "model"]
    for world, simulations in wanted:
        if any((r["world"], r["simulations"]) == (world, simulations) for r in data["rows"]):
            continue
        row = play_planned(cfg, agent, engine, seeds, simulations, world == "game")
        data["rows"].append({"world": world, "simulations": simulations} | row)
        runs.write_json(file, data)
    return data


def main() -> None:
    parser = cli.OptionParser(__doc__)
    add = parser.add_argument
    add("run", help="a planner's run, such as log/breakout")
    add("--simulations", type=int, nargs="+", default=[0, 2, 8, 16, 50], help="of a move")
    add("--episodes", type=int, default=100, help="of each point (default: 100)")
    add("--no-game", action="store_true", help="leave out the search in the game itself")
    args = parser.parse_args()
    if min(args.simulations) < 0 or args.episodes < 1:
        parser.error("--simulations must be at least 0 and --episodes at least 1")
    workers.alone("report.simulations")
    path, cfg = runs.find(args.run)
    threadpool_limits(1, "blas")
    data = measure(path, cfg, args)
    names = {f"{r['simulations']} in the {r['world']}": r for r in data["rows"]}
    print(table({"random": data["random"]} | names, DECIMALS - 1))
    matplotlib.use("Agg")
    title = f"{cfg.game}, {args.episodes} episodes each"
    save(plot_curve(data["rows"], data["random"], title), path / "curve.png")


if __name__ == "__main__":
    cli.run(main)
