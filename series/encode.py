"""Stage 3: encode every recorded frame to mu and logvar, once.

    python -m series.encode carracing

Writes log/<run>/series/series.npz, and initial_z.npz, where dreams start: the first frame of every
episode, and some from anywhere. Blocks of episodes are kept on the way: the same command goes on
where it stopped, and encodes again only if V or the episodes have changed.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np

import envs
import runs
from envs.batch import FRAME
from record.episodes import list_episodes, load_episode
from runs import cli, workers
from series.data import FIELDS

BLOCK = 64  # episodes kept together
ANYWHERE = 2000  # frames kept for dreams that start anywhere


def make_encoder(vae, batch_size: int):
    """Return a function from uint8 frames (N, 64, 64, 3) to mu and logvar, (N, Z) float32 each."""
    import tensorflow as tf

    from vae.model import pixels

    @tf.function(input_signature=[tf.TensorSpec((None, *FRAME.shape), tf.uint8)])
    def encode_batch(obs):
        return tf.concat(vae.encode(pixels(obs)), axis=-1)

    def encode(obs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [
            encode_batch(obs[i : i + batch_size]).numpy() for i in range(0, len(obs), batch_size)
        ]
        mu, logvar = np.split(np.concatenate(parts), 2, axis=-1)
        return mu, logvar

    return encode


def stamp(file: Path) -> np.ndarray:
    """What tells an episode's file from one of the same name, int64 (2,)."""
    return np.array([file.stat().st_size, file.stat().st_mtime_ns], np.int64)


def encode_block(
    encode, files: list[Path], action_size: int, searched: bool, skip_bad: bool
) -> dict[str, np.ndarray]:
    """Encode a few episodes; arrays as in series/data.py, and `stamp` (N, 2).

    Args:
        searched: keep what a search chose by, if the run learns to plan.
    """
    rows = {name: [] for name in (*FIELDS, "stamp") if name != "offset"}
    for file in files:
        try:
            episode = load_episode(file)
        except runs.RunError as error:
            if not skip_bad:
                raise
            print(f"left out: {error}")
            continue
        mu, logvar = encode(episode.obs)
        action = episode.vectors(action_size)
        rows["mu"].append(mu.astype(np.float16))
        rows["logvar"].append(logvar.astype(np.float16))
        rows["action"].append(np.concatenate([action, np.zeros_like(action[:1])]))
        rows["reward"].append(np.append(episode.reward, np.float32(0)))
        rows["mask"].append(episode.mask)
        policy = episode.policy if episode.policy.shape[1] else action * searched
        policy = policy[:, : action_size * searched]
        rows["policy"].append(np.concatenate([policy, np.zeros_like(policy[:1])]))
        rows["stamp"].append(stamp(file)[None])
        rows["length"].append(np.int32([len(episode)]))
        rows["terminated"].append(episode.terminated[None])
        rows["seed"].append(np.int64([file.stem]))
    return {name: np.concatenate(parts) for name, parts in rows.items() if parts}


def made_of(mark: str, episodes: list[tuple[Path, int]]) -> str:
    """Name the series that V's fingerprint `mark` and these files give: 16 hex digits."""
    lines = [mark]
    for file, steps in episodes:
        size, changed = stamp(file)
        lines.append(f"{file.name} {steps} {size} {changed}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def reusable(
    target: Path, mark: str, episodes: list[tuple[Path, int]], width: int
) -> dict[str, np.ndarray]:
    """What of an older series still holds: the episodes that have not changed, if V has not.

    Args:
        mark: V's fingerprint now. width: of a policy row.

    Returns:
        Arrays as `encode_block`'s, or nothing.
    """
    if not target.exists():
        return {}
    data = runs.read_npz(target)
    same = data.get("vae", np.zeros(0, np.uint8)).tobytes() == mark.encode()
    if not same or "stamp" not in data or data["policy"].shape[1] != width:
        return {}
    now = {int(file.stem): tuple(stamp(file)) for file, _ in episodes}
    pairs = zip(data["seed"], data["stamp"], strict=True)
    keep = np.array([now.get(int(seed)) == tuple(mark) for seed, mark in pairs], bool)
    rows = np.repeat(keep, data["length"] + 1)
    per_row = len(data["mu"])
    names = [name for name in (*FIELDS, "stamp") if name != "offset"]
    return {n: data[n][rows if len(data[n]) == per_row else keep] for n in names}


def in_order(arrays: dict[str, np.ndarray], seeds: list[int]) -> dict[str, np.ndarray]:
    """Put the episodes into the order of `seeds`, as if all had been encoded together."""
    place = {seed: i for i, seed in enumerate(seeds)}
    order = np.argsort([place[seed] for seed in arrays["seed"].tolist()])
    counts = arrays["length"].astype(np.int64) + 1
    offset = np.cumsum(counts) - counts
    rows = np.concatenate([np.arange(offset[i], offset[i] + counts[i]) for i in order])
    total = len(arrays["mu"])
    return {name: a[rows if len(a) == total else order] for name, a in arrays.items()}


