"""Judge a run's generations again, on fresh tracks, and keep the best of them as its controller.

    python -m controller.choose log/drive                                 the five that scored best
    python -m controller.choose log/drive --generations 20 30 --dry-run   these, to compare only

Evolution keeps the distribution's mean that scored best in an evaluation; the best of ten such
scores is partly luck. Here the means play more tracks, which nothing was chosen on before and
`evaluate.py` never plays, in the world that C evolved in. Writes choice.json to the run's folder
and, without --dry-run, its controller.npz. What was judged already is not played again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import config
import runs
from controller.jobs import play_all
from controller.logs import history_files
from controller.model import load_controller, save_controller
from runs import cli, workers
from runs.scores import interval


def evaluated(path: Path) -> dict[int, tuple[float, np.ndarray]]:
    """Read the evaluated generations of a run: their scores and C's parameters (P,).

    Raises:
        RunError: it has none.
    """
    found = {}
    for file in history_files(path):
        log = Path(str(file).replace(".hist.json", ".log.json"))
        rows = json.loads(log.read_text()) if log.exists() else []
        found |= {row[0]: (row[1], np.array(row[2])) for row in rows}
    if not found:
        raise runs.RunError(f"{path} has no evaluated generation; run `python train.py` first")
    return found


def wanted(found: dict[int, tuple], generations: list[int], count: int) -> list[int]:
    """The generations to judge: those named, or the `count` that scored best, in order.

    Raises:
        RunError: one that was named was never evaluated.
    """
    if strange := set(generations) - found.keys():
        known = ", ".join(map(str, sorted(found)))
        raise runs.RunError(f"generation {min(strange)} was not evaluated; choose from {known}")
    return sorted(generations or sorted(found, key=lambda g: found[g][0])[-count:])


def judged(file: Path, made: dict, found: dict[int, tuple]) -> dict[str, dict]:
    """Rows of an earlier choice.json on the same tracks, by the same V, M and C."""
    old = json.loads(file.read_text()) if file.exists() else {}
    if any(old.get(key) != value for key, value in made.items()):
        return {}
    same = {str(generation): score for generation, (score, _) in found.items()}
    return {g: row for g, row in old["rows"].items() if row["evaluated"] == same.get(g)}


def judge(scores: np.ndarray, evaluated: float) -> dict:
    """The row of a generation: scores (N,) of its tracks, and what its evaluation had said."""
    values = {"mean": scores.mean(), "std": scores.std(), "min": scores.min()}
    row = {"evaluated": evaluated} | {k: round(float(v), 2) for k, v in values.items()}
    return row | {"ci95": interval(scores), "scores": [round(float(s), 2) for s in scores]}


def choose(pool, path: Path, cfg: config.Config, args: argparse.Namespace) -> None:
    """Play what was not yet judged, print the table, write choice.json and the best controller."""
    found = evaluated(path)
    generations = wanted(found, args.generations, args.best)
    seeds = config.CHOICE_SEEDS + np.arange(args.episodes)
    marks = runs.made_from(path, "vae", "rnn")
    made = {"seeds": [int(seeds[0]), int(seeds[-1])], "made_from": marks}
    file = path / "choice.json"
    rows = judged(file, made, found)
    print(
        f"choose: {path}, generations {', '.join(map(str, generations))}, {args.episodes} tracks "
        f"each; {workers.describe(pool.size)}\n"
        f"{'generation':>10}{'evaluated':>11}{'mean ± std':>17}{'95 % of the mean':>20}{'min':>8}",
        flush=True,
    )
    for generation in generations:
        score, params = found[generation]
        if str(generation) not in rows:
            jobs = np.tile(params, (len(seeds), 1))
            scores, _ = play_all(pool, path, cfg, jobs, seeds, cfg.controller.max_steps)
            rows[str(generation)] = judge(scores, score)
            runs.write_json(file, made | {"rows": rows}, indent=None)
        row = rows[str(generation)]
        low, high = row["ci95"]
        print(
            f"{generation:>10}{score:11.1f}{row['mean']:9.1f} ± {row['std']:5.1f}"
            f"{low:12.1f} .. {high:5.1f}{row['min']:8.1f}",
            flush=True,
        )
    if args.dry_run:
        return
    best = max(generations, key=lambda g: rows[str(g)]["mean"])
    score = rows[str(best)]["mean"]
    save_controller(path, found[best][1], marks, generation=best, score=score)
    print(f"generation {best} is kept in {path / 'controller' / 'controller.npz'}")


def main() -> None:
    parser = cli.OptionParser(__doc__)
    add = parser.add_argument
    add("run", help="a run's folder, such as log/drive")
    add("--best", type=int, default=5, help="how many of the best to judge (default: 5)")
    add("--generations", type=int, nargs="+", default=[], help="judge these instead")
    add("--episodes", type=int, default=256, help="tracks of each (default: 256)")
    add("--dry-run", action="store_true", help="leave the run's controller as it is")
    add("--workers", type=int, default=0, help="worker processes (default: one a core)")
    args = parser.parse_args()
    if min(args.best, args.episodes) < 1:
        parser.error("--best and --episodes must be at least 1")
    path, cfg = runs.find(args.run)
    load_controller(path)  # what is missing, or of another V or M, is said before anything starts
    workers.launch(args.workers)
    with workers.pool() as pool:
        if pool is not None:
            choose(pool, path, cfg, args)


if __name__ == "__main__":
    cli.run(main)
