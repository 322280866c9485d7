"""Scores: their statistics, the table that is printed, and the result.json that they are kept in.

A result is the same for all systems: `system`, `game`, `engine`, `seeds` (the first and the last),
`episodes`, `mean`, `std`, `median`, `min`, `max`, `ci95` (of the mean), `scores` and `lengths` by
episode, `command`, `versions`, `wall_hours`, `cpu_hours`, and `baselines`, each with a summary of
its own. What else a system knows of its scores stands beside them.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import config
from runs.files import write_json

COLUMNS = ("mean", "std", "median", "min", "max")
PLAYERS = ("random", "prior", "search")  # of a planner: random play, the policy alone, the search


def interval(scores: np.ndarray) -> list[float]:
    """95 % interval of the mean, by 10,000 bootstrap samples (percentiles, fixed seed)."""
    rng = np.random.default_rng(0)
    means = rng.choice(scores, (10_000, len(scores))).mean(1)
    return [round(float(x), 3) for x in np.percentile(means, (2.5, 97.5))]


def summary(scores: np.ndarray, lengths: np.ndarray | None = None, decimals: int = 2) -> dict:
    """Summarise the scores (N,) of episodes, and keep them and the episodes' lengths (N,)."""
    values = (scores.mean(), scores.std(), np.median(scores), scores.min(), scores.max())
    row = {k: round(float(v), decimals) for k, v in zip(COLUMNS, values, strict=True)}
    row |= {"ci95": interval(scores), "episodes": len(scores)}
    row["scores"] = [round(float(s), decimals) for s in scores]
    if lengths is not None:
        row["lengths"] = [int(n) for n in lengths]
    return row


def table(rows: dict[str, dict], decimals: int = 1) -> str:
    """Write summaries as the rows of a table, with their 95 % intervals."""
    lines = [f"{'':24}" + "".join(f"{name:>10}" for name in COLUMNS) + f"{'95 % of the mean':>22}"]
    for name, row in rows.items():
        low, high = row["ci95"]
        values = "".join(f"{row[column]:10.{decimals}f}" for column in COLUMNS)
        lines.append(f"{name:24}{values}{f'{low:.{decimals}f} .. {high:.{decimals}f}':>22}")
    return "\n".join(lines)


class Clock:
    """How long an evaluation takes, from when it is made: hours of the clock and of this process's
    processor."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.monotonic(), time.process_time()

    def hours(self, cpu_seconds: float | None = None) -> dict[str, float]:
        """Say the hours so far; `cpu_seconds`: of the worker processes, where they did the work."""
        if cpu_seconds is None:
            cpu_seconds = time.process_time() - self.cpu
        return {
            "wall_hours": round((time.monotonic() - self.wall) / 3600, 4),
            "cpu_hours": round(cpu_seconds / 3600, 4),
        }


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of packages and of Python; what is not installed as a package has none."""
    found = {}
    for name in dict.fromkeys(("tensorflow", "keras", "numpy", *packages)):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found | {"python": platform.python_version()}


def made_by(
    system: str, game: str, engine: str, seeds: np.ndarray, packages: Iterable[str]
) -> dict:
    """Say where scores come from: what is the same of the results of all systems."""
    return {
        "system": system,
        "game": game,
        "engine": engine,
        "seeds": [int(seeds[0]), int(seeds[-1])],
        "command": " ".join(["python", *sys.argv]),
        "versions": versions(packages),
    }


def read_players(result: dict) -> dict[str, dict]:
    """The summaries of `PLAYERS` in the result of a planner.

    Older results hold them side by side; today the search is the result, and the others stand under
    its `baselines`. Without all three the result is not a planner's, and nothing is returned.
    """
    others = {"search": result} | result.get("baselines", {})
    players = {name: result.get(name) or others.get(name) for name in PLAYERS}
    return players if all(players.values()) else {}


def other_seeds(seed: int) -> list[str]:
    """A part of the name of a result whose first seed is not the usual one."""
    return [f"seed-{seed}"] if seed != config.TEST_SEEDS else []


def write_result(path: Path, result: dict, parts: list[str]) -> Path:
    """Write result.json, or result-<part>-<part>.json, to a run's folder; returns the file.

    A shorter evaluation of the same controller or models does not replace a longer one: the name of
    its file ends with its number of episodes.

    Args:
        parts: what differs from the evaluation that the run is known by.
    """
    name = "-".join(["result", *parts])
    file = path / f"{name}.json"
    was = json.loads(file.read_text()) if file.exists() else {}
    same = all(was.get(key) == result.get(key) for key in ("controller", "models"))
    if same and was.get("episodes", 0) > result["episodes"]:
        file = path / f"{name}-{result['episodes']}.json"
    write_json(file, result)
    return file
