"""Statistics of scores, and the files that they are kept in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import config
import runs


def interval(scores: np.ndarray) -> list[float]:
    """95 % interval of the mean, by 10,000 bootstrap samples (percentiles, fixed seed)."""
    rng = np.random.default_rng(0)
    means = rng.choice(scores, (10_000, len(scores))).mean(1)
    return [round(float(x), 3) for x in np.percentile(means, (2.5, 97.5))]


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
    runs.write_json(file, result)
    return file
