"""`series/series.npz`: every episode as latents, flat with offsets (no padding, no pickle).

Episode i of T steps owns rows `offset[i]` to `offset[i] + T` (T + 1 of them, as it has T + 1
observations):

    mu, logvar float16 (rows, Z) · action float32 (rows, A) · reward float32 (rows,)
    mask bool (rows, A): valid actions, or (rows, 0) if all always are
    policy float32 (rows, A): what a search chose by, or the action if none did; (rows, 0) if no
    episode was played with a search
    length int32 (N,): T · offset int64 (N,) · terminated bool (N,) · seed int64 (N,)

`mu[t]` is what was seen when `action[t]` was chosen, which earned `reward[t]` and led to
`mu[t + 1]`. Nothing was chosen after the last observation: its action and reward are zero.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

import runs

FIELDS = ("mu", "logvar", "action", "reward", "mask", "policy") + (
    "length",
    "offset",
    "terminated",
    "seed",
)


@dataclasses.dataclass
class Series:
    """All episodes of a run as latents; shapes as above."""

    mu: np.ndarray
    logvar: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    mask: np.ndarray
    policy: np.ndarray
    length: np.ndarray
    offset: np.ndarray
    terminated: np.ndarray
    seed: np.ndarray
    vae: str  # fingerprint of the V that encoded them

    def __len__(self) -> int:
        return len(self.length)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest recorded mu: float32 (Z,) each."""
        return self.mu.min(0).astype(np.float32), self.mu.max(0).astype(np.float32)

    def returns(self, gamma: float) -> np.ndarray:
        """Discounted sums of the rewards from every row to its episode's end: float32 (rows,)."""
        out = self.reward.astype(np.float64)
        at = self.offset + self.length - 1
        for back in range(1, int(self.length.max())):
            rows = (at - back)[self.length > back]
            out[rows] += gamma * out[rows + 1]
        return out.astype(np.float32)


def load_series(path: Path) -> Series:
    """Load the series of a run's folder and check that its V is still the one that made it.

    Raises:
        RunError: missing, damaged, or made by another V.
    """
    runs.require(path, "series", "series.npz")
    file = path / "series" / "series.npz"
    data = runs.read_npz(file)
    if "policy" not in data and "mu" in data:  # made before there was a search
        data["policy"] = np.zeros((len(data["mu"]), 0), np.float32)
    missing = [name for name in (*FIELDS, "vae") if name not in data]
    if missing:
        raise runs.RunError(f"{file} lacks {', '.join(missing)}; delete it and encode again")
    rows = int(data["length"].sum()) + len(data["length"])
    if not all(len(data[name]) == rows for name in FIELDS[:6]):
        raise runs.RunError(f"{file} has arrays of the wrong length; delete it and encode again")
    vae = data["vae"].tobytes().decode()
    weights = path / "vae" / "vae.weights.h5"
    if weights.exists() and runs.fingerprint(weights) != vae:
        raise runs.RunError(
            f"{file} was encoded by another V than {weights}; run `python -m series.encode` again"
        )
    return Series(**{name: data[name] for name in FIELDS}, vae=vae)


def windows(
    series: Series,
    episodes: np.ndarray,
    batch_size: int,
    length: int,
    rng: np.random.Generator,
    anywhere: bool = True,
) -> dict[str, np.ndarray]:
    """Draw a batch of sequences: of each of `batch_size` episodes, `length` steps or all it has.

    z is drawn anew from N(mu, sigma) every time, so M never sees the same sequence twice. Sequences
    start anywhere, or else at the episodes' first frames.

    Returns:
        z float32 (B, L+1, Z), action (B, L, A), reward (B, L), done (B, L): 1 at the last step of
        an episode that terminated; valid (B, L, A or 0): the actions possible at the next step;
        mask (B, L): 0 after the end of a shorter episode.
    """
    chosen = rng.choice(episodes, batch_size, replace=batch_size > len(episodes))
    steps = np.minimum(series.length[chosen], length)
    start = rng.integers(0, (series.length[chosen] - steps) * anywhere + 1)
    rows, mask, done = rows_of(series, chosen, start, steps, int(steps.max()))
    return draw(series, rows, mask, rng) | {"done": done}


