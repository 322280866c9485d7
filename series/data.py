"""`series/series.npz`: every episode as latents, flat with offsets (no padding, no pickle).

Episode i of T steps owns rows `offset[i]` to `offset[i] + T` (T + 1 of them, as it has T + 1
observations):

    mu, logvar float16 (rows, Z) · action float32 (rows, A) · reward float32 (rows,)
    length int32 (N,): T · offset int64 (N,) · terminated bool (N,) · seed int64 (N,)

`mu[t]` is what was seen when `action[t]` was chosen, which earned `reward[t]` and led to
`mu[t + 1]`. Nothing was chosen after the last observation: its action and reward are zero.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

import runs

FIELDS = ("mu", "logvar", "action", "reward", "length", "offset", "terminated", "seed")


@dataclasses.dataclass
class Series:
    """All episodes of a run as latents; shapes as above."""

    mu: np.ndarray
    logvar: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    length: np.ndarray
    offset: np.ndarray
    terminated: np.ndarray
    seed: np.ndarray
    vae: str  # fingerprint of the V that encoded them

    def __len__(self) -> int:
        return len(self.length)


def load_series(path: Path) -> Series:
    """Load the series of a run's folder and check that its V is still the one that made it.

    Raises:
        RunError: missing, damaged, or made by another V.
    """
    runs.require(path, "series", "series.npz")
    file = path / "series" / "series.npz"
    data = runs.read_npz(file)
    missing = [name for name in (*FIELDS, "vae") if name not in data]
    if missing:
        raise runs.RunError(f"{file} lacks {', '.join(missing)}; delete it and encode again")
    rows = int(data["length"].sum()) + len(data["length"])
    if not all(len(data[name]) == rows for name in ("mu", "logvar", "action", "reward")):
        raise runs.RunError(f"{file} has arrays of the wrong length; delete it and encode again")
    vae = data["vae"].tobytes().decode()
    weights = path / "vae" / "vae.weights.h5"
    if weights.exists() and runs.fingerprint(weights) != vae:
        raise runs.RunError(
            f"{file} was encoded by another V than {weights}; run `python -m series.encode` again"
        )
    return Series(**{name: data[name] for name in FIELDS}, vae=vae)


def windows(
    series: Series, episodes: np.ndarray, batch_size: int, length: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw a batch of sequences: of each of `batch_size` episodes, `length` steps or all it has.

    z is drawn anew from N(mu, sigma) every time, so M never sees the same sequence twice.

    Returns:
        z float32 (B, L+1, Z), action (B, L, A), reward (B, L), done (B, L): 1 at the last step of
        an episode that terminated; mask (B, L): 0 after the end of a shorter episode.
    """
    chosen = rng.choice(episodes, batch_size, replace=batch_size > len(episodes))
    steps = np.minimum(series.length[chosen], length)
    width = int(steps.max())
    start = rng.integers(0, series.length[chosen] - steps + 1)
    rows = (series.offset[chosen] + start)[:, None] + np.minimum(
        np.arange(width + 1), steps[:, None]
    )
    mu, logvar = series.mu[rows].astype(np.float32), series.logvar[rows].astype(np.float32)
    noise = rng.standard_normal(mu.shape, np.float32)
    mask = (np.arange(width) < steps[:, None]).astype(np.float32)
    last = start + steps == series.length[chosen]
    done = np.zeros_like(mask)
    done[np.arange(batch_size), steps - 1] = last & series.terminated[chosen]
    return {
        "z": mu + np.exp(logvar / 2) * noise,
        "action": series.action[rows[:, :-1]] * mask[..., None],
        "reward": series.reward[rows[:, :-1]] * mask,
        "done": done,
        "mask": mask,
    }
