"""Episodes on disk: `record/<seed>.npz`, one compressed file each.

t        0     1     2     3 = T
obs      o0    o1    o2    o3          T+1 of them; the last one too
action      a0    a1    a2             chosen on seeing o_t
reward      r0    r1    r2             earned by a_t; known with o_{t+1}
end                        e           terminated or truncated, known with o_T

obs uint8 (T+1, 64, 64, 3) · action float32 (T, A), or int32 (T,) if discrete
reward float32 (T,) · terminated bool () · truncated bool ()
mask bool (T+1, A): the valid actions; (T+1, 0) if all always are
policy float32 (T, A): how often a search tried each action, as shares; (T, 0) without one
"""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from envs.batch import FRAME
from runs import RunError, command, replacing


@dataclasses.dataclass
class Episode:
    """One episode of T steps; shapes as above."""

    obs: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    mask: np.ndarray
    policy: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.policy is None:
            self.policy = np.zeros((len(self), 0), np.float32)

    def __len__(self) -> int:
        return len(self.reward)

    def vectors(self, size: int) -> np.ndarray:
        """Actions as M is told them: float32 (T, size), one-hot if they are discrete."""
        if self.action.ndim == 1 and self.action.dtype.kind == "i":
            return np.eye(size, dtype=np.float32)[self.action]
        return self.action.reshape(len(self), size).astype(np.float32)


FIELDS = [field.name for field in dataclasses.fields(Episode)]
LATER = ("mask", "policy")  # an episode may lack them


def save_episode(path: Path, episode: Episode) -> None:
    """Write one npz in one piece, at zlib level 1 (a third of the time of NumPy's level 6)."""
    with (
        replacing(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name in FIELDS:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(getattr(episode, name)))


def load_episode(path: Path) -> Episode:
    """Read and check one episode.

    Raises:
        RunError: names the file, if it is empty, truncated, foreign or of wrong shapes.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in FIELDS if name not in LATER}
            nothing = np.zeros((len(arrays["obs"]), 0), bool)
            later = {"mask": data.get("mask", nothing), "policy": data.get("policy")}
            episode = Episode(**arrays, **later)
    except Exception as error:
        what = "is empty" if not path.stat().st_size else "is not an episode of ours"
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(f"{path} {what} ({detail}); delete it and record again") from None
    steps = len(episode.reward) if episode.reward.ndim else -1
    good = (
        episode.obs.shape == (steps + 1, *FRAME.shape)
        and episode.obs.dtype == np.uint8
        and episode.action.shape[:1] == (steps,)
        and episode.terminated.shape == episode.truncated.shape == ()
        and episode.policy.shape[:1] == (steps,)
    )
    if not good:
        shapes = {name: getattr(episode, name).shape for name in FIELDS}
        raise RunError(f"{path} has wrong shapes {shapes}; delete it and record again")
    return episode


def episode_length(path: Path) -> int:
    """Steps of an episode, from its header alone.

    Raises:
        RunError: the file is not a readable npz of ours.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open("obs.npy") as member:
            version = np.lib.format.read_magic(member)
            read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
                version, np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read(member)
    except Exception:
        what = "is empty" if not path.stat().st_size else "is truncated or foreign"
        raise RunError(
            f"{path} {what}; delete it and record again, or pass --skip-bad to leave it out"
        ) from None
    if len(shape) != 4 or shape[1:] != FRAME.shape or dtype != np.uint8 or shape[0] < 2:
        raise RunError(
            f"{path} holds observations of shape {shape}, not (T+1, {str(FRAME.shape)[1:]}; "
            "delete it and record again, or pass --skip-bad to leave it out"
        )
    return shape[0] - 1


def list_episodes(folder: Path, skip_bad: bool = False) -> list[tuple[Path, int]]:
    """All episodes of a run's `record` folder with their lengths, in order of their seeds.

    Raises:
        RunError: there are none, or one is unreadable and `skip_bad` is off.
    """
    files = sorted(folder.glob("[0-9]*.npz"), key=lambda p: (len(p.stem), p.stem))
    episodes = []
    for file in files:
        try:
            episodes.append((file, episode_length(file)))
        except RunError as error:
            if not skip_bad:
                raise
            print(f"left out: {error}")
    if not episodes:
        made_by = command(folder.parent, "record")
        raise RunError(f"no episodes in {folder}; make them with `{made_by}` first")
    return episodes


def split(seeds: Sequence[int], holdout: float) -> tuple[np.ndarray, np.ndarray]:
    """Split episodes into training and validation by their seeds: who is held out stays held out.

    Returns:
        Indices into `seeds` of the episodes to train on, and of those held out.

    Raises:
        RunError: too few episodes to hold any out.
    """
    every = max(2, round(1 / holdout)) if holdout > 0 else 0
    is_held = np.array([bool(every) and seed % every == every - 1 for seed in seeds], bool)
    train, held = np.flatnonzero(~is_held), np.flatnonzero(is_held)
    if not len(train) or (every and not len(held)):
        raise RunError(f"{len(seeds)} episodes are too few to hold out {holdout:.0%} of them")
    return train, held
