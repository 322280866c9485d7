"""Statistics of scores."""

from __future__ import annotations

import numpy as np


def interval(scores: np.ndarray) -> list[float]:
    """95 % interval of the mean, by 10,000 bootstrap samples (percentiles, fixed seed)."""
    rng = np.random.default_rng(0)
    means = rng.choice(scores, (10_000, len(scores))).mean(1)
    return [round(float(x), 3) for x in np.percentile(means, (2.5, 97.5))]
