"""The logs of evolution: the original's five JSON files, and metrics.jsonl.

Under log/<run>/controller/<game>.<optimizer>.<episodes>.<population> (World Models' names):

    .json            [[parameters]]: the distribution's mean, every generation, 4 decimals
    .hist.json       rows: generation, seconds, mean, min, max, std, sigma, mean steps, max steps
    .log.json        rows: generation, evaluation mean, parameters
    .best.json       [parameters, evaluation mean] of the best evaluation
    .hist_best.json  rows: generation, seconds, "improvement", x, "curr", x, "prev", x, "best", x
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

import runs


def cut(x: float, decimals: int = 2) -> float:
    """Truncate, as the original does."""
    return math.trunc(float(x) * 10**decimals) / 10**decimals


def rounded(params: np.ndarray) -> list[float]:
    """Parameters with 4 decimals."""
    return [round(float(p), 4) for p in params]


class Logs:
    """The files of one evolution; rows after generation `start` are dropped on opening."""

    def __init__(self, base: Path, start: int):
        self.base = base
        self.metrics = runs.Metrics(base.parent, "generation", start + 1)
        self.hist = self.read(".hist.json", start)
        self.log = self.read(".log.json", start)
        self.hist_best = self.read(".hist_best.json", start)

    def read(self, suffix: str, start: int) -> list[Any]:
        file = self.file(suffix)
        rows = json.loads(file.read_text()) if file.exists() else []
        return [row for row in rows if row[0] <= start]

    def file(self, suffix: str) -> Path:
        return self.base.with_name(self.base.name + suffix)

    def write(self, suffix: str, data: Any) -> None:
        runs.write_json(self.file(suffix), data, indent=None)

    def generation(
        self,
        state: dict[str, Any],
        seconds: float,
        scores: np.ndarray,
        lengths: np.ndarray,
        sigma: float,
        mean_params: np.ndarray,
    ) -> None:
        """Write a generation.

        Args:
            state: of the evolution: its generation, and the seconds up to now.
            seconds: that this generation took.
            scores: (P,) of the candidates. lengths: steps of all their episodes.
        """
        generation, values = (
            state["generation"],
            (scores.mean(), scores.min(), scores.max(), scores.std()),
        )
        steps = (cut(lengths.mean() + 1), cut(lengths.max() + 1))
        row = [generation, int(state["seconds"]), *map(cut, values), cut(sigma, 5), *steps]
        self.hist.append(row)
        self.write(".hist.json", self.hist)
        self.write(".json", [rounded(mean_params)])
        names = ("mean", "min", "max", "std")
        self.metrics.write(
            generation=generation,
            seconds=round(seconds, 2),
            hours=round(state["seconds"] / 3600, 5),
            **{n: round(float(v), 3) for n, v in zip(names, values, strict=True)},
            sigma=round(float(sigma), 6),
            mean_steps=round(float(lengths.mean()), 1),
            max_steps=int(lengths.max()),
            steps_per_second=round(lengths.sum() / seconds, 1),
        )

    def evaluation(
        self, state: dict[str, Any], seconds: float, scores: np.ndarray, params: np.ndarray
    ) -> None:
        """Write an evaluation.

        Args:
            state: of the evolution before it: the generation, the seconds up to now, and the
                last and best score.
            seconds: that it took. scores: (N,) of its rollouts.
        """
        generation, previous, best = state["generation"], state["last"], state["best"]
        score = float(scores.mean())
        new_best = max(best, score)
        self.log.append([generation, round(score, 4), rounded(params)])
        self.write(".log.json", self.log)
        row = ["improvement", score - previous, "curr", score, "prev", previous, "best", new_best]
        row = [cut(x) if isinstance(x, float) else x for x in row]
        self.hist_best.append([generation, int(state["seconds"]), *row])
        self.write(".hist_best.json", self.hist_best)
        if score >= best:
            self.write(".best.json", [rounded(params), round(score, 4)])
        self.metrics.write(
            generation=generation,
            seconds=round(seconds, 2),
            hours=round(state["seconds"] / 3600, 5),
            eval_mean=round(score, 3),
            eval_std=round(float(scores.std()), 3),
            eval_episodes=len(scores),
        )


def history_files(path: Path) -> list[Path]:
    """The original's history files of a run, the newest last: one for each `--episodes`.

    Where an older one was left with later generations, the newer counts.
    """
    return sorted((path / "controller").glob("*.hist.json"), key=lambda f: f.stat().st_mtime)


def history(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the original's history files of a run.

    Returns:
        hist (generations, 9) and evaluations (n, 3): generation, seconds, score.

    Raises:
        RunError: no generation was played yet.
    """
    rows, scores = [], []
    for file in history_files(path):
        rows += json.loads(file.read_text())
        best = Path(str(file).replace(".hist.json", ".hist_best.json"))
        scores += json.loads(best.read_text()) if best.exists() else []
    if not rows:
        raise runs.RunError(f"{path} has no generation to plot; run `python train.py` first")
    scores = sorted([row[0], row[1], row[5]] for row in scores)
    rows = list({row[0]: row for row in rows}.values())
    return np.array(sorted(rows), float), np.array(scores, float).reshape(-1, 3)
