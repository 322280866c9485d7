"""Shipping a run: the copy plays as the run does, and knows its own V and M."""

from __future__ import annotations

import json

import numpy as np
import pytest

import config
import runs
from report.ship import ship
from rnn.dream import load_dream
from tests.conftest import command


def test_a_copy_is_played_like_the_run(in_toy, tmp_path):
    from vae.model import load_vae

    copy = tmp_path / "copy"
    ship(in_toy, copy)
    cfg = config.load(copy / "config.json")
    ours, theirs = (load_vae(path, cfg.vae).weights for path in (in_toy, copy))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-7)
    size = (copy / "vae" / "vae.weights.h5").stat().st_size
    assert size < 0.6 * (in_toy / "vae" / "vae.weights.h5").stat().st_size
    assert not (copy / "record").exists() and not list(copy.rglob("checkpoint.npz"))
    play = ("--episodes", "2", "--engine", "fast", "--workers", "1")
    command("evaluate.py", str(copy), *play, cwd=tmp_path)
    assert json.loads((copy / "result-fast.json").read_text())["episodes"] == 2
    with pytest.raises(runs.RunError, match="is there already"):
        ship(in_toy, copy)


def test_without_frames_from_anywhere_a_dream_starts_at_first_ones(in_toy, tmp_path):
    copy = tmp_path / "copy"
    ship(in_toy, copy)
    cfg, file = config.load(copy / "config.json"), copy / "series" / "initial_z.npz"
    starts = {k: v for k, v in runs.read_npz(file).items() if not k.startswith("any_")}
    runs.write_npz(file, starts)
    assert len(load_dream(copy, cfg).start_mu) == len(starts["mu"])
    with pytest.raises(runs.RunError, match="has first frames only"):
        load_dream(copy, cfg, start="any")
