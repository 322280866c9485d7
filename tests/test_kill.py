"""SIGKILL at a random moment of each stage, then the same command: a complete, valid run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np

import runs
from record.episodes import list_episodes, load_episode
from series.data import load_series
from tests.conftest import PIPELINE, ROOT, command

MORE = {
    "record": ("--preset", "toy", "--episodes", "40", "--workers", "1"),
    "vae": ("--epochs", "4", "--max-frames", "15"),
    "series": ("--batch-size", "2"),
    "rnn": ("--steps", "12", "--validate-every", "2"),
}
STARTS = {"record": "record:", "vae": "vae:", "series": "series:", "rnn": "rnn:"}


def kill_once(words: list[str], cwd, sign: str) -> None:
    """Start a command and kill it within a few seconds after it has begun its work."""
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    for line in process.stdout:
        if line.startswith(sign):
            break
    moment = random.uniform(0, 3)
    print(f"{sign} killed after {moment:.3f} s")  # shown if the test fails
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_every_stage_goes_on_after_a_kill(tmp_path):
    for stage, more in MORE.items():
        words = [*PIPELINE[stage], "--run", "torn", *more]
        kill_once(words, tmp_path, STARTS[stage])
        done = command(*words, cwd=tmp_path)
        assert "done" in done.stdout or "up to date" in done.stdout, done.stdout
    run = tmp_path / "log" / "torn"
    episodes = list_episodes(run / "record")
    assert len(episodes) == 40 and all(len(load_episode(p)) == n for p, n in episodes)
    epochs = [row["epoch"] for row in runs.read_metrics(run / "vae" / "metrics.jsonl")]
    assert epochs == [1, 2, 3, 4]
    series = load_series(run)
    assert len(series) == 40 and np.isfinite(series.mu).all()
    assert not list((run / "series").glob("block-*"))
    steps = [row["step"] for row in runs.read_metrics(run / "rnn" / "metrics.jsonl")]
    assert steps == [2, 4, 6, 8, 10, 12]
    assert not [p for p in run.rglob("*") if "tmp" in p.name]