def rows_of(
    series: Series, chosen: np.ndarray, start: np.ndarray, steps: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of `steps` (B,) steps of the episodes `chosen` (B,) from `start` (B,) on, padded.

    Returns:
        Rows (B, width + 1), of which those after the end repeat the last; mask and done (B, width)
        as in `windows`.
    """
    rows = (series.offset[chosen] + start)[:, None] + np.minimum(
        np.arange(width + 1), steps[:, None]
    )
    mask = (np.arange(width) < steps[:, None]).astype(np.float32)
    last = start + steps == series.length[chosen]
    done = np.zeros_like(mask)
    done[np.arange(len(chosen)), steps - 1] = last & series.terminated[chosen]
    return rows, mask, done


def draw(
    series: Series, rows: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """What M is told and asked along rows (B, L+1) of a series, without `done`; see `windows`."""
    mu, logvar = series.mu[rows].astype(np.float32), series.logvar[rows].astype(np.float32)
    noise = rng.standard_normal(mu.shape, np.float32)
    return {
        "z": mu + np.exp(logvar / 2) * noise,
        "action": series.action[rows[:, :-1]] * mask[..., None],
        "reward": series.reward[rows[:, :-1]] * mask,
        "valid": series.mask[rows[:, 1:]].astype(np.float32),
        "mask": mask,
    }


class Stream:
    """All episodes as one stream (the original's Doom).

    In every epoch the episodes are shuffled, joined end to end and cut into `batch_size` lanes,
    which are walked through in windows of `length` steps; M carries its state from one to the next.

    Args:
        seed: of the order and of the latents.

    Raises:
        RunError: too few episodes for a single window.
    """

    def __init__(
        self, series: Series, episodes: np.ndarray, batch_size: int, length: int, seed: tuple
    ):
        self.series, self.episodes, self.seed = series, episodes, seed
        self.batch_size, self.length = batch_size, length
        self.count = (int((series.length[episodes] + 1).sum()) // batch_size - 1) // length
        if self.count < 1:
            raise runs.RunError(
                f"{len(episodes)} episodes do not fill {batch_size} lanes of {length} steps; lower "
                "--batch-size or --sequence-length"
            )
        self.firsts, self.lasts = np.zeros((2, len(series.mu)), np.float32)
        self.firsts[series.offset] = 1
        self.lasts[series.offset + series.length] = 1
        self.ends = np.zeros(len(series.mu), np.float32)
        self.ends[series.offset + series.length - 1] = series.terminated
        self.epoch = -1

    def begin(self, epoch: int) -> None:
        """Lay out an epoch's lanes."""
        series = self.series
        order = np.random.default_rng([*self.seed, epoch]).permutation(self.episodes)
        rows = np.concatenate([series.offset[i] + np.arange(series.length[i] + 1) for i in order])
        self.lanes = rows[: len(rows) // self.batch_size * self.batch_size]
        self.lanes = self.lanes.reshape(self.batch_size, -1)
        self.epoch = epoch

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """The batch of a training step.

        Returns:
            As `windows`, and `restart` (B, L): 1 at the first step of an episode, where M's state
            is to be zero; `fresh` (): 1 if the lanes begin, and nothing is carried. The step from
            the last observation of an episode to the first of the next is masked.
        """
        epoch, window = divmod(step, self.count)
        if epoch != self.epoch:
            self.begin(epoch)
        rows = self.lanes[:, window * self.length : (window + 1) * self.length + 1]
        now = rows[:, :-1]
        rng = np.random.default_rng([*self.seed, step])
        return draw(self.series, rows, 1 - self.lasts[now], rng) | {
            "done": self.ends[now],
            "restart": self.firsts[now],
            "fresh": np.float32(window == 0),
        }
