"""Time several things in turns, so that a noisy machine treats them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def interleave(jobs: dict[str, Callable[[], object]], rounds: int = 7) -> dict[str, list[float]]:
    """Run each job once to warm up, then all of them in turns; returns wall seconds of each."""
    for job in jobs.values():
        job()
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def report(seconds: dict[str, list[float]], amount: float, unit: str) -> None:
    """Print the rate of each job, median and best, and its ratio to the last one's median."""
    last = statistics.median(list(seconds.values())[-1])
    print(f"{'':34}{unit + '/s, median':>22}{'best':>12}{'ratio':>9}")
    for name, times in seconds.items():
        middle = statistics.median(times)
        rates = f"{amount / middle:22,.0f}{amount / min(times):12,.0f}"
        print(f"{name:34}{rates}{last / middle:9.2f}")


def torch_or_none(threads: int):
    """PyTorch with so many threads, or nothing if it is not installed."""
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed here (pip install torch); its rows are left out")
        return None
    torch.set_num_threads(threads)
    return torch
