"""Shared by the tests: a real toy run, made once by the README's own commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import runs

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


PIPELINE = {
    "record": ("-m", "record.extract", "carracing"),
    "vae": ("-m", "vae.train", "carracing"),
    "series": ("-m", "series.encode", "carracing"),
    "rnn": ("-m", "rnn.train", "carracing"),
    "controller": ("train.py", "carracing"),
}


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Path:
    """A working folder with log/toy: all five stages at toy size, with reward and done heads."""
    cwd = tmp_path_factory.mktemp("toy")
    for stage, words in PIPELINE.items():
        more = ("--preset", "toy") if stage == "record" else ()
        heads = ("--reward-head", "--done-head") if stage == "rnn" else ()
        command(*words, "--run", "toy", *more, *heads, cwd=cwd)
    return cwd


@pytest.fixture
def in_toy(toy, monkeypatch) -> Path:
    """Work inside the toy's folder; returns log/toy."""
    monkeypatch.chdir(toy)
    return Path("log/toy")
