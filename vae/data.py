"""Frames streamed from episode files: peak memory does not grow with the dataset."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from envs.batch import FRAME
from record.episodes import load_episode
from runs import RunError

Episodes = list[tuple[Path, int]]  # files, and the steps of each
POOL_FRAMES = 16_000  # frames shuffled together; up to three pools of 200 MB are in memory


def frame_count(episodes: Episodes, max_frames: int) -> int:
    """Frames of an epoch."""
    return sum(min(max_frames or n + 1, n + 1) for _, n in episodes)


def read_ahead(items: Iterator, size: int = 1) -> Iterator:
    """Make items in a background thread, `size` ahead; pass its exceptions on."""
    line: queue.Queue = queue.Queue(maxsize=size)
    stop = threading.Event()

    def put(item: object) -> None:
        while not stop.is_set():
            try:
                return line.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                put((item, None))
                if stop.is_set():
                    return
            put((None, StopIteration()))
        except BaseException as error:
            put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        while True:
            item, error = line.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        stop.set()


def pools(
    episodes: Episodes, max_frames: int, rng: np.random.Generator, skip_bad: bool
) -> Iterator[np.ndarray]:
    """Yield arrays of shuffled frames, each from a few episodes drawn at random."""
    frames, count = [], 0
    for i in rng.permutation(len(episodes)):
        path, _ = episodes[i]
        try:
            obs = load_episode(path).obs
        except RunError as error:
            if not skip_bad:
                raise
            print(f"left out: {error}")
            continue
        if max_frames and len(obs) > max_frames:
            obs = obs[rng.choice(len(obs), max_frames, replace=False)]
        frames.append(obs)
        count += len(obs)
        if count >= POOL_FRAMES:
            yield shuffled(frames, count, rng)
            frames, count = [], 0
    if frames:
        yield shuffled(frames, count, rng)


def shuffled(frames: list[np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    """Join and shuffle without a second copy: every frame is written to its place at once."""
    order = rng.permutation(count)
    pool = np.empty((count, *frames[0].shape[1:]), np.uint8)
    start = 0
    while frames:
        part = frames.pop(0)
        pool[order[start : start + len(part)]] = part
        start += len(part)
    return pool


def batches(
    episodes: Episodes,
    batch_size: int,
    rng: np.random.Generator,
    *,
    max_frames: int = 0,
    skip_bad: bool = False,
) -> Iterator[np.ndarray]:
    """Yield uint8 batches (batch_size, *FRAME.shape) of an epoch; what fills none is dropped.

    Args:
        episodes: (file, steps) pairs.
        rng: decides order and choice; the same state gives the same epoch.
        max_frames: frames drawn from each episode (0: all).
    """
    rest = np.empty((0, *FRAME.shape), np.uint8)
    for pool in read_ahead(pools(episodes, max_frames, rng, skip_bad)):
        start = 0
        if len(rest):
            start = batch_size - len(rest)
            head = np.concatenate([rest, pool[:start]])
            if len(head) < batch_size:
                rest = head
                continue
            yield head
        stop = start + (len(pool) - start) // batch_size * batch_size
        for i in range(start, stop, batch_size):
            yield pool[i : i + batch_size]
        rest = pool[stop:].copy()