def starts_of(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Where dreams may start: mu, logvar and mask of first frames, and of any (`any_mu`, ...); and
    where they may go: the least and largest mu, `low` and `high` (Z,)."""
    last = arrays["offset"] + arrays["length"]  # nothing can be played there
    others = np.setdiff1d(np.arange(len(arrays["mu"])), last)
    some = np.random.default_rng(0).permutation(others)[:ANYWHERE]
    names = ("mu", "logvar", "mask")
    first = {name: arrays[name][arrays["offset"]] for name in names}
    bounds = {"low": arrays["mu"].min(0), "high": arrays["mu"].max(0)}
    return first | {f"any_{name}": arrays[name][some] for name in names} | bounds


def encode_blocks(
    encode, folder: Path, key: str, todo: list[tuple[Path, int]], **how
) -> list[Path]:
    """Encode episodes block by block, but for the blocks that are there; returns their files.

    Args:
        key: of the series, which names its blocks; those of another are deleted.
        how: what else `encode_block` takes.
    """
    for block in folder.glob("block-*.npz"):
        if key not in block.name:
            block.unlink()
    progress = runs.Progress(sum(steps + 1 for _, steps in todo), "frames")
    blocks = []
    for start in range(0, len(todo), BLOCK):
        part = todo[start : start + BLOCK]
        block = folder / f"block-{key}-{start:06d}.npz"
        if not block.exists():
            runs.write_npz(block, encode_block(encode, [file for file, _ in part], **how))
        blocks.append(block)
        progress.add(sum(steps + 1 for _, steps in part))
    return blocks


def joined(
    parts: list[dict[str, np.ndarray]], episodes: list[tuple[Path, int]], mark: str
) -> dict[str, np.ndarray]:
    """Join blocks to a series, its episodes in the order of their seeds; `mark` is V's fingerprint.

    Raises:
        RunError: there is no episode in them.
    """
    parts = [part for part in parts if len(part.get("seed", ()))]
    if not parts:
        folder = episodes[0][0].parent
        raise runs.RunError(f"no episode in {folder} can be read; record again")
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    arrays = in_order(arrays, [int(file.stem) for file, _ in episodes])
    counts = arrays["length"].astype(np.int64) + 1
    arrays["offset"] = np.cumsum(counts) - counts
    arrays["vae"] = np.frombuffer(mark.encode(), np.uint8)
    return arrays


def main() -> None:
    run, cfg = cli.parse("series", __doc__)
    options, start = cfg.series, time.monotonic()
    workers.alone("series.encode")
    path = runs.folder(run)
    episodes = list_episodes(path / "record", options.skip_bad)
    runs.require(path, "vae", "vae.weights.h5")
    mark = runs.fingerprint(path / "vae" / "vae.weights.h5")
    key = made_of(mark, episodes)
    folder = runs.claim(run, "series", cfg)
    runs.sweep(folder)
    target = folder / "series.npz"
    last = (runs.read_metrics(folder / "metrics.jsonl") or [{}])[-1]
    if target.exists() and last.get("key") == key:
        print(f"series: {target} is up to date ({last['frames']:,} frames)")
        return
    runs.tensorflow(options.threads)
    from vae.model import load_vae

    encode = make_encoder(load_vae(path, cfg.vae), options.batch_size)
    size, searched = envs.load(cfg.game).action_size, cfg.rnn.planning_heads
    old = reusable(target, mark, episodes, size * searched)
    have = set(old["seed"].tolist()) if old else set()
    todo = [(file, steps) for file, steps in episodes if int(file.stem) not in have]
    total = sum(steps + 1 for _, steps in todo)
    print(
        f"series: {total:,} frames of {len(todo)} episodes to {target}"
        + (f", which has {len(have)} already" if have else ""),
        flush=True,
    )
    how = {"action_size": size, "searched": searched, "skip_bad": options.skip_bad}
    blocks = encode_blocks(encode, folder, key, todo, **how)
    arrays = joined([old, *map(runs.read_npz, blocks)], episodes, mark)
    runs.write_npz(folder / "initial_z.npz", starts_of(arrays) | {"vae": arrays["vae"]})
    runs.write_npz(target, arrays)
    seconds = time.monotonic() - start
    runs.Metrics(folder).write(
        key=key,
        frames=len(arrays["mu"]),
        episodes=len(arrays["length"]),
        vae=mark,
        seconds=round(seconds, 1),
        hours=round(last.get("hours", 0.0) + seconds / 3600, 4),
    )
    for block in blocks:
        block.unlink()
    print(f"done: {target}, {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    cli.run(main)
