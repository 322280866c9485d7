"""Shared by the tests: a real toy run, made once by the commands of `make demo`."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import config
import runs
from record.episodes import Episode, save_episode
from series.data import Series

ROOT = Path(__file__).resolve().parent.parent
runs.tensorflow(2)


def command(*words: str, cwd: Path, check: bool = True, timeout: int = 300):
    """Run `python <words>` in an empty working folder; the code comes from the repository."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    if words[0].endswith(".py"):
        words = (str(ROOT / words[0]), *words[1:])
    done = subprocess.run(
        [sys.executable, *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout
    )
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def commands(*scripts: tuple[str, ...], cwd: Path):
    """Run `python <words>` for each of `scripts` in one process, which imports TensorFlow once.

    Scripts that have `--workers` must be given 1: a worker would run all of them again.
    """
    named = [words[1:] if words[0] == "-m" else (words[0][:-3], *words[1:]) for words in scripts]
    run = "sys.argv = list(words); runpy.run_module(words[0], run_name='__main__')"
    return command("-c", f"import runpy, sys\nfor words in {named}: {run}", cwd=cwd)


def recipe(target: str) -> list[list[str]]:
    """The commands of a target of the Makefile, after `$(RUN)`."""
    text = (ROOT / "Makefile").read_text().split(f"\n{target}:")[1].split("\n\n")[0]
    text = text.replace("$(DEMO)", "demo").replace("$(or $(SEED),0)", "0")
    return [line.split()[1:] for line in text.splitlines() if line.startswith("\t$(RUN)")]


# `make demo` at toy size: its first five commands are the stages, the rest looks at what they made.
DEMO = [[word.replace("demo", "toy") for word in words] for words in recipe("demo")]
NAMES = list(config.SYSTEMS["worldmodels"].stages)
STAGES = dict(zip(NAMES, DEMO, strict=False))  # all words of a stage's command
PIPELINE = {stage: tuple(words[: words.index("--run")]) for stage, words in STAGES.items()}


def copy_run(toy: Path, target: Path, *stages: str) -> Path:
    """A copy of log/toy with some of its stages, in a new working folder."""
    made = json.loads((toy / "log/toy/config.json").read_text())
    for stage in stages:
        shutil.copytree(toy / "log/toy" / stage, target / "log/toy" / stage)
    kept = {k: v for k, v in made.items() if k in (*stages, "system", "game", "preset")}
    (target / "log/toy/config.json").write_text(json.dumps(kept))
    return target / "log/toy"


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Path:
    """A working folder with log/toy: all five stages at toy size, with reward and done heads.

    Made once for all of pytest's processes; each has its own copy.
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    made = base / "made"
    with open(base / "made.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "done").exists():
            made.mkdir(exist_ok=True)
            for stage, words in STAGES.items():
                heads = ("--reward-head", "--done-head") if stage == "rnn" else ()
                command(*words, *heads, cwd=made)
            (made / "done").touch()
    cwd = tmp_path_factory.mktemp("toy")
    shutil.copytree(made / "log", cwd / "log")
    return cwd


@pytest.fixture
def in_toy(toy, monkeypatch) -> Path:
    """Work inside the toy's folder; returns log/toy."""
    monkeypatch.chdir(toy)
    return Path("log/toy")


def make_series(lengths, z_size=2):
    """Series in which mu, action and reward all say which episode and step they are of."""
    rows = [(e, t) for e, n in enumerate(lengths) for t in range(n + 1)]
    mu = np.array([[100 * e + t] * z_size for e, t in rows], np.float16)
    value = np.array([100 * e + t if t < lengths[e] else 0 for e, t in rows], np.float32)
    lengths = np.array(lengths, np.int32)
    return Series(
        mu=mu,
        logvar=np.full_like(mu, -50),
        action=np.repeat(value[:, None], 3, 1),
        reward=value,
        mask=np.zeros((len(rows), 0), bool),
        policy=np.zeros((len(rows), 0), np.float32),
        length=lengths,
        offset=np.cumsum(lengths + 1) - lengths - 1,
        terminated=np.arange(len(lengths)) % 2 == 0,
        seed=np.arange(len(lengths)),
        vae="",
    )


def make_episodes(folder, lengths):
    """Episodes whose frames carry their own number in their first pixel."""
    episodes, number = [], 0
    for seed, steps in enumerate(lengths):
        obs = np.zeros((steps + 1, 64, 64, 3), np.uint8)
        for frame in obs:
            frame[0, 0] = number // 65536, number // 256 % 256, number % 256
            number += 1
        nothing = np.zeros(steps, np.float32)
        no_mask = np.zeros((steps + 1, 0), bool)
        action = np.zeros((steps, 3), np.float32)
        episode = Episode(obs, action, nothing, np.True_, np.False_, no_mask)
        save_episode(folder / f"{seed}.npz", episode)
        episodes.append((folder / f"{seed}.npz", steps))
    return episodes
